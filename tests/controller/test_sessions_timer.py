"""A lamp or buzzer that goes along: on a manual clock, over scripted links."""

import asyncio
from dataclasses import replace

from controller.errors import DeviceFaultError
from controller.events import DeviceStopped, SessionEnded, SessionPaused, TimerFailed
from controller.sessions import Request
from firmware_profiles.commands import SetLevel, Status
from firmware_profiles.units import Level
from routines.timeline import Cue, Span
from tests.controller.test_sessions import Stage, place

ON, OFF = bytes.fromhex("A0 01 01 A2"), bytes.fromhex("A0 01 00 A1")  # from the source of its profile
SPEEDS = [(0, 0), (0, 250), (1, 500), (11, 750), (21, 1000), (40, 0), (40, 0)]
"""What the gun does in the place of these tests, as tests/controller/test_sessions.py works it out."""


def signalled(*pulses: tuple[float, float]) -> Span:
    """A place with (seconds from its start, seconds on) for the lamp."""
    signals = [
        Cue(at_s, "timer", SetLevel("relay1", Level(level)))
        for start_s, for_s in pulses
        for at_s, level in ((start_s, 1), (start_s + for_s, 0))
    ]
    return replace(place("calves"), signals=tuple(signals))


def pulses(stage: Stage) -> list[tuple[float, float]]:
    """(seconds from the start, seconds on) of each pulse; an off may be written more than once."""
    found: list[tuple[float, float]] = []
    on_s: float | None = None
    for at_s, frame, _ in stage.lamp_link.log:
        if frame == ON:
            on_s = at_s
        elif frame == OFF and on_s is not None:
            found.append((round(on_s - stage.start_s, 3), round(at_s - on_s, 3)))
            on_s = None
    return found if on_s is None else [*found, (on_s, float("inf"))]


async def test_a_lamp_is_switched_when_the_plan_says_so() -> None:
    stage = await Stage([signalled((10.0, 0.5), (37.0, 0.2))], has_lamp=True).begin()
    ended = await stage.end()
    assert ended.outcome == "done"
    assert pulses(stage) == [(10.0, 0.5), (37.0, 0.2)]
    assert stage.speeds == SPEEDS


async def test_a_lamp_whose_link_hangs_does_not_hold_the_massage_up() -> None:
    stage = await Stage([signalled((10.0, 0.5), (20.0, 0.5))], has_lamp=True).begin()
    await stage.clock.advance(9.0)
    write = stage.lamp_link.write

    async def hang(data: bytes, *, with_response: bool) -> None:
        if data == ON:
            await asyncio.get_running_loop().create_future()
        await write(data, with_response=with_response)

    stage.lamp_link.write = hang  # type: ignore[method-assign]
    await stage.clock.advance(12.5)
    assert stage.speeds == SPEEDS[:5]
    stage.session.stop()
    await stage.clock.settle()
    assert stage.gun.rpm == 0, "nor a stop"
    assert (await stage.end()).outcome == "stopped"


async def test_a_lamp_that_is_lost_is_told_once_and_the_massage_goes_on() -> None:
    stage = await Stage([signalled((10.0, 0.5), (20.0, 0.5), (30.0, 0.5))], has_lamp=True).begin()
    await stage.clock.advance(9.0)
    stage.lamp_link.drop()
    ended = await stage.end()
    assert ended.outcome == "done"
    assert [event.device for event in stage.told(TimerFailed) if isinstance(event, TimerFailed)] == ["lamp"]
    assert not stage.told(SessionPaused)
    assert pulses(stage) == []
    assert stage.speeds == SPEEDS
    last = stage.told(DeviceStopped)[-1]
    assert isinstance(last, DeviceStopped)
    assert (last.device, last.proof) == ("lamp", "cannot_report"), "but at the end it is put out"


async def test_a_lamp_that_may_still_be_on_at_the_end_is_told_by_its_name() -> None:
    stage = await Stage([signalled((10.0, 30.0))], has_lamp=True).begin()
    await stage.clock.advance(15.0)
    stage.lamp_link.can_open = False
    stage.lamp_link.drop()
    ended = await stage.end()
    assert isinstance(ended, SessionEnded)
    assert ended.reason.startswith("lamp did not confirm")
    assert stage.speeds[:7] == SPEEDS
    assert DeviceStopped("gun", "confirmed", 1) in stage.told(DeviceStopped)


async def test_a_lamp_that_is_on_goes_off_in_a_pause_and_stays_off() -> None:
    stage = await Stage([signalled((10.0, 2.0))], has_lamp=True).begin()
    await stage.clock.advance(11.0)
    stage.lamp_link.log.clear()
    await stage.ask(Request.PAUSE)
    assert stage.lamp_link.frames[0] == OFF
    await stage.clock.advance(30.0)
    await stage.ask(Request.RESUME)
    await stage.end()
    assert ON not in stage.lamp_link.frames, "its moment has passed"


async def test_trouble_that_a_timer_reports_takes_it_out_and_nothing_else() -> None:
    stage = await Stage([signalled((20.0, 0.5))], has_lamp=True).begin()
    await stage.clock.advance(10.0)
    lamp = stage.session._devices["timer"]
    lamp.on_status(Status(battery_pct=1))
    lamp.on_fault(DeviceFaultError("does not answer."))
    ended = await stage.end()
    assert ended.outcome == "done"
    assert len(stage.told(TimerFailed)) == 1
    assert pulses(stage) == []
    assert stage.speeds == SPEEDS


async def test_what_is_written_beside_the_runner_renews_no_permission() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    lease = stage.session._supervisor.lease
    until_s = lease._until_s
    stage.clock.jump(0.3)
    stage.device.on_written()  # as the presses of an off-timer's key do
    assert lease._until_s == until_s
    stage.session.stop()
    await stage.end()
