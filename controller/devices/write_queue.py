"""What is written to a device in turn: one command after the other, no sooner than it bears. Stop goes past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from controller.clock import Clock, real_sleep
from controller.errors import DeviceFaultError
from controller.transports import Transport
from firmware_profiles.commands import Write

WRITE_S = 1.5
"""Real seconds that a device may take to acknowledge a command: less than the motor's permission lasts."""


class WriteQueue:
    """The turns at writing to one device. ``halts`` counts the Stops that went past it.

    ``on_lost`` is called when nobody knows how much of a command arrived.
    """

    def __init__(
        self, name: str, transport: Transport, *, gap_s: float, clock: Clock, on_lost: Callable[[], None]
    ) -> None:
        self.halts = 0
        self._name = name
        self._transport = transport
        self._write_gap_s = gap_s
        self._clock = clock
        self._on_lost = on_lost
        self._lock = asyncio.Lock()
        self._next_write_s = 0.0

    @asynccontextmanager
    async def turn(self, *, keeps_gap: bool = True) -> AsyncIterator[None]:
        """Wait until nobody else writes and the device bears the next write; nobody else writes meanwhile."""
        async with self._lock:
            if keeps_gap and self._next_write_s > self._clock.now():
                await self._clock.sleep_until(self._next_write_s)
            yield

    async def write(self, writes: Sequence[Write], halts: int, on_written: Callable[[], None] = lambda: None) -> bool:
        """Write the frames of a command; False when a Stop came between: nothing must follow that.

        It is the caller's `turn`, and ``halts`` is from when the command was given.
        """
        gaps_s = sum(write.gap_s for write in writes)
        after_s = max(self._write_gap_s, writes[-1].gap_s if writes else 0.0)
        try:
            async with asyncio.timeout(WRITE_S + gaps_s):
                for number, write in enumerate(writes):
                    if number and writes[number - 1].gap_s:
                        await real_sleep(self._clock, writes[number - 1].gap_s)
                    if halts != self.halts:
                        return False
                    await self._transport.write(write.data, with_response=write.with_response)
                    if number < len(writes) - 1:
                        on_written()
        except TimeoutError:
            self._on_lost()
            raise DeviceFaultError(
                "does not acknowledge what is written to it.", where=self._name, fix="Switch it off and on again."
            ) from None
        except BaseException:
            self._on_lost()
            raise
        finally:
            self._next_write_s = self._clock.now() + after_s * self._clock.speed
        return halts == self.halts
