"""Timers that go along with a session: real commands, real links, and what the simulated timers did on their clocks."""

import json
import re
from pathlib import Path
from typing import Any

from tests.helpers.processes import RunningSimulator, percuss, simulator

SPEED = "60"
BED_SPEED = "10"  # it takes a second to press its way to a level, however fast time runs
ANOTHER = "F0:F1:C2:00:00:02"

ROUTINE = """
schema = 1
name = "both-calves"
title = "Both calves"

[[steps]]
region = "calves"
side = "both"
technique = "percussion"
intensity = "gentle"
duration = "45s"
"""


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def states(timer: RunningSimulator) -> list[str]:
    """What the timer's own record says that it did, one word after the other."""
    told = [str(line["state"]) for line in timer.recorded("timer") if line["timer"] == "schedule"]
    return [state for number, state in enumerate(told) if number == 0 or told[number - 1] != state]


def text(timer: RunningSimulator) -> str:
    """Everything that arrived, as text."""
    return b"".join(bytes.fromhex(line["hex"]) for line in timer.recorded("rx")).decode("ascii")


def test_a_timer_that_keeps_schedules_shows_the_whole_routine(tmp_path: Path) -> None:
    (tmp_path / "gun").mkdir()
    (tmp_path / "timer").mkdir()
    with (
        simulator(tmp_path / "gun", "theragun-gen4", "--ble", "--speed", SPEED) as gun,
        simulator(tmp_path / "timer", "gymnext-flex", "--ble", "--address", ANOTHER, "--speed", SPEED) as timer,
    ):
        assert percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        paired = percuss("pair", timer.url, "--profile", "gymnext-flex", "--as", "flex")
        assert paired.returncode == 0, paired.stderr
        on = ("--on", "massager=gun", "--on", "timer=flex")
        run = percuss("run", "piriformis-release", *on, "--speed", SPEED, "--json")
        assert run.returncode == 0, run.stderr
        spans = [one for one in events(run.stdout) if one["event"] == "span_started"]
        (schedule,) = re.findall(r"SC\?(\d+),0,1,0,([^;]*);", text(timer))
        # Whole seconds: what the plan says, a way or a rest with an R before it.
        wanted = [("" if one["kind"] == "work" else "R") + str(round(one["duration_s"])) for one in spans]
        assert schedule == (str(len(wanted)), ",".join(wanted))
        assert {"loaded", "started", "interval", "reset"} <= set(states(timer))
        assert text(timer).endswith("_P;_R;"), "it is reset with the end of the session"
        assert not [one for one in events(run.stdout) if one["event"] == "timer_failed"]


def test_a_bed_is_told_to_switch_itself_off_after_the_session(tmp_path: Path) -> None:
    with simulator(tmp_path, "bedtech", "--ble", "--speed", BED_SPEED) as bed:
        assert percuss("pair", bed.url, "--profile", "bedtech", "--as", "bed").returncode == 0
        routine = tmp_path / "both-calves.toml"
        routine.write_text(ROUTINE, encoding="utf-8")
        run = percuss("run", str(routine), "--on", "massager=bed", "--speed", BED_SPEED, "--json")
        assert run.returncode == 0, run.stderr
        told = [one["duration_s"] for one in events(run.stdout) if one["event"] == "own_timer_set"]
        assert told == [600], "the shortest of its times, which is longer than 45 s and a minute"
        # As the source has its keys: 5F for ten minutes, 63 for twenty, 61 for thirty.
        written = [line["hex"].split()[3] for line in bed.recorded("rx")]
        assert [key for key in written if key in {"5F", "63", "61"}] == ["5F"]


def test_a_timer_that_is_paired_alone_is_not_taken_for_the_massager(tmp_path: Path) -> None:
    with simulator(tmp_path, "gymnext-flex", "--ble", "--speed", SPEED) as timer:
        assert percuss("pair", timer.url, "--profile", "gymnext-flex", "--as", "flex").returncode == 0
    alone = percuss("run", "piriformis-release", "--dry-run")
    assert alone.returncode == 0, alone.stderr
    assert "no massager is paired: running on a simulator" in alone.stderr
    with_timer = percuss("run", "piriformis-release", "--on", "timer=flex", "--dry-run")
    assert "shows the whole routine" in with_timer.stdout
