"""Links that were lost in a session, and getting them back, so that Stop can be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from controller.devices import Device
from controller.errors import TransportError
from controller.sessions.ending import EndSession

RECONNECT_BUDGET_S = 30.0
"""Real seconds for a lost link to come back."""


class LostLinks:
    """Devices whose link is gone, each with what was said of it."""

    def __init__(self) -> None:
        self._lost: dict[str, tuple[Device, TransportError]] = {}

    def __bool__(self) -> bool:
        return bool(self._lost)

    @property
    def names(self) -> str:
        """The devices, in words."""
        return " and ".join(self._lost)

    def add(self, device: Device, problem: TransportError) -> None:
        """Note that a link is gone."""
        self._lost[device.name] = (device, problem)

    async def regain(self, wake: asyncio.Event, is_ending: Callable[[], bool]) -> TransportError:
        """Get them back, all at once; what was said of the first one, for whoever must end the session all the same.

        It returns early when the session ends. Raises EndSession when one does not come back.
        """
        _, problem = next(iter(self._lost.values()))
        lost = [device for device, _ in self._lost.values()]
        self._lost.clear()
        seeking = [asyncio.ensure_future(device.reconnect(RECONNECT_BUDGET_S)) for device in lost]
        reconnecting = asyncio.gather(*seeking, return_exceptions=True)
        try:
            while not reconnecting.done() and not is_ending():
                waking = asyncio.ensure_future(wake.wait())
                waits: set[asyncio.Future[Any]] = {reconnecting, waking}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                wake.clear()
        finally:
            for each in seeking:
                each.cancel()
            # They must have let go of their links before anybody else stops the devices.
            await asyncio.wait(seeking)
        if is_ending():
            return problem
        for result in await reconnecting:
            if isinstance(result, TransportError):
                raise EndSession("link_lost", f"{problem} It did not come back.") from result
            if isinstance(result, BaseException):
                raise result
        return problem
