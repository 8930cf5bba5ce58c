"""Trying again with growing pauses what may work the next time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from controller.clock import Clock, real_now_s, real_sleep
from controller.errors import RetryableError

BACK_OFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Real seconds between attempts to reconnect; the last one repeats."""


async def retried(attempt: Callable[[], Awaitable[object]], budget_s: float, clock: Clock) -> None:
    """Try for ``budget_s`` real seconds. Raises the last RetryableError when they end, and any other error at once."""
    deadline_s = real_now_s(clock) + budget_s
    attempts = 0
    while True:
        try:
            await attempt()
        except RetryableError:
            pause_s = BACK_OFF_S[min(attempts, len(BACK_OFF_S) - 1)]
            attempts += 1
            if real_now_s(clock) + pause_s > deadline_s:
                raise
            await real_sleep(clock, pause_s)
        else:
            return
