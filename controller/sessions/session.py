"""The session itself: it runs the spans one after the other and does what the person asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from controller.clock import Clock, wait_until
from controller.devices import Device
from controller.errors import DeviceFaultError, RefusedError, TransportError
from controller.events import KeyAwaited, Listener, Outcome, PainMoment, RequestRefused, SessionEnded, SessionStarted
from controller.safety.lease import LEASE_S
from controller.safety.supervisor import Supervisor
from controller.sessions.course import Course, Progress
from controller.sessions.ending import Brakes, EndSession, end_by
from controller.sessions.lost_links import LostLinks
from controller.sessions.pacing import ROUNDING_S, Pace
from controller.sessions.pain import NERVE_SIGN_STOPS, PainQuestions
from controller.sessions.requests import Request, Requests
from controller.timekeeping import SideWriter
from firmware_profiles.capabilities import Role
from firmware_profiles.commands import Status
from firmware_profiles.errors import PercussError
from routines.schema import SESSION_MAX_S
from routines.timeline import Span, Timeline

BY_THE_PERSON = "stopped by the person"


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
        longest_s: float = SESSION_MAX_S,
    ) -> None:
        """``can_be_resumed`` says that somebody is there to go on after a lost link came back; ``asks_pain`` that the
        same person answers how much it hurts, before, between the places and after. Extra time never makes a session
        that drives something longer than ``longest_s``.
        """
        self.is_at_rest = False  # until everything was stopped at the end, and nothing failed to confirm it
        self._timeline = timeline
        self._devices = devices
        self._supervisor = supervisor
        self._clock = clock
        self._emit = emit
        self._waits_for_key = waits_for_key
        self._can_be_resumed = can_be_resumed
        self._asks_pain = asks_pain
        self._pain = PainQuestions(emit, pain_before)
        self._ending: EndSession | None = None
        self._lost = LostLinks()
        self._brakes = Brakes(devices.values(), clock, self._fault)
        self._is_sending = False
        self._wake = asyncio.Event()
        self._course = Course(timeline.spans, clock)
        self._pace = Pace(clock, self._course.time)
        self._requests = Requests(
            self._course, self._pace, supervisor, emit=emit, halt=self._halt_all, longest_s=longest_s
        )
        self._signaller = SideWriter(devices["timer"], emit) if "timer" in devices else None
        for device in devices.values():
            device.on_written = self._keep_permission
            device.on_fault = lambda problem, device=device: self._fault(device, problem)  # type: ignore[misc]
            device.on_status = lambda status, device=device: self._judge(device, status)  # type: ignore[misc]
        supervisor.lease.on_expiry = self._expire

    def request(self, request: Request) -> None:
        """Ask for something; the session does it at once or emits why not."""
        self._requests.add(request)
        self._wake.set()

    def stop(self, reason: str = BY_THE_PERSON, outcome: Outcome = "stopped") -> None:
        """End the session. Stop goes out before anything else; calling it again changes nothing."""
        if self._ending is None:
            self._ending = EndSession(outcome, reason)
            self._brakes.pull(self._halt_all())
        self._wake.set()

    def tell_pain(self, score: int) -> None:
        """Take the person's answer, 0 to 10. A rise or a high figure stops everything."""
        if why := self._pain.tell(score):
            self.stop(why)
        self._wake.set()

    def tell_nerve_sign(self) -> None:
        """Tingling, numbness or shooting pain: everything stops at once."""
        self.stop(NERVE_SIGN_STOPS)
        self._pain.tell_nerve_sign()

    def progress(self) -> Progress:
        """Where the session stands now."""
        return self._course.progress()

    def left(self) -> list[tuple[Span, float]]:
        """What is left: this span with its seconds, and those behind it with theirs."""
        return self._course.left()

    async def run(self) -> SessionEnded:
        """Run to the end. Cancelling it stops the devices, then raises CancelledError."""
        names: dict[str, str] = {role: device.name for role, device in self._devices.items()}
        self._emit(SessionStarted(self._timeline.routine, self._timeline.duration_s, names))
        end = EndSession("device_fault", "the session broke off")
        try:
            await self._begin()
            while self._course.index < len(self._timeline.spans):
                self._course.index = await self._run_span(self._timeline.spans[self._course.index])
            end = EndSession("done", "")
        except EndSession as ending:
            end = ending
        except PercussError as problem:
            end = end_by(problem)
        finally:
            ended = await self._end(end)
        if self._asks_pain and self._pain.worked is not None and end.outcome == "done":
            with suppress(EndSession):
                await self._ask_pain("after")
        return ended

    async def _begin(self) -> None:
        # Whatever the device was doing before: a session starts from rest.
        await self._halt_all()
        for device in self._devices.values():
            if device.status is not None:
                self._judge(device, device.status)
        if self._ending is None and self._pain.before is not None:
            self._pain.moment = "before"
            self.tell_pain(self._pain.before)
        elif self._ending is None and self._asks_pain:
            await self._ask_pain("before")
        if self._ending is not None:
            raise self._ending
        self._course.time.start()

    async def _end(self, end: EndSession) -> SessionEnded:
        unconfirmed = await self._brakes.finish()
        self._supervisor.lease.end()
        if self._signaller is not None:
            self._signaller.end()
        self.is_at_rest = not unconfirmed
        self._emit(ended := end.told(unconfirmed, self._course.done_s))
        return ended

    async def _ask_pain(self, moment: PainMoment) -> None:
        """Wait until the person says how much it hurts, or does not want to say; the motor is at rest."""
        self._pain.ask(moment)
        while self._pain.moment is not None and self._ending is None and not self._requests.say_go_on:
            await self._wait(None)
        self._requests.clear()
        self._pain.drop()
        if self._ending is not None:
            raise self._ending

    async def _run_span(self, span: Span) -> int:
        """Run one span; the index of the next one. Raises EndSession."""
        course = self._course
        duration_s = span.duration_s
        if span.drives:
            duration_s = min(duration_s, allowed_s := self._supervisor.allowed_s(span))
            if allowed_s <= 0:
                self._emit(RequestRefused(f"{span.place} has had all its time in this session."))
                return course.index + 1
        self._emit(course.begin_span(span, duration_s))
        self._pace.begin(span)
        if span.drives:
            self._pain.worked = span
        elif self._asks_pain and self._pain.worked is not None and span.kind == "move":
            self._pain.ask("between")  # the person may answer, or not
        try:
            next_index = await self._follow(span)
        finally:
            ended = course.end_span(span)
            if span.drives:
                self._supervisor.count(span, ended.elapsed_s)
            self._emit(ended)
        if next_index is None:
            course.time.follow_on()
            return course.index + 1
        course.time.start()
        return next_index

    async def _follow(self, span: Span) -> int | None:
        """Send what is due until the span ends: None when its time is over, else the index that the person wants."""
        course = self._course
        while True:
            if self._ending is not None:
                raise self._ending
            if self._lost:
                await self._recover()
            if (next_index := await self._requests.obey(span)) is not None:
                return next_index
            deadline_s: float | None = None
            if course.is_running:
                self._permit(span)
                await self._send_due(span)
                if self._ending is not None or self._requests or self._lost:
                    continue
                if course.time.offset_s >= course.time.duration_s - ROUNDING_S:
                    if not (self._waits_for_key and span.kind == "move"):
                        return None
                    course.is_waiting = True
                    self._emit(KeyAwaited(span.cue))
                else:
                    deadline_s = course.time.deadline_s(self._pace.next_s)
                    if span.drives:
                        deadline_s = min(deadline_s, self._clock.now() + self._supervisor.lease.renewal_s)
            await self._wait(deadline_s)

    def _permit(self, span: Span) -> None:
        """Renew the motor's permission where something is driven. Raises EndSession."""
        if not span.drives:
            self._supervisor.lease.drop()
            return
        try:
            self._supervisor.renew()
        except RefusedError as problem:
            raise EndSession("stopped", str(problem)) from problem
        if self._ending is not None:  # the permission had run out
            raise self._ending

    def _keep_permission(self) -> None:
        """A command of many frames is on its way, and the runner, which gave it, is waiting for it."""
        if self._is_sending and self._ending is None and self._supervisor.lease.is_valid:
            self._supervisor.lease.renew()

    def _expire(self) -> None:
        self.stop(f"nothing renewed the motor's permission for {LEASE_S:g} s: this computer slept or was too busy.")

    async def _send_due(self, span: Span) -> None:
        """Send what is due. What is for a timer goes out on a task of its own: nobody waits for a lamp."""
        for cue in self._pace.take_due():
            if self._ending is not None or cue.role not in self._devices:
                continue
            self._supervisor.check(span, cue, self._pace.level(cue))
            if cue.role == "timer" and self._signaller is not None:
                self._signaller.write(cue.command)
                continue
            self._is_sending = True
            try:
                await self._devices[cue.role].send(cue.command)
            except TransportError as problem:
                self._fault(self._devices[cue.role], problem)
                return
            finally:
                self._is_sending = False
            self._supervisor.sent(cue)
            self._pace.note_sent(span, cue)
        self._pace.make_up(span)

    def _judge(self, device: Device, status: Status) -> None:
        try:
            self._supervisor.judge(device, status)
        except DeviceFaultError as problem:
            self._fault(device, problem)

    def _fault(self, device: Device, problem: PercussError) -> None:
        """A device says that it must not be driven any longer. Without a timer the session goes on."""
        if self._signaller is not None and device is self._signaller.device:
            self._signaller.fail(problem)
            self._brakes.give_up(device)
        elif isinstance(problem, TransportError):
            self._lost.add(device, problem)
            self._wake.set()
        else:
            self.stop(str(problem), "device_fault")

    async def _recover(self) -> None:
        """Get the lost links back, to send Stop. Only a person may let the session go on after that."""
        if not self._course.time.is_paused:
            await self._requests.pause(f"the link to {self._lost.names} is lost; trying to reach it again.")
        problem = await self._lost.regain(self._wake, lambda: self._ending is not None)
        if self._ending is not None:
            raise self._ending
        if not self._can_be_resumed:
            raise EndSession("link_lost", f"{problem} It came back and was stopped; nobody is here to go on.")

    async def _halt_all(self) -> None:
        """Everything off now, without waiting for the devices' word."""
        self._supervisor.lease.drop()
        self._pace.clear()
        if self._signaller is not None:
            self._signaller.forget()
        await self._brakes.halt()

    async def _wait(self, deadline_s: float | None) -> None:
        """Wait for the deadline, or for anything that the person or a device does."""
        await (self._wake.wait() if deadline_s is None else wait_until(self._clock, self._wake, deadline_s))
        self._wake.clear()
