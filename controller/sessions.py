"""A session: a timeline, the devices it drives, and the person who may pause, skip, repeat, lengthen or stop it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from controller.clock import Clock, wait_until
from controller.devices import Device
from controller.errors import DeviceFaultError, RefusedError, TransportError
from controller.events import (
    IntensityChanged,
    KeyAwaited,
    Listener,
    Outcome,
    PainAsked,
    PainMoment,
    PainTold,
    RequestRefused,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SessionStarted,
    SpanEnded,
    SpanExtended,
    SpanStarted,
)
from controller.safety.lease import LEASE_S
from controller.safety.supervisor import CHANGE_PERCENT, EXTRA_S, Supervisor
from firmware_profiles.capabilities import Role
from firmware_profiles.commands import SetLevel, Status
from firmware_profiles.errors import PercussError
from firmware_profiles.units import Level
from routines.dose import pain_stops
from routines.timeline import Cue, Span, Timeline

BY_THE_PERSON = "stopped by the person"

RECONNECT_BUDGET_S = 30.0
"""Real seconds for a lost link to come back, so that Stop can be sent."""

LATE_S = 2.0
"""Real seconds that the session may lag behind its deadlines before it stops: the computer slept, or drowns."""

ROUNDING_S = 1e-6
"""What adding and subtracting clock times may lose."""

LATE_RISE_S = 0.05
"""A step up that comes later than this moves the rest of the climb back, so that no hold is cut short."""

NERVE_SIGN_STOPS = "Tingling, numbness and shooting pain end a session at once. If they stay, ask a doctor."

UNWIND_S = 1.0
"""Real seconds that `run` has to come to its end after a stop before the devices are stopped without it."""

RESTART_S = 3.0
"""Within the first seconds of a place, "back" means the place before."""


class Request(Enum):
    """What the person may ask for while a session runs."""

    PAUSE = auto()
    RESUME = auto()
    SKIP = auto()
    BACK = auto()
    EXTRA = auto()
    STRONGER = auto()
    SOFTER = auto()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a session stands, for a display. Times are seconds of the session's clock."""

    span: Span | None
    next_span: Span | None
    span_left_s: float
    total_left_s: float
    is_paused: bool
    is_waiting: bool
    asked_level: Level


class _EndSession(Exception):  # noqa: N818 - it ends, it is no error
    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Session:
    """Runs a timeline once. Whatever ends `run` — the end, a stop, a fault, an exception — stops the devices first."""

    def __init__(
        self,
        timeline: Timeline,
        devices: Mapping[Role, Device],
        supervisor: Supervisor,
        *,
        clock: Clock,
        emit: Listener,
        waits_for_key: bool = False,
        can_be_resumed: bool = False,
        asks_pain: bool = False,
        pain_before: int | None = None,
    ) -> None:
        """``can_be_resumed`` says that somebody is there to go on after a lost link came back; ``asks_pain`` that the
        same person answers how much it hurts, before, between the places and after.
        """
        self._timeline = timeline
        self._devices = devices
        self._supervisor = supervisor
        self._clock = clock
        self._emit = emit
        self._waits_for_key = waits_for_key
        self._can_be_resumed = can_be_resumed
        self._asks_pain = asks_pain
        self._pain_before = pain_before
        self._pain_moment: PainMoment | None = None
        self._worked: Span | None = None
        self._requests: deque[Request] = deque()
        self._ending: _EndSession | None = None
        self._lost: dict[str, tuple[Device, TransportError]] = {}
        self._halting: asyncio.Future[None] | None = None
        self._rescue: asyncio.Future[None] | None = None
        self._is_unwound = False
        self._is_rescuing = False
        self._wake = asyncio.Event()
        self._index = 0
        self._span_start_s = 0.0
        self._span_duration_s = 0.0
        self._paused_at_s: float | None = None
        self._is_waiting = False
        self._done_s = 0.0
        self._change_percent = 0.0
        self._cues: deque[Cue] = deque()
        self._levels: dict[tuple[Role, str], Level] = {}
        self._next_rise_s: dict[tuple[Role, str], float] = {}
        for device in devices.values():
            device.on_written = self._keep_permission
            device.on_fault = lambda problem, device=device: self._fault(device, problem)  # type: ignore[misc]
            device.on_status = lambda status, device=device: self._judge(device, status)  # type: ignore[misc]
        supervisor.lease.on_expiry = self._expire

    def request(self, request: Request) -> None:
        """Ask for something; the session does it at once or emits why not."""
        self._requests.append(request)
        self._wake.set()

    def stop(self, reason: str = BY_THE_PERSON, outcome: Outcome = "stopped") -> None:
        """End the session. Stop goes out before anything else; calling it again changes nothing."""
        if self._ending is None:
            self._ending = _EndSession(outcome, reason)
            # At once, past whatever the session is waiting for; `run` then repeats it until it is confirmed.
            self._halting = asyncio.ensure_future(self._halt_all())
            if not self._is_unwound:
                self._rescue = asyncio.ensure_future(self._stop_for_the_runner())
        self._wake.set()

    def tell_pain(self, score: int) -> None:
        """Take the person's answer, 0 to 10. A rise or a high figure stops everything."""
        moment = self._pain_moment or "between"
        place = self._worked if moment != "before" else None
        told = PainTold(moment, score, place.region if place else None, place.side if place else None)
        self._emit(told)
        if moment == "before":
            self._pain_before = score
        self._pain_moment = None
        if why := pain_stops(None if moment == "before" else self._pain_before, score):
            self.stop(why)
        self._wake.set()

    def tell_nerve_sign(self) -> None:
        """Tingling, numbness or shooting pain: everything stops at once."""
        self.stop(NERVE_SIGN_STOPS)
        place = self._worked
        self._emit(PainTold("between", None, place.region if place else None, place.side if place else None))

    def progress(self) -> Progress:
        """Where the session stands now."""
        spans = self._timeline.spans
        span = spans[self._index] if self._index < len(spans) else None
        left_s = max(0.0, self._span_duration_s - self._offset_s()) if span else 0.0
        return Progress(
            span=span,
            next_span=spans[self._index + 1] if self._index + 1 < len(spans) else None,
            span_left_s=left_s,
            total_left_s=left_s + sum(later.duration_s for later in spans[self._index + 1 :]),
            is_paused=self._paused_at_s is not None,
            is_waiting=self._is_waiting,
            asked_level=max(self._levels.values(), default=Level(0)),
        )

    def left(self) -> list[tuple[Span, float]]:
        """What is left: this span with its seconds, and those behind it with theirs."""
        spans = self._timeline.spans[self._index :]
        here = [(span, max(0.0, self._span_duration_s - self._offset_s())) for span in spans[:1]]
        return here + [(span, span.duration_s) for span in spans[1:]]

    async def run(self) -> SessionEnded:
        """Run to the end. Cancelling it stops the devices, then raises CancelledError."""
        names: dict[str, str] = {role: device.name for role, device in self._devices.items()}
        self._emit(SessionStarted(self._timeline.routine, self._timeline.duration_s, names))
        end = _EndSession("device_fault", "the session broke off")
        try:
            await self._begin()
            while self._index < len(self._timeline.spans):
                self._index = await self._run_span(self._timeline.spans[self._index])
            end = _EndSession("done", "")
        except _EndSession as ending:
            end = ending
        except RefusedError as problem:
            end = _EndSession("refused", str(problem))
        except TransportError as problem:
            end = _EndSession("link_lost", str(problem))
        except PercussError as problem:
            end = _EndSession("device_fault", str(problem))
        finally:
            ended = await self._stop_shielded(end)
        if self._asks_pain and self._worked is not None and end.outcome == "done":
            with suppress(_EndSession):
                await self._ask_pain("after")
        return ended

    async def _begin(self) -> None:
        # Whatever the device was doing before: a session starts from rest.
        await self._halt_all()
        for device in self._devices.values():
            if device.status is not None:
                self._supervisor.judge(device, device.status)
        if self._pain_before is not None:
            self._pain_moment = "before"
            self.tell_pain(self._pain_before)
        elif self._asks_pain:
            await self._ask_pain("before")
        if self._ending is not None:
            raise self._ending
        self._span_start_s = self._clock.now()

    async def _stop_shielded(self, end: _EndSession) -> SessionEnded:
        """Stop everything; being cancelled once more must not break that off."""
        stopping = asyncio.ensure_future(self._stop_all(end))
        while not stopping.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(stopping)
        self._supervisor.lease.end()
        return stopping.result()

    async def _ask_pain(self, moment: PainMoment) -> None:
        """Wait until the person says how much it hurts, or does not want to say; the motor is at rest."""
        self._pain_moment = moment
        self._emit(PainAsked(moment))
        while self._pain_moment is not None and self._ending is None:
            await self._wait(None)
            if any(request in (Request.PAUSE, Request.RESUME, Request.SKIP) for request in self._requests):
                break
        self._requests.clear()
        self._pain_moment = None
        if self._ending is not None:
            raise self._ending

    async def _run_span(self, span: Span) -> int:
        """Run one span; the index of the next one. Raises _EndSession."""
        self._span_duration_s = span.duration_s
        if span.drives:
            self._span_duration_s = min(span.duration_s, allowed_s := self._supervisor.allowed_s(span))
            if allowed_s <= 0:
                self._emit(RequestRefused(f"{span.place} has had all its time in this session."))
                return self._index + 1
        self._emit(_span_started(self._index, span))
        self._paused_at_s = None
        self._is_waiting = False
        self._load_cues(span)
        if span.drives:
            self._worked = span
        elif self._asks_pain and self._worked is not None and span.kind == "move":
            self._pain_moment = "between"  # the person may answer, or not
            self._emit(PainAsked("between"))
        try:
            next_index = await self._follow(span)
        finally:
            elapsed_s = max(0.0, min(self._offset_s(), self._span_duration_s))
            self._done_s += elapsed_s
            if span.drives:
                self._supervisor.count(span, elapsed_s)
            is_driven = bool(span.drives)
            self._emit(SpanEnded(self._index, span.region, span.side, is_driven, elapsed_s, time.monotonic()))
        if next_index is None:
            # The next span starts when this one should have ended, not when it did: nothing adds up.
            self._span_start_s += self._span_duration_s
            return self._index + 1
        self._span_start_s = self._clock.now()
        return next_index

    async def _follow(self, span: Span) -> int | None:
        """Send what is due until the span ends: None when its time is over, else the index that the person wants."""
        while True:
            if self._ending is not None:
                raise self._ending
            if self._lost:
                await self._recover()
            while self._requests:
                next_index = await self._obey(self._requests.popleft(), span)
                if next_index is not None:
                    return next_index
            deadline_s: float | None = None
            if self._is_running:
                self._permit(span)
                await self._send_due(span)
                if self._ending is not None or self._requests or self._lost:
                    continue
                if self._offset_s() >= self._span_duration_s - ROUNDING_S:
                    if not (self._waits_for_key and span.kind == "move"):
                        return None
                    self._is_waiting = True
                    self._emit(KeyAwaited(span.cue))
                else:
                    next_s = self._cues[0].at_s if self._cues else self._span_duration_s
                    deadline_s = self._span_start_s + min(next_s, self._span_duration_s)
            if deadline_s is not None and span.drives:
                deadline_s = min(deadline_s, self._clock.now() + self._supervisor.lease.renewal_s)
            await self._wait(deadline_s)

    @property
    def _is_running(self) -> bool:
        return self._paused_at_s is None and not self._is_waiting

    def _permit(self, span: Span) -> None:
        """Renew the motor's permission where something is driven. Raises _EndSession."""
        if not span.drives:
            self._supervisor.lease.drop()
            return
        try:
            self._supervisor.renew()
        except RefusedError as problem:
            raise _EndSession("stopped", str(problem)) from problem
        if self._ending is not None:  # the permission had run out
            raise self._ending

    def _keep_permission(self) -> None:
        """A command of many frames is on its way: whoever gave it is still here."""
        if self._ending is None and self._supervisor.lease.is_valid:
            self._supervisor.lease.renew()

    def _expire(self) -> None:
        self.stop(f"nothing renewed the motor's permission for {LEASE_S:g} s: this computer slept or was too busy.")

    async def _send_due(self, span: Span) -> None:
        """Send what is due. Of several falls to one channel only the last; of several rises only the first.

        So lateness never piles up, and never makes a bigger step or a shorter hold than the plan's.
        """
        offset_s = self._offset_s() + ROUNDING_S
        due: dict[tuple[Role, str], Cue] = {}
        while self._cues and self._cues[0].at_s <= offset_s:
            cue = self._cues.popleft()
            if offset_s - cue.at_s > LATE_S * self._clock.speed:
                late_s = (offset_s - cue.at_s) / self._clock.speed
                raise _EndSession("stopped", f"this computer slept or was too busy for {late_s:.1f} s.")
            key = (cue.role, cue.command.channel) if isinstance(cue.command, SetLevel) else (cue.role, "")
            if key not in due or not self._rises(cue):
                due[key] = cue
        is_late = False
        for (role, channel), cue in due.items():
            if self._ending is not None or role not in self._devices:
                continue
            self._supervisor.check(span, cue, self._levels.get((role, channel), Level(0)))
            is_rise = self._rises(cue)
            try:
                await self._devices[role].send(cue.command)
            except TransportError as problem:
                self._fault(self._devices[role], problem)
                return
            # From when it was written, which may be later than when it was due.
            is_late |= is_rise and self._offset_s() + ROUNDING_S - cue.at_s > LATE_RISE_S
            self._supervisor.sent(cue)
            self._note_level(span, role, channel, cue)
        if is_late:
            self._load_cues(span, self._offset_s())

    def _rises(self, cue: Cue) -> bool:
        if not isinstance(cue.command, SetLevel):
            return False
        return cue.command.level > self._levels.get((cue.role, cue.command.channel), Level(0))

    def _note_level(self, span: Span, role: Role, channel: str, cue: Cue) -> None:
        if isinstance(cue.command, SetLevel):
            level = cue.command.level
            for drive in span.drives:
                if (drive.role, drive.channel) == (role, channel):
                    self._next_rise_s[role, channel] = self._offset_s() + drive.hold_s(level)
                    self._levels[role, channel] = level

    async def _obey(self, request: Request, span: Span) -> int | None:
        """Do what the person asks: the index of another span when it leads there."""
        if self._is_waiting and request in (Request.RESUME, Request.SKIP, Request.PAUSE):
            self._is_waiting = False
            return self._index + 1
        try:
            match request:
                case Request.PAUSE if self._paused_at_s is None:
                    await self._pause("")
                case Request.PAUSE | Request.RESUME if self._paused_at_s is not None:
                    self._resume(span)
                case Request.SKIP:
                    await self._halt_all()
                    return self._index + 1
                case Request.BACK:
                    await self._halt_all()
                    return self._back_index()
                case Request.EXTRA:
                    self._extend(span)
                case Request.STRONGER:
                    self._change(span, CHANGE_PERCENT)
                case Request.SOFTER:
                    self._change(span, -CHANGE_PERCENT)
                case _:
                    pass
        except RefusedError as problem:
            self._emit(RequestRefused(str(problem)))
        return None

    async def _pause(self, reason: str) -> None:
        self._paused_at_s = self._offset_s()
        self._emit(SessionPaused(reason))
        await self._halt_all()

    def _resume(self, span: Span) -> None:
        """Go on where it stood; the motor ramps up again from rest."""
        offset_s = self._offset_s()
        self._paused_at_s = None
        self._span_start_s = self._clock.now() - offset_s
        self._load_cues(span, offset_s)
        self._emit(SessionResumed())

    def _back_index(self) -> int:
        """The start of this place, or of the place before when this one has hardly begun."""
        start = self._place_start(self._index)
        has_hardly_begun = self._index == start or self._offset_s() < RESTART_S
        return self._place_start(start - 1) if has_hardly_begun and start > 0 else start

    def _place_start(self, index: int) -> int:
        spans = self._timeline.spans
        return index - 1 if index > 0 and spans[index].kind == "work" and spans[index - 1].kind == "move" else index

    def _extend(self, span: Span) -> None:
        extra_s = EXTRA_S
        if span.drives:
            extra_s = min(EXTRA_S, self._supervisor.allowed_s(span) - self._span_duration_s)
        if extra_s < 1:
            raise RefusedError("this place has had all its time; go on to the next.", where=span.place)
        self._span_duration_s += extra_s
        self._load_cues(span, self._offset_s())
        self._emit(SpanExtended(extra_s))

    def _change(self, span: Span, step_percent: float) -> None:
        self._change_percent = self._supervisor.change(span, self._change_percent, step_percent)
        self._load_cues(span, self._offset_s())
        self._emit(IntensityChanged(self._change_percent))

    def _load_cues(self, span: Span, from_s: float = 0.0) -> None:
        """The commands of the rest of a span, from what its channels do now."""
        if from_s == 0.0:
            self._next_rise_s.clear()
            self._levels.clear()
        cues = [signal for signal in span.signals if signal.at_s >= from_s]
        if len(cues) < len(span.signals):
            # A lamp or buzzer that is on goes off, also when its moment has passed; one that is off stays so.
            before = next(signal for signal in reversed(span.signals) if signal.at_s < from_s)
            if isinstance(before.command, SetLevel):
                cues.append(Cue(from_s, before.role, SetLevel(before.command.channel, Level(0))))
        for drive in span.drives:
            key = (drive.role, drive.channel)
            cues += drive.cues(
                self._span_duration_s,
                from_s=from_s,
                level=self._levels.get(key, Level(0)),
                next_rise_s=self._next_rise_s.get(key, 0.0),
                change_percent=self._change_percent,
            )
        self._cues = deque(sorted(cues, key=lambda cue: cue.at_s)) if self._paused_at_s is None else deque()

    def _judge(self, device: Device, status: Status) -> None:
        try:
            self._supervisor.judge(device, status)
        except DeviceFaultError as problem:
            self.stop(str(problem), "device_fault")

    def _fault(self, device: Device, problem: PercussError) -> None:
        """A device says that it must not be driven any longer."""
        if isinstance(problem, TransportError):
            self._lost[device.name] = (device, problem)
            self._wake.set()
        else:
            self.stop(str(problem), "device_fault")

    async def _recover(self) -> None:
        """Get the lost links back, all at once, to send Stop. Only a person may let the session go on after that."""
        names = " and ".join(self._lost)
        _, problem = next(iter(self._lost.values()))
        if self._paused_at_s is None:
            await self._pause(f"the link to {names} is lost; trying to reach it again.")
        lost = [device for device, _ in self._lost.values()]
        self._lost.clear()
        seeking = [asyncio.ensure_future(device.reconnect(RECONNECT_BUDGET_S)) for device in lost]
        reconnecting = asyncio.gather(*seeking, return_exceptions=True)
        try:
            while not reconnecting.done() and self._ending is None:
                waking = asyncio.ensure_future(self._wake.wait())
                waits: set[asyncio.Future[Any]] = {reconnecting, waking}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                self._wake.clear()
        finally:
            for each in seeking:
                each.cancel()
            # They must have let go of their links before anybody else stops the devices.
            await asyncio.wait(seeking)
        if self._ending is not None:
            raise self._ending
        for result in await reconnecting:
            if isinstance(result, TransportError):
                raise _EndSession("link_lost", f"{problem} It did not come back.") from result
            if isinstance(result, BaseException):
                raise result
        if not self._can_be_resumed:
            raise _EndSession("link_lost", f"{problem} It came back and was stopped; nobody is here to go on.")

    async def _halt_all(self) -> None:
        """Everything off now, without waiting for the devices' word: their status is watched."""
        self._supervisor.lease.drop()
        self._levels.clear()
        self._next_rise_s.clear()
        self._cues.clear()

        async def halt(device: Device) -> None:
            try:
                await device.halt()
            except PercussError as problem:
                self._fault(device, problem)

        await asyncio.gather(*(halt(device) for device in self._devices.values()))

    async def _stop_for_the_runner(self) -> None:
        """Stop everything, over new links where needed, when `run` hangs and does not get there itself."""
        await self._clock.sleep_until(self._clock.now() + UNWIND_S * self._clock.speed)
        if not self._is_unwound:
            self._is_rescuing = True
            await asyncio.gather(*(device.stop() for device in self._devices.values()), return_exceptions=True)

    async def _stop_all(self, end: _EndSession) -> SessionEnded:
        self._is_unwound = True
        if self._rescue is not None and not self._is_rescuing:
            self._rescue.cancel()
        for task in (self._halting, self._rescue):
            if task is not None:
                await asyncio.wait({task})
        stops = (device.stop() for device in self._devices.values())
        results = await asyncio.gather(*stops, return_exceptions=True)
        outcome, reason = end.outcome, end.reason
        if any(isinstance(result, BaseException) or result.proof == "unconfirmed" for result in results):
            outcome = "stop_unconfirmed"
            reason = f"{reason} The device did not confirm that it stopped: PRESS ITS BUTTON NOW.".strip()
        ended = SessionEnded(outcome, reason, self._done_s)
        self._emit(ended)
        return ended

    def _offset_s(self) -> float:
        """Seconds of the current span that have passed, without pauses."""
        if self._paused_at_s is not None:
            return self._paused_at_s
        return self._clock.now() - self._span_start_s

    async def _wait(self, deadline_s: float | None) -> None:
        """Wait for the deadline, or for anything that the person or a device does."""
        if deadline_s is None:
            await self._wake.wait()
        else:
            await wait_until(self._clock, self._wake, deadline_s)
        self._wake.clear()


def _span_started(index: int, span: Span) -> SpanStarted:
    return SpanStarted(
        index=index,
        kind=span.kind,
        duration_s=span.duration_s,
        region=span.region,
        side=span.side,
        cue=span.cue,
        is_driven=bool(span.drives),
        note=span.note,
        mono_s=time.monotonic(),
    )
