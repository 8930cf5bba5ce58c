"""Clocks that go along with a session: a timer device that shows the routine, and a massager's own off-timer.

Both only listen to the session's events and write on a task of their own: they never keep a session or a stop waiting,
and what goes wrong with them is told once and changes nothing else.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

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

JUMP_S = 1.0
"""How much sooner or later than planned a step may end before the timer gets what is left anew, in its seconds."""

MARGIN_S = 60.0
"""How long after the end of a session a massager should switch itself off at the earliest, in the session's seconds:
enough for some extra time. Own choice."""

CLOSE_S = 3.0
"""Real seconds that the last words to a timer may take."""

Left = Callable[[], Sequence[Interval]]
"""What is left of the session now, as intervals."""


class _Writer:
    """Writes commands to a device one after the other, on a task of its own, until one of them fails."""

    def __init__(self, device: Device, emit: Listener) -> None:
        self._device = device
        self._emit = emit
        self._waiting: list[Command] = []
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False

    def write(self, *commands: Command) -> None:
        """Let these follow; those that the device does not have are left out, those that still wait are forgotten."""
        if self._has_failed:
            return
        self._waiting = [command for command in commands if self._device.can(type(command))]
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._write_waiting())

    def fail(self, problem: PercussError) -> None:
        """Give up: told once."""
        if not self._has_failed:
            self._has_failed = True
            self._waiting.clear()
            self._emit(TimerFailed(self._device.name, str(problem)))

    async def finish(self) -> None:
        """Wait for what is under way, for `CLOSE_S` at most."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_S)
            self._task.cancel()

    async def _write_waiting(self) -> None:
        while self._waiting:
            command = self._waiting.pop(0)
            try:
                await self._device.send(command)
            except PercussError as problem:
                self.fail(problem)
                return


class RoutineTimer:
    """A timer device in step with a session: it has the whole schedule, or at least starts, pauses and resets."""

    def __init__(self, device: Device, left: Left, emit: Listener) -> None:
        self._device = device
        self._left = left
        self._writer = _Writer(device, emit)
        self._planned_s = 0.0
        self._is_stale = True
        device.on_fault = self._writer.fail

    def hear(self, event: Event) -> None:
        """Follow what happens in the session."""
        match event:
            case SpanStarted():
                self._planned_s = event.duration_s
                if self._is_stale:
                    self._load()
            case SpanEnded():
                self._is_stale = abs(event.elapsed_s - self._planned_s) > JUMP_S
            case SpanExtended(extra_s):
                self._planned_s += extra_s
                self._load()
            case SessionPaused() | KeyAwaited():
                self._is_stale = isinstance(event, KeyAwaited)
                self._writer.write(PauseTimer())
            case SessionResumed():
                self._writer.write(StartTimer())
            case SessionEnded():
                self._writer.write(*([ResetTimer()] if self._device.can(ResetTimer) else [PauseTimer()]))
            case _:
                pass

    async def close(self) -> None:
        """Let the last word go out, and close the link."""
        await self._writer.finish()
        await self._device.close()

    def _load(self) -> None:
        self._is_stale = False
        if self._device.can(LoadSchedule):
            self._writer.write(LoadSchedule(tuple(self._left())), StartTimer())
        else:
            self._writer.write(StartTimer())


class OwnTimer:
    """A massager's own timer: told, as soon as the motor runs, to switch it off soon after the session should be over.

    One more thing that stops a motor when everything else fails; it can only switch off.
    """

    def __init__(self, device: Device, left: Left, emit: Listener) -> None:
        self._device = device
        self._left = left
        self._emit = emit
        self._writer = _Writer(device, emit)
        self._is_set = False

    def hear(self, event: Event) -> None:
        """Follow what happens in the session."""
        match event:
            case LevelAsked() if event.device == self._device.name and event.level and not self._is_set:
                self._set()
            case SessionPaused() | SpanExtended():
                cycles = self._device.profile.timer is not None and self._device.profile.timer.cycles
                self._is_set = self._is_set and cycles  # where one key goes round, once has to do
            case _:
                pass

    async def close(self) -> None:
        """Let what is under way come to its end."""
        await self._writer.finish()

    def _set(self) -> None:
        self._is_set = True
        timer = self._device.profile.timer
        left_s = sum(interval.duration_s for interval in self._left())
        if timer is None or (duration_s := timer.at_least(math.ceil(left_s + MARGIN_S))) is None:
            return
        self._writer.write(SetTimer(duration_s))
        self._emit(OwnTimerSet(self._device.name, duration_s))
