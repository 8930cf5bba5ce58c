"""How a session ends: everything off at once when somebody asks, and again until each device has confirmed it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from controller.clock import Clock
from controller.devices import Device
from controller.errors import RefusedError, TransportError
from controller.events import Outcome, SessionEnded
from firmware_profiles.errors import PercussError

UNWIND_S = 1.0
"""Real seconds that `run` has to come to its end after a stop before the devices are stopped without it."""


class EndSession(Exception):  # noqa: N818 - it ends, it is no error
    """The session is over, and why."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason

    def told(self, unconfirmed: Sequence[str], elapsed_s: float) -> SessionEnded:
        """The event that tells of it, loud where devices did not confirm that they stopped."""
        if not unconfirmed:
            return SessionEnded(self.outcome, self.reason, elapsed_s)
        what = f"{' and '.join(unconfirmed)} did not confirm that it stopped: PRESS ITS BUTTON NOW."
        return SessionEnded("stop_unconfirmed", f"{self.reason} {what}".strip(), elapsed_s)


def end_by(problem: PercussError) -> EndSession:
    """The end that an error makes."""
    if isinstance(problem, RefusedError):
        return EndSession("refused", str(problem))
    return EndSession("link_lost" if isinstance(problem, TransportError) else "device_fault", str(problem))


class Brakes:
    """Brings all devices of a session to rest. ``on_problem`` is told what a device answers a halt with."""

    def __init__(
        self, devices: Iterable[Device], clock: Clock, on_problem: Callable[[Device, PercussError], None]
    ) -> None:
        self._devices = tuple(devices)
        self._given_up: set[str] = set()
        self._clock = clock
        self._on_problem = on_problem
        self._halting: asyncio.Future[None] | None = None
        self._rescue: asyncio.Future[None] | None = None
        self._is_unwound = False
        self._is_rescuing = False

    def give_up(self, device: Device) -> None:
        """Let no halt wait for a device that does not answer; at the end it is stopped like every other."""
        self._given_up.add(device.name)

    async def halt(self) -> None:
        """Everything off now, without waiting for the devices' word: their status is watched."""

        async def halt(device: Device) -> None:
            try:
                await device.halt()
            except PercussError as problem:
                self._on_problem(device, problem)

        await asyncio.gather(*(halt(device) for device in self._devices if device.name not in self._given_up))

    def pull(self, halting: Coroutine[Any, Any, None]) -> None:
        """Let ``halting`` happen at once, past whatever the runner waits for; `finish` repeats it until confirmed."""
        self._halting = asyncio.ensure_future(halting)
        if not self._is_unwound:
            self._rescue = asyncio.ensure_future(self._stop_for_the_runner())

    async def finish(self) -> tuple[str, ...]:
        """Stop everything until it is confirmed: the names of the devices that did not confirm.

        Being cancelled does not break that off.
        """
        stopping = asyncio.ensure_future(self._stop_all())
        while not stopping.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(stopping)
        return stopping.result()

    async def _stop_all(self) -> tuple[str, ...]:
        self._is_unwound = True
        if self._rescue is not None and not self._is_rescuing:
            self._rescue.cancel()
        for task in (self._halting, self._rescue):
            if task is not None:
                await asyncio.wait({task})
        stops = (device.stop() for device in self._devices)
        results = await asyncio.gather(*stops, return_exceptions=True)
        return tuple(
            device.name
            for device, result in zip(self._devices, results, strict=True)
            if isinstance(result, BaseException) or result.proof == "unconfirmed"
        )

    async def _stop_for_the_runner(self) -> None:
        """Stop everything, over new links where needed, when `run` hangs and does not get there itself."""
        await self._clock.sleep_until(self._clock.now() + UNWIND_S * self._clock.speed)
        if not self._is_unwound:
            self._is_rescuing = True
            await asyncio.gather(*(device.stop() for device in self._devices), return_exceptions=True)
