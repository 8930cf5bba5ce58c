"""Several motors in one session: two zones of a pad, two massagers, a massager and a timer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.helpers.processes import HANG_S, RunningSimulator, percuss, simulator, started

SPEED = "10"
ANOTHER = "F0:F1:C2:00:00:02"

PLACES = """schema = 1
name = "two-at-once"
title = "Two at once"
[[steps]]
region = "{first}"
side = "{side}"
duration = "20s"
intensity = "{intensity}"
move = 0
{more}
"""
BESIDE = '[[steps]]\nregion = "hamstrings"\nside = "right"\nintensity = "1750 ppm"\ntogether = true\n'


def channels_at_once(device: RunningSimulator) -> set[frozenset[str]]:
    """The sets of motors that turned at the same moment, by the recorder's own clock."""
    samples = sorted(device.recorded("motor"), key=lambda line: float(line["t_s"]))
    turning: set[str] = set()
    seen = set()
    for _, moment in groupby(samples, key=lambda line: line["t_s"]):
        for line in moment:
            (turning.add if line["ppm"] > 0 else turning.discard)(line["channel"])
        seen.add(frozenset(turning))
    return seen


def peak_ppm(device: RunningSimulator, channel: str = "head") -> float:
    return max(float(line["ppm"]) for line in device.recorded("motor") if line["channel"] == channel)


def last_ppm(device: RunningSimulator) -> set[float]:
    return {float(line["ppm"]) for line in {line["channel"]: line for line in device.recorded("motor")}.values()}


def test_a_zoned_pad_works_two_regions_at_once_each_at_its_own_speed(tmp_path: Path) -> None:
    routine = tmp_path / "two.toml"
    text = PLACES.format(first="lumbar_paraspinal", side="left", intensity="1400 ppm", more=BESIDE)
    routine.write_text(text, encoding="utf-8")
    with simulator(tmp_path, "nlr-hf8", "--pty", "--speed", SPEED) as pad:
        assert percuss("pair", pad.url, "--profile", "nlr-hf8", "--as", "pad").returncode == 0
        run = percuss("run", str(routine), "--on", "pad", "--speed", SPEED, "--json")
        assert run.returncode == 0, run.stderr
        (span,) = [e for e in map(json.loads, run.stdout.splitlines()) if e["event"] == "span_started"]
        assert (span["region"], span["side"]) == ("lumbar_paraspinal", "left")
        assert span["also"] == [{"region": "hamstrings", "side": "right"}]
        assert frozenset({"left_back", "right_thigh"}) in channels_at_once(pad)
        # 255 levels are 2400 ppm: 1400 ppm is level 148, 1750 ppm is level 185.
        assert peak_ppm(pad, "left_back") == pytest.approx(148 * 2400 / 255, rel=0.01)
        assert peak_ppm(pad, "right_thigh") == pytest.approx(185 * 2400 / 255, rel=0.01)
        assert last_ppm(pad) == {0.0}


@pytest.fixture
def two_guns(tmp_path: Path) -> Iterator[tuple[RunningSimulator, RunningSimulator]]:
    """Two massage guns, paired as left and right."""
    with (
        simulator(tmp_path, "theragun-gen4", "--speed", SPEED) as left,
        simulator(tmp_path, "theragun-gen4", "--address", ANOTHER, "--speed", SPEED) as right,
    ):
        for name, device in (("left", left), ("right", right)):
            paired = percuss("pair", device.url, "--profile", "theragun-gen4", "--as", name)
            assert paired.returncode == 0, paired.stderr
        yield left, right


def both_calves(folder: Path) -> str:
    routine = folder / "both.toml"
    routine.write_text(PLACES.format(first="calves", side="both", intensity="gentle", more=""), encoding="utf-8")
    return str(routine)


def test_two_guns_work_both_sides_at_once_and_both_come_to_rest(
    tmp_path: Path, two_guns: tuple[RunningSimulator, RunningSimulator]
) -> None:
    run = percuss(
        *("run", both_calves(tmp_path), "--on", "massager=left", "--on", "massager=right", "--speed", SPEED, "--json")
    )
    assert run.returncode == 0, run.stderr
    happened = [json.loads(line) for line in run.stdout.splitlines()]
    (begun,) = [event for event in happened if event["event"] == "session_started"]
    assert begun["devices"] == {"massager": "left", "massager2": "right"}
    spans = [event for event in happened if event["event"] == "span_started"]
    assert [(span["region"], span["side"], span["is_driven"]) for span in spans] == [("calves", None, True)]
    for gun in two_guns:
        assert peak_ppm(gun) == pytest.approx(1600, rel=0.01)
        assert last_ppm(gun) == {0.0}
    stopped = {event["device"]: event["proof"] for event in happened if event["event"] == "device_stopped"}
    assert stopped == {"left": "confirmed", "right": "confirmed"}


def test_two_guns_come_to_rest_when_their_session_is_killed(
    tmp_path: Path, two_guns: tuple[RunningSimulator, RunningSimulator]
) -> None:
    command = ("run", both_calves(tmp_path), "--on", "massager=left", "--on", "massager=right", "--speed", SPEED)
    with started(*command, "--json") as session:
        assert session.stdout is not None
        running = set()
        for line in session.stdout:
            event = json.loads(line)
            if event["event"] == "level_asked" and event["level"]:
                running.add(event["device"])
            if running == {"left", "right"}:
                break
        assert running == {"left", "right"}
        session.kill()
        session.wait(HANG_S)
    # `stop` waits for a guardian that is at work, and stops again.
    for name in ("left", "right"):
        assert percuss("stop", name).returncode == 0
    for gun in two_guns:
        assert last_ppm(gun) == {0.0}


def test_one_massager_cannot_be_both(two_guns: tuple[RunningSimulator, RunningSimulator]) -> None:
    twice = percuss("run", "short-break", "--on", "massager=left", "--on", "massager=left", "--speed", SPEED)
    assert twice.returncode == 4, twice.stderr
    assert "one device cannot play two roles" in twice.stderr
    assert {line["kind"] for line in two_guns[0].recorded("motor") if line["ppm"] > 0} == set()


def test_two_simulators_are_started_for_two_roles() -> None:
    run = percuss(
        *("run", "--script", "calves:both gentle 15s", "--sim", "theragun-gen4", "--sim", "timer=lcus-relay"),
        *("--speed", SPEED, "--json"),
    )
    assert run.returncode == 0, run.stderr
    happened = [json.loads(line) for line in run.stdout.splitlines()]
    (begun,) = [event for event in happened if event["event"] == "session_started"]
    asked = [event for event in happened if event["event"] == "level_asked"]
    assert {event["device"] for event in asked if event["level"]} == {
        begun["devices"]["massager"],
        begun["devices"]["timer"],
    }
