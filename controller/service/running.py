"""Run a session: clear it, plan it, guard it, write it down. No front end moves a motor by any other way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from controller.clock import Clock, SystemClock
from controller.devices import Device
from controller.errors import JournalError, RefusedError, TransportError
from controller.events import Announcer, Event, Listener, SessionEnded
from controller.guardian.wards import make_ward
from controller.guardian.watching import Guardian
from controller.journal import SessionRecord, open_journal
from controller.safety import holds, latch
from controller.safety.supervisor import Supervisor
from controller.service import ownership
from controller.service.binding import Binding, Bindings, capabilities, touches_a_body
from controller.service.clearance import LeftOver, bounds_of_the_day, settle_left_overs
from controller.service.live import EventLog, LiveSession, check_pain, see_over
from controller.service.threads import in_thread
from controller.sessions import Session
from controller.timekeeping import OwnTimer, RoutineTimer
from controller.transports import open_url
from firmware_profiles.capabilities import MASSAGERS, Capabilities, Role
from firmware_profiles.commands import Interval
from routines.bounds import Bound, least_session_s
from routines.errors import PlanRefusedError
from routines.schedule import intervals_of
from routines.schema import SESSION_MAX_S
from routines.timeline import Timeline

Plan = Callable[[Mapping[Role, Capabilities], Sequence[Bound]], Timeline]
"""Makes the timeline for the devices at hand and the bounds of the day. Raises PlanRefusedError."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a session should be run. ``pain_before`` is the person's answer, 0 to 10, where it was given beforehand."""

    speed: float = 1.0
    waits_for_key: bool = False
    can_be_resumed: bool = False
    asks_pain: bool = False
    pain_before: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a session whose devices, by role, are connected next, and the bounds that it keeps."""

    plan: Timeline
    devices: Mapping[Role, str]
    bounds: tuple[Bound, ...]


Preparation = LeftOver | Planned
"""What is told while a session is prepared: sessions that were left over, then the plan."""


def preparation_json(preparation: Preparation) -> dict[str, Any]:
    """What is told, as plain values under ``event``: ``left_over`` or ``planned``.

    ``today`` are the reasons of the day's limits, ``devices`` the names by role, ``idle`` those with nothing to do.
    """
    match preparation:
        case LeftOver(session=session, stops=stops):
            started_utc = session.started_utc.isoformat(timespec="seconds")
            return {"event": "left_over", "routine": session.routine, "started_utc": started_utc, "stops": dict(stops)}
        case Planned(plan=plan, devices=devices, bounds=bounds):
            driven = {drive.role for span in plan.spans for drive in span.drives}
            return {
                "event": "planned",
                "routine": plan.routine,
                "duration_s": plan.duration_s,
                "today": list(dict.fromkeys(bound.reason for bound in bounds if bound.cap is not None)),
                "devices": dict(devices),
                "idle": [devices[role] for role in MASSAGERS if role in devices and role not in driven],
            }


def plan_for(plan: Plan, bindings: Bindings) -> Timeline:
    """The timeline that `run` would run now, screening aside. Raises PlanRefusedError, RefusedError, JournalError."""
    journal = open_journal()
    try:
        bounds = bounds_of_the_day(bindings, journal, is_screened=False)
    finally:
        journal.close()
    return plan(capabilities(bindings), _for_massagers(bounds, bindings))


@asynccontextmanager
async def running_session(
    plan: Plan, bindings: Bindings, *, wishes: Wishes, tell: Callable[[Preparation], None] = lambda _: None
) -> AsyncIterator[LiveSession]:
    """Start what ``plan`` makes on the bound devices; leaving the block, however, stops it and sees it stopped.

    Time runs faster (``wishes.speed``) only on simulators. Raises RefusedError while the emergency stop is in or
    without a valid screening, PlanRefusedError, JournalError, GuardianError, and TransportError, IdentityError or
    DeviceFaultError when a device cannot be opened: nothing has moved then. Leaving raises StopUnconfirmedError when a
    device did not confirm its stop, and JournalError when the session could not be written down.
    """
    _check_wishes(wishes, bindings)
    log = EventLog()
    begun: asyncio.Future[LiveSession] = asyncio.get_running_loop().create_future()

    def begin(session: Session, timeline: Timeline) -> LiveSession:
        begun.set_result(live := LiveSession(session, timeline, log, task))
        return live

    # A task of its own: it comes to its end in order whatever becomes of the block.
    task = asyncio.create_task(_run(plan, bindings, wishes, log, tell, begin), name="percuss session")
    task.add_done_callback(lambda _: log.close())
    try:
        waits: set[asyncio.Future[Any]] = {task, begun}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            await task  # raises why
        yield begun.result()
    except BaseException as problem:
        why = f"the program that ran it left it early ({type(problem).__name__})."
        await see_over(task, begun.result() if begun.done() else None, why)
        raise
    await see_over(task, begun.result(), "the program that ran it left it early.")
    await task


def _check_wishes(wishes: Wishes, bindings: Bindings) -> None:
    if not 0 < wishes.speed < float("inf"):
        raise RefusedError(f"time cannot run {wishes.speed} times as fast.", fix="Say how fast with a number above 0.")
    if wishes.speed != 1.0 and not all(binding.is_simulated for binding in bindings.values()):
        names = ", ".join(binding.name for binding in bindings.values() if not binding.is_simulated)
        raise RefusedError("time can only run faster on simulators.", where=names, fix="Leave the speed out.")
    if wishes.pain_before is not None:
        check_pain(wishes.pain_before)


async def _run(
    plan: Plan,
    bindings: Bindings,
    wishes: Wishes,
    log: EventLog,
    tell: Callable[[Preparation], None],
    begin: Callable[[Session, Timeline], LiveSession],
) -> SessionEnded:
    able = capabilities(bindings)
    # A simulator that was started for this session belongs to nobody else.
    ownership.require_own(binding.name for binding in bindings.values() if binding.expected is not None)
    async with AsyncExitStack() as stack:
        # First: whoever engages the emergency stop from now on sees this process among those to be told.
        locks = [await stack.enter_async_context(holds.held_soon(each.name, each.url)) for each in bindings.values()]
        latch.require_clear()
        journal = await in_thread(open_journal)
        stack.callback(journal.close)
        for left_over in await settle_left_overs(journal, emit=log.add):
            tell(left_over)
        try:
            bounds = await in_thread(lambda: bounds_of_the_day(bindings, journal))
            timeline = plan(able, _for_massagers(bounds, bindings))
            _check_places(timeline, bindings)
        except (RefusedError, PlanRefusedError) as refusal:
            said = str(refusal)
            await in_thread(lambda: journal.note_refusal(said))
            raise
        tell(Planned(timeline, {role: binding.name for role, binding in bindings.items()}, bounds))
        begin_record = partial(
            journal.begin,
            routine=timeline.routine,
            devices={role: (binding.name, binding.profile.id) for role, binding in bindings.items()},
            is_simulated=not touches_a_body(bindings),
            planned_s=timeline.duration_s,
            speed=wishes.speed,
        )
        record = await in_thread(begin_record)
        running = _Running(timeline, bindings, bounds, wishes, record, log.add)
        try:
            ended = await running.run(begin, locks)
        except BaseException as problem:
            if not running.has_begun:
                what = str(problem) or type(problem).__name__
                ended_utc = datetime.now(UTC)
                close = partial(journal.close_unfinished, record.id, reason=what, ended_utc=ended_utc)
                await in_thread(partial(close, outcome="not_started"))
            raise
        finally:
            await in_thread(record.close)
        if record.failure is not None:
            raise record.failure
        return ended


class _Running:
    """One session with all that holds it: its devices, its guardian, its record."""

    def __init__(
        self,
        timeline: Timeline,
        bindings: Bindings,
        bounds: Sequence[Bound],
        wishes: Wishes,
        record: SessionRecord,
        emit: Listener,
    ) -> None:
        self._timeline = timeline
        self._bindings = bindings
        self._bounds = bounds
        self._wishes = wishes
        self._record = record
        self._clock = SystemClock(wishes.speed)

        self._announce = Announcer(emit)
        self._devices: dict[Role, Device] = {}
        self._timers: list[RoutineTimer | OwnTimer] = []
        self.has_begun = False

    def _tell(self, event: Event) -> None:
        # Apart: whatever becomes of those who listen, what happens is written down.
        self._record.record(event)
        for timer in self._timers:
            timer.hear(event)
        self._announce(event)

    async def run(self, begin: Callable[[Session, Timeline], LiveSession], locks: Sequence[int]) -> SessionEnded:
        # It keeps the locks too: nobody drives a device that a guardian is still stopping. Nothing guards a session by
        # hand: it has nothing that could be left running.
        guardian = Guardian(keeps=locks) if self._bindings else None
        session: Session | None = None
        try:
            for role, binding in self._bindings.items():
                device = build_device(binding, clock=self._clock, emit=self._tell)
                await device.open()
                self._devices[role] = device
            timer = self._take_routine_timer()
            session = prepared = self._session()
            await self._set_timers(session, timer)
            if guardian is not None:
                guardian.on_death = lambda why: prepared.stop(f"{why}, and nothing runs unguarded.")
                moving = [self._bindings[role] for role in self._devices]
                await guardian.guard([make_ward(b.name, b.url, b.profile) for b in moving])
            live = begin(session, self._timeline)
            self.has_begun = True
            try:
                ended = await session.run()
            finally:
                live.is_over = True
            if self._announce.failure is not None:
                raise self._announce.failure
            return ended
        finally:
            for each in (*self._timers, *self._devices.values()):
                with suppress(TransportError):
                    await each.close()
            if guardian is not None:
                if session is None or not self.has_begun or session.is_at_rest:
                    await guardian.release()
                else:
                    guardian.hand_over()

    def _take_routine_timer(self) -> Device | None:
        """A timer that moves and sounds nothing goes along by itself; the session has no part in it."""
        timer = self._devices.get("timer")
        return self._devices.pop("timer") if timer is not None and timer.profile.level is None else None

    async def _set_timers(self, session: Session, timer: Device | None) -> None:
        def left() -> Sequence[Interval]:
            return intervals_of(session.left())

        if timer is not None:
            routine_timer = RoutineTimer(timer, left, self._tell)
            self._timers.append(routine_timer)
            await routine_timer.prepare()
        for massager in (self._devices[role] for role in MASSAGERS if role in self._devices):
            if massager.profile.timer is not None:
                self._timers.append(OwnTimer(massager, left, self._tell))

    def _session(self) -> Session:
        session = Session(
            self._timeline,
            self._devices,
            Supervisor(self._timeline, self._devices, self._bounds, self._clock),
            clock=self._clock,
            emit=self._tell,
            waits_for_key=self._wishes.waits_for_key,
            can_be_resumed=self._wishes.can_be_resumed,
            asks_pain=self._wishes.asks_pain,
            pain_before=self._wishes.pain_before,
            longest_s=least_session_s(self._bounds, SESSION_MAX_S, "")[0],
        )
        self._announce.on_failure = lambda: session.stop("percuss itself failed")
        loop = asyncio.get_running_loop()

        def unwritten(problem: JournalError) -> None:
            # From the writing thread. What is not written down cannot count towards the day's limits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(session.stop, f"the journal cannot be written: {problem}")

        self._record.on_failure = unwritten
        return session


def _check_places(timeline: Timeline, bindings: Bindings) -> None:
    """Refuse to drive a real device at a place without a name: the limits of the day count by place."""
    if touches_a_body(bindings) and any(span.drives and span.region is None for span in timeline.spans):
        what = "on a real device the place must be named, because its limits over the day are counted."
        raise RefusedError(what, fix="Say where: --region calves.")


def build_device(binding: Binding, *, clock: Clock, emit: Listener) -> Device:
    """A device with its link, still closed."""
    transport = open_url(binding.url, binding.profile)
    return Device(binding.name, binding.profile, transport, clock=clock, emit=emit, expected=binding.expected)


def _for_massagers(bounds: Sequence[Bound], bindings: Bindings) -> tuple[Bound, ...]:
    """The bounds that hold for a plan: those of another device do not."""
    names = {bindings[role].name for role in MASSAGERS if role in bindings}
    return tuple(bound for bound in bounds if bound.device is None or bound.device in names)
