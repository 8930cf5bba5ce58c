"""What a session is made of, and the same with one thing broken on purpose, to prove that the campaign can fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from controller.devices import Device
from controller.safety.lease import Lease
from controller.safety.supervisor import Supervisor
from controller.sessions import Session
from controller.stopping import Stopper, StopResult
from controller.transports import Identity
from firmware_profiles.errors import PercussError
from firmware_profiles.units import Level
from routines.timeline import Cue, Span


class WatchedSupervisor(Supervisor):
    """The real one, which also tells when the runner renews the permission."""

    on_renewal: Callable[[], None] = staticmethod(lambda: None)

    def renew(self) -> None:
        super().renew()
        self.on_renewal()


class HangingSession(Session):
    """The real one, whose runner can be made to hang while everything around it lives."""

    hangs_until_s = 0.0

    async def _wait(self, deadline_s: float | None) -> None:
        await super()._wait(deadline_s)
        if self._clock.now() < self.hangs_until_s:
            await self._clock.sleep_until(self.hangs_until_s)


class _AsksFirst(Device):
    async def open(self, *, stops_first: bool = False) -> Identity:
        return await super().open()


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes that a session is built from."""

    supervisor: type[WatchedSupervisor] = WatchedSupervisor
    device: type[Device] = Device


PRODUCT = Parts()


class _EverLease(Lease):
    """Valid for ever: nobody renews it, and it never runs out."""

    @property
    def is_valid(self) -> bool:
        return True

    def renew(self) -> None:
        pass


class _NoLease(WatchedSupervisor):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lease = _EverLease(self._clock)


class _NoCap(WatchedSupervisor):
    def check(self, span: Span, cue: Cue, level: Level) -> None:
        """Look at nothing."""


class _OneStop(Stopper):
    async def until_confirmed(
        self,
        reopen: Callable[[], Awaitable[None]],
        *,
        write: Callable[[], Awaitable[None]] | None = None,
        budget_s: float = 0.0,
    ) -> StopResult:
        with suppress(PercussError):
            await (write or self.write)()
        return StopResult("confirmed", 1)


class _StopsOnce(Device):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._stopper.__class__ = _OneStop


class _QueuesHalts(Device):
    async def halt(self) -> None:
        async with self._queue._lock:
            await super().halt()


DOUBLES: Mapping[str, Parts] = {
    "no lease": Parts(supervisor=_NoLease),
    "no cap": Parts(supervisor=_NoCap),
    "no repeat of the stop": Parts(device=_StopsOnce),
    "a halt behind the lock": Parts(device=_QueuesHalts),
    "a question before the stop": Parts(device=_AsksFirst),
}
"""Each breaks one rule of safety."""
