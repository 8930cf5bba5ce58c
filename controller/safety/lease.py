"""The motor's permission: it has an absolute deadline, the runner renews it, and when it runs out the motor stops.

Nothing else renews it: a heartbeat, a status poll or a keepalive keeps the link, never the permission.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.clock import Clock

LEASE_S = 2.0
"""Real seconds that a permission lasts."""

RENEWAL_S = 0.5
"""Real seconds after which the runner renews it: a few may be late before it runs out."""


class Lease:
    """A permission that somebody must renew. ``on_expiry`` is called once when nobody did.

    It is dropped when the motor is stopped on purpose; then nothing can run out.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_expiry: Callable[[], None] = lambda: None
        self._clock = clock
        self._until_s: float | None = None
        self._has_expired = False
        self._has_ended = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the motor may run now."""
        return not self._has_expired and self._until_s is not None and self._clock.now() < self._until_s

    @property
    def renewal_s(self) -> float:
        """How many seconds of the clock may pass until the next renewal."""
        return RENEWAL_S * self._clock.speed

    def renew(self) -> None:
        """Let the motor run for `LEASE_S` more. A permission that ran out is not renewed: it has expired."""
        if self._has_ended:
            return
        now_s = self._clock.now()
        if self._has_expired or (self._until_s is not None and now_s >= self._until_s):
            self._expire()
            return
        self._until_s = now_s + LEASE_S * self._clock.speed
        if self._watch is None:
            self._watch = asyncio.create_task(self._expire_in_time())

    def drop(self) -> None:
        """Give the permission back: the motor is being stopped. One that ran out unnoticed has expired all the same."""
        until_s, self._until_s = self._until_s, None
        if until_s is not None and self._clock.now() >= until_s and not self._has_ended:
            self._expire()

    def end(self) -> None:
        """Give it back for good."""
        self._has_ended = True
        self.drop()
        if self._watch is not None:
            self._watch.cancel()

    async def _expire_in_time(self) -> None:
        while True:
            until_s = self._until_s
            if until_s is None:
                until_s = self._clock.now() + self.renewal_s
            elif self._clock.now() >= until_s:
                self._expire()
                return
            await self._clock.sleep_until(until_s)

    def _expire(self) -> None:
        if not self._has_expired:
            self._has_expired = True
            self.on_expiry()
