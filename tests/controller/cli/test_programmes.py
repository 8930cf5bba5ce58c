import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]

WEEK = 'schema = 1\nname = "week"\ntitle = "A week"\n[[sessions]]\nday = 1\nroutine = "short-break"\n'


def test_list_names_what_is_shipped_and_what_is_mine(percuss: Percuss, home: Path) -> None:
    (home / "programmes").mkdir()
    (home / "programmes" / "week.toml").write_text(WEEK)
    listed = json.loads(percuss("programmes", "list", "--json").out)["programmes"]
    assert listed == [
        {"name": "rising", "title": "Three sessions that rise", "sessions": 3, "days": 5},
        {"name": "week", "title": "A week", "sessions": 1, "days": 1},
    ]
    assert "A week" in percuss("programmes", "list").out


def test_a_broken_programme_of_mine_is_told_and_hides_no_other(percuss: Percuss, home: Path) -> None:
    (home / "programmes").mkdir()
    (home / "programmes" / "bad.toml").write_text(WEEK.replace("short-break", "short-brake"))
    result = percuss("programmes", "list")
    assert result.code == 0
    assert "rising" in result.out
    assert "bad.toml:6: sessions.0.routine" in result.err
    assert "Did you mean 'short-break'" in result.err


def test_show_says_what_to_run_on_which_day(percuss: Percuss) -> None:
    shown = percuss("programmes", "show", "rising").out
    for number, day in ((1, 1), (2, 3), (3, 5)):
        (line,) = [line for line in shown.splitlines() if line.endswith(f"percuss run rising-{number}")]
        assert line.split()[0] == str(day)
    assert "Each session is yours to start" in shown
    assert "clinician" in shown


def test_show_as_json_has_the_sessions_and_their_length(percuss: Percuss) -> None:
    shown = json.loads(percuss("programmes", "show", "rising", "--json").out)
    assert [(each["day"], each["routine"]) for each in shown["sessions"]] == [
        *((1, "rising-1"), (3, "rising-2")),
        (5, "rising-3"),
    ]
    # 2 x 15 s of breath, 6 x 60 s of work, 4 ways of 12 s and 2 of 8 s.
    assert [each["duration_s"] for each in shown["sessions"]] == [454.0] * 3
    assert shown["name"] == "rising"


@pytest.mark.parametrize("name", ["risng", "nowhere/week.toml"])
def test_an_unknown_programme_is_a_bad_file(percuss: Percuss, name: str) -> None:
    result = percuss("programmes", "show", name)
    assert (result.code, result.out) == (8, "")
    assert name in result.err


def test_a_file_may_be_shown_that_lies_anywhere(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "anywhere.toml"
    path.write_text(WEEK)
    assert "percuss run short-break" in percuss("programmes", "show", str(path)).out


def test_a_control_character_never_reaches_the_terminal(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_text(WEEK.replace('"A week"', '"A \\u001b[2Jweek"'))
    result = percuss("programmes", "show", str(path))
    assert result.code == 8
    assert "\x1b" not in result.out + result.err
