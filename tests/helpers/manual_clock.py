"""A clock that moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq
import itertools

MAX_TURNS = 10_000


class ManualClock:
    """Sleepers wake in the order of their deadlines, each at exactly its own."""

    speed = 1.0

    def __init__(self) -> None:
        self._now_s = 1000.0  # not 0, so that nothing passes by comparing with a start of zero
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self._now_s

    async def sleep_until(self, deadline_s: float) -> None:
        if deadline_s <= self._now_s:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (deadline_s, next(self._count), future))
        await future

    async def advance(self, duration_s: float) -> None:
        """Let time pass, one deadline after the other."""
        end_s = self._now_s + duration_s
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            deadline_s, _, future = heapq.heappop(self._sleepers)
            if future.done():  # its sleeper was cancelled
                continue
            self._now_s = max(self._now_s, deadline_s)
            future.set_result(None)
            await self.settle()
        self._now_s = end_s
        await self.settle()

    def jump(self, duration_s: float) -> None:
        """Let time pass while nothing runs, as when a computer sleeps."""
        self._now_s += duration_s

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        # Only the loop itself knows whether anything is left to do; no public call tells it.
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        for _ in range(MAX_TURNS):
            if not ready:
                return
            await asyncio.sleep(0)
        raise AssertionError("something goes round and round without letting time pass")
