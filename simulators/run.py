"""One running simulator: a device, the adapter that carries its bytes, its time, and the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from firmware_profiles.errors import PercussError
from firmware_profiles.tomlfile import did_you_mean
from simulators.adapters import Adapter
from simulators.clock import ManualClock, RunningClock
from simulators.control import ControlSocket
from simulators.device import SimulatedDevice
from simulators.faults import check_injection, finite

TICK_S = 0.02
"""Real seconds between two looks at the clock. The record does not get coarser by it: physics has its own step."""

MAX_ADVANCE_S = 86_400.0

_KEYS: dict[str, set[str]] = {
    "state": set(),
    "speed": {"factor"},
    "advance": {"by_s"},
    "inject": set(),  # its keys depend on the fault
    "quit": set(),
}


class Simulation:
    """Runs a device until `stop`. The adapter given to `start` delivers to `receive`.

    ``on_change`` is called when it is reachable, and when its URL or the speed of its time has changed.
    """

    def __init__(
        self,
        device: SimulatedDevice,
        clock: RunningClock | ManualClock,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.device = device
        self._on_change = on_change
        self._told = ("", 0.0)
        self.control = ControlSocket(self._answer)
        self._clock = clock
        self._adapter: Adapter | None = None
        self._connection_count = 0
        self._stopped = asyncio.Event()

    @property
    def url(self) -> str:
        """What a host opens."""
        return self._adapter.url if self._adapter is not None else ""

    def receive(self, data: bytes, *, with_response: bool | None = None) -> bool:
        """Take bytes from the adapter; False when the device refuses them."""
        # A host may come, write and go between two ticks.
        self._notice_hosts()
        return self.device.receive(data, with_response=with_response)

    async def start(self, adapter: Adapter) -> None:
        """Become reachable. Raises OSError or PercussError, with nothing left open."""
        self._adapter = adapter
        try:
            await adapter.start()
            await self.control.start()
        except BaseException:
            await adapter.close()
            raise
        self.device.send = adapter.send
        self.device.start()
        self._tell_change()

    async def run(self) -> None:
        """Let time pass until `stop`."""
        while not self._stopped.is_set():
            self.device.catch_up()
            self._notice_hosts()
            self._tell_change()
            try:
                async with asyncio.timeout(TICK_S):
                    await self._stopped.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    async def close(self) -> None:
        """Record the end and let go of everything."""
        self.device.end()
        await self.control.close()
        if self._adapter is not None:
            await self._adapter.close()

    def _tell_change(self) -> None:
        now = (self.url, self._clock.speed)
        if now != self._told:
            self._told = now
            self._on_change()

    def _notice_hosts(self) -> None:
        count = self._adapter.connection_count if self._adapter is not None else 0
        if count != self._connection_count:
            is_connected, self._connection_count = count > self._connection_count, count
            self.device.record_link(is_connected=is_connected, count=count)

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request of the control socket asks. Raises PercussError."""
        do = request.pop("do", None)
        if not isinstance(do, str) or do not in _KEYS:
            raise PercussError("'do' says nothing that is known.", fix=did_you_mean(str(do)[:40], _KEYS))
        if do != "inject" and set(request) != _KEYS[do]:
            wanted = ", ".join(_KEYS[do]) or "nothing else"
            raise PercussError(f"takes {wanted}.", where=do)
        match do:
            case "speed":
                self._change_speed(_number(do, "factor", request))
            case "advance":
                self._advance(_number(do, "by_s", request))
            case "inject":
                await self._inject(request)
            case "quit":
                self.stop()
        return self.device.state() | {"url": self.url, "connections": self._connection_count}

    def _change_speed(self, factor: float) -> None:
        if not isinstance(self._clock, RunningClock):
            raise PercussError("a manual clock has no speed.", fix="Use advance.")
        self.device.catch_up()
        try:
            self._clock.speed = factor
        except ValueError as problem:
            raise PercussError(str(problem), where="speed.factor") from problem
        self.device.record_speed()
        self._tell_change()

    def _advance(self, by_s: float) -> None:
        if not isinstance(self._clock, ManualClock):
            raise PercussError("this clock runs by itself.", fix="Start with --clock manual to advance it.")
        if not 0 <= by_s <= MAX_ADVANCE_S:
            raise PercussError(f"must be from 0 to {MAX_ADVANCE_S:g}.", where="advance.by_s")
        self._clock.advance(by_s)
        self.device.catch_up()

    async def _inject(self, request: dict[str, Any]) -> None:
        injection = check_injection(request, list(self.device.profile.channels))
        self.device.inject(injection)
        if self._adapter is None:
            return
        if injection.fault == "drop_link":
            # On a clock that only moves when told, the link comes back in real time.
            await self._adapter.drop_link(injection.settings["for_s"] / (self._clock.speed or 1.0))
        elif injection.fault == "clear":
            await self._adapter.restore_link()
        self._notice_hosts()


def _number(do: str, key: str, request: dict[str, Any]) -> float:
    number = finite(request[key])
    if number is None:
        raise PercussError("must be a number.", where=f"{do}.{key}")
    return number
