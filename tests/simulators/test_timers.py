"""The timers of devices: one that switches the motors off, and one that follows a routine."""

from __future__ import annotations

import pytest

from simulators.faults import FaultRefusedError
from tests.simulators.bench import Bench, profile_of

BED = """
roles = ["massager"]
ble = { service = "FFE0", write = "FFE1", notify = "FFE2" }
level = { unit = "level", full = 3 }
channels.head = {}
commands.set_level.frames = ["01 {level:u8}"]
commands.stop.frames = ["02"]
commands.query_status.frames = ["03"]
"""

MINUTES = f"""{BED}
commands.set_timer.frames = ["08 {{timer_min:u8}}"]
timer = {{ highest_s = 3600, unit_s = 60 }}
reports.status.frames = ["A0 {{running:bool}} {{timer_s:u16be}}"]
"""

CYCLED = f"""{BED}
commands.step_timer.frames = ["09"]
timer = {{ choices_s = [600, 1200, 1800], cycles = true }}
lookups.times = {{ 0 = "00", 600 = "01", 1200 = "02", 1800 = "03" }}
reports.status.frames = ["A0 {{running:bool}} {{timer_s:times}}"]
"""

FLEX = """
roles = ["timer"]
serial = { baud = 9600 }
commands.load_schedule.frames = ["'L' {count:u8} each interval ( {seconds:u16be} {rest:bool} )"]
commands.start_timer.frames = ["'S'"]
commands.pause_timer.frames = ["'P'"]
commands.reset_timer.frames = ["'R'"]
commands.query_status.frames = ["'?'"]
reports.status.frames = ["'T' {running:bool} {timer_s:u16be}"]
"""
# 90 s of work, 30 s of rest, 60 s of work: 3 intervals in 180 s.
LOAD = "4C 03 00 5A 00 00 1E 01 00 3C 00"
START, PAUSE, RESET, ASK = "53", "50", "52", "3F"
NOTHING_LOADED = {"state": "ready", "elapsed_s": 0}


def told(bench: Bench) -> list[tuple[str, float]]:
    return [(entry["state"], entry["t_s"]) for entry in bench.kinds("timer")]


# ---- the one that switches off


def test_the_timer_of_the_device_stops_its_motors_when_it_ends_and_the_record_says_so() -> None:
    bed = Bench(profile_of(MINUTES))
    bed.write("08 0A", "01 03")
    bed.wait(599)
    assert bed.levels() == {"head": 3}
    bed.wait(2)
    assert bed.levels() == {"head": 0}
    assert told(bed) == [("set", 0), ("ended", 600)]
    bed.wait(60)
    assert not bed.device.is_running


def test_a_timer_that_is_set_again_begins_again_and_0_clears_it() -> None:
    bed = Bench(profile_of(MINUTES))
    bed.write("08 0A", "01 03")
    bed.wait(500)
    bed.write("08 0A")
    bed.wait(500)
    assert bed.levels() == {"head": 3}
    bed.write("08 00")
    bed.wait(7200)
    assert bed.levels() == {"head": 3}
    assert told(bed) == [("set", 0), ("set", 500), ("cleared", 1000)]


def test_a_time_that_the_timer_does_not_have_is_refused_and_the_old_one_goes_on() -> None:
    bed = Bench(profile_of(MINUTES))
    bed.write("08 0A", "08 3D")  # 61 minutes
    assert "3660 s is no time of its timer" in bed.kinds("bad")[0]["reason"]
    assert bed.device.state()["off_timer_s"] == 600


def test_the_status_says_what_is_left_of_the_timer() -> None:
    bed = Bench(profile_of(MINUTES))
    bed.write("03", "08 0A")
    bed.wait(88)
    bed.write("03")
    assert bed.sent == ["A0 00 00 00", "A0 00 02 00"]  # 600 - 88 = 512 = 02 00


def test_one_key_goes_through_the_choices_to_off_and_from_the_first_again() -> None:
    bed = Bench(profile_of(CYCLED))
    lefts = []
    for _ in range(5):
        bed.write("09")
        lefts.append(bed.device.state()["off_timer_s"])
    assert lefts == [600, 1200, 1800, 0, 600]


def test_after_its_end_the_key_begins_with_the_first_choice() -> None:
    bed = Bench(profile_of(CYCLED))
    bed.write("09", "09", "01 02")
    bed.wait(1300)
    assert bed.levels() == {"head": 0}
    bed.write("09")
    assert bed.device.state()["off_timer_s"] == 600


def test_a_status_that_can_only_say_choices_says_the_one_that_runs() -> None:
    bed = Bench(profile_of(CYCLED))
    bed.write("03", "09", "09", "03")
    bed.wait(100)  # 1100 s of 1200 are left
    bed.write("03")
    bed.wait(600)  # 500 s are left: what a person would read there is 600
    bed.write("03")
    assert bed.sent == ["A0 00 00", "A0 00 02", "A0 00 02", "A0 00 01"]


# ---- the one that follows a routine


def test_a_schedule_runs_interval_by_interval_on_the_clock_of_the_simulator() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD)
    assert timer.device.state()["timer"] == {
        **{"state": "ready", "elapsed_s": 0, "intervals": 3, "left_s": 180},
        **{"interval": 0, "rest": False, "interval_left_s": 90},
    }
    timer.wait(10)
    timer.write(START)
    timer.wait(100)
    assert timer.device.state()["timer"] == {
        **{"state": "running", "elapsed_s": 100, "intervals": 3, "left_s": 80},
        **{"interval": 1, "rest": True, "interval_left_s": 20},
    }
    timer.wait(100)
    assert timer.device.state()["timer"] == {"state": "ended", "elapsed_s": 180, "intervals": 3, "left_s": 0}
    assert told(timer) == [("loaded", 0), ("started", 10), ("interval", 100), ("interval", 130), ("ended", 190)]
    assert [(entry["interval"], entry["rest"]) for entry in timer.kinds("timer")[2:4]] == [(1, True), (2, False)]


def test_a_pause_holds_and_a_start_goes_on() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD, START)
    timer.wait(60)
    timer.write(PAUSE)
    timer.wait(1000)
    assert timer.device.state()["timer"]["left_s"] == 120
    timer.write(START)
    timer.wait(30)
    assert timer.device.state()["timer"]["interval"] == 1
    assert told(timer)[-1] == ("interval", 1090)


def test_a_reset_stands_at_the_beginning_of_the_same_schedule() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD, START)
    timer.wait(100)
    timer.write(RESET)
    timer.wait(100)
    assert timer.device.state()["timer"]["state"] == "ready"
    assert timer.device.state()["timer"]["left_s"] == 180


def test_a_start_after_the_end_begins_again() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD, START)
    timer.wait(200)
    timer.write(START)
    timer.wait(10)
    assert timer.device.state()["timer"]["left_s"] == 170


def test_a_new_schedule_takes_the_place_of_the_one_that_runs_and_waits_for_its_start() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD, START)
    timer.wait(60)
    timer.write("4C 01 00 2D 00")  # 45 s
    timer.wait(60)
    assert timer.device.state()["timer"]["state"] == "ready"
    timer.write(START)
    timer.wait(45)
    assert told(timer)[-1] == ("ended", 165)


def test_without_a_schedule_it_counts_up() -> None:
    timer = Bench(profile_of(FLEX))
    assert timer.device.state()["timer"] == NOTHING_LOADED
    timer.write(START)
    timer.wait(7)
    timer.write(PAUSE)
    timer.wait(7)
    assert timer.device.state()["timer"] == {"state": "paused", "elapsed_s": 7}


def test_the_status_of_a_timer_says_whether_it_runs_and_what_is_left() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write(LOAD, ASK, START)
    timer.wait(50.5)
    timer.write(ASK)
    assert timer.sent == ["54 00 00 B4", "54 01 00 82"]  # 180, and 129.5 rounded up


def test_a_timer_without_motors_has_a_state_and_an_end_and_refuses_faults_of_motors() -> None:
    timer = Bench(profile_of(FLEX))
    timer.device.start()
    timer.wait(3600)
    assert timer.device.state()["channels"] == {}
    assert not timer.device.is_running
    timer.device.end()
    assert timer.entries[-1]["channels"] == {}
    with pytest.raises(FaultRefusedError, match="has no motor"):
        timer.inject("stall")


def test_an_interval_of_no_length_is_passed_over() -> None:
    timer = Bench(profile_of(FLEX))
    timer.write("4C 03 00 00 00 00 05 01 00 00 00", START)
    timer.wait(5)
    assert told(timer) == [("loaded", 0), ("started", 0), ("interval", 0), ("ended", 5)]
