"""Time, injected: deadlines are absolute, in seconds of a monotonic clock that may run faster than the world's."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock of the session's time."""

    @property
    def speed(self) -> float:
        """How many of this clock's seconds pass in one real second. 1 except on simulators."""
        ...

    def now(self) -> float:
        """The time in seconds; only differences mean something."""
        ...

    async def sleep_until(self, deadline_s: float) -> None:
        """Return at ``deadline_s``, or at once when it has passed."""
        ...


def _machine_s() -> float:
    """Linux's monotonic clock stands still while the machine sleeps; its boot clock does not."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SystemClock:
    """The machine's monotonic clock, times ``speed``."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> float:
        """The time in seconds; the time that the machine slept counts, where it can tell."""
        return _machine_s() * self.speed

    async def sleep_until(self, deadline_s: float) -> None:
        """Return at ``deadline_s``; the loop is always given a turn, so that a late session still hears its stop."""
        await asyncio.sleep(max(0.0, (deadline_s - self.now()) / self.speed))


async def wait_until(clock: Clock, event: asyncio.Event, deadline_s: float) -> bool:
    """Wait for an event until a deadline of the clock; whether it came."""
    waits = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep_until(deadline_s))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return event.is_set()


def real_now_s(clock: Clock) -> float:
    """Real seconds: links and motors do not run faster because a session does."""
    return clock.now() / clock.speed


async def real_sleep(clock: Clock, duration_s: float) -> None:
    """Sleep for so many real seconds."""
    await clock.sleep_until(clock.now() + duration_s * clock.speed)
