"""Pain, and what ends a session from outside: on a manual clock, over a scripted link."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from controller.devices import Device
from controller.events import (
    DeviceStopped,
    Event,
    PainAsked,
    PainTold,
    SessionEnded,
    SpanStarted,
)
from controller.safety import latch
from controller.safety.supervisor import Supervisor
from controller.sessions import NERVE_SIGN_STOPS, Request, Session
from firmware_profiles.schema import Profile, ReportTable
from routines.timeline import Span, Timeline
from tests.controller.test_sessions import GUN, Stage, move, place
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport

OFF = bytes.fromhex("AA 07 01 03 00 00 03")


def session_on(stage: Stage, spans: Iterable[Span], **options: Any) -> Session:
    """A session with what a stage cannot be asked for."""
    timeline = Timeline("test", tuple(spans), ("massager",))
    return Session(
        timeline,
        {"massager": stage.device},
        Supervisor(timeline, {"massager": stage.device}, (), stage.clock),
        clock=stage.clock,
        emit=stage.events.append,
        **options,
    )


async def asking(*spans: Span, before: int | None = None) -> Stage:
    """A session that asks how much it hurts; with ``before`` that was answered beforehand."""
    stage = Stage(spans)
    stage.session = session_on(stage, spans, asks_pain=True, pain_before=before)
    return await stage.begin()


async def tell(stage: Stage, score: int) -> None:
    stage.session.tell_pain(score)
    await stage.clock.settle()


def pain(stage: Stage) -> list[Event]:
    return [event for event in stage.events if isinstance(event, PainAsked | PainTold)]


def outcome(ended: SessionEnded) -> tuple[str, str]:
    return ended.outcome, ended.reason


# ---- before -------------------------------------------------------------------------------------------------------


async def test_pain_that_was_given_beforehand_is_told_and_not_asked() -> None:
    stage = await asking(place("calves"), before=3)
    assert pain(stage) == [PainTold("before", 3)]
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500, "and it begins"
    assert (await tell_after(stage)).outcome == "done"


async def tell_after(stage: Stage) -> SessionEnded:
    """Let it run to the end, where it is asked once more and nobody answers."""
    for _ in range(300):
        if PainAsked("after") in stage.events:
            break
        await stage.clock.advance(0.5)
    await stage.ask(Request.RESUME)
    return await stage.end()


@pytest.mark.parametrize("score", [7, 8, 10])
async def test_too_much_pain_beforehand_lets_nothing_start(score: int) -> None:
    stage = await asking(place("calves"), before=score)
    ended = await stage.end()
    why = f"Pain of {score} of 10 ends the session: it does from 7 on."
    assert outcome(ended) == ("stopped", f"{why} Leave it alone today; if it stays, ask a doctor.")
    assert all(rpm == 0 for _, rpm in stage.speeds)


async def test_too_much_pain_beforehand_sends_nobody_to_a_place() -> None:
    stage = await asking(place("calves"), before=7)
    await stage.end()
    assert not stage.told(SpanStarted)


async def test_a_session_waits_for_the_answer_with_the_motor_at_rest() -> None:
    stage = await asking(place("calves"))
    await stage.clock.advance(600.0)
    assert pain(stage) == [PainAsked("before")]
    assert stage.gun.rpm == 0
    assert not stage.told(SpanStarted)
    await tell(stage, 2)
    assert pain(stage) == [PainAsked("before"), PainTold("before", 2)]
    stage.start_s = stage.clock.now()
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500
    ended = await tell_after(stage)
    assert ended.outcome == "done"
    assert ended.elapsed_s == pytest.approx(40.0), "the time that it waited does not count"


@pytest.mark.parametrize("request_", [Request.TOGGLE, Request.RESUME, Request.SKIP])
async def test_whoever_does_not_want_to_answer_goes_on(request_: Request) -> None:
    stage = await asking(place("calves"))
    await stage.ask(request_)
    await stage.clock.advance(1.5)
    assert pain(stage) == [PainAsked("before")]
    assert stage.gun.rpm == 500, "the space bar goes on; it does not pause"
    assert (await tell_after(stage)).outcome == "done"


@pytest.mark.parametrize("request_", [Request.PAUSE, Request.STRONGER, Request.EXTRA, Request.BACK])
async def test_other_requests_are_no_answer(request_: Request) -> None:
    stage = await asking(place("calves"))
    await stage.ask(request_)
    await stage.clock.advance(60.0)
    assert not stage.told(SpanStarted)
    assert stage.gun.rpm == 0
    stage.session.stop()
    assert (await stage.end()).outcome == "stopped"


async def test_stopping_while_it_waits_for_the_answer_ends_it() -> None:
    stage = await asking(place("calves"))
    stage.session.stop()
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert all(rpm == 0 for _, rpm in stage.speeds)


async def test_too_much_pain_in_the_answer_lets_nothing_start() -> None:
    stage = await asking(place("calves"))
    await tell(stage, 9)
    assert (await stage.end()).outcome == "stopped"
    assert all(rpm == 0 for _, rpm in stage.speeds)


# ---- in between ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "score", "why"),
    [
        (2, 4, "Pain rose from 2 to 4 of 10"),
        (0, 2, "Pain rose from 0 to 2 of 10"),
        (4, 6, "Pain rose from 4 to 6 of 10"),
        (6, 7, "Pain of 7 of 10"),
        (None, 7, "Pain of 7 of 10"),
        (3, 10, "Pain of 10 of 10"),
    ],
)
async def test_pain_that_rises_by_two_or_to_seven_stops_at_once(before: int | None, score: int, why: str) -> None:
    stage = await asking(place("calves"), before=before)
    if before is None:
        await stage.ask(Request.RESUME)
    await stage.clock.advance(15.0)
    assert stage.gun.rpm > 0
    stage.link.log.clear()
    await tell(stage, score)
    assert stage.gun.rpm == 0, "before time passes"
    assert stage.link.frames[0] == OFF, "and before anything else is written"
    assert PainTold("between", score, "calves", "left") in stage.events
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert ended.reason.startswith(why)
    assert PainAsked("after") not in stage.events, "it just said so"


@pytest.mark.parametrize(("before", "score"), [(2, 3), (2, 2), (2, 0), (5, 6), (6, 6), (None, 6), (None, 0)])
async def test_pain_that_does_not_rise_so_much_lets_it_go_on(before: int | None, score: int) -> None:
    stage = await asking(place("calves"), before=before)
    if before is None:
        await stage.ask(Request.RESUME)
    await stage.clock.advance(15.0)
    await tell(stage, score)
    assert stage.gun.rpm > 0
    assert (await tell_after(stage)).outcome == "done"


async def test_a_rise_counts_from_the_beginning_and_not_from_the_last_answer() -> None:
    stage = await asking(place("calves"), before=3)
    await stage.clock.advance(10.0)
    await tell(stage, 4)
    assert stage.gun.rpm > 0
    await tell(stage, 5)
    assert stage.gun.rpm == 0
    reason = (await stage.end()).reason
    assert reason.startswith("Pain rose from 3 to 5")
    assert reason.endswith("Leave this place alone today; if it stays, ask a doctor.")


async def test_a_nerve_sign_stops_at_once() -> None:
    stage = await asking(place("calves"), before=1)
    await stage.clock.advance(15.0)
    stage.link.log.clear()
    stage.session.tell_nerve_sign()
    await stage.clock.settle()
    assert stage.gun.rpm == 0
    assert stage.link.frames[0] == OFF
    assert PainTold("between", None, "calves", "left") in stage.events
    assert outcome(await stage.end()) == ("stopped", NERVE_SIGN_STOPS)


async def test_a_nerve_sign_stops_a_session_that_asks_nothing() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.session.tell_nerve_sign()
    await stage.clock.settle()
    assert stage.gun.rpm == 0
    assert (await stage.end()).outcome == "stopped"


async def test_a_nerve_sign_while_it_is_paused_ends_it() -> None:
    stage = await asking(place("calves"), before=1)
    await stage.clock.advance(15.0)
    await stage.ask(Request.PAUSE)
    stage.session.tell_nerve_sign()
    assert outcome(await stage.end()) == ("stopped", NERVE_SIGN_STOPS)


async def test_it_asks_between_places_and_goes_on_without_an_answer() -> None:
    stage = await asking(move("calves"), place("calves"), move("heel"), place("heel"), before=2)
    await stage.clock.advance(5.0 + 40.0 + 1.0)
    assert pain(stage) == [PainTold("before", 2), PainAsked("between")], "not on the way to the first place"
    assert stage.gun.rpm == 0
    await stage.clock.advance(5.0 + 1.0)
    assert stage.gun.rpm > 0, "nobody waits for an answer here"
    ended = await tell_after(stage)
    assert ended.outcome == "done"
    assert ended.elapsed_s == pytest.approx(90.0)


async def test_an_answer_carries_the_place_that_was_worked_last() -> None:
    stage = await asking(move("calves"), place("calves"), move("heel"), place("heel"), before=2)
    await tell(stage, 2)
    await stage.clock.advance(5.0 + 40.0 + 1.0)
    await tell(stage, 3)
    await stage.clock.advance(10.0)
    await tell(stage, 3)
    told = [event for event in pain(stage) if isinstance(event, PainTold)]
    assert told == [
        PainTold("before", 2),
        PainTold("between", 2),  # nothing was worked yet
        PainTold("between", 3, "calves", "left"),  # on the way to the heel
        PainTold("between", 3, "heel", "left"),
    ]
    stage.session.stop()
    await stage.end()


async def test_pain_on_the_way_to_the_next_place_keeps_it_from_starting() -> None:
    stage = await asking(move("calves"), place("calves"), move("heel"), place("heel"), before=2)
    await stage.clock.advance(5.0 + 40.0 + 1.0)
    await tell(stage, 5)
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert [e.region for e in stage.told(SpanStarted) if isinstance(e, SpanStarted) and e.is_driven] == ["calves"]


# ---- after --------------------------------------------------------------------------------------------------------


async def test_afterwards_it_asks_once_more_with_everything_stopped() -> None:
    stage = await asking(place("calves"), before=2)
    await stage.clock.advance(50.0)
    assert [type(event) for event in stage.events[-2:]] == [SessionEnded, PainAsked]
    assert stage.told(DeviceStopped) == [DeviceStopped("gun", "confirmed", 1)]
    assert not stage.running.done()
    await tell(stage, 1)
    assert (await stage.end()).outcome == "done"
    assert stage.events[-1] == PainTold("after", 1, "calves", "left")


async def test_much_pain_afterwards_is_told_and_changes_nothing_that_was() -> None:
    stage = await asking(place("calves"), before=2)
    await stage.clock.advance(50.0)
    await tell(stage, 9)
    assert (await stage.end()).outcome == "done"
    assert stage.events[-1] == PainTold("after", 9, "calves", "left")
    assert stage.gun.rpm == 0


async def test_where_nothing_was_worked_nothing_is_asked_afterwards() -> None:
    stage = await asking(move("calves"), before=2)
    assert (await stage.end()).outcome == "done"
    assert PainAsked("after") not in stage.events


async def test_a_session_that_was_not_told_to_asks_nothing() -> None:
    stage = await Stage([place("calves"), move("heel"), place("heel")]).begin()
    assert (await stage.end()).outcome == "done"
    assert pain(stage) == []


# ---- what takes the permission away -------------------------------------------------------------------------------


class HangingLink(ScriptedTransport):
    """From a moment on, speeds above 0 are never acknowledged; everything else is."""

    hangs = False

    async def write(self, data: bytes, *, with_response: bool) -> None:
        if self.hangs and data[2:4] == b"\x01\x03" and data[4:6] not in {b"", b"\x00\x00"}:
            await asyncio.get_running_loop().create_future()  # for ever
        await super().write(data, with_response=with_response)


async def test_a_runner_that_hangs_in_a_write_is_stopped_by_the_lease_after_two_seconds() -> None:
    spans = [place("calves")]
    stage = Stage(spans)
    link = stage.link = HangingLink(stage.clock, stage.gun)
    stage.device = Device("gun", GUN, link, clock=stage.clock, emit=stage.events.append)
    stage.session = session_on(stage, spans)
    await stage.begin()
    await stage.clock.advance(10.9)
    assert stage.gun.rpm == 500
    link.hangs = True
    await stage.clock.advance(0.1)  # at 11 s the next step is written, and the runner hangs in it
    assert not stage.running.done()
    await stage.clock.advance(1.9)
    assert stage.gun.rpm == 500
    await stage.clock.advance(0.1)
    assert stage.gun.rpm == 0, "2 s after the last renewal"
    stage.running.cancel()  # only so that the test need not wait for the write's own, real seconds
    for _ in range(20):
        await stage.clock.advance(0.1)
    assert stage.told(DeviceStopped)


async def test_a_runner_that_hangs_ends_with_the_lease_as_its_reason() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.session._supervisor.lease._until_s = stage.clock.now()  # as if nobody had renewed it
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert "nothing renewed the motor's permission for 2 s" in ended.reason


@pytest.mark.parametrize("slept_s", [2.0, 5.0, 60.0, 8 * 3600.0])
@pytest.mark.parametrize("at_s", [0.5, 1.0, 10.7, 15.0, 39.9])
async def test_a_computer_that_slept_never_wakes_into_a_running_motor(at_s: float, slept_s: float) -> None:
    stage = await Stage([place("calves"), move("heel"), place("heel")]).begin()
    await stage.clock.advance(at_s)
    stage.link.log.clear()
    stage.clock.jump(slept_s)
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert all(rpm == 0 for _, rpm in stage.speeds), "nothing is asked of the motor any more"
    assert OFF in stage.link.frames
    assert stage.gun.rpm == 0


async def test_a_computer_that_slept_while_it_was_paused_stays_at_rest() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    await stage.ask(Request.PAUSE)
    stage.clock.jump(3600.0)
    await stage.clock.advance(10.0)
    assert stage.gun.rpm == 0
    stage.session.stop()
    await stage.end()


async def test_the_emergency_stop_ends_a_session_within_a_renewal() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    assert stage.gun.rpm > 0
    latch.engage()
    await stage.clock.advance(0.5)
    assert stage.gun.rpm == 0
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert "emergency stop is in" in ended.reason


async def test_the_emergency_stop_keeps_a_paused_session_from_going_on() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    await stage.ask(Request.PAUSE)
    latch.engage()
    await stage.ask(Request.RESUME)
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert all(rpm == 0 for at_s, rpm in stage.speeds if at_s >= 15.0)


# ---- what a device reports ----------------------------------------------------------------------------------------


class ReportingGun(ScriptedGun):
    """The scripted gun with a battery, a thermometer and a scale, which its real protocol has not."""

    def __init__(self) -> None:
        super().__init__()
        self.battery_pct, self.temperature_c, self.force_n, self.stalled = 80, 30, 10, 0

    def __call__(self, frame: bytes) -> list[bytes]:
        if frame != bytes.fromhex("AA 10 10 00"):
            return super().__call__(frame)
        body = bytes([self.battery_pct, self.temperature_c, self.force_n, self.stalled, self.rpm > 0, 0, 0, 0, 0])
        return [self._report(b"\x10\x00", body + self.rpm.to_bytes(2, "big"))]


REPORT = (
    "BB {sum8@2..} 10 ?? {battery_pct:u8} {temperature_c:u8} {force_n:u8} {stalled:bool} {running:bool} ??*4 "
    "{level:u16be} ..."
)
REPORTING: Profile = GUN.model_copy(update={"reports": {**GUN.reports, "status": ReportTable(frames=(REPORT,))}})


async def reporting(*spans: Span) -> tuple[Stage, ReportingGun]:
    stage = Stage(spans)
    gun = ReportingGun()
    stage.gun = gun
    stage.link = ScriptedTransport(stage.clock, gun)
    stage.device = Device("gun", REPORTING, stage.link, clock=stage.clock, emit=stage.events.append)
    stage.session = session_on(stage, spans)
    return stage, gun


def empty(gun: ReportingGun) -> None:
    gun.battery_pct = 4


def hot(gun: ReportingGun) -> None:
    gun.temperature_c = 61


def pressed(gun: ReportingGun) -> None:
    gun.force_n = 61


def stalled(gun: ReportingGun) -> None:
    gun.stalled = 1


TROUBLES = [
    (empty, "battery is almost empty (4 %"),
    (hot, "too hot (61 °C"),
    (pressed, "too hard"),
    (stalled, "blocked"),
]


@pytest.mark.parametrize(("spoil", "why"), TROUBLES)
async def test_trouble_that_a_device_reports_in_mid_session_ends_it(
    spoil: Callable[[ReportingGun], None], why: str
) -> None:
    stage, gun = await reporting(place("calves"))
    await stage.begin()
    await stage.clock.advance(15.0)
    assert gun.rpm > 0
    spoil(gun)
    await stage.clock.advance(1.1)  # it is asked each second
    assert gun.rpm == 0
    ended = await stage.end()
    assert ended.outcome == "device_fault"
    assert why in ended.reason


@pytest.mark.parametrize(("spoil", "why"), TROUBLES)
async def test_trouble_that_a_device_reports_beforehand_lets_nothing_start(
    spoil: Callable[[ReportingGun], None], why: str
) -> None:
    stage, gun = await reporting(place("calves"))
    spoil(gun)
    await stage.begin()
    ended = await stage.end()
    assert ended.outcome == "device_fault"
    assert why in ended.reason
    assert all(rpm == 0 for _, rpm in stage.speeds)


async def test_a_device_at_the_edge_of_trouble_goes_on() -> None:
    stage, gun = await reporting(place("calves"))
    gun.battery_pct, gun.temperature_c, gun.force_n = 5, 60, 60
    await stage.begin()
    assert (await stage.end()).outcome == "done"
