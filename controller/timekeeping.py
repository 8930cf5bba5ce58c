"""Clocks that go along with a session: a timer device that shows the routine, and a massager's own off-timer.

Both only listen to the session's events and write on a task of their own: they never keep a session or a stop waiting,
and what goes wrong with them is told once and changes nothing else.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

from controller.devices import Device
from controller.events import (
    Event,
    KeyAwaited,
    LevelAsked,
    Listener,
    OwnTimerSet,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpanEnded,
    SpanExtended,
    SpanStarted,
    TimerFailed,
)
from firmware_profiles.capabilities import MASSAGERS, Role
from firmware_profiles.commands import (
    Command,
    Interval,
    LoadSchedule,
    PauseTimer,
    ResetTimer,
    SetTimer,
    StartTimer,
)
from firmware_profiles.errors import PercussError
from firmware_profiles.schema import Profile
from routines.schedule import intervals_of
from routines.timeline import Timeline

JUMP_S = 1.0
"""How much sooner or later than planned a step may end before the timer gets what is left anew, in its seconds."""

MARGIN_S = 60.0
"""How long after the end of a session a massager should switch itself off at the earliest, in the session's seconds:
enough for some extra time. Own choice."""

CLOSE_S = 3.0
"""Real seconds that the last words to a timer may take."""

PREPARE_S = 5.0
"""Real seconds that loading a schedule may keep a session from beginning; what takes longer follows."""

Left = Callable[[], Sequence[Interval]]
"""What is left of the session now, as intervals."""


def foretell(timeline: Timeline, profiles: Mapping[Role, Profile]) -> list[str]:
    """Say what the timers of a session will do, a sentence each; ``profiles`` are the bound devices'."""
    told = []
    if (timer := profiles.get("timer")) is not None:
        told.append(f"{timer.name}: {_foretell_timer(timeline, timer)}")
    for massager in (profiles[role] for role in MASSAGERS if role in profiles):
        if massager.timer is None or not any(span.drives for span in timeline.spans):
            continue
        duration_s = massager.timer.at_least(math.ceil(timeline.duration_s + MARGIN_S))
        if duration_s is None:
            told.append(f"{massager.name}: its own timer is too short for this session and is left alone.")
        else:
            told.append(f"{massager.name}: is told to switch itself off after {duration_s} s, if nobody else does.")
    return told


def _foretell_timer(timeline: Timeline, timer: Profile) -> str:
    if timer.level is not None:
        if not any(span.signals for span in timeline.spans):
            return "has no part in this routine."
        return "is on for a moment as work or rest begins and half-way, three-two-one before its end, longer when done."
    given = timer.commands.given()
    does = ["starts with the first step"] if "start_timer" in given else []
    if "load_schedule" in given:
        count = len(intervals_of((span, span.duration_s) for span in timeline.spans))
        does.insert(0, f"shows the whole routine, {count} interval{'s' if count > 1 else ''}")
    does += ["pauses and goes on with you"] if "pause_timer" in given else []
    does += ["is reset at the end"] if "reset_timer" in given else []
    return f"{', '.join(does)}."


class SideWriter:
    """Writes commands to a device one after the other, on a task of its own, until one of them fails."""

    def __init__(self, device: Device, emit: Listener) -> None:
        self.device = device
        self._emit = emit
        self._waiting: list[Command] = []
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False

    def write(self, *commands: Command) -> bool:
        """Let these follow; those that the device does not have are left out. Whether something was forgotten for it.

        What still waits is forgotten: only the last word counts.
        """
        forgets = bool(self._waiting)
        self._waiting = [command for command in commands if not self._has_failed and self.device.can(type(command))]
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._write_waiting())
        return forgets

    def forget(self) -> None:
        """Write nothing of what still waits: a Stop must not be followed by anything old."""
        self._waiting.clear()

    def fail(self, problem: PercussError) -> None:
        """Give up: told once."""
        if not self._has_failed:
            self._has_failed = True
            self._waiting.clear()
            self._emit(TimerFailed(self.device.name, str(problem)))

    async def finish(self, within_s: float = CLOSE_S) -> None:
        """Wait for what is under way, for so many real seconds at most."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)

    async def close(self) -> None:
        """The same, and let go of what is not done then."""
        await self.finish()
        self.end()

    def end(self) -> None:
        """Let go of everything."""
        self.forget()
        if self._task is not None:
            self._task.cancel()

    async def _write_waiting(self) -> None:
        while self._waiting:
            command = self._waiting.pop(0)
            try:
                await self.device.send(command)
            except PercussError as problem:
                self.fail(problem)
                return


class RoutineTimer:
    """A timer device in step with a session: it has the whole schedule, or at least starts, pauses and resets."""

    def __init__(self, device: Device, left: Left, emit: Listener) -> None:
        self._device = device
        self._left = left
        self._writer = SideWriter(device, emit)
        self._planned_s = 0.0
        self._next_index = 0
        self._is_stale = True
        self._stands = False
        self._counts = False
        device.on_fault = self._writer.fail

    async def prepare(self) -> None:
        """Load the schedule before the session begins, so that its start is one short word."""
        if self._device.can(LoadSchedule):
            self._is_stale = False
            self._writer.write(LoadSchedule(tuple(self._left())))
            await self._writer.finish(PREPARE_S)

    def hear(self, event: Event) -> None:
        """Follow what happens in the session."""
        match event:
            case SpanStarted():
                self._is_stale |= event.index != self._next_index
                self._planned_s, self._next_index = event.duration_s, event.index + 1
                self._go_on()
            case SpanEnded():
                self._is_stale |= abs(event.elapsed_s - self._planned_s) > JUMP_S
            case SpanExtended(extra_s):
                self._planned_s += extra_s
                self._is_stale = True
                if not self._stands:
                    self._go_on()
            case SessionPaused():
                self._stand()
            case KeyAwaited():
                self._stand()
                self._is_stale = True  # the next step begins before this one has counted to its end
            case SessionResumed():
                self._go_on()
            case SessionEnded():
                self._writer.write(ResetTimer() if self._device.can(ResetTimer) else PauseTimer())
            case _:
                pass

    async def close(self) -> None:
        """Let the last word go out, and close the link."""
        await self._writer.close()
        await self._device.close()

    def _go_on(self) -> None:
        """Count on; with what is left, where it would show something else. A timer that counts is not started again."""
        self._stands = False
        if self._is_stale and self._device.can(LoadSchedule):
            self._writer.write(LoadSchedule(tuple(self._left())), StartTimer())
        elif not self._counts:
            self._writer.write(StartTimer())
        self._is_stale, self._counts = False, True

    def _stand(self) -> None:
        self._stands = True
        if self._device.can(PauseTimer):
            self._counts = False
            self._is_stale |= self._writer.write(PauseTimer())
        else:
            self._is_stale = True


class OwnTimer:
    """A massager's own timer: told, as soon as the motor runs, to switch it off soon after the session should be over.

    One more thing that stops a motor when everything else fails; it can only switch off.
    """

    def __init__(self, device: Device, left: Left, emit: Listener) -> None:
        self._device = device
        self._left = left
        self._emit = emit
        self._writer = SideWriter(device, emit)
        self._is_set = False
        self._is_told = False
        self._next_index = 0

    def hear(self, event: Event) -> None:
        """Follow what happens in the session."""
        match event:
            case LevelAsked() if event.device == self._device.name and event.level and not self._is_set:
                self._set()
            case SessionPaused() | SpanExtended():
                self._outdate()
            case SpanStarted():
                if event.index < self._next_index:  # back: more is left now than when it was set
                    self._outdate()
                self._next_index = event.index + 1
            case _:
                pass

    async def close(self) -> None:
        """Let what is under way come to its end."""
        await self._writer.close()

    def _outdate(self) -> None:
        timer = self._device.profile.timer
        self._is_set = self._is_set and timer is not None and timer.cycles  # where one key goes round, once has to do

    def _set(self) -> None:
        self._is_set = True
        timer = self._device.profile.timer
        if timer is None:
            return
        left_s = sum(interval.duration_s for interval in self._left())
        duration_s = timer.at_least(math.ceil(left_s + MARGIN_S))
        if duration_s is not None:
            self._writer.write(SetTimer(duration_s))
            self._emit(OwnTimerSet(self._device.name, duration_s))
        elif not self._is_told:
            self._is_told = True
            longest_s = timer.choices_s[-1] if timer.choices_s else timer.highest_s
            what = f"the own timer of {self._device.name} takes {longest_s} s at most, too little for what is left."
            self._emit(TimerFailed(self._device.name, what))
