"""What `run` can be given: a script, standard input, several devices, none at all. Every command is a process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routines.library import BUNDLED, find_routine
from routines.planner import plan
from tests.helpers.motor import is_at_rest, rpm_of
from tests.helpers.processes import HANG_S, PERCUSS, RunningSimulator, percuss, simulator, started, wait_for_event

SCRIPT = "calves:each 40% 20s; rest 5s"
SCRIPT_S = 8 + 20 + 8 + 20 + 5
"""The way to each side takes eight seconds."""

TOML = """schema = 1
name = "from-elsewhere"
title = "From elsewhere"
[[steps]]
region = "calves"
side = "left"
intensity = "40%"
duration = "20s"
"""
SPEED = "60"


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def roles(happened: list[dict[str, Any]]) -> dict[str, str]:
    """Who takes part."""
    (started_,) = (one for one in happened if one["event"] == "session_started")
    devices: dict[str, str] = started_["devices"]
    return devices


def driven(happened: list[dict[str, Any]]) -> set[str]:
    """The devices that were told to run."""
    return {one["device"] for one in happened if one["event"] == "level_asked" and one["level"]}


# Scripts and standard input.


def test_a_script_runs_as_a_routine_does() -> None:
    done = percuss("run", "--script", SCRIPT, "--speed", SPEED, "--json")
    assert done.returncode == 0, done.stderr
    happened = events(done.stdout)
    assert (happened[-1]["event"], happened[-1]["outcome"]) == ("session_ended", "done")
    assert happened[-1]["elapsed_s"] == SCRIPT_S
    asked = {one["percent"] for one in happened if one["event"] == "level_asked"}
    assert max(asked) == 40


@pytest.mark.parametrize("text", [SCRIPT, TOML], ids=["script", "file"])
def test_a_routine_comes_from_standard_input(text: str) -> None:
    done = percuss("run", "-", "--speed", SPEED, "--json", typed=text)
    assert done.returncode == 0, done.stderr
    assert "no keys; Ctrl-C stops" in done.stderr
    assert events(done.stdout)[-1]["outcome"] == "done"
    assert driven(events(done.stdout))


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "said"),
    [
        (["--script", "calvs 40% 20s"], "", 2, "Did you mean 'calves'?"),
        (["--script", ""], "", 2, "has no step"),
        (["--script", "calves 100% 20s"], "", 4, "script:1"),
        (["--script", "calves 40% 200s"], "", 4, "the most that one calves bears"),
        (["--script", "spine 10% 20s"], "", 4, "spine is refused"),
        (["-"], "calvs 40% 20s", 8, "stdin:1"),
        (["-"], "", 8, "stdin"),
        (["-"], "calves 40% 20s;\ncalves 100% 20s", 4, "stdin:2"),
        (["-"], TOML.replace("40%", "100%"), 4, "stdin:7"),
        (["-"], TOML.replace("intensity", "intensety"), 8, "Did you mean 'intensity'?"),
        (["-"], "\x1b]0;title\x07", 8, "stdin"),
    ],
)
def test_what_cannot_be_run_is_told_with_its_line_and_a_code(
    arguments: list[str], typed: str, code: int, said: str
) -> None:
    done = percuss("run", *arguments, "--json", typed=typed)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a routine"),
        (["piriformis-release", "--script", SCRIPT], "one of them"),
        (["-", "--script", SCRIPT], "one of them"),
        (["piriformis-release", "--no-device", "--sim", "theragun-gen4"], "--no-device leaves out"),
        (["piriformis-release", "--no-device", "--on", "gun"], "--no-device leaves out"),
        (["piriformis-release", "--sim", "motor=theragun-gen4"], "is no role"),
        (["piriformis-release", "--sim", "=theragun-gen4"], "ROLE=NAME"),
        (["piriformis-release", "--sim", "massager="], "ROLE=NAME"),
        (["piriformis-release", "--sim", "timer=gymnext-flex", "--sim", "timer=gymnext-flex"], "one timer at most"),
        (["piriformis-release", *["--sim", "theragun-gen4"] * 3], "two massagers at most"),
        (["-", "--wait-for-key"], "needs a terminal"),
    ],
)
def test_what_makes_no_sense_together_is_a_usage_error(arguments: list[str], said: str) -> None:
    done = percuss("run", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_simulator_in_a_role_that_it_cannot_play_is_refused() -> None:
    done = percuss("run", "piriformis-release", "--sim", "timer=theragun-gen4")
    assert done.returncode == 4
    assert "cannot be the timer" in done.stderr


def test_ctrl_c_stops_what_came_from_standard_input() -> None:
    command = [*PERCUSS, "run", "-", "--speed", "10", "--json"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        running.stdin.write(SCRIPT)
        running.stdin.close()
        running.stdin = None
        wait_for_event(running, "level_asked")
        running.send_signal(signal.SIGINT)
        output, said = running.communicate(timeout=HANG_S)
    assert running.returncode == 3, said
    assert events(output)[-1]["outcome"] == "stopped"
    stops = [one["proof"] for one in events(output) if one["event"] == "device_stopped"]
    assert stops[-1] == "confirmed"


# No device at all.


@pytest.mark.parametrize("name", sorted(path.stem for path in BUNDLED.glob("*.toml")))
def test_every_routine_runs_to_its_end_without_a_device(name: str) -> None:
    done = percuss("run", name, "--no-device", "--speed", "1000", "--json")
    assert done.returncode == 0, done.stderr
    happened = events(done.stdout)
    timeline = plan(find_routine(name), {})
    assert happened[0] == {
        "event": "session_started",
        "routine": name,
        "duration_s": timeline.duration_s,
        "devices": {},
    }
    begun = [one for one in happened if one["event"] == "span_started"]
    assert [(one["region"], one["side"], one["cue"]) for one in begun] == [
        (span.region, span.side, span.cue) for span in timeline.spans
    ]
    assert not any(one["is_driven"] for one in begun)
    assert happened[-1]["outcome"] == "done"
    assert happened[-1]["elapsed_s"] == pytest.approx(timeline.duration_s)
    assert {one["event"] for one in happened} == {"session_started", "span_started", "span_ended", "session_ended"}


def test_without_a_device_what_is_paired_stays_alone() -> None:
    assert percuss("pair", "loop://", "--profile", "nlr-hf8", "--as", "pad").returncode == 0
    done = percuss("run", "piriformis-release", "--no-device", "--speed", "1000")
    assert done.returncode == 0, done.stderr
    assert "connecting" not in done.stderr
    assert "no device: by hand" in done.stderr
    assert done.stdout == ""


def test_without_a_device_the_emergency_stop_holds_too() -> None:
    assert percuss("stop", "--all").returncode == 0
    assert percuss("run", "piriformis-release", "--no-device").returncode == 4


def test_without_a_device_ctrl_c_ends_it() -> None:
    with started("run", "piriformis-release", "--no-device", "--json") as running:
        wait_for_event(running, "span_started")
        running.send_signal(signal.SIGINT)
        output, said = running.communicate(timeout=HANG_S)
    assert running.returncode == 3, said
    assert events(output)[-1]["outcome"] == "stopped"


def test_without_a_device_it_can_be_planned() -> None:
    done = percuss("run", "piriformis-release", "--no-device", "--dry-run", "--json")
    assert done.returncode == 0
    assert not any(step["driven"] for step in json.loads(done.stdout)["steps"])


# Several devices.


@pytest.fixture
def guns(tmp_path: Path) -> Iterator[tuple[RunningSimulator, RunningSimulator]]:
    """Two guns that are paired."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    options = ("theragun-gen4", "--ble", "--speed", "10", "--address")
    with (
        simulator(tmp_path / "one", *options, "F0:F1:C2:00:00:0A") as one,
        simulator(tmp_path / "two", *options, "F0:F1:C2:00:00:0B") as two,
    ):
        for name, gun in (("one", one), ("two", two)):
            assert percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", name).returncode == 0
        yield one, two


def test_two_massagers_work_at_the_same_time(guns: tuple[RunningSimulator, RunningSimulator]) -> None:
    together = "calves:left 40% 20s + calves:right 50%"
    on = ("--on", "massager=one", "--on", "massager=two")
    done = percuss("run", "--script", together, *on, "--speed", "10", "--json")
    assert done.returncode == 0, done.stderr
    happened = events(done.stdout)
    assert roles(happened) == {"massager": "one", "massager2": "two"}
    assert driven(happened) == {"one", "two"}
    # 40 % and 50 % of 2400.
    assert [max(rpm_of(line["hex"]) or 0 for line in gun.recorded("rx")) for gun in guns] == [960, 1200]
    stopped = {(one["device"], one["proof"]) for one in happened if one["event"] == "device_stopped"}
    assert stopped == {("one", "confirmed"), ("two", "confirmed")}
    assert all(is_at_rest(gun) for gun in guns)


def test_bare_names_are_massagers_too(guns: tuple[RunningSimulator, RunningSimulator]) -> None:
    done = percuss("run", "--script", SCRIPT, "--on", "two", "--on", "one", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert percuss("run", "--script", SCRIPT, "--on", "two", "--on", "two").returncode == 4


def test_a_lost_second_massager_stops_both(guns: tuple[RunningSimulator, RunningSimulator]) -> None:
    one, two = guns
    together = "calves:left 40% 60s + calves:right 40%"
    command = ("run", "--script", together, "--on", "one", "--on", "two", "--speed", "5", "--json")
    with started(*command) as running:
        wait_for_event(running, "level_asked")
        two.control(do="inject", fault="drop_link", for_s=0.5)
        output, said = running.communicate(timeout=HANG_S)
    assert running.returncode == 6, said
    assert events(output)[-1]["outcome"] == "link_lost"
    assert is_at_rest(one)
    assert is_at_rest(two)


def test_simulators_are_started_for_every_role() -> None:
    sims = ("--sim", "theragun-gen4", "--sim", "theragun-gen4", "--sim", "timer=lcus-relay")
    done = percuss("run", "--script", "calves:left 40% 20s + calves:right 40%", *sims, "--speed", SPEED)
    assert done.returncode == 0, done.stderr
    assert "connecting to Elite, Elite 2, LCUS" in done.stderr
    assert "What the simulator Elite saw" in done.stdout
    assert "What the simulator Elite 2 saw" in done.stdout
    assert done.stdout.count("motor at the end: stopped") == 2


def test_a_simulated_timer_alone_goes_along_by_hand() -> None:
    done = percuss("run", "--script", SCRIPT, "--sim", "timer=lcus-relay", "--speed", SPEED, "--json")
    assert done.returncode == 0, done.stderr
    happened = events(done.stdout)
    assert list(roles(happened)) == ["timer"]
    assert not any(one["is_driven"] for one in happened if one["event"] == "span_started")


def test_a_massager_that_nothing_is_for_is_told_and_saw_nothing() -> None:
    done = percuss("run", "--script", "stretch 5s", "--sim", "theragun-gen4", "--speed", SPEED)
    assert done.returncode == 0, done.stderr
    assert "Elite has nothing to do in this routine." in done.stderr
    assert re.search(r"^What the simulator Elite saw \(\d+ frames received\): nothing was driven\.$", done.stdout, re.M)
    assert "mean ppm" not in done.stdout


def test_of_two_massagers_only_the_one_without_work_is_told() -> None:
    sims = ("--sim", "theragun-gen4", "--sim", "theragun-gen4")
    done = percuss("run", "--script", "calves:left 40% 20s", *sims, "--speed", SPEED)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "nothing to do" in line] == [
        "Elite 2 has nothing to do in this routine."
    ]


def test_a_bare_number_is_seconds_on_the_command_line(guns: tuple[RunningSimulator, RunningSimulator]) -> None:
    for text in ("901", "-2", "1e3", "\u0663", "nan", "2 2"):
        refused = percuss("set", "one", "40%", "--for", text)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--for" in refused.stderr
    assert not [line for line in guns[0].recorded("rx") if (rpm_of(line["hex"]) or 0) > 0]
    done = percuss("set", "one", "40%", "--for", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert [one["duration_s"] for one in events(done.stdout) if one["event"] == "session_started"] == [2.0]
    assert is_at_rest(guns[0])
