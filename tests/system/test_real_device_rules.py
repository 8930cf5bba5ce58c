"""What holds on a real device and not on a simulator: screening, the first session, rest between sessions, pain.

A simulator that keeps its home apart from percuss's is a real device for percuss: nothing tells it otherwise.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.motor import is_at_rest, rpm_of
from tests.helpers.processes import RunningSimulator, percuss, simulator
from tests.helpers.terminal import in_terminal

HOLD = ("set", "gun", "25%", "--for", "12s", "--region", "hamstrings")


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    """A paired gun that percuss cannot know to be simulated."""
    apart = {**os.environ, "PERCUSS_HOME": str(tmp_path / "apart")}
    with simulator(tmp_path, "theragun-gen4", "--ble", environment=apart) as running:
        assert percuss("pair", running.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        yield running


@pytest.fixture
def screened(gun: RunningSimulator) -> RunningSimulator:
    assert percuss("screening", "--none").returncode == 0
    return gun


def peak_ppm(gun: RunningSimulator) -> int:
    """The fastest that was asked of it."""
    return max((rpm_of(line["hex"]) or 0 for line in gun.recorded("rx")), default=0)


def refused(*command: str) -> str:
    """Run what must be refused; what it says, in one line."""
    done = percuss(*command)
    assert done.returncode == 4, done.stderr
    return " ".join(done.stderr.split())


def test_without_a_screening_nothing_runs_and_it_says_how_to_answer(gun: RunningSimulator) -> None:
    assert "percuss screening" in refused(*HOLD)
    assert "percuss screening" in refused("run", "piriformis-release", "--on", "gun")
    assert peak_ppm(gun) == 0


def test_a_person_at_a_terminal_is_asked_first(gun: RunningSimulator) -> None:
    with in_terminal(*HOLD) as terminal:
        for _ in range(30):
            terminal.wait_for("[y/n]")
            terminal.press("n\n")
        terminal.wait_for("Nothing you answered stands in the way")
        terminal.wait_until(lambda: peak_ppm(gun) > 0)
        terminal.press("q")
        assert terminal.end() == 3
    assert percuss("screening", "--show").returncode == 0
    assert is_at_rest(gun)


def test_an_answer_that_refuses_keeps_everything_still(gun: RunningSimulator, tmp_path: Path) -> None:
    from routines.screening import questions

    answers = {name: name == "pacemaker" for name in questions()}
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(answers), encoding="utf-8")
    assert percuss("screening", "--answers", str(file)).returncode == 4
    refused(*HOLD)
    assert peak_ppm(gun) == 0


def test_the_first_session_is_gentle(screened: RunningSimulator) -> None:
    # The hamstrings bear 2400 ppm and the unverified profile 2100; gentle is 1750: 72.9 %.
    assert "your first session is gentle" in refused("set", "gun", "75%", "--for", "12s", "--region", "hamstrings")
    done = percuss("run", "piriformis-release", "--on", "gun", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert peak_ppm(screened) == 0


def test_a_place_that_was_worked_rests_for_four_hours(screened: RunningSimulator) -> None:
    assert percuss(*HOLD).returncode == 0
    said = refused(*HOLD)
    assert "left alone today" in said.casefold()
    assert "hamstrings" in said
    other = percuss("set", "gun", "25%", "--for", "2s", "--region", "calves")
    assert other.returncode == 0, other.stderr


def test_a_real_device_is_driven_at_a_place_with_a_name_only(screened: RunningSimulator) -> None:
    assert "the place must be named" in refused("set", "gun", "25%", "--for", "2s")
    assert peak_ppm(screened) == 0


def test_a_one_and_a_nought_are_ten(screened: RunningSimulator, tmp_path: Path) -> None:
    with in_terminal("run", str(calves(tmp_path)), "--on", "gun") as terminal:
        terminal.wait_for("before?")
        terminal.press("10")
        assert terminal.end() == 3
        assert "Pain of 10" in " ".join(terminal.screen.split())
    assert peak_ppm(screened) == 0


def test_pain_that_is_too_high_before_ends_it_before_it_begins(screened: RunningSimulator) -> None:
    done = percuss("run", "piriformis-release", "--on", "gun", "--pain", "7", "--json")
    assert done.returncode == 3, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()][-1]
    assert "Pain of 7" in ended["reason"]
    assert peak_ppm(screened) == 0


def test_pain_is_asked_before_and_a_nerve_sign_stops_at_once(screened: RunningSimulator, tmp_path: Path) -> None:
    with in_terminal("run", str(calves(tmp_path)), "--on", "gun") as terminal:
        terminal.wait_for("How much does it hurt, before?")
        assert peak_ppm(screened) == 0
        terminal.press("2")
        terminal.wait_until(lambda: peak_ppm(screened) > 0)
        terminal.press("t")
        assert terminal.end() == 3
    assert is_at_rest(screened)
    # The place had too little to rest now; what was felt there holds it to gentle.
    again = percuss("set", "gun", "20%", "--for", "1s", "--region", "calves")
    assert again.returncode == 0, again.stderr
    assert "tingling, numbness or shooting pain in a session with the calves" in again.stderr


def test_pain_that_rises_by_two_stops_the_motor(screened: RunningSimulator, tmp_path: Path) -> None:
    with in_terminal("run", str(calves(tmp_path)), "--on", "gun") as terminal:
        terminal.wait_for("before?")
        terminal.press("2")
        terminal.wait_until(lambda: peak_ppm(screened) > 0)
        terminal.press("4")
        assert terminal.end() == 3
        assert "Pain rose from 2 to 4" in " ".join(terminal.screen.split())
    assert is_at_rest(screened)


def test_pain_is_asked_after_too_and_written_down(screened: RunningSimulator, tmp_path: Path, home: Path) -> None:
    with in_terminal("run", str(calves(tmp_path, "2s")), "--on", "gun") as terminal:
        terminal.wait_for("before?")
        terminal.press("3")
        terminal.wait_for("after?")
        assert is_at_rest(screened)
        terminal.press("1")
        assert terminal.end() == 0
    with closing(sqlite3.connect(home / "journal.sqlite")) as journal:
        told = journal.execute("select moment, score, region from pain_answers order by at_utc").fetchall()
    assert told == [("before", 3, None), ("after", 1, "calves")]


def test_a_limit_of_ones_own_holds_on_top(screened: RunningSimulator, home: Path) -> None:
    (home / "limits.toml").write_text('schema = 1\n[devices.gun]\ncap = "20%"\n', encoding="utf-8")
    said = refused(*HOLD)
    assert "20 % is your own limit (limits.toml) for gun" in said


def calves(folder: Path, duration: str = "40s") -> Path:
    """A routine for one place, slow enough for a first session."""
    path = folder / "calves.toml"
    path.write_text(
        'schema = 1\nname = "calves"\ntitle = "Calves"\n[[steps]]\nregion = "calves"\nside = "left"\n'
        f'intensity = "20%"\nduration = "{duration}"\nmove = 1\n',
        encoding="utf-8",
    )
    return path
