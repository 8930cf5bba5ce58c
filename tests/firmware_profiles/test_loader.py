from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import MatchError, ProfileError
from firmware_profiles.library import BUNDLED, find_profile, load_profiles
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile, json_schema
from firmware_profiles.tomlfile import find_line, parse_toml

GOOD = (BUNDLED / "theragun-gen4.toml").read_text(encoding="utf-8")


def line_of(text: str, piece: str) -> int:
    """The line on which a piece of text first stands, counted by a person's means."""
    return text[: text.index(piece)].count("\n") + 1


def written(folder: Path, text: str) -> Path:
    path = folder / "device.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("schema = 1", "schema = 2", "schema = 2", "schema"),
        ("schema = 1", "schema = 1\nschemma = 1", "schemma", "Did you mean 'schema'?"),
        ('confidence = "C"', 'confidense = "C"', "confidense", "Did you mean 'confidence'?"),
        ('confidence = "C"', 'confidence = "D"', 'confidence = "D"', "'A', 'B' or 'C'"),
        ('roles = ["massager"]', 'roles = ["cook"]', "roles =", "roles.0"),
        ('roles = ["massager"]', 'roles = "massager"', "roles =", "array"),
        ('service = "FFE0"', 'service = "FFE"', 'service = "FFE"', "no.* Bluetooth UUID|not a Bluetooth UUID"),
        ("write_gap_s = 0.02", "write_gap_s = -1", "write_gap_s", "greater than or equal to 0"),
        ("write_gap_s = 0.02", "write_gap = 0.02", "write_gap =", "Did you mean 'write_gap_s'?"),
        ("full = 2400", "full = 24000", "[level]", "above protocol_max"),
        ("full = 2400", 'full = "fast"', 'full = "fast"', "level.full"),
        ("{level:u16be} 03", "{lvel:u16be} 03", 'frames = ["AA {sum8@2..} 01', "Did you mean 'level'?"),
        ("{level:u16be} 03", "{level:u16be} 0", 'frames = ["AA {sum8@2..} 01', "no token"),
        ('["AA 07 01 03 00 00 03", "AA 04 01 03"]', "[]", "frames = []", "commands.stop.frames"),
        ("AA E3 01 03 06 D6 03", "AA E4 01 03 06 D6 03", "AA E4", r"makes AA E3.*vector says AA E4"),
        (
            "decoded = { running = true, level = 1750 }",
            "decoded = { running = true, level = 1 }",
            "level = 1 }",
            "reads",
        ),
        ('"AA 07 01 03 00 00 03", "AA 04', '"AA 70 01 03 09 60 03", "AA 04', 'frames = ["AA 70', "that is no stop"),
        ('command = "query_version"', 'command = "query_status"', "[commands.query_version]", "no vector pins it"),
        ("[commands.stop]", "[commands.halt]", "[commands.halt]", "commands.halt"),
    ],
)
def test_an_error_names_the_line_and_what_is_wrong(tmp_path: Path, old: str, new: str, at: str, says: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    path = written(tmp_path, text)
    with pytest.raises(ProfileError, match=says) as caught:
        load_profile(path)
    assert caught.value.path == path
    assert caught.value.line == line_of(text, at)


def test_broken_toml_is_placed(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="not valid TOML") as caught:
        load_profile(written(tmp_path, 'schema = 1\nid = "x\n'))
    assert caught.value.line == 2


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_bytes(b"schema = 1\n\xff\xfe")
    with pytest.raises(ProfileError, match="UTF-8") as caught:
        load_profile(path)
    assert caught.value.line == 2


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")


def test_two_links_in_one_profile_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="either"):
        load_profile(written(tmp_path, GOOD + "\n[serial]\nbaud = 9600\n"))


@given(st.text(max_size=200))
def test_any_text_is_a_profile_or_a_profile_error(text: str) -> None:
    with pytest.raises(ProfileError):
        parse_toml(text.encode(), Profile, path=Path("any.toml"), error=ProfileError)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_profile_or_a_profile_error(raw: bytes) -> None:
    with pytest.raises(ProfileError):
        parse_toml(raw, Profile, path=Path("any.toml"), error=ProfileError)


def test_a_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    for number in ("nan", "inf"):
        with pytest.raises(ProfileError):
            load_profile(written(tmp_path, GOOD.replace("write_gap_s = 0.02", f"write_gap_s = {number}")))


def test_a_key_inside_a_text_block_is_not_mistaken_for_the_key() -> None:
    text = 'a = """\nregion = 1\n"""\n[[steps]]\nname = 1\n[[steps]]\n# region\nregion = 2\n'
    assert find_line(text, ("steps", 1, "region")) == 8
    assert find_line(text, ("steps", 0, "region")) == 4
    assert find_line(text, ("none",)) == 1
    assert find_line(text, ("steps",)) == 4


@pytest.mark.parametrize("number", ["9" * 5000, "1" + "_1" * 3000, "0x" + "F" * 5000])
def test_a_number_of_absurd_length_is_told(tmp_path: Path, number: str) -> None:
    with pytest.raises(ProfileError):
        load_profile(written(tmp_path, GOOD.replace("schema = 1", f"schema = {number}", 1)))


def test_a_key_of_absurd_depth_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError):
        load_profile(written(tmp_path, GOOD + "\n[" + ".".join(["a"] * 5000) + "]\nb = 1\n"))


def test_a_users_profile_is_known_and_a_second_one_of_its_id_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERCUSS_HOME", str(tmp_path))
    own = tmp_path / "profiles"
    own.mkdir()
    written(own, GOOD.replace('"theragun-gen4"', '"my-gun"', 1))
    assert find_profile("my-gun").id == "my-gun"
    written(own, GOOD)
    with pytest.raises(ProfileError, match="has the id 'theragun-gen4' of"):
        find_profile("theragun-gen4")
    written(own, "x = 1")
    good, broken = load_profiles()
    assert [problem.where for problem in broken] == [f"{own / 'device.toml'}:1: x"]
    assert "theragun-gen4" in good, "the shipped ones can still be used, and stopped"


def test_an_unknown_profile_suggests_the_near_one() -> None:
    with pytest.raises(MatchError, match="Did you mean 'theragun-gen4'"):
        find_profile("theragun-gen")


def test_every_profile_carries_what_a_person_must_know() -> None:
    for profile in load_profiles()[0].values():
        assert profile.sources
        assert not profile.verified_on_hardware  # nobody has run one yet; this line changes with the first report
        pinned = {vector.command for vector in profile.vectors} | {vector.report for vector in profile.vectors}
        assert set(profile.commands) | set(profile.reports) <= pinned, f"{profile.id} has a frame without a vector"
        levels = [v.values.get("level") for v in profile.vectors if v.command == "set_level"]
        assert len(levels) >= 3


def test_the_json_schema_accepts_what_the_loader_accepts() -> None:
    import tomllib

    import jsonschema

    for path in BUNDLED.glob("*.toml"):
        jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1}, json_schema())
