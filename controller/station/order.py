"""What somebody wants to have run, and the session that runs for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from controller import api
from controller.events import SessionEnded
from controller.service.live import LiveSession
from controller.sessions import Progress

LEASE_PIECES = 4
LEFT_ALONE = "whoever had started it was not there any more"


@dataclass(frozen=True, slots=True)
class Order:
    """A session that somebody wants. ``massager`` and ``timer`` are paired devices; ``simulator`` is a profile.

    ``by`` says who asks, for those who ask next: ``the web page at 192.168.1.7``. With ``lease_s`` the session stops
    when nobody has renewed it for so many real seconds: for a door that must not be outlived.
    """

    what: api.What
    by: str
    massager: str | None = None
    massager2: str | None = None
    timer: str | None = None
    simulator: str | None = None
    speed: float = 1.0
    pain_before: int | None = None
    waits_for_key: bool = False
    asks_pain: bool = False
    can_be_resumed: bool = True
    lease_s: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The session that runs: its number since the service began, what was asked for, and itself."""

    number: int
    order: Order
    live: LiveSession

    @property
    def by(self) -> str:
        """Who asked for it."""
        return self.order.by

    @property
    def routine(self) -> str:
        """What is run."""
        return self.live.plan.routine

    @property
    def devices(self) -> frozenset[str]:
        """The names of the paired devices that it was asked to drive."""
        return frozenset({name for name in (self.order.massager, self.order.massager2, self.order.timer) if name})

    @property
    def progress(self) -> Progress:
        """Where it stands."""
        return self.live.progress()


class Lease:
    """Calls ``on_end`` when it was not renewed for ``lasts_s`` real seconds; never without those.

    It begins when the session is asked for: preparing one takes a while, and whoever asked may be gone by then. Time in
    which this process could not have heard anybody does not count: it is counted in pieces.
    """

    def __init__(self, lasts_s: float | None, on_end: Callable[[], object]) -> None:
        self._lasts_s = lasts_s
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None
        self._left = LEASE_PIECES
        self._wait()

    def renew(self) -> None:
        """Let it last on from now."""
        self._left = LEASE_PIECES

    def end(self) -> None:
        """Let it not end by time any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._lasts_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._lasts_s / LEASE_PIECES, self._count)

    def _count(self) -> None:
        self._left -= 1
        if self._left > 0:
            self._wait()
        else:
            self._on_end()


@dataclass(frozen=True, slots=True)
class Hosted:
    """A session from when it is asked for until everything of it is over."""

    number: int
    order: Order
    lease: Lease
    task: asyncio.Task[SessionEnded]
