from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.cli import main
from controller.journal import places
from tests.controller.journal.past import write_session
from tests.helpers import processes
from tests.helpers.processes import simulator, started

AHEAD = 12 - datetime.now(UTC).hour
ZONE = f"MID{-AHEAD:+d}"
"""A zone called MID where it is noon now, so that no test runs into midnight."""

MIDDAY = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
TODAY: date = (MIDDAY + timedelta(hours=AHEAD)).date()


@pytest.fixture(autouse=True)
def midday(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this process, and those that it starts, into that zone."""
    monkeypatch.setenv("TZ", ZONE)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def history(*arguments: str) -> Done:
    """Run a command in this process, through the same `main` as the real one."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["percuss", "history", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def printed(*arguments: str) -> str:
    done = history(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_json(*arguments: str) -> Any:
    return json.loads(printed(*arguments))


def days_ago(days: float) -> datetime:
    return MIDDAY - timedelta(days=days)


# An empty journal, and one that cannot be read


@pytest.mark.parametrize("arguments", [(), ("list",), ("totals",), ("plot",)])
def test_without_any_session_it_says_so_and_makes_no_journal(arguments: tuple[str, ...], home: Path) -> None:
    done = history(*arguments)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing was run yet. Begin with `percuss demo`, or `percuss run piriformis-release`.\n"
    assert not (home / "journal.sqlite").exists()


def test_without_any_session_a_script_gets_nothing_in_its_own_shape() -> None:
    assert read_json("--json") == {"sessions": []}
    assert read_json("totals", "--json")["places"] == []
    assert printed("export").count("\n") == 1, "the headings alone"
    assert read_json("export", "--format", "json") == {"sessions": []}


def test_a_journal_that_is_none_is_told(home: Path) -> None:
    (home / "journal.sqlite").write_bytes(b"a letter " * 500)
    for arguments in ((), ("show", "1"), ("totals",), ("plot",), ("export",), ("note", "sore")):
        done = history(*arguments)
        assert (done.returncode, done.stdout) == (8, ""), arguments
        assert "is no journal" in done.stderr


# Real sessions, on simulators and on what percuss cannot know to be one


def test_a_session_that_was_run_is_listed_shown_added_up_and_exported(tmp_path: Path) -> None:
    """piriformis-release: 45 s of circles and 30 s of holding on each side."""
    assert processes.percuss("run", "piriformis-release", "--speed", "60", "--pain", "3").returncode == 0
    (listed,) = read_json("list", "--json")["sessions"]
    assert (listed["id"], listed["routine"], listed["outcome"]) == (1, "piriformis-release", "done")
    assert listed["is_simulated"] is True
    assert listed["driven_s"] == pytest.approx(150, abs=0.5)
    assert (listed["pain_before"], listed["pain_after"]) == (3, None)
    assert datetime.fromisoformat(listed["started_utc"]).utcoffset() == timedelta(0)
    (row,) = [line for line in printed().splitlines() if "piriformis-release" in line]
    assert f"{TODAY} " in row
    assert "when (MID)" in printed()
    assert "(simulated)" in row
    assert "2:30" in row
    assert "3 -> ?" in row

    shown = printed("show", "1")
    for words in ("left piriformis", "right piriformis", "before: pain 3 of 10", "confirmed by its status"):
        assert words in shown, words
    assert "On simulators: no body felt it, time running 60 times faster." in shown
    assert "How it ended: done" in shown
    told = read_json("show", "1", "--json")
    driven = [step for step in told["steps"] if step["is_driven"]]
    assert [(step["side"], step["planned_s"]) for step in driven] == [
        ("left", 45.0),
        ("left", 30.0),
        ("right", 45.0),
        ("right", 30.0),
    ]
    # Gentle is 1500 ppm at the piriformis, and the moderate hold between that and the cap of 2100; with time so fast a
    # busy computer may not get to the stages of the hold.
    peak = max(level["ppm"] for level in told["levels"])
    assert 1500 <= peak <= 2100
    assert f"{peak} ppm" in shown
    assert told["levels"][-1]["level"] == 0
    assert [stop["proof"] for stop in told["stops"]] == ["confirmed"]

    assert "no real device was driven" in history("totals").stderr
    totals = read_json("totals", "--simulated", "--json")
    assert [(each["region"], each["side"], each["sessions"]) for each in totals["places"]] == [
        ("piriformis", "left", 1),
        ("piriformis", "right", 1),
    ]
    assert [each["driven_s"] for each in totals["places"]] == pytest.approx([75, 75], abs=0.5)
    assert "no body felt" in printed("totals", "--simulated")

    rows = list(csv.DictReader(io.StringIO(printed("export"))))
    assert len(rows) == len(told["steps"])
    assert sum(float(row["driven_s"]) for row in rows) == pytest.approx(listed["driven_s"])
    assert {row["is_simulated"] for row in rows} == {"true"}
    assert {row["devices"] for row in rows} == {"massager=Elite"}

    picture = tmp_path / "dose.svg"
    assert "no real device" in history("plot", str(picture)).stderr
    assert not picture.exists()
    printed("plot", str(picture), "--simulated")
    assert "Simulators only, nobody felt it" in picture.read_text(encoding="utf-8")


def test_what_a_real_device_drove_counts_and_leaves_less(tmp_path: Path) -> None:
    apart = {**os.environ, "PERCUSS_HOME": str(tmp_path / "apart")}
    with simulator(tmp_path, "theragun-gen4", "--ble", environment=apart) as gun:
        assert processes.percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        assert processes.percuss("screening", "--none").returncode == 0
        done = processes.percuss("set", "gun", "25%", "--for", "2s", "--region", "hamstrings")
        assert done.returncode == 0, done.stderr
    places = read_json("totals", "--json")["places"]
    assert [(each["region"], each["side"]) for each in places] == [("hamstrings", "left"), ("hamstrings", "right")]
    for each in places:
        assert each["driven_s"] == pytest.approx(2, abs=1)
        assert each["left_s"] == pytest.approx(300 - each["driven_s"])
        assert each["sessions_left"] == 2, "a moment is no session"
    (row,) = [line for line in printed().splitlines() if "gun" in line]
    assert "simulated" not in row
    assert "hamstrings" in printed("plot")


def test_a_session_that_runs_is_shown_while_it_is_written(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", "2") as gun:
        assert processes.percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        with started("run", "piriformis-release", "--on", "gun", "--speed", "2", "--json") as running:
            assert running.stdout is not None
            while json.loads(running.stdout.readline())["event"] != "level_asked":
                pass
            (listed,) = read_json("--json")["sessions"]
            assert (listed["outcome"], listed["ended_utc"]) == ("running", None)
            refused = history("note", "--session", "1", "too early")
            assert refused.returncode == 4
            assert "still runs" in refused.stderr
            running.kill()
            running.wait()
        # The guardian holds the device until it has stopped it; then nobody does.
        while read_json("--json")["sessions"][0]["outcome"] == "running":
            pass
    (listed,) = read_json("--json")["sessions"]
    assert (listed["outcome"], listed["ended_utc"]) == ("cut_off", None)
    assert "cut off: its end was never written" in printed("show", "1")


# What is listed


def test_the_list_goes_back_thirty_days_and_further_when_told() -> None:
    for days in (40, 29, 3, 0):
        write_session(("calves", "left", 60.0), started_utc=days_ago(days))
    assert [each["id"] for each in read_json("--json")["sessions"]] == [4, 3, 2]
    assert history().stderr == "1 session from before the last 30 days: --all shows them too.\n"
    assert [each["id"] for each in read_json("--all", "--json")["sessions"]] == [4, 3, 2, 1]
    assert [each["id"] for each in read_json("--days", "4", "--json")["sessions"]] == [4, 3]
    assert [each["id"] for each in read_json("--days", "3", "--json")["sessions"]] == [4]
    since = str(TODAY - timedelta(days=29))
    assert [each["id"] for each in read_json("list", "--since", since, "--json")["sessions"]] == [4, 3, 2]


def test_the_list_is_of_one_routine_or_one_device() -> None:
    write_session(started_utc=days_ago(1), routine="one", device="a")
    write_session(started_utc=days_ago(1), routine="two", device="b", is_simulated=True)
    assert [each["id"] for each in read_json("--routine", "two", "--json")["sessions"]] == [2]
    assert [each["id"] for each in read_json("--device", "a", "--json")["sessions"]] == [1]
    done = history("--device", "c")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no session is like that" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--days", "3", "--all"),
        ("--since", "2026-01-01", "--days", "3"),
        ("--since", "yesterday"),
        ("--days", "0"),
        ("plot", "picture.pdf"),
        ("export", "--format", "xml"),
        ("show", "12"),
        ("show", "99999999999"),
        ("note",),
        ("note", "--session", "12", "sore"),
        ("note", "--pain", "11", "sore"),
        ("note", "x" * 501),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], home: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    before = (home / "journal.sqlite").read_bytes()
    done = history(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert (home / "journal.sqlite").read_bytes() == before


def test_an_export_is_what_its_name_says_or_what_format_says(tmp_path: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    sheet, bare = tmp_path / "s.xlsx", tmp_path / "sessions"
    done = history("export", str(sheet))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"What shall {sheet} be? Name it .csv or .json, or give --format." in done.stderr
    assert not sheet.exists()
    assert history("export", str(bare), "--format", "json").returncode == 0
    assert "sessions" in json.loads(bare.read_text())
    assert history("export", str(bare), "--force").returncode == 0
    assert bare.read_text().startswith("session,")


def test_a_day_that_no_clock_knows_is_refused() -> None:
    # Two hours ahead of UTC, where it is still the year nought.
    done = processes.percuss("history", "--since", "0001-01-01", TZ="EAST-2")
    assert done.returncode == 2
    assert "0001-01-01 is no day" in done.stderr


def test_control_characters_never_reach_the_terminal() -> None:
    evil = "legs\x1b[2J\x07"
    number = write_session(
        ("calves", "left", 60.0), started_utc=days_ago(1), routine=evil, device=evil, pain=[("before", 2)]
    )
    history("note", "--session", str(number), "so\x1b[31mre", "--pain", "1")
    for arguments in ((), ("show", str(number)), ("totals",), ("plot",)):
        done = history(*arguments)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout + done.stderr
    assert "legs\ufffd[2J\ufffd" in printed()


def test_another_program_that_writes_keeps_nobody_from_reading(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "BUSY_S", 0.0)
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    with closing(sqlite3.connect(home / "journal.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert len(read_json("--json")["sessions"]) == 1
        held = history("note", "sore")
        assert held.returncode == 8
        assert "held by another program" in held.stderr


# The next day


def test_yesterday_is_asked_about_once() -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1), pain=[("before", 4), ("after", 3)])
    asked = 'How was it after session 1 yesterday? Say it: percuss history note --session 1 "a little sore" --pain 2\n'
    assert history().stderr == asked
    assert history("--json").stderr == "", "a script is not asked"
    done = history("note", "a", "little  sore", "--pain", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("noted for session 1 (evening-legs, ")
    assert history().stderr == ""
    assert "4 -> 3   2, a little sore" in printed()
    assert "the next day: 2, a little sore" in printed("show", "1")
    assert history("note", "--session", "1", "--pain", "1").stdout.startswith("changed for session 1")
    (listed,) = read_json("--json")["sessions"]
    assert (listed["next_day"]["score"], listed["next_day"]["note"]) == (1, "a little sore")


def test_a_note_that_begins_with_a_number_is_a_note() -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(2))
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    # Session 2 is the newer one; that the words begin with a number says nothing of session 1.
    assert history("note", "1", "day", "later", "still", "sore").stdout.startswith("noted for session 2 ")
    newer, older = read_json("--json")["sessions"]
    assert (newer["id"], newer["next_day"]["note"], older["next_day"]) == (2, "1 day later still sore", None)


def test_a_note_needs_a_session_on_a_real_device_from_before_today() -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1), is_simulated=True)
    write_session(("calves", "left", 60.0), started_utc=days_ago(0))
    done = history("note", "sore")
    assert done.returncode == 2
    assert "--session ID" in done.stderr
    assert read_json("note", "--session", "1", "sore", "--json")["next_day"]["note"] == "sore"


# Totals, files, pictures


def test_totals_say_what_is_left_and_what_has_to_rest() -> None:
    now = datetime.now(UTC)
    write_session(("calves", "left", 100.0), started_utc=now - timedelta(hours=6))
    write_session(("calves", "left", 80.0), ("calves", "right", 20.0), started_utc=now - timedelta(hours=1))
    said = printed("totals")
    (left,) = [
        line.split() for line in said.splitlines() if " left " in f"{line} " and line.strip().startswith("calves")
    ]
    assert left == ["calves", "left", "3:00", "2", "1", "2:00", "0"]
    assert "Rest: 2 sessions a day with the calves are the most" in said
    assert "Left of 5:00 a side and 2 sessions a place in any 24 hours." in said


def test_an_export_has_the_documented_columns_and_replaces_only_when_told(tmp_path: Path) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    pain = [("before", 3), ("between", 4)]
    write_session(("calves", "left", 60.5), ("heel", None, 20.0), started_utc=noon, pain=pain)
    target = tmp_path / "history.csv"
    assert history("export", str(target)).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600, "it is about somebody's health"
    first, second = csv.DictReader(target.read_text(encoding="utf-8").splitlines())
    assert first == {
        "session": "1",
        "session_started_utc": "2026-03-01T12:00:00.000+00:00",
        "session_ended_utc": "2026-03-01T12:01:20.500+00:00",
        "routine": "evening-legs",
        "outcome": "done",
        "is_simulated": "false",
        "devices": "massager=elite",
        "profiles": "massager=theragun-gen4",
        "pain_before": "3",
        "pain_after": "4",
        "pain_next_day": "",
        "step": "0",
        "kind": "work",
        "region": "calves",
        "side": "left",
        "is_driven": "true",
        "step_started_utc": "2026-03-01T12:00:00.000+00:00",
        "planned_s": "60.5",
        "elapsed_s": "60.5",
        "driven_s": "60.5",
    }
    assert (second["region"], second["side"], second["driven_s"]) == ("heel", "", "20.0")
    page = (Path(__file__).parents[3] / "docs/how-to/look-back.md").read_text(encoding="utf-8")
    assert [column for column in first if f"`{column}`" not in page] == []

    target.write_text("mine")
    refused = history("export", str(target))
    assert (refused.returncode, target.read_text()) == (8, "mine")
    assert "--force" in refused.stderr
    target.chmod(0o644)
    assert history("export", str(target), "--force").returncode == 0
    assert target.read_text(encoding="utf-8").startswith("session,")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_private_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    shared, link = tmp_path / "shared", tmp_path / "history.csv"
    shared.write_text("theirs")
    link.symlink_to(shared)
    assert history("export", str(link), "--force").returncode == 0
    assert shared.read_text() == "theirs"
    assert link.read_text(encoding="utf-8").startswith("session,")
    assert stat.S_IMODE(link.lstat().st_mode) == 0o600


@pytest.mark.parametrize("days", [[], ["--days", "7"]])
@pytest.mark.parametrize("command", [["plot", "dose.svg"], ["export", "all.json"]])
def test_nothing_to_write_makes_no_file_and_is_told(
    command: list[str], days: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if days:
        write_session(("calves", "left", 60.0), started_utc=days_ago(20))
    done = history(*command, *days)
    assert (done.returncode, done.stdout) == (5, "")
    assert ("session" if days else "nothing was run yet") in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert history(command[0], *days).returncode == 0, "without a file it is an answer like any other"


def test_an_export_as_json_is_oldest_first_with_its_steps(tmp_path: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(400))
    write_session(("heel", "left", 20.0), started_utc=days_ago(1))
    target = tmp_path / "history.json"
    assert history("export", str(target)).returncode == 0
    told = json.loads(target.read_text(encoding="utf-8"))["sessions"]
    assert [(each["id"], [step["region"] for step in each["steps"]]) for each in told] == [
        (1, ["calves"]),
        (2, ["heel"]),
    ]
    assert told == read_json("export", "-", "--format", "json")["sessions"]
    assert len(read_json("export", "--format", "json", "--days", "7")["sessions"]) == 1


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    for command in (("export", "no/such/folder.csv"), ("plot", "no/such/folder.svg")):
        done = history(*command)
        assert done.returncode == 8
        assert "cannot be written (No such file or directory)" in done.stderr


def test_pictures_are_drawn_into_files_and_into_the_terminal(tmp_path: Path) -> None:
    write_session(("calves", "left", 60.0), started_utc=days_ago(3), pain=[("before", 4), ("after", 2)])
    for name, begins in (("dose.svg", b"<?xml"), ("dose.PNG", b"\x89PNG")):
        assert printed("plot", str(tmp_path / name)) == f"{tmp_path / name}: written\n"
        assert (tmp_path / name).read_bytes().startswith(begins)
    assert history("plot", str(tmp_path / "dose.svg")).returncode == 8
    assert history("plot", str(tmp_path / "dose.svg"), "--force").returncode == 0
    drawn = printed("plot")
    for words in ("driven, both sides together (s)", "calves", "pain (0 to 10)", str(TODAY)):
        assert words in drawn


@pytest.mark.parametrize(("library", "file"), [("matplotlib", ["dose.svg"]), ("plotext", [])])
def test_without_the_drawing_library_it_says_how_to_get_it(library: str, file: list[str], tmp_path: Path) -> None:
    """What Python says where the extra is not installed."""
    write_session(("calves", "left", 60.0), started_utc=days_ago(1))
    words = f"raise ModuleNotFoundError(\"No module named '{library}'\", name='{library}')\n"
    (tmp_path / f"{library}.py").write_text(words, encoding="utf-8")
    done = processes.percuss("history", "plot", *file, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"drawing needs {library}" in done.stderr
    assert "pip install 'percuss[plot]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command() -> None:
    done = history("--help")
    for name in ("list", "show", "totals", "plot", "export", "note"):
        assert f"\n  {name} " in done.stdout
