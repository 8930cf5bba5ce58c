"""Asking a device again and again what it does, and noticing that it does not answer any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from controller.clock import Clock
from controller.devices.hearing import Hearing
from controller.errors import DeviceFaultError, LinkLostError
from firmware_profiles.errors import PercussError

POLL_END_S = 0.1
"""Real seconds that a question under way gets to end."""


class StatusPoll:
    """Asks every ``period_s`` of the clock between `start` and `end`; None: never. It ends with its first fault."""

    def __init__(
        self,
        name: str,
        period_s: float | None,
        ask: Callable[[], Awaitable[None]],
        *,
        hearing: Hearing,
        clock: Clock,
        on_fault: Callable[[PercussError], None],
    ) -> None:
        self._name = name
        self._period_s = period_s
        self._ask = ask
        self._hearing = hearing
        self._clock = clock
        self._on_fault = on_fault
        self._poll: asyncio.Task[None] | None = None

    @property
    def is_heard(self) -> bool:
        """Whether what the device last said is fresh; always true of one that is not asked."""
        if self._poll is None or self._period_s is None:
            return True
        return not self._hearing.is_stale(self._period_s)

    def start(self) -> None:
        """Begin."""
        if self._period_s is not None:
            self._poll = asyncio.create_task(self._poll_status(self._period_s))

    async def end(self) -> None:
        """Ask nothing more."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.cancel()
            # However it ends, and even if a driver swallows the cancellation: a stop does not wait for it.
            await asyncio.wait({poll}, timeout=POLL_END_S)

    async def _poll_status(self, period_s: float) -> None:
        """Ask for the status on absolute deadlines; a device that falls silent is a fault."""
        due_s = self._clock.now()
        while True:
            due_s = max(due_s + period_s, self._clock.now())
            await self._clock.sleep_until(due_s)
            problem: PercussError | None = None
            try:
                await self._ask()
            except LinkLostError:
                return  # the transport tells of it by itself
            except PercussError as told:
                problem = told
            except Exception as unknown:  # noqa: BLE001 - a device that cannot be asked must not go on unwatched
                problem = DeviceFaultError(f"cannot be asked what it does ({unknown!r}).", where=self._name)
            if self._poll is not asyncio.current_task():
                return  # it is over, and a driver swallowed that
            if problem is None and self._hearing.is_stale(period_s):
                problem = DeviceFaultError(
                    "does not answer any more.", where=self._name, fix="Is it switched off or out of reach?"
                )
            if problem is not None:
                self._on_fault(problem)
                return
