"""The time that bytes spend on a serial wire, which ptys and sockets do not have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

BITS_PER_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""

MAX_WAITING_BYTES = 4096
"""Bytes beyond this are lost, as in the buffer of a UART that is not emptied."""


class Wire:
    """One direction of a serial line. ``baud`` None: bytes take no time."""

    def __init__(self, baud: int | None, deliver: Callable[[bytes], object]) -> None:
        self._baud = baud
        self._deliver = deliver
        self._free_at_s = 0.0
        self._waiting_bytes = 0
        self._timers: set[asyncio.TimerHandle] = set()

    def carry(self, data: bytes) -> None:
        """Deliver ``data`` after as long as the wire needs for it, in order."""
        if self._baud is None:
            self._deliver(data)
            return
        data = data[: MAX_WAITING_BYTES - self._waiting_bytes]
        if not data:
            return
        loop = asyncio.get_running_loop()
        self._waiting_bytes += len(data)
        self._free_at_s = max(self._free_at_s, loop.time()) + len(data) * BITS_PER_BYTE / self._baud

        def arrive() -> None:
            self._timers.discard(timer)
            self._waiting_bytes -= len(data)
            self._deliver(data)

        timer = loop.call_at(self._free_at_s, arrive)
        self._timers.add(timer)

    def cut(self) -> None:
        """Lose what is on the way."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._waiting_bytes, self._free_at_s = 0, 0.0
