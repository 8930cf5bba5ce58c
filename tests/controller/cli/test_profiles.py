import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_profiles.library import BUNDLED
from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]


def test_encode_prints_one_frame_a_line(percuss: Percuss) -> None:
    # The worked example of the public protocol notes: 1750 rpm.
    assert percuss("profiles", "encode", "theragun-gen4", "set_level", "level=1750").out == "AA E3 01 03 06 D6 03\n"
    assert percuss("profiles", "encode", "theragun-gen4", "stop").out == "AA 07 01 03 00 00 03\nAA 04 01 03\n"
    assert (
        percuss("profiles", "encode", "nlr-hf8", "set_level", "channel=right_back", "level=128").out
        == "4D 34 31 32 38 0D\n"
    )


def test_decode_prints_the_report_as_json(percuss: Percuss) -> None:
    frame = "BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6"
    wanted = {"report": "status", "running": True, "level": 1750}
    assert json.loads(percuss("profiles", "decode", "theragun-gen4", frame).out) == wanted
    assert json.loads(percuss("profiles", "decode", "theragun-gen4", *frame.split()).out) == wanted
    assert json.loads(percuss("profiles", "decode", "theragun-gen4", frame.replace(" ", "")).out) == wanted


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("encode", "theragun-gen4", "set_level", "level=2401"),
            "2401 is no level of this device. Levels: 0, 1 to",
        ),
        (("encode", "theragun-gen4", "set_level", "level=fast"), "must be a whole number"),
        (("encode", "theragun-gen4", "set_level", "speed=1"), "takes no speed"),
        (("encode", "theragun-gen4", "set_level"), "needs level="),
        (("encode", "theragun-gen4", "set_levle", "level=1"), "Did you mean 'set_level'"),
        (("encode", "theragun-gen4", "set_level", "1750"), "not of the form name=value"),
        (("encode", "nlr-hf8", "set_level", "level=1"), "needs channel=…: right_thigh"),
        (("encode", "nlr-hf8", "query_status"), "has no command 'query_status'"),
        (("decode", "theragun-gen4", "BB 00"), "is no frame of this device"),
        (("decode", "theragun-gen4", "hello"), "is no hex"),
    ],
)
def test_what_makes_no_sense_is_bad_usage_with_a_sentence(
    percuss: Percuss, arguments: tuple[str, ...], says: str
) -> None:
    result = percuss("profiles", *arguments)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""
    assert "Traceback" not in result.err


def test_an_unknown_profile_is_not_found_and_suggests_the_near_one(percuss: Percuss) -> None:
    result = percuss("profiles", "show", "theragun")
    assert result.code == 5
    assert "Did you mean 'theragun-gen4'" in result.err


def test_list_says_how_sure_each_is(percuss: Percuss) -> None:
    listed = json.loads(percuss("profiles", "list", "--json").out)["profiles"]
    told = {row["id"]: (row["link"], row["confidence"], row["verified_on_hardware"]) for row in listed}
    assert set(told) == {path.stem for path in BUNDLED.glob("*.toml")}
    assert told["theragun-gen4"] == ("BLE", "C", False)
    assert told["nlr-hf8"] == ("serial", "B", False)
    assert told["lcus-relay"] == ("serial", "A", False)
    assert "theragun-gen4" in percuss("profiles", "list").out


def test_show_tells_the_source_and_the_dead_man(percuss: Percuss) -> None:
    shown = percuss("profiles", "show", "theragun-gen4").out
    assert "https://buttplug.io/stpihkal/protocols/theragun" in shown
    assert "no auto-off is documented" in shown
    assert json.loads(percuss("profiles", "show", "theragun-gen4", "--json").out)["id"] == "theragun-gen4"


def test_check_passes_what_is_shipped(percuss: Percuss) -> None:
    result = percuss("profiles", "check")
    assert result.code == 0
    assert result.out.count(": ok (") == len(list(BUNDLED.glob("*.toml")))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("AA E3 01 03 06 D6 03", "AA E4 01 03 06 D6 03", "the vector says AA E4"),
        ("[channels.head]", '[channels.head]\nregion = "neck"\nside = "left"', "neck is refused"),
        ("[channels.head]", '[channels.head]\nregion = "calvez"\nside = "left"', "Did you mean 'calves'"),
        ("[channels.head]", '[channels.head]\nregion = "calf"\nside = "left"', "by its id"),
    ],
)
def test_check_fails_a_bad_profile_with_its_line(
    percuss: Percuss, tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (BUNDLED / "theragun-gen4.toml").read_text(encoding="utf-8")
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = percuss("profiles", "check", str(path))
    assert result.code == 8
    assert says in result.err
    assert f"{path}:" in result.err


def test_two_profiles_with_one_id_are_told(percuss: Percuss, home: Path) -> None:
    (home / "profiles").mkdir()
    copy = home / "profiles" / "mine.toml"
    copy.write_bytes((BUNDLED / "nlr-hf8.toml").read_bytes())
    result = percuss("profiles", "check")
    assert result.code == 8
    assert f"{copy}: id: has the id 'nlr-hf8' of" in result.err


def test_a_profile_that_is_named_gets_warnings_and_still_passes(percuss: Percuss) -> None:
    # The seat pad cannot say what it does, which its profile cannot mend.
    result = percuss("profiles", "check", "nlr-hf8")
    assert result.code == 0
    assert "nlr-hf8.toml: ok (" in result.out
    assert "warning: reports.status: the device does not say" in result.err


def test_a_profile_that_another_is_as_sure_of_is_warned_of(percuss: Percuss, tmp_path: Path) -> None:
    text = (BUNDLED / "theragun-gen4.toml").read_text(encoding="utf-8")
    path = tmp_path / "twin.toml"
    path.write_text(text.replace('id = "theragun-gen4"', 'id = "twin"', 1), encoding="utf-8")
    result = percuss("profiles", "check", str(path))
    assert result.code == 0
    assert "the profile theragun-gen4 is as sure as this one" in result.err


def test_check_says_all_of_it_as_json(percuss: Percuss, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("schema = 1\n", encoding="utf-8")
    result = percuss("profiles", "check", "nlr-hf8", str(broken), "--json")
    assert result.code == 8
    good, bad = json.loads(result.out)["files"]
    assert (good["ok"], good["id"], good["error"]) == (True, "nlr-hf8", None)
    assert "reports.status" in {warning["key"] for warning in good["warnings"]}
    assert (bad["ok"], bad["id"]) == (False, None)
    assert str(broken) in bad["error"]


def test_the_schema_is_json(percuss: Percuss) -> None:
    assert json.loads(percuss("profiles", "schema").out)["title"] == "Profile"
