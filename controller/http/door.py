"""What the routes need: what happens, snapshots, a thread for files; and, where the service itself is, the station."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import Request

from controller.happenings import Happenings
from controller.http.refusals import Refusals
from controller.snapshot import Snapshot, Snapshots
from controller.station import Station

Answer = TypeVar("Answer")


class Outlook:
    """What routes need that only look; it may be in another process than the station.

    ``is_heard`` says whether the station's process gives signs of life. Its reading thread is a single one, so that
    many who ask are no load of many threads.
    """

    def __init__(
        self,
        happenings: Happenings,
        take_snapshot: Callable[[], Awaitable[Snapshot]],
        is_heard: Callable[[], bool] = lambda: True,
    ) -> None:
        self.happenings = happenings
        self.is_heard = is_heard
        self.refusals = Refusals()
        self._take_snapshot = take_snapshot
        self._reader = ThreadPoolExecutor(1, "percuss http")

    async def snapshot(self) -> Snapshot:
        """Where everything stands, at most half a second ago."""
        return await self._take_snapshot()

    async def look_up(self, read: Callable[[], Answer]) -> Answer:
        """What ``read`` gives, which takes a while; the loop goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)


class Door(Outlook):
    """What routes need that drive or stop something: the station, in whose loop they run."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._snapshots = Snapshots(station)
        super().__init__(station.happenings, self._snapshots.take)

    async def fresh_snapshot(self) -> Snapshot:
        """Where everything stands now."""
        return await self._snapshots.take(is_fresh=True)


def asker(request: Request) -> str:
    """Who asks, as the next one who asks is told: ``the web page at 192.168.1.7``."""
    return str(request.scope.get("percuss.by", "HTTP"))
