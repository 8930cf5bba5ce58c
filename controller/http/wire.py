"""What the service and the process of its HTTP door say to each other: a JSON object a line, over a pair of sockets.

::

    service ── opening, happened, over, answered, ping, end ──► door
            ◄── listening | refused, asked, echo ──────────────

Whoever reads the end of it knows that the other one is gone.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

SWITCH_S = 0.0005
"""How long a thread of either process that reads files may keep the interpreter when the loop wants it."""
PING_S = 0.5
PINGS_UNHEARD = 4
"""So many pings without any word from the other one, and it hangs."""
LINE_MAX = 64 * 1024 * 1024
"""Far above the largest answer, which is a year of history."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is handed on to the service. ``body`` is its bytes as Latin-1; ``by`` says who asks."""

    method: str
    path: str
    query: str
    content_type: str
    body: str
    by: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the service says to it; ``body`` is its bytes as Latin-1."""

    status: int
    headers: dict[str, str]
    body: str


class Wire:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, link: socket.socket) -> Wire:
        """The end at this socket."""
        return cls(*await asyncio.open_connection(sock=link, limit=LINE_MAX))

    def send(self, message: dict[str, Any]) -> None:
        """Say something; to nobody, when the other one is gone."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message, allow_nan=False).encode() + b"\n")

    async def drain(self) -> None:
        """Wait until the other one has read most of it."""
        with suppress(OSError):
            await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """What the other one says next; None when it is gone."""
        try:
            line = await self._reader.readline()
            heard: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None
        return heard

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Everything that the other one says, until it is gone."""
        while (message := await self.receive()) is not None:
            yield message

    def close(self) -> None:
        """Let the other one read the end."""
        self._writer.close()
