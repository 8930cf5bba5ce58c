"""A serial line over TCP, as from a serial-to-network box, on this computer only."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket

from simulators.adapters import Receive
from simulators.adapters.wire import Wire

LOOPBACK = "127.0.0.1"
"""Whoever reaches the port may drive the device, so nobody outside this computer does."""

MAX_UNREAD_BYTES = 65_536
"""A host that lets this much pile up unread is sent away."""

_log = logging.getLogger(__name__)


class TcpAdapter:
    """A device behind ``127.0.0.1:port`` (0: any free one). Several hosts share the one line, as on a bus."""

    def __init__(self, receive: Receive, *, port: int = 0, max_connections: int = 8, baud: int | None = None) -> None:
        self._port = port
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._hosts: set[_Host] = set()
        self._to_device = Wire(baud, functools.partial(receive, with_response=None))
        self._to_host = Wire(baud, self._write)
        self._comeback: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL that pyserial opens."""
        return f"socket://{LOOPBACK}:{self._port}"

    @property
    def connection_count(self) -> int:
        """How many hosts are connected now."""
        return len(self._hosts)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Host(self), LOOPBACK, self._port, family=socket.AF_INET)
        # Kept from now on, so that the URL stays the same when the link comes back.
        self._port = self._server.sockets[0].getsockname()[1]

    def send(self, data: bytes) -> None:
        """Send bytes to every connected host."""
        self._to_host.carry(data)

    async def drop_link(self, for_s: float) -> None:
        """End every connection, and refuse new ones for ``for_s`` real seconds."""
        await self._stop()
        self._comeback = asyncio.get_running_loop().create_task(self._come_back(for_s))

    async def restore_link(self) -> None:
        """Listen again now."""
        if self._server is None:
            await self._stop()
            await self.start()

    async def close(self) -> None:
        """End every connection and listen no more."""
        await self._stop()

    def admit(self, host: _Host) -> bool:
        """Take a host, unless the line is full."""
        if len(self._hosts) >= self._max_connections:
            return False
        self._hosts.add(host)
        return True

    def dismiss(self, host: _Host) -> None:
        """Forget a host that has gone."""
        self._hosts.discard(host)

    def hear(self, data: bytes) -> None:
        """Take bytes from a host."""
        self._to_device.carry(data)

    def _write(self, data: bytes) -> None:
        for host in list(self._hosts):
            host.write(data)

    async def _come_back(self, for_s: float) -> None:
        await asyncio.sleep(for_s)
        try:
            await self.start()
        except OSError as problem:
            _log.warning("the link cannot come back on port %s: %s", self._port, problem)

    async def _stop(self) -> None:
        if self._comeback is not None:
            self._comeback.cancel()
            await asyncio.gather(self._comeback, return_exceptions=True)
            self._comeback = None
        self._to_device.cut()
        self._to_host.cut()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for host in list(self._hosts):
            host.leave()
        if server is not None:
            await server.wait_closed()


class _Host(asyncio.Protocol):
    """One connected host."""

    def __init__(self, adapter: TcpAdapter) -> None:
        self._adapter = adapter
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._adapter.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._adapter.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._adapter.dismiss(self)

    def write(self, data: bytes) -> None:
        """Send bytes to this host."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._transport.abort()

    def leave(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()
        self._adapter.dismiss(self)
