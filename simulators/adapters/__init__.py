"""Carry a simulated device's bytes over something that a host can open. One adapter per device."""

from __future__ import annotations

from typing import Protocol


class Receive(Protocol):
    """Takes what the host wrote; False when the device refuses the write."""

    def __call__(self, data: bytes, /, *, with_response: bool | None) -> bool:
        """Take bytes. ``with_response``: whether the host asked for an acknowledgement; None where nobody can tell."""
        ...


class Adapter(Protocol):
    """One way to reach a device. Durations here are real seconds: an adapter does not know the simulator's clock."""

    @property
    def url(self) -> str:
        """What a host opens; known after `start`."""
        ...

    @property
    def connection_count(self) -> int:
        """How many hosts are connected now; a serial line cannot tell and says 1 while its cable is whole."""
        ...

    async def start(self) -> None:
        """Become reachable. Raises OSError or PercussError."""
        ...

    def send(self, data: bytes) -> None:
        """Send bytes to every connected host; lost where nobody listens or reads."""
        ...

    async def drop_link(self, for_s: float) -> None:
        """Break every connection and be unreachable for ``for_s`` real seconds."""
        ...

    async def restore_link(self) -> None:
        """Be reachable again now, where the link is down."""
        ...

    async def close(self) -> None:
        """Stop being reachable and let go of everything. Idempotent."""
        ...
