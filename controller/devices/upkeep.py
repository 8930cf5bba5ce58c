"""What is written to a device again and again: its keepalive, and levels that it would otherwise forget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from controller.clock import Clock
from controller.devices.obedience import Obedience
from controller.devices.write_queue import WriteQueue
from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel
from firmware_profiles.errors import PercussError
from firmware_profiles.units import Level


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


def upkeep_of(codec: Codec, queue: WriteQueue, obedience: Obedience, clock: Clock) -> list[Upkeep]:
    """What a device needs, by its profile; nothing of it has begun."""
    keepalive, level = codec.profile.keepalive, codec.profile.level

    async def keep_alive() -> None:
        if keepalive is None or (keepalive.while_running and not obedience.is_asked_to_run):
            return
        async with queue.turn():
            await queue.write(codec.keepalive_writes(), queue.halts)

    async def resend() -> None:
        """Say the levels again to a device that falls silent otherwise; a Stop ends that as it ends the levels."""
        async with queue.turn():
            for channel, level in list(obedience.asked.items()):
                if level and obedience.asked[channel] == level:
                    await queue.write(codec.encode(SetLevel(channel, Level(level))), queue.halts)

    return [
        *([Upkeep(keepalive.period_s, keep_alive, clock)] if keepalive else []),
        *([Upkeep(level.resend_s, resend, clock)] if level and level.resend_s else []),
    ]
