"""What happens in a running service, numbered, so that a reader who was away can go on where it stopped."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KEPT = 6_000
"""How many happenings are kept: twenty minutes of a device that reports five times a second."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. ``session`` is None for what belongs to none; ``data`` is plain values."""

    id: int
    at_utc: datetime
    session: int | None
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Missed:
    """A reader was away for so long that some happenings are gone; ``next_id`` is the first that is still there."""

    next_id: int


class Happenings:
    """Keeps the last `KEPT`. Nobody waits for a reader, and one that never reads costs nothing.

    Numbers count from ``began_utc``: those of another run of the service say nothing about this one.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.began_utc = datetime.now(UTC)
        self._kept: deque[Happening] = deque(maxlen=kept)
        self._next_id = 1
        self._is_over = False
        self._news = asyncio.Event()
        self._one_at_a_time = threading.Lock()

    @property
    def last_id(self) -> int:
        """The number of the newest; 0 when nothing has happened."""
        return self._next_id - 1

    def add(self, kind: str, data: dict[str, Any], *, session: int | None = None) -> Happening:
        """Take one more."""
        with self._one_at_a_time:
            happening = Happening(self._next_id, datetime.now(UTC), session, kind, data)
            self._next_id += 1
            self._kept.append(happening)
        self._wake()
        return happening

    def put(self, happening: Happening) -> None:
        """Take one that was numbered elsewhere. What was before a gap in the numbers is gone."""
        with self._one_at_a_time:
            if happening.id != self._next_id:
                self._kept.clear()
            self._kept.append(happening)
            self._next_id = happening.id + 1
        self._wake()

    def close(self) -> None:
        """Let the readers come to their end."""
        self._is_over = True
        self._wake()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self._is_over

    def after(self, after_id: int, *, most: int) -> list[Happening | Missed]:
        """Those after a number that are there already, so many at most, for a reader who looks now and then.

        It may be called from another thread.
        """
        with self._one_at_a_time:
            wanted = after_id + 1 if after_id <= self.last_id else 1
            first = self._kept[0].id if self._kept else self._next_id
            missed: list[Happening | Missed] = [Missed(first)] if wanted < first else []
            start = max(wanted, first)
            return missed + [self._kept[number - first] for number in range(start, min(start + most, self._next_id))]

    async def read(self, after_id: int | None = None) -> AsyncIterator[Happening | Missed]:
        """Everything after a number (None: from now on), each as soon as it happens, until the end."""
        # A number of another run of the service says nothing about this one.
        wanted = self._next_id if after_id is None else (after_id + 1 if after_id <= self.last_id else 1)
        while True:
            while self._kept and wanted < self._next_id:
                if wanted < self._kept[0].id:
                    wanted = self._kept[0].id
                    yield Missed(wanted)
                    continue
                happening = self._kept[wanted - self._kept[0].id]
                wanted += 1
                yield happening
            if self._is_over:
                return
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
