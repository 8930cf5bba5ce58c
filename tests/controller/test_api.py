"""The Python API on real simulators, each a process of its own on a real link; its recorder is the witness."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from controller import api, events
from controller.errors import (
    DeviceBusyError,
    DeviceNotFoundError,
    RefusedError,
    StopUnconfirmedError,
)
from controller.service import emergency
from firmware_profiles.errors import MatchError
from routines.errors import PlanRefusedError, RoutineError
from tests.helpers.motor import is_at_rest, rpm_of
from tests.helpers.processes import RunningSimulator, percuss, simulator, started, wait_for_event

SPEED = 20.0
CALVES = "calves:left 60% 40s; calves:right 60% 40s"
OFF = "AA 07 01 03 00 00 03"
PPM_60 = 1440
"""60 % of 2400."""


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", str(SPEED)) as running:
        yield running


@pytest.fixture
async def paired(gun: RunningSimulator) -> RunningSimulator:
    await api.pair(gun.url, profile="theragun-gen4", name="gun")
    return gun


def asked(gun: RunningSimulator) -> list[int]:
    """Every speed that it was told to run at."""
    return [rpm for line in gun.recorded("rx") if (rpm := rpm_of(line["hex"])) is not None]


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact; the test's timeout ends a wait in vain."""
    while not fact():  # noqa: ASYNC110 - another process makes it true
        await asyncio.sleep(0.02)


async def turning(stream: AsyncIterator[events.Event]) -> events.LevelAsked:
    """Follow a session until a motor is told to run."""
    async for event in stream:
        if isinstance(event, events.LevelAsked) and event.level:
            return event
    raise AssertionError("it ended without driving anything")


def kinds(happened: object) -> list[str]:
    assert isinstance(happened, list)
    return [type(event).__name__ for event in happened]


# A session from beginning to end.


async def test_a_program_scans_pairs_and_runs_over_virtual_bluetooth(gun: RunningSimulator) -> None:
    found = await api.scan(1.0)
    (one,) = [one for one in found.found if one.url == gun.url]
    paired = await api.pair(one)
    assert (paired.name, paired.stop.proof) == ("elite", "confirmed")
    assert api.devices()["elite"].url == gun.url

    happened = []
    async with api.session(api.script(CALVES), massager="elite", speed=SPEED) as session:
        assert session.plan.roles == ("massager",)
        async for event in session.events():
            happened.append(event)
        ended = await session.ended()
    assert (ended.outcome, ended) == ("done", happened[-1])
    assert happened == list(session.happened)
    assert {event.proof for event in happened if isinstance(event, events.DeviceStopped)} == {"confirmed"}
    assert max(asked(gun)) == PPM_60
    assert asked(gun)[-1] == 0
    await until(lambda: is_at_rest(gun))


async def test_a_program_drives_a_seat_pad_over_a_serial_line(tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8", "--pty", "--speed", str(SPEED)) as pad:
        await api.pair(pad.url, profile="nlr-hf8", name="pad")
        async with api.session(api.script("hamstrings:each gentle 20s"), massager="pad", speed=SPEED) as session:
            ended = await session.ended()
        assert ended.outcome == "done"
        assert any(line["ppm"] for line in pad.recorded("motor"))
        await until(lambda: is_at_rest(pad))


async def test_a_simulator_of_its_own_needs_no_pairing() -> None:
    async with (
        api.simulator("theragun-gen4", speed=SPEED) as gun,
        api.session(api.hold(40, 10, region="calves"), massager=gun, speed=SPEED) as session,
    ):
        ended = await session.ended()
    assert ended.outcome == "done"
    assert api.devices() == {}


async def test_two_simulators_of_one_profile_are_told_apart() -> None:
    script = api.script("calves:left 40% 20s + calves:right 40%")
    async with (
        api.simulator("theragun-gen4", speed=SPEED) as one,
        api.simulator("theragun-gen4", speed=SPEED) as other,
        api.session(script, massager=one, massager2=other, speed=SPEED) as session,
    ):
        await session.ended()
    driven = {event.device for event in session.happened if isinstance(event, events.LevelAsked) and event.level}
    stopped = {event.device for event in session.happened if isinstance(event, events.DeviceStopped)}
    assert driven == stopped == {"Elite", "Elite 2"}


async def test_without_a_device_it_is_a_guided_timer_and_nothing_guards_it() -> None:
    async with api.session("sciatica-relief", speed=500) as session:
        assert guardians() == []
        ended = await session.ended()
    assert ended.outcome == "done"
    assert ended.elapsed_s == pytest.approx(session.plan.duration_s)
    assert not {"LevelAsked", "DeviceStopped"} & set(kinds(list(session.happened)))


def guardians() -> list[str]:
    """The guardians of this process."""
    children = [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    return [line.decode() for line in lines if b"controller.guardian" in line]


async def test_a_driven_session_is_guarded(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED):
        assert len(guardians()) == 1


def test_a_plan_is_made_without_connecting() -> None:
    by_hand = api.plan("piriformis-release")
    assert not any(span.drives for span in by_hand.spans)
    with pytest.raises(PlanRefusedError, match="above"):
        api.plan(api.script("calves 2400ppm 20s"))


# Readers.


async def test_every_reader_gets_everything_from_the_start(paired: RunningSimulator) -> None:
    async def read(session: api.LiveSession) -> list[events.Event]:
        return [event async for event in session.events()]

    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        early = asyncio.create_task(read(session))
        await turning(session.events())
        midway = asyncio.create_task(read(session))
        await session.ended()
        late = await read(session)
    assert await early == await midway == late
    assert isinstance(late[-1], events.SessionEnded)
    assert "SessionStarted" in kinds(late)


async def test_readers_that_never_read_delay_nobody(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        stuck = [session.events() for _ in range(200)]
        for each in stuck:
            await anext(each)
        ended = await session.ended()
    assert ended.outcome == "done"
    assert ended.elapsed_s == pytest.approx(session.plan.duration_s)
    rest = [event async for event in stuck[0]]
    assert rest == list(session.happened)[1:], "and one that reads after all has missed nothing"


async def test_a_reader_that_raises_stops_the_motor(paired: RunningSimulator) -> None:
    sessions = []

    async def program() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            sessions.append(session)
            async for event in session.events():
                if isinstance(event, events.LevelAsked) and event.level:
                    _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        await program()
    assert_stopped(sessions[0], paired, because="ZeroDivisionError")


# Leaving early.


def assert_stopped(session: api.LiveSession, gun: RunningSimulator, *, because: str) -> None:
    """The session is over, its stop confirmed, and nothing but stops came after the first."""
    happened = list(session.happened)
    ended = happened[-1]
    assert isinstance(ended, events.SessionEnded)
    assert ended.outcome == "stopped"
    assert because in ended.reason
    assert [event.proof for event in happened if isinstance(event, events.DeviceStopped)] == ["confirmed"]
    assert asked(gun)[-1] == 0
    assert max(asked(gun)) > 0


async def test_leaving_the_block_stops_the_motor(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        async for event in session.events():
            if isinstance(event, events.LevelAsked) and event.level:
                break
    assert_stopped(session, paired, because="left it early")


async def test_an_exception_in_the_block_stops_the_motor_and_goes_on(paired: RunningSimulator) -> None:
    sessions = []
    mine = ValueError("mine")

    async def program() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            sessions.append(session)
            await turning(session.events())
            raise mine

    with pytest.raises(ValueError, match="mine") as raised:
        await program()
    assert raised.value is mine
    assert_stopped(sessions[0], paired, because="ValueError")


async def test_a_cancelled_program_stops_the_motor_however_often_it_is_cancelled(paired: RunningSimulator) -> None:
    sessions = []

    async def program() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            sessions.append(session)
            await asyncio.Event().wait()

    task = asyncio.create_task(program())
    await until(lambda: bool(sessions))
    await turning(sessions[0].events())
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert_stopped(sessions[0], paired, because="CancelledError")


async def test_a_timeout_around_it_stops_the_motor(paired: RunningSimulator) -> None:
    sessions = []

    async def program() -> None:
        async with asyncio.timeout(None) as limit:
            async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
                sessions.append(session)
                await turning(session.events())
                limit.reschedule(0)
                await session.ended()

    with pytest.raises(TimeoutError):
        await program()
    assert_stopped(sessions[0], paired, because="CancelledError")


async def test_giving_up_while_it_connects_leaves_nothing_behind(paired: RunningSimulator) -> None:
    told: list[object] = []
    paired.control(do="inject", fault="drop_link", for_s=60)

    async def program() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED, tell=told.append):
            raise AssertionError("it cannot be reached")

    task = asyncio.create_task(program())
    await until(lambda: bool(told))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: guardians() == [])  # it was released, and ends
    assert emergency.stop_sessions() == set(), "it holds the device no longer"
    assert max(asked(paired), default=0) == 0


async def test_an_abandoned_block_stops_the_motor_when_it_is_collected(paired: RunningSimulator) -> None:
    entered = api.session(api.script(CALVES), massager="gun", speed=SPEED)
    session = await entered.__aenter__()
    await turning(session.events())
    del entered
    ended = await session.ended()
    assert ended.outcome == "stopped"
    assert_stopped(session, paired, because="GeneratorExit")


async def test_a_stop_that_nobody_confirms_is_raised_on_leaving(paired: RunningSimulator) -> None:
    sessions = []

    async def program() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            sessions.append(session)
            await turning(session.events())
            paired.control(do="inject", fault="refuse")
            raise ValueError("it comes second")

    with pytest.raises(StopUnconfirmedError, match="PRESS ITS BUTTON"):
        await program()
    assert (await sessions[0].ended()).outcome == "stop_unconfirmed"
    paired.control(do="inject", fault="clear")
    await until(lambda: is_at_rest(paired))  # the guardian goes on


# What may be asked.


async def test_stop_is_heard_at_once_and_tells_when_all_is_over(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        await turning(session.events())
        session.stop("enough")
        ended = await session.stop("too late to matter")
        assert (ended.outcome, ended.reason) == ("stopped", "enough")
        assert_stopped(session, paired, because="enough")
        # Nothing of this means anything any more.
        count = len(session.happened)
        session.request(api.Request.STRONGER)
        session.tell_pain(9)
        session.tell_nerve_sign()
        assert (await session.stop()).reason == "enough"
        assert len(session.happened) == count


async def test_a_person_may_pause_go_on_skip_and_change_it(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        stream = session.events()

        async def hear(kind: type[events.Event]) -> events.Event:
            async for event in stream:
                if isinstance(event, kind):
                    return event
            raise AssertionError(f"there was no {kind.__name__}")

        await turning(stream)
        session.request(api.Request.PAUSE)
        await hear(events.SessionPaused)
        assert session.progress().is_paused
        session.request(api.Request.RESUME)
        await hear(events.SessionResumed)
        session.request(api.Request.SOFTER)
        softer = await hear(events.IntensityChanged)
        assert isinstance(softer, events.IntensityChanged)
        assert softer.change_percent == -5
        session.request(api.Request.EXTRA)
        await hear(events.SpanExtended)
        first = session.progress().span
        session.request(api.Request.SKIP)
        await hear(events.SpanStarted)
        assert session.progress().span != first


async def test_pain_and_signs_of_a_nerve_stop_it(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED, pain_before=2) as session:
        await turning(session.events())
        with pytest.raises(RefusedError, match="0 to 10"):
            session.tell_pain(11)
        session.tell_pain(4)
        assert "Pain rose from 2 to 4" in (await session.ended()).reason
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        await turning(session.events())
        session.tell_nerve_sign()
        assert (await session.ended()).outcome == "stopped"
    assert asked(paired)[-1] == 0


async def test_a_device_is_stopped_from_outside(paired: RunningSimulator) -> None:
    with started("run", "piriformis-release", "--on", "gun", "--speed", str(SPEED), "--json") as other:
        await asyncio.to_thread(wait_for_event, other, "level_asked")
        assert (await api.stop("gun")).proof == "confirmed"
        assert await asyncio.to_thread(other.wait) == 3
    with pytest.raises(DeviceNotFoundError):
        await api.stop("nobody")


# The same gates as everywhere.


async def test_a_session_that_was_given_up_while_it_connects_leaves_its_device_to_the_next(
    paired: RunningSimulator,
) -> None:
    async def run() -> None:
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            await session.ended()

    for moment_s in (0.0, 0.05, 0.3):  # before the guardian is there, while it starts, while the link comes up
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(), moment_s)
        async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
            await turning(session.events())
    assert asked(paired)[-1] == 0


async def test_a_second_session_on_a_device_is_refused_with_the_owners_name(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        await turning(session.events())
        with pytest.raises(DeviceBusyError, match=f"process {os.getpid()}"):
            async with api.session(api.script(CALVES), massager="gun", speed=SPEED):
                raise AssertionError("it is driven")
        session.request(api.Request.SKIP)
        session.request(api.Request.SKIP)
        assert (await session.ended()).outcome == "done", "and the first goes on"
    with started("run", "piriformis-release", "--on", "gun", "--speed", str(SPEED), "--json") as other:
        await asyncio.to_thread(wait_for_event, other, "level_asked")
        with pytest.raises(DeviceBusyError, match=f"gun: .*process {other.pid}"):
            async with api.session(api.script(CALVES), massager="gun", speed=SPEED):
                raise AssertionError("it is driven")


async def test_while_the_emergency_stop_is_in_nothing_starts(paired: RunningSimulator) -> None:
    assert percuss("stop", "--all").returncode == 0
    for device in ("gun", None):
        with pytest.raises(RefusedError, match="percuss clear"):
            async with api.session(api.script(CALVES), massager=device):
                raise AssertionError("the emergency stop is in")
    assert max(asked(paired), default=0) == 0


async def test_the_emergency_stop_ends_a_session_in_the_same_program(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        await turning(session.events())
        emergency.engage()
        ended = await session.ended()
    assert (ended.outcome, "emergency stop" in ended.reason) == ("stopped", True)
    assert_stopped(session, paired, because="emergency stop")


async def test_a_real_device_wants_the_questions_answered(tmp_path: Path) -> None:
    apart = {**os.environ, "PERCUSS_HOME": str(tmp_path / "apart")}
    with simulator(tmp_path, "theragun-gen4", "--ble", environment=apart) as gun:  # nothing says that it is none
        await api.pair(gun.url, profile="theragun-gen4", name="gun")
        with pytest.raises(RefusedError, match="percuss screening"):
            async with api.session(api.script(CALVES), massager="gun"):
                raise AssertionError("nobody answered")
        assert percuss("screening", "--none").returncode == 0
        with pytest.raises(RefusedError, match="only run faster on simulators"):
            async with api.session(api.script(CALVES), massager="gun", speed=2):
                raise AssertionError("it is no simulator")
        with pytest.raises(RefusedError, match="place must be named"):
            async with api.session(api.hold(20, 5), massager="gun"):
                raise AssertionError("it has no place")
        with pytest.raises(PlanRefusedError, match="your first session is gentle"):
            async with api.session(api.script("hamstrings 75% 12s"), massager="gun"):
                raise AssertionError("it is too strong")
        assert max(asked(gun), default=0) == 0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(RefusedError, match="time cannot run"):
        async with api.session("piriformis-release", speed=speed):
            raise AssertionError("time cannot run so")


async def test_what_makes_no_sense_is_refused_before_anything_is_connected(paired: RunningSimulator) -> None:
    with pytest.raises(RefusedError, match="no first"):
        api.session(api.script(CALVES), massager2="gun")
    with pytest.raises(RefusedError, match="0 to 10"):
        async with api.session(api.script(CALVES), massager="gun", pain_before=11):
            raise AssertionError("nobody can say that")
    with pytest.raises(RefusedError, match="two roles"):
        async with api.session(api.script(CALVES), massager="gun", massager2="gun"):
            raise AssertionError("it is one device")
    with pytest.raises(RefusedError, match="cannot be the timer"):
        async with api.session(api.script(CALVES), timer="gun"):
            raise AssertionError("it is no timer")
    with pytest.raises(RoutineError):
        api.session("no-such-routine")
    with pytest.raises(RoutineError, match="calves"):
        api.script("calvs 40% 10s")
    with pytest.raises(DeviceNotFoundError):
        api.session("piriformis-release", massager="nobody")
    with pytest.raises(MatchError):
        async with api.simulator("no-such-profile"):
            raise AssertionError("nobody knows it")
    assert max(asked(paired), default=0) == 0


async def test_a_lost_link_ends_it_where_nobody_can_go_on(paired: RunningSimulator) -> None:
    async with api.session(api.script(CALVES), massager="gun", speed=SPEED) as session:
        await turning(session.events())
        paired.control(do="inject", fault="drop_link", for_s=0.5)
        ended = await session.ended()
    assert ended.outcome == "link_lost"
    await until(lambda: is_at_rest(paired))
