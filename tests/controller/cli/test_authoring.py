from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_profiles.library import load_profiles
from firmware_profiles.loader import load_profile
from tests.controller.cli.conftest import Result
from tests.helpers.terminal import in_terminal

Percuss = Callable[..., Result]

# A relay board of its own: A0, the level, and the sum of both. 1 is A0 01 A1, 2 is A0 02 A2, 3 is A0 03 A3.
FLAGS = {
    "--id": ["acme-three"],
    "--name": ["Acme Three"],
    "--source": ["https://example.org/acme"],
    "--baud": ["9600"],
    "--level-full": ["3"],
    "--set-level": ["A0 {level:u8} {sum8@0..}"],
    "--stop": ["A0 00 A0"],
    "--example": [
        "set_level level=1: A0 01 A1",
        "set_level level=2: A0 02 A2",
        "set_level level=3: A0 03 A3",
        "stop: A0 00 A0",
    ],
}


def flags(**changes: list[str]) -> list[str]:
    """The flags, with some changed: ``example=…`` stands for ``--example``."""
    given = {**FLAGS, **{f"--{name.replace('_', '-')}": values for name, values in changes.items()}}
    return [word for name, values in given.items() for value in values for word in (name, value)]


def test_a_profile_from_flags_is_one_that_percuss_knows(percuss: Percuss, home: Path) -> None:
    result = percuss("profiles", "new", *flags())
    assert result.code == 0, result.err
    path = home / "profiles" / "acme-three.toml"
    assert f"{path}: written (acme-three, 4 vectors)" in result.out
    assert "acme-three" in load_profiles()[0]
    assert percuss("profiles", "check", "acme-three").code == 0
    assert percuss("profiles", "encode", "acme-three", "set_level", "level=3").out == "A0 03 A3\n"


def test_a_file_can_be_named_and_is_never_overwritten(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert percuss("profiles", "new", str(path), *flags()).code == 0
    before = path.read_bytes()
    again = percuss("profiles", "new", str(path), *flags(name=["Another"]))
    assert again.code == 8
    assert "there already" in again.err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"example": [*FLAGS["--example"][:3], "stop: A0 00 A1"]}, 8, "makes A0 00 A0, the vector says A0 00 A1"),
        ({"example": FLAGS["--example"][1:]}, 8, "such as 1, 2, 3"),
        ({"example": ["stop"]}, 2, "is no example such as"),
        ({"id": ["Acme Three"]}, 2, "is no id"),
        ({"set_level": ["A0 {level:u9}"]}, 2, "u9"),
        ({"stop": ["A0 01 A1"], "example": [*FLAGS["--example"][:3], "stop: A0 01 A1"]}, 8, "that is no stop"),
        ({"baud": []}, 2, "--ble-service or --baud is missing"),
        ({"ble_service": ["FFE"]}, 2, "is not a Bluetooth UUID"),
        ({"ble_service": ["FFE0"]}, 2, "--ble-write is missing"),
        ({"example": []}, 2, "--example is missing"),
        ({"source": []}, 2, "--source is missing"),
        ({"query_status": ["A1"]}, 2, "--status is missing"),
        ({"channel": ["Left"]}, 2, "is no motor"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_written(
    percuss: Percuss, home: Path, changes: dict[str, list[str]], code: int, says: str
) -> None:
    result = percuss("profiles", "new", *flags(**changes))
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert "Traceback" not in result.err
    assert not (home / "profiles").exists()


def test_somebody_at_a_terminal_is_asked_and_asked_again(home: Path) -> None:
    with in_terminal("profiles", "new") as person:
        for question, answer in (
            ("Its id", "Not An Id"),
            ("is no id", "acme-three"),
            ("What people call it", "Acme Three"),
            ("(a URL)", "https://example.org/acme"),
            ("What that source says", "A relay board."),
            ("Bluetooth service", ""),
            ("Bits per second", "fast"),
            ("no whole number", "9600"),
            ("marketed maximum", "3"),
            ("sets the level", "A0 {level:u8} {sum8@0..}"),
            ("that stops it", "A0 00 A0"),
            ("asks for its status", ""),
            ("name that it advertises", ""),
            ("bytes of set_level level=1", "A0 01 A1"),
            ("bytes of set_level level=2", "A0 02 A2"),
            ("bytes of set_level level=3", "hello"),
            ("bytes of set_level level=3", "A0 03 A3"),
            ("bytes of stop", "A0 00 A0"),
            ("Where these bytes are from", "page 2"),
        ):
            person.wait_for(question)
            person.press(f"{answer}\n")
        assert person.end() == 0, person.screen
    written = load_profile(home / "profiles" / "acme-three.toml")
    assert written.serial is not None
    assert {vector.source for vector in written.vectors} == {"page 2"}
