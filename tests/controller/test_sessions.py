"""Sessions on a manual clock, over a scripted link: every frame and every moment is checked by hand."""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from controller.devices import Device
from controller.errors import DeviceFaultError, RefusedError
from controller.events import (
    Announcer,
    DeviceStopped,
    Event,
    IntensityChanged,
    KeyAwaited,
    Listener,
    RequestRefused,
    SessionEnded,
    SessionPaused,
    SpanExtended,
    SpanStarted,
)
from controller.safety.supervisor import Supervisor
from controller.sessions import Request, Session
from firmware_profiles.capabilities import Role
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import load_profiles
from firmware_profiles.units import Level
from routines.timeline import Cue, Drive, Span, Timeline
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport

GUN = load_profiles()[0]["theragun-gen4"]
LAMP = load_profiles()[0]["lcus-relay"]
LEVELS = GUN.levels


def place(region: str, *, duration_s: float = 40.0, level: int = 1000, cap: int = 1200, extra_s: float = 30.0) -> Span:
    """A span that drives the gun: gentle is 500, so that the climb to 1000 has both slopes."""
    drive = Drive(
        role="massager",
        channel="head",
        levels=LEVELS,
        targets=((0.0, Level(level)),),
        gentle_level=Level(500),
        cap_level=Level(cap),
        cap_reason="the cap of the test",
    )
    return Span("work", duration_s, 1, 1, "work", region=region, side="left", drives=(drive,), extra_max_s=extra_s)


def move(region: str) -> Span:
    return Span("move", 5.0, 1, 1, f"go to {region}", region=region, side="left")


class Stage:
    """A session that a test runs by hand; with ``has_lamp`` a relay plays the timer."""

    def __init__(self, spans: Iterable[Span], *, has_lamp: bool = False, **options: Any) -> None:
        self.clock = ManualClock()
        self.gun = ScriptedGun()
        self.link = ScriptedTransport(self.clock, self.gun)
        self.events: list[Event] = []
        self.emit: Listener = self.events.append
        device = Device("gun", GUN, self.link, clock=self.clock, emit=lambda event: self.emit(event))
        devices: dict[Role, Device] = {"massager": device}
        self.device = device
        self.lamp_link = ScriptedTransport(self.clock)
        if has_lamp:
            devices["timer"] = Device("lamp", LAMP, self.lamp_link, clock=self.clock, emit=lambda e: self.emit(e))
        timeline = Timeline("test", tuple(spans), tuple(devices))
        self.session = Session(
            timeline,
            devices,
            Supervisor(timeline, devices, (), self.clock),
            clock=self.clock,
            emit=lambda event: self.emit(event),
            **options,
        )
        self.start_s = 0.0
        self.running: asyncio.Task[SessionEnded]

    async def begin(self) -> "Stage":
        for device in self.session._devices.values():
            opening = asyncio.ensure_future(device.open())
            while not opening.done():
                await self.clock.advance(0.05)
            await opening
        self.link.log.clear()
        self.running = asyncio.ensure_future(self.session.run())
        await self.clock.settle()
        self.start_s = self.clock.now()
        return self

    async def ask(self, request: Request) -> None:
        self.session.request(request)
        await self.clock.settle()

    async def end(self) -> SessionEnded:
        for _ in range(3000):
            if self.running.done():
                break
            await self.clock.advance(0.5)
        return self.running.result()

    @property
    def speeds(self) -> list[tuple[float, int]]:
        """(seconds from the start, rpm) of each speed frame."""
        return [
            (round(at_s - self.start_s, 3), int.from_bytes(frame[4:6], "big"))
            for at_s, frame, _ in self.link.log
            if frame[2:4] == b"\x01\x03" and len(frame) == 7
        ]

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def test_a_place_is_climbed_softly_held_and_left_at_rest() -> None:
    stage = await Stage([place("calves")]).begin()
    ended = await stage.end()
    assert ended.outcome == "done"
    # Halted first. 250 a second up to gentle (500), then 250 in ten seconds; off at the end; then Stop.
    assert stage.speeds == [(0, 0), (0, 250), (1, 500), (11, 750), (21, 1000), (40, 0), (40, 0)]
    assert stage.told(DeviceStopped) == [DeviceStopped("gun", "confirmed", 1)]
    assert stage.gun.rpm == 0


async def test_a_late_session_never_makes_a_bigger_step_or_a_shorter_hold() -> None:
    stage = await Stage([place("calves", duration_s=60.0)]).begin()
    await stage.clock.advance(0.5)
    stage.clock.jump(1.9)  # the steps at 1 s and, but for the hold, all of the soft start are overdue
    await stage.end()
    rises = [(at_s, rpm) for at_s, rpm in stage.speeds if rpm > 0]
    assert [rpm for _, rpm in rises] == [250, 500, 750, 1000]
    holds = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(rises)]
    assert holds[0] == pytest.approx(2.4, abs=0.1)
    assert all(hold_s >= 10.0 for hold_s in holds[1:])


async def test_spans_follow_each_other_without_drift() -> None:
    stage = await Stage([move("calves"), place("calves"), move("heel"), place("heel")]).begin()
    starts: list[float] = []
    stage.emit = lambda event: (  # only to see the clock at each event
        starts.append(stage.clock.now() - stage.start_s) if isinstance(event, SpanStarted) else None
    )
    await stage.end()
    assert starts == pytest.approx([5.0, 45.0, 50.0])


async def test_pause_stops_at_once_and_resume_climbs_again_from_rest() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(25.0)
    await stage.ask(Request.PAUSE)
    assert stage.gun.rpm == 0
    assert stage.link.frames[-2:] == [bytes.fromhex("AA 07 01 03 00 00 03"), bytes.fromhex("AA 04 01 03")]
    await stage.clock.advance(60.0)
    assert stage.gun.rpm == 0
    assert stage.session.progress().is_paused
    stage.link.log.clear()
    await stage.ask(Request.RESUME)
    await stage.end()
    # 15 of the 40 seconds were left.
    assert stage.speeds[:-1] == [(85, 250), (86, 500), (96, 750), (100, 0)]


async def test_skip_stops_the_motor_and_goes_on() -> None:
    stage = await Stage([place("calves"), move("heel"), place("heel")]).begin()
    await stage.clock.advance(10.0)
    await stage.ask(Request.SKIP)
    assert stage.gun.rpm == 0
    span = stage.session.progress().span
    assert span is not None
    assert (span.kind, span.region) == ("move", "heel")


async def test_back_repeats_this_place_and_early_on_the_one_before() -> None:
    stage = await Stage([move("calves"), place("calves"), move("heel"), place("heel")]).begin()
    await stage.clock.advance(5.0 + 40.0 + 5.0 + 10.0)
    await stage.ask(Request.BACK)
    assert stage.gun.rpm == 0
    assert [event.region for event in stage.told(SpanStarted) if isinstance(event, SpanStarted)][-1] == "heel"
    await stage.ask(Request.BACK)
    last = stage.told(SpanStarted)[-1]
    assert isinstance(last, SpanStarted)
    assert (last.kind, last.region) == ("move", "calves")


async def test_extra_time_is_added_until_the_place_has_had_enough() -> None:
    stage = await Stage([place("calves", extra_s=20.0)]).begin()
    await stage.clock.advance(30.0)
    await stage.ask(Request.EXTRA)
    await stage.ask(Request.EXTRA)
    await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(15.0), SpanExtended(5.0)]
    assert [type(event) for event in stage.told(RequestRefused)] == [RequestRefused]
    await stage.end()
    assert (60.0, 0) in stage.speeds
    assert (40.0, 0) not in stage.speeds


async def test_going_back_again_and_again_never_exceeds_the_places_time() -> None:
    stage = await Stage([place("calves", extra_s=10.0), move("heel")]).begin()
    driven_s = 0.0
    for _ in range(6):
        span = stage.session.progress().span
        if span is None or span.region != "calves":
            break
        await stage.clock.advance(20.0)
        driven_s += 20.0
        await stage.ask(Request.BACK)
    ended = await stage.end()
    assert ended.outcome == "done"
    # 40 planned and 10 extra: the third repeat is cut at 50 s in all.
    on_s = sum(
        min(later, 1e9) - earlier
        for (earlier, rpm), (later, _) in zip(stage.speeds, stage.speeds[1:], strict=False)
        if rpm > 0
    )
    assert on_s == pytest.approx(50.0, abs=0.2)


async def test_stronger_climbs_by_the_same_rules_and_ends_at_the_cap() -> None:
    stage = await Stage([place("calves", level=400, cap=600)]).begin()
    await stage.clock.advance(20.0)
    await stage.ask(Request.STRONGER)  # 400 + 120 = 520
    await stage.clock.advance(0.0)
    assert stage.gun.rpm == 500, "up to gentle at once, beyond it after ten seconds"
    await stage.clock.advance(10.0)
    assert stage.gun.rpm == 520
    await stage.ask(Request.STRONGER)  # 640 is held to 600
    await stage.ask(Request.STRONGER)
    assert [event.change_percent for event in stage.told(IntensityChanged) if isinstance(event, IntensityChanged)] == [
        5.0,
        10.0,
    ]
    refused = stage.told(RequestRefused)[-1]
    assert isinstance(refused, RequestRefused)
    assert "the cap of the test" in refused.reason
    await stage.clock.advance(9.0)
    assert stage.gun.rpm <= 600


async def test_softer_falls_at_once() -> None:
    stage = await Stage([place("calves", level=500)]).begin()
    await stage.clock.advance(20.0)
    await stage.ask(Request.SOFTER)
    assert stage.gun.rpm == 380


async def test_stop_ends_the_session_with_the_motor_at_rest() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.session.stop()
    await stage.clock.settle()
    assert stage.gun.rpm == 0, "before anything else happens"
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert ended.elapsed_s == pytest.approx(15.0, abs=0.1)


async def test_cancelling_stops_the_device_first() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.running.cancel()
    for _ in range(20):
        await stage.clock.advance(0.1)
    assert stage.gun.rpm == 0
    assert stage.running.cancelled()
    assert stage.told(DeviceStopped) == [DeviceStopped("gun", "confirmed", 1)]


async def test_an_exception_on_the_way_stops_the_device_first(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(5.0)
    monkeypatch.setattr(stage.session._supervisor, "check", lambda *_: 1 / 0)
    await stage.clock.advance(10.0)
    for _ in range(20):
        await stage.clock.advance(0.1)
    assert stage.gun.rpm == 0
    assert isinstance(stage.running.exception(), ZeroDivisionError)
    assert stage.told(DeviceStopped) == [DeviceStopped("gun", "confirmed", 1)]
    assert stage.session.is_at_rest, "nobody need stop it once more"


async def test_a_listener_that_fails_does_not_come_between_a_stop_and_the_wire() -> None:
    heard: list[Event] = []

    def fail_at_the_third(event: Event) -> None:
        heard.append(event)
        if len(heard) == 3:
            raise ZeroDivisionError

    stage = Stage([place("calves")])
    announce = Announcer(fail_at_the_third)
    stage.emit = announce
    announce.on_failure = lambda: stage.session.stop("broken")
    await stage.begin()
    ended = await stage.end()
    assert (ended.outcome, ended.reason) == ("stopped", "broken")
    assert stage.gun.rpm == 0
    assert isinstance(announce.failure, ZeroDivisionError)
    assert len(heard) == 3


async def test_a_lost_link_is_stopped_when_it_comes_back_and_waits_for_the_person() -> None:
    stage = await Stage([place("calves")], can_be_resumed=True).begin()
    await stage.clock.advance(15.0)
    stage.link.drop()
    await stage.clock.advance(1.0)
    assert stage.gun.rpm == 0
    assert stage.told(SessionPaused)
    await stage.clock.advance(60.0)
    assert stage.gun.rpm == 0, "nobody said go on"
    await stage.ask(Request.RESUME)
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500
    assert (await stage.end()).outcome == "done"


async def test_a_lost_link_ends_the_session_when_nobody_is_there() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.link.drop()
    ended = await stage.end()
    assert ended.outcome == "link_lost"
    assert stage.gun.rpm == 0


async def test_a_link_that_stays_lost_is_loud() -> None:
    stage = await Stage([place("calves")], can_be_resumed=True).begin()
    await stage.clock.advance(15.0)
    stage.link.drop()
    stage.link.can_open = False
    ended = await stage.end()
    assert ended.outcome == "stop_unconfirmed"
    assert "gun did not confirm that it stopped: PRESS ITS BUTTON" in ended.reason
    assert not stage.session.is_at_rest


async def test_a_device_that_disobeys_ends_the_session() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(1.5)
    stage.gun.is_silent = True
    ended = await stage.end()
    assert ended.outcome in {"device_fault", "stop_unconfirmed"}
    assert stage.gun.rpm == 0


async def test_a_move_can_wait_for_the_person() -> None:
    stage = await Stage([move("calves"), place("calves")], waits_for_key=True).begin()
    await stage.clock.advance(300.0)
    assert stage.told(KeyAwaited) == [KeyAwaited("go to calves")]
    assert stage.gun.rpm == 0
    await stage.ask(Request.PAUSE)
    await stage.clock.advance(10.0)
    assert stage.gun.rpm == 0, "it is at rest; a pause sets nothing going"
    await stage.ask(Request.TOGGLE)  # the space bar
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500


async def test_a_computer_that_slept_stops_the_session() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.clock.jump(60.0)
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert "slept" in ended.reason
    assert stage.gun.rpm == 0


async def test_the_supervisor_lets_nothing_above_the_cap_through() -> None:
    stage = await Stage([place("calves", level=1000, cap=1000)]).begin()
    drive = stage.session._timeline.spans[0].drives[0]
    object.__setattr__(drive, "cap_level", Level(400))  # as if the plan were wrong
    object.__setattr__(drive, "targets", ((0.0, Level(1000)),))
    ended = await stage.end()
    assert ended.outcome == "refused"
    assert max(rpm for _, rpm in stage.speeds) <= 400


async def test_going_back_while_it_waits_for_a_key_does_not_wait_for_ever() -> None:
    stage = await Stage([place("calves"), move("heel"), place("heel")], waits_for_key=True).begin()
    await stage.clock.advance(50.0)
    assert stage.session.progress().is_waiting
    await stage.ask(Request.BACK)
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500


async def test_a_device_that_refuses_everything_ends_unconfirmed_and_loud() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(15.0)
    stage.link.refusal = DeviceFaultError("The device refused.")
    ended = await stage.end()
    assert ended.outcome == "stop_unconfirmed"
    assert "PRESS ITS BUTTON" in ended.reason
    assert stage.told(DeviceStopped)


async def test_stopping_while_a_lost_link_is_being_sought_stops_the_device_once_it_is_back() -> None:
    stage = await Stage([place("calves")], can_be_resumed=True).begin()
    await stage.clock.advance(15.0)
    stage.link.can_open = False
    stage.link.drop()
    await stage.clock.advance(2.0)
    stage.session.stop()
    await stage.clock.advance(0.5)
    stage.link.can_open = True
    ended = await stage.end()
    assert ended.outcome == "stopped"
    assert stage.gun.rpm == 0
    stopped = stage.told(DeviceStopped)[-1]
    assert isinstance(stopped, DeviceStopped)
    assert stopped.proof == "confirmed"


async def test_a_signal_may_never_drive_a_massager() -> None:
    span = place("calves", level=400, cap=600)
    stage = await Stage([span]).begin()
    supervisor = stage.session._supervisor
    strong = SetLevel("head", Level(2400))
    sneaky = replace(span, signals=(Cue(0.0, "massager", strong),))
    for cue, level in ((Cue(0.0, "massager", strong), 0), (Cue(0.0, "massager", SetLevel("head", Level(600))), 0)):
        with pytest.raises(RefusedError):
            supervisor.check(sneaky, cue, Level(level))
    supervisor.check(sneaky, Cue(0.0, "massager", SetLevel("head", Level(250))), Level(0))


async def test_of_two_lost_devices_the_one_in_reach_is_stopped_without_waiting_for_the_other() -> None:
    stage = await Stage([place("calves", duration_s=100.0)], has_lamp=True).begin()
    await stage.clock.advance(15.0)
    stage.lamp_link.can_open = False
    stage.lamp_link.drop()
    stage.link.drop()
    assert stage.gun.rpm > 0
    await stage.clock.advance(1.0)
    assert stage.gun.rpm == 0
    ended = await stage.end()
    assert ended.outcome in {"link_lost", "stop_unconfirmed"}
