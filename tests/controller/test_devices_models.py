"""Devices that must be greeted, only step, only toggle, forget or fall asleep: what is written to them, and when.

The devices are made up; every expected byte follows from the few lines of profile that describe them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from controller.devices import Device
from controller.errors import DeviceFaultError
from controller.events import Event
from controller.stopping import BLIND_STOPS
from firmware_profiles.commands import LoadSchedule, SetLevel, SetTimer
from firmware_profiles.errors import PercussError, ValueRefusedError
from firmware_profiles.units import Level
from tests.helpers.manual_clock import ManualClock
from tests.helpers.profile_text import TOGGLE, profile_from
from tests.helpers.scripted_transport import ScriptedTransport

ONE_MOTOR = """
[level]
unit = "level"
full = 9
[channels.motor]
[commands.set_level]
frames = ["A0 {level:u8}"]
[commands.stop]
frames = ["A0 00"]
"""

STEPS = """
[level]
unit = "level"
model = "relative"
full = 3
[channels.motor]
[commands.step_up]
frames = ["01", "00"]
gap_s = 0.1
[commands.step_down]
frames = ["02", "00"]
gap_s = 0.1
[commands.stop]
frames = ["02", "00"]
presses = 3
gap_s = 0.1
"""

T = TypeVar("T")


class Bench:
    """A made-up device on a scripted link."""

    def __init__(self, text: str, answer: Callable[[bytes], list[bytes]] = lambda _: []) -> None:
        self.clock = ManualClock()
        self.link = ScriptedTransport(self.clock, answer)
        self.events: list[Event] = []
        self.faults: list[PercussError] = []
        self.device = Device("it", profile_from(text), self.link, clock=self.clock, emit=self.events.append)
        self.device.on_fault = self.faults.append

    async def finished(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        for _ in range(1000):
            await self.clock.settle()
            if task.done():
                return task.result()
            await self.clock.advance(0.05)
        raise AssertionError("it never finished")

    async def patiently(self, work: Awaitable[T]) -> T:
        """Let time pass, also real time, until some work is done."""
        task = asyncio.ensure_future(work)
        for _ in range(2000):
            if task.done():
                return task.result()
            await asyncio.sleep(0.01)
            await self.clock.advance(0.05)
        raise AssertionError("it never finished")

    @property
    def written(self) -> list[str]:
        return [frame.hex(" ").upper() for frame in self.link.frames]

    def times(self, frame: str) -> list[float]:
        return [round(at_s - self.link.log[0][0], 3) for at_s, data, _ in self.link.log if data == bytes.fromhex(frame)]


class Toggled:
    """A device with one key, in a few lines."""

    def __init__(self, *, runs: bool) -> None:
        self.runs = runs
        self.is_silent = False

    def __call__(self, frame: bytes) -> list[bytes]:
        if frame == b"\x5a":
            self.runs = not self.runs
        return [bytes([0xB0, self.runs])] if frame == b"\x3f" and not self.is_silent else []


GREETED = """
[parameters.pin]
says = "the PIN"
default = "30"
[[init]]
frame = "1E {pin:ubcd2}"
expect = "welcome"
timeout_s = 1
[[init]]
frame = "1F"
wait_s = 0.5
[reports.welcome]
frames = ["1E 01"]
"""


async def test_a_device_is_greeted_before_anything_else_and_its_waits_are_kept() -> None:
    bench = Bench(ONE_MOTOR + GREETED, lambda frame: [b"\x1e\x01"] if frame == b"\x1e\x03\x00" else [])
    await bench.finished(bench.device.open())
    await bench.finished(bench.device.send(SetLevel("motor", Level(5))))
    assert bench.written == ["1E 03 00", "1F", "A0 05"]
    assert bench.times("A0 05")[0] >= 0.5


async def test_a_device_that_does_not_answer_the_greeting_is_not_driven() -> None:
    bench = Bench(ONE_MOTOR + GREETED)
    with pytest.raises(DeviceFaultError, match=r"number 1 of the 2 writes .* not answered with 'welcome' within 1 s"):
        await bench.finished(bench.device.open())
    assert not bench.link.is_open


async def test_a_device_that_does_not_answer_the_greeting_is_stopped_all_the_same() -> None:
    bench = Bench(ONE_MOTOR + GREETED)
    await bench.finished(bench.device.connect())
    assert (await bench.finished(bench.device.stop())).proof == "cannot_report"
    assert bench.written[:4] == ["A0 00", "1E 03 00", "1F", "A0 00"], "Stop goes before the greeting, and after it"


async def test_a_link_that_comes_back_is_greeted_again_and_then_stopped() -> None:
    bench = Bench(ONE_MOTOR + GREETED, lambda frame: [b"\x1e\x01"] if frame == b"\x1e\x03\x00" else [])
    await bench.finished(bench.device.open())
    bench.link.drop()
    bench.link.log.clear()
    await bench.finished(bench.device.reconnect(20.0))
    assert bench.written == ["A0 00", "1E 03 00", "1F", "A0 00"]


async def test_a_device_that_only_steps_is_taken_down_when_it_is_opened_and_then_counted() -> None:
    bench = Bench(STEPS)
    await bench.finished(bench.device.open())
    assert bench.written == ["02", "00"] * 3
    assert bench.times("02") == [0.0, 0.2, 0.4], "no press before the one before it is released"
    bench.link.log.clear()
    await bench.finished(bench.device.send(SetLevel("motor", Level(2))))
    assert bench.written == ["01", "00"] * 2


async def test_a_halt_between_two_presses_lets_no_press_follow() -> None:
    bench = Bench(STEPS)
    await bench.finished(bench.device.open())
    bench.link.log.clear()
    rising = asyncio.ensure_future(bench.device.send(SetLevel("motor", Level(3))))
    await bench.clock.advance(0.15)  # 01 at 0, 00 at 0.1
    halting = asyncio.ensure_future(bench.device.halt())
    await bench.clock.advance(1.0)
    await asyncio.gather(rising, halting)
    assert bench.written == ["01", "00", *["02", "00"] * 3]
    await bench.device.close()


async def test_a_toggle_that_stops_is_written_only_to_what_runs() -> None:
    device = Toggled(runs=True)
    bench = Bench(TOGGLE, device)
    await bench.finished(bench.device.open())
    result = await bench.finished(bench.device.stop())
    assert (result.proof, device.runs) == ("confirmed", False)
    assert bench.written.count("5A") == 1
    again = await bench.finished(bench.device.stop())
    assert (again.proof, device.runs) == ("confirmed", False)
    assert bench.written.count("5A") == 1
    await bench.device.close()


async def test_a_toggle_is_stopped_after_it_was_told_to_run_even_if_it_says_nothing_more() -> None:
    device = Toggled(runs=False)
    bench = Bench(TOGGLE, device)
    await bench.finished(bench.device.open())
    await bench.finished(bench.device.send(SetLevel("motor", Level(1))))
    assert device.runs
    device.is_silent = True
    result = await bench.finished(bench.device.stop())
    assert (result.proof, device.runs) == ("unconfirmed", False), "pressed once, and not back on again"
    await bench.device.close()


async def test_a_toggle_whose_press_was_lost_is_pressed_again() -> None:
    device = Toggled(runs=True)
    lost = [b"\x5a"]

    def answer(frame: bytes) -> list[bytes]:
        if frame in lost:
            lost.remove(frame)
            return []
        return device(frame)

    bench = Bench(TOGGLE, answer)
    await bench.finished(bench.device.open())
    assert (await bench.finished(bench.device.stop())).proof == "confirmed"
    assert not device.runs
    await bench.device.close()


async def test_a_toggle_that_is_acknowledged_late_is_not_pressed_twice() -> None:
    device = Toggled(runs=True)
    bench = Bench(TOGGLE.replace('when = "running"', 'when = "running"\nresponse = true'), device)
    await bench.finished(bench.device.open())
    bench.link.acknowledges_after_s = 0.8
    result = await bench.patiently(bench.device.stop())
    assert (result.proof, device.runs) == ("confirmed", False)
    assert bench.written.count("5A") == 1


async def test_a_toggle_that_still_says_off_after_it_was_told_to_run_is_stopped_all_the_same() -> None:
    device = Toggled(runs=False)
    bench = Bench(TOGGLE, device)
    await bench.finished(bench.device.open())
    await bench.finished(bench.device.send(SetLevel("motor", Level(1))))
    bench.link.say(bytes.fromhex("B0 00"))  # it spins up
    await bench.finished(bench.device.halt())
    assert not device.runs
    await bench.device.close()


async def test_a_greeting_that_is_refused_keeps_no_stop_from_being_sent() -> None:
    bench = Bench(ONE_MOTOR + GREETED)
    bench.link.refuses = {bytes.fromhex("1E 03 00"): DeviceFaultError("refused.", where="it")}
    await bench.finished(bench.device.connect())
    assert (await bench.finished(bench.device.stop())).proof == "cannot_report"
    assert bench.written[0] == "A0 00"


async def test_the_gap_after_a_command_is_kept_before_the_next() -> None:
    bench = Bench(STEPS)
    await bench.finished(bench.device.open())
    await bench.finished(bench.device.send(SetLevel("motor", Level(1))))
    bench.link.log.clear()
    await bench.finished(bench.device.send(SetLevel("motor", Level(2))))
    await bench.finished(bench.device.send(SetLevel("motor", Level(1))))
    # 01 and its release, 0.1 s apart, and 0.1 s after the release the next press.
    assert bench.times("02") == [0.2]
    await bench.device.close()


async def test_a_link_that_takes_nothing_is_opened_anew_before_all_presses_are_tried() -> None:
    bench = Bench(STEPS.replace("presses = 3", "presses = 30\nresponse = true"))
    await bench.finished(bench.device.open())
    opens = bench.link.opens
    bench.link.is_stuck = True
    stopping = asyncio.ensure_future(bench.device.stop())
    # Real seconds: two frames, each with and without acknowledgement, that nobody takes; twice, then it is opened anew.
    while bench.link.opens == opens:
        await asyncio.sleep(0.02)
        await bench.clock.advance(0.02)
    bench.link.is_stuck = False
    assert bench.written.count("02") == 30, "no press of all those was tried"
    await bench.patiently(stopping)
    assert bench.written.count("02") > 30
    await bench.device.close()


async def test_a_keepalive_goes_on_while_the_link_is_open_and_carries_no_level() -> None:
    bench = Bench(ONE_MOTOR + "[keepalive]\nframes = ['CC']\nperiod_s = 5")
    await bench.finished(bench.device.open())
    await bench.clock.advance(16.0)
    assert bench.written == ["CC"] * 3
    await bench.device.close()
    await bench.clock.advance(16.0)
    assert bench.written == ["CC"] * 3


async def test_a_keepalive_of_a_running_device_rests_with_it() -> None:
    bench = Bench(ONE_MOTOR + "[keepalive]\nframes = ['CC']\nperiod_s = 5\nwhile_running = true")
    await bench.finished(bench.device.open())
    await bench.clock.advance(6.0)
    assert bench.written == []
    await bench.finished(bench.device.send(SetLevel("motor", Level(1))))
    await bench.clock.advance(6.0)
    assert bench.written.count("CC") == 1
    await bench.finished(bench.device.halt())
    await bench.clock.advance(11.0)
    assert bench.written.count("CC") == 1
    await bench.device.close()


async def test_a_level_is_sent_again_to_a_device_that_forgets_until_a_stop() -> None:
    bench = Bench(ONE_MOTOR.replace("full = 9", "full = 9\nresend_s = 0.5"))
    await bench.finished(bench.device.open())
    await bench.finished(bench.device.send(SetLevel("motor", Level(7))))
    await bench.clock.advance(2.2)
    count = bench.written.count("A0 07")
    assert count in {5, 6}  # once, and every half second: four or five more times in 2.2 s
    await bench.finished(bench.device.halt())
    await bench.clock.advance(5.0)
    assert bench.written.count("A0 07") == count, "the level ends with the motor's permission"
    await bench.device.close()


async def test_a_status_whose_checksum_is_wrong_confirms_no_stop() -> None:
    text = """
[commands.query_status]
frames = ["3F"]
[reports.status]
frames = ["B0 {running:bool} {sum8@0..}"]
checksum = "advisory"
"""
    right, wrong = bytes.fromhex("B0 00 B0"), bytes.fromhex("B0 00 B1")
    is_right = [True]
    bench = Bench(ONE_MOTOR + text, lambda f: [right if is_right[0] else wrong] if f == b"\x3f" else [])
    await bench.finished(bench.device.open())
    is_right[0] = False
    assert (await bench.finished(bench.device.stop())).proof == "unconfirmed"
    is_right[0] = True
    assert (await bench.finished(bench.device.stop())).proof == "confirmed"
    await bench.device.close()


PUSHES = '[reports.status]\nframes = ["B0 {running:bool}"]'


async def test_a_device_that_says_by_itself_that_it_rests_confirms_a_stop() -> None:
    bench = Bench(ONE_MOTOR + PUSHES, lambda frame: [b"\xb0\x00"] if frame == b"\xa0\x00" else [])
    await bench.finished(bench.device.open())
    result = await bench.finished(bench.device.stop())
    assert (result.proof, result.attempts) == ("confirmed", 1)
    await bench.device.close()


async def test_a_device_that_says_by_itself_that_it_still_runs_is_not_left_at_three_stops() -> None:
    bench = Bench(ONE_MOTOR + PUSHES, lambda frame: [b"\xb0\x01"] if frame == b"\xa0\x00" else [])
    await bench.finished(bench.device.open())
    result = await bench.finished(bench.device.stop())
    assert result.proof == "unconfirmed"
    assert result.attempts > BLIND_STOPS
    await bench.device.close()


async def test_a_device_that_could_tell_and_does_not_is_stopped_as_a_silent_one() -> None:
    bench = Bench(ONE_MOTOR + PUSHES)
    await bench.finished(bench.device.open())
    result = await bench.finished(bench.device.stop())
    assert (result.proof, result.attempts) == ("cannot_report", BLIND_STOPS)
    await bench.device.close()


async def test_what_the_device_has_no_command_for_is_refused_and_nothing_is_written() -> None:
    bench = Bench(ONE_MOTOR)
    await bench.finished(bench.device.open())
    for command in (SetTimer(600), LoadSchedule(())):
        with pytest.raises(ValueRefusedError):
            await bench.finished(bench.device.send(command))
    assert bench.written == []
