from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.authoring import Draft, Example, draft_toml, levels_to_show, parse_example, write_draft
from firmware_profiles.errors import ProfileError
from firmware_profiles.loader import load_profile

# A device that takes AA, the level, and the sum of both: so its level 1 is AA 01 AB, 5 is AA 05 AF, 9 is AA 09 B3.
DRAFT = Draft(
    id="acme-one",
    name="Acme One",
    sources=(("https://example.org/acme", "AA, the level, and their sum."),),
    ble=("FFE0", "FFE1", None),
    match_name="Acme",
    level_full=9,
    commands=(("set_level", ("AA {level:u8} {sum8@0..}",)), ("stop", ("AA 00 AA",))),
    examples=tuple(
        parse_example(text)
        for text in (
            "set_level level=1: AA01AB",
            "set_level level=5: AA 05 AF",
            "set_level level=9: AA09B3",
            "stop: AA00AA",
        )
    ),
    example_source="example.org, page 3",
)


def test_what_is_written_loads(tmp_path: Path) -> None:
    path = tmp_path / "profiles" / "acme-one.toml"
    write_draft(DRAFT, path)
    loaded = load_profile(path)
    assert (loaded.id, loaded.confidence, loaded.verified_on_hardware) == ("acme-one", "C", False)
    assert loaded.level is not None
    assert loaded.level.full == 9
    assert [vector.source for vector in loaded.vectors] == ["example.org, page 3"] * 4


def test_a_serial_device_with_two_motors_and_a_status_loads(tmp_path: Path) -> None:
    draft = replace(
        DRAFT,
        ble=None,
        baud=9600,
        match_name=None,
        match_usb="1A86:7523",
        channels=(("left", 0), ("right", 1)),
        commands=(
            ("set_level", ("AA {channel:u8} {level:u8}",)),
            ("stop", ("AA 00 00", "AA 01 00")),
            ("query_status", ("CC",)),
        ),
        reports=(("status", ("DD {running:bool} {battery_pct:u8}",)),),
        examples=tuple(
            parse_example(text)
            for text in (
                "set_level channel=left level=1: AA 00 01",
                "set_level channel=right level=5: AA 01 05",
                "set_level channel=left level=9: AA 00 09",
                "stop: AA 00 00, AA 01 00",
                "query_status: CC",
                "status running=true battery_pct=50: DD 01 32",
            )
        ),
    )
    profile = write_draft(draft, tmp_path / "two.toml")
    assert list(profile.channels) == ["left", "right"]
    assert profile.reports_status


def test_bytes_that_disagree_with_the_frame_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    wrong = tuple(parse_example("stop: AA 00 AB") if one.name == "stop" else one for one in DRAFT.examples)
    path = tmp_path / "acme.toml"
    with pytest.raises(ProfileError, match="makes AA 00 AA, the vector says AA 00 AB") as told:
        write_draft(replace(DRAFT, examples=wrong), path)
    assert told.value.path == path
    assert not path.exists()


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text("mine")
    with pytest.raises(ProfileError, match="there already"):
        write_draft(DRAFT, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_lowest_middle_and_highest_level_are_wanted(tmp_path: Path, left_out: int) -> None:
    examples = tuple(one for number, one in enumerate(DRAFT.examples) if number != left_out)
    with pytest.raises(ProfileError, match="such as 1, 5, 9"):
        write_draft(replace(DRAFT, examples=examples), tmp_path / "acme.toml")


def test_a_command_without_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no vector pins it"):
        write_draft(replace(DRAFT, examples=DRAFT.examples[:3]), tmp_path / "acme.toml")


def test_a_stop_that_does_not_stop_is_refused(tmp_path: Path) -> None:
    draft = replace(
        DRAFT,
        commands=(DRAFT.commands[0], ("stop", ("AA 01 AB",))),
        examples=(*DRAFT.examples[:3], parse_example("stop: AA 01 AB")),
    )
    with pytest.raises(ProfileError, match="that is no stop"):
        write_draft(draft, tmp_path / "acme.toml")


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("stop: 00", Example("stop", (), ("00",))),
        ("stop: AA00 , AA 01", Example("stop", (), ("AA00", "AA 01"))),
        (
            "set_level channel=left level=50:32",
            Example("set_level", (("channel", "left"), ("level", 50)), ("32",)),
        ),
        (
            "status running=false temperature_c=36.5 level.left=0: 00",
            Example("status", (("running", False), ("temperature_c", 36.5), ("level.left", 0)), ("00",)),
        ),
    ],
)
def test_an_example_is_read_as_it_is_typed(text: str, example: Example) -> None:
    assert parse_example(text) == example


@pytest.mark.parametrize("text", ["", "stop", "stop:", "stop: hello", "stop: 0", "Stop: 00", "set_level level: 00"])
def test_what_is_no_example_is_refused_with_one(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse_example(text)


@pytest.mark.parametrize(
    ("lowest", "full", "shown"), [(1, 100, (1, 50, 100)), (1, 1, (1,)), (1, 2, (1, 2)), (1, 3, (1, 2, 3))]
)
def test_the_levels_to_show_are_the_ends_and_the_middle(lowest: int, full: int, shown: tuple[int, ...]) -> None:
    assert levels_to_show(lowest, full) == shown


TEXT: Any = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, TEXT)
def test_whatever_is_typed_is_toml_and_the_same_afterwards(name: str, url: str, says: str) -> None:
    plain = tomllib.loads(draft_toml(replace(DRAFT, name=name, sources=((url, says),))))
    assert (plain["name"], plain["sources"]) == (name, [{"url": url, "says": says}])
