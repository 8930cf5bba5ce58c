"""What is written to a device again and again: its keepalive, and levels that it would otherwise forget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from controller.clock import Clock
from firmware_profiles.errors import PercussError


class Upkeep:
    """Calls ``write`` every ``period_s`` real seconds between `start` and `end`; what fails is left to the next time.

    A link that is lost tells of that by itself.
    """

    def __init__(self, period_s: float, write: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._period_s = period_s
        self._write = write
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """Write nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        me = asyncio.current_task()
        due_s = self._clock.now()
        while self._task is me:  # a driver may swallow a cancellation
            due_s = max(due_s + self._period_s * self._clock.speed, self._clock.now())
            await self._clock.sleep_until(due_s)
            try:
                if self._task is me:
                    await self._write()
            except (PercussError, TimeoutError):
                continue
