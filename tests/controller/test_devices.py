import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from controller.devices import Device
from controller.errors import DeviceFaultError, DeviceNotFoundError, IdentityError, LinkLostError
from controller.events import BytesIgnored, DeviceStopped, Event, LevelAsked
from controller.stopping import BLIND_STOPS, STOP_BUDGET_S
from controller.transports import Identity
from firmware_profiles.commands import SetLevel
from firmware_profiles.errors import PercussError
from firmware_profiles.library import load_profiles
from firmware_profiles.units import Level
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport

LIBRARY = load_profiles()[0]
OFF = bytes.fromhex("AA 07 01 03 00 00 03")
SHORT = bytes.fromhex("AA 04 01 03")
STATUS = bytes.fromhex("AA 10 10 00")
AT_1750 = bytes.fromhex("AA E3 01 03 06 D6 03")


T = TypeVar("T")


class Bench:
    """A device on a scripted link, with everything that it says."""

    def __init__(self, profile: str = "theragun-gen4", expected: Identity | None = None) -> None:
        self.clock = ManualClock()
        self.gun = ScriptedGun()
        self.link = ScriptedTransport(self.clock, self.gun)
        self.events: list[Event] = []
        self.faults: list[PercussError] = []
        self.device = Device(
            "gun", LIBRARY[profile], self.link, clock=self.clock, emit=self.events.append, expected=expected
        )
        self.device.on_fault = self.faults.append

    async def finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Let time pass until some work is done."""
        task = asyncio.ensure_future(work)
        for _ in range(1000):
            await self.clock.settle()
            if task.done():
                return task.result()
            await self.clock.advance(0.05)
        raise AssertionError("it never finished")

    async def opened(self) -> "Bench":
        await self.finished(self.device.open())
        self.link.log.clear()
        return self


async def test_a_device_learns_the_firmware_when_it_is_opened() -> None:
    bench = Bench()
    assert await bench.finished(bench.device.open()) == Identity("scripted", "S1", "2.1.6")


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (Identity("scripted", "S2", "2.1.6"), "serial number is S1; the device that was paired had S2"),
        (Identity("scripted", "S1", "2.1.5"), "firmware is 2.1.6; the device that was paired had 2.1.5"),
    ],
)
async def test_another_device_at_the_same_address_is_refused(expected: Identity, says: str) -> None:
    bench = Bench(expected=expected)
    with pytest.raises(IdentityError, match=says):
        await bench.finished(bench.device.open())
    assert not bench.link.is_open
    assert all(frame in (STATUS, bytes.fromhex("AA 20 20 00")) for frame in bench.link.frames), "nothing may move it"


async def test_a_level_is_written_with_a_response_and_told() -> None:
    bench = await Bench().opened()
    await bench.finished(bench.device.send(SetLevel("head", Level(1750))))
    assert (AT_1750, True) in [(frame, with_response) for _, frame, with_response in bench.link.log]
    assert LevelAsked("gun", "head", 1750, 72.9, 1750) in bench.events


async def test_writes_keep_the_gap_that_the_device_needs() -> None:
    bench = await Bench().opened()
    await bench.finished(
        asyncio.wait_for(
            asyncio.gather(*(bench.device.send(SetLevel("head", Level(n))) for n in (100, 200, 300))), None
        )
    )
    times = [at_s for at_s, frame, _ in bench.link.log if frame != STATUS]
    assert all(later - earlier >= 0.02 - 1e-9 for earlier, later in itertools.pairwise(times))


async def test_halt_overtakes_what_waits_and_drops_it() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(100)))
    waiting = asyncio.ensure_future(bench.device.send(SetLevel("head", Level(200))))  # the gap holds it back
    await bench.clock.settle()
    await bench.device.halt()
    await bench.finished(asyncio.wait_for(waiting, None))
    assert bench.link.frames[1:3] == [OFF, SHORT]
    assert not any(frame[2:6] == bytes.fromhex("01 03 00 C8") for frame in bench.link.frames), "200 must not follow"


async def test_stop_is_confirmed_by_the_status() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    result = await bench.finished(bench.device.stop())
    assert (result.proof, result.attempts) == ("confirmed", 1)
    assert bench.gun.rpm == 0
    assert DeviceStopped("gun", "confirmed", 1) in bench.events


async def test_stop_is_repeated_until_the_device_obeys() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.gun.obeys = False
    stopping = asyncio.ensure_future(bench.device.stop())
    await bench.clock.advance(2.0)
    assert not stopping.done()
    bench.gun.obeys = True
    result = await bench.finished(asyncio.wait_for(stopping, None))
    assert result.proof == "confirmed"
    assert bench.link.frames.count(OFF) == result.attempts > 1


async def test_a_stop_that_never_works_ends_unconfirmed_within_its_budget() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.gun.obeys = False
    began_s = bench.clock.now()
    result = await bench.finished(bench.device.stop())
    assert result.proof == "unconfirmed"
    assert bench.clock.now() - began_s <= STOP_BUDGET_S + 1
    assert bench.link.frames.count(OFF) >= 5


async def test_a_device_that_cannot_report_is_stopped_several_times() -> None:
    bench = await Bench("nlr-hf8").opened()
    result = await bench.finished(bench.device.stop())
    assert (result.proof, result.attempts) == ("cannot_report", BLIND_STOPS)
    assert bench.link.frames.count(b"M70\r") == BLIND_STOPS


async def test_stop_opens_a_lost_link_again() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.link.drop()
    result = await bench.finished(bench.device.stop())
    assert result.proof == "confirmed"
    assert bench.link.opens == 2


async def test_a_reconnected_device_gets_stop_before_anything_that_moves_it() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.link.drop()
    bench.link.log.clear()
    bench.link.can_open = False
    reconnecting = asyncio.ensure_future(bench.device.reconnect(30.0))
    await bench.clock.advance(1.0)
    bench.link.can_open = True
    await bench.finished(asyncio.wait_for(reconnecting, None))
    assert bench.gun.rpm == 0
    moving = [frame for frame in bench.link.frames if frame[2:4] == b"\x01\x03"]
    assert moving[:2] == [OFF, SHORT]


async def test_reconnecting_gives_up_after_its_budget_with_growing_pauses() -> None:
    bench = await Bench().opened()
    bench.link.drop()
    bench.link.can_open = False
    with pytest.raises(DeviceNotFoundError):
        await bench.finished(bench.device.reconnect(10.0))
    # after 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s; the next pause would end after 12.75
    assert bench.link.opens == 1 + 6


async def test_a_device_that_does_not_answer_is_told_at_once() -> None:
    bench = Bench()
    bench.gun.is_silent = True
    with pytest.raises(DeviceFaultError, match=r"does not answer \(silence\)"):
        await bench.finished(bench.device.open())
    assert not bench.link.is_open


async def test_a_device_that_falls_silent_is_a_fault() -> None:
    bench = await Bench().opened()
    bench.gun.is_silent = True
    await bench.clock.advance(20.0)
    assert [type(fault) for fault in bench.faults] == [DeviceFaultError]
    assert "does not answer any more" in str(bench.faults[0])


async def test_a_device_that_runs_after_a_stop_is_a_fault() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.gun.obeys = False
    await bench.device.halt()
    await bench.clock.advance(3.0)
    assert bench.faults == [], "it may take a while to spin down"
    await bench.clock.advance(3.0)
    assert "was told to stop and says that it runs" in str(bench.faults[0])


async def test_a_device_that_does_not_start_is_a_fault() -> None:
    bench = await Bench().opened()
    bench.gun.obeys = False
    await bench.device.send(SetLevel("head", Level(1750)))
    await bench.clock.advance(6.0)
    assert "says that it is at rest" in str(bench.faults[0])


async def test_garbage_is_told_and_too_much_of_it_is_a_fault() -> None:
    bench = await Bench().opened()
    bench.link.say(b"\xbb\x00")
    assert any(isinstance(event, BytesIgnored) and event.data == "BB 00" for event in bench.events)
    assert bench.faults == []
    for _ in range(7):
        bench.link.say(b"\xbb\x00")
    assert "make no sense" in str(bench.faults[0])


async def test_a_lost_link_is_a_fault_that_may_pass() -> None:
    bench = await Bench().opened()
    bench.link.drop()
    assert [type(fault) for fault in bench.faults] == [LinkLostError]


async def test_a_stop_goes_past_a_write_that_is_never_acknowledged() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.link.acknowledges = False
    hanging = asyncio.ensure_future(bench.device.send(SetLevel("head", Level(1800))))
    await bench.clock.advance(0.1)
    await bench.device.halt()
    assert bench.gun.rpm == 0
    assert [(frame, with_response) for _, frame, with_response in bench.link.log[-2:]] == [(OFF, False), (SHORT, False)]
    with pytest.raises(DeviceFaultError, match="does not acknowledge"):
        await hanging


@pytest.mark.parametrize("refusal", [DeviceFaultError("it refuses."), ZeroDivisionError("a fault of ours")])
async def test_a_stop_that_cannot_be_written_is_tried_again_and_never_raises(refusal: Exception) -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.link.refusal = refusal
    stopping = asyncio.ensure_future(bench.device.stop())
    await bench.clock.advance(1.0)
    bench.link.refusal = None
    result = await bench.finished(asyncio.wait_for(stopping, None))
    assert result.proof == "confirmed"
    assert result.attempts > 1
    assert bench.gun.rpm == 0


async def test_a_device_that_runs_faster_than_told_is_a_fault() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1000)))
    bench.gun.rpm = 2400
    bench.gun.obeys = False
    await bench.clock.advance(6.0)
    assert "told to run at 1000 and says that it runs at 2400" in str(bench.faults[0])


async def test_stop_comes_before_any_question_when_a_link_is_back() -> None:
    bench = await Bench().opened()
    await bench.device.send(SetLevel("head", Level(1750)))
    bench.link.drop()
    bench.link.log.clear()
    await bench.finished(bench.device.reconnect(30.0))
    assert bench.link.frames[:2] == [OFF, SHORT]
