"""One time for everything: the sessions' clock, the event loop's own timers, and what the world has on its agenda."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable

from tests.helpers.manual_clock import ManualClock

MAX_IDLE_ROUNDS = 10_000
"""Rounds in which time does not move, before the world counts as caught in a circle."""


class WorldClock(ManualClock):
    """A manual clock that says when its next sleeper wakes, and that may sleep as a computer does."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s = 0.0

    @property
    def next_s(self) -> float:
        """When the next sleeper wakes."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else math.inf

    def sleep(self, duration_s: float) -> None:
        """Let time pass as while a computer is suspended: the event loop's timers stand still."""
        self.jump(duration_s)
        self.slept_s += duration_s


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers (`asyncio.timeout`) run on the world's clock: nothing waits for real time."""

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, clock: WorldClock) -> None:
        self.clock = clock
        super().__init__()

    def time(self) -> float:
        """The monotonic time of the machine, which stands still while it is suspended."""
        return self.clock.now() - self.clock.slept_s

    @property
    def next_s(self) -> float:
        """When the next timer fires, in the world's time."""
        return self._scheduled[0].when() + self.clock.slept_s if self._scheduled else math.inf


class Agenda:
    """What happens to the world, and when. ``at`` is told each moment before anything happens in it."""

    def __init__(self, clock: WorldClock, loop: ClockLoop, at: Callable[[], None]) -> None:
        self._clock = clock
        self._loop = loop
        self._at = at
        self._items: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def add(self, at_s: float, act: Callable[[], object]) -> None:
        """Have something done at a moment."""
        heapq.heappush(self._items, (at_s, next(self._count), act))

    async def run_until(self, end_s: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, from one thing that happens to the next."""
        idle = 0
        await self._clock.settle()
        while not is_over():
            now_s = self._clock.now()
            if self._items and self._items[0][0] <= now_s:
                heapq.heappop(self._items)[2]()
                self._at()
                await self._clock.settle()
                continue
            next_s = min(end_s, self._clock.next_s, self._loop.next_s, self._items[0][0] if self._items else math.inf)
            if now_s >= end_s:
                return
            # The loop forgets a cancelled timer only when it gets there.
            idle = idle + 1 if next_s <= now_s else 0
            if idle > MAX_IDLE_ROUNDS:
                raise AssertionError("the world goes round and round without letting time pass")
            await self._pass(next_s)

    async def _pass(self, until_s: float) -> None:
        # A hair further, so that rounding leaves no sleeper behind its moment.
        await self._clock.advance(max(0.0, until_s - self._clock.now()))
        self._at()
