"""The HTTP server: uvicorn, with limits on what one connection may take."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.errors import RefusedError
from controller.http.refusals import Connection, OncePerSecond
from controller.service.settings import HttpSettings

_log = logging.getLogger("uvicorn.error")

CONNECTIONS_MAX = 600
"""With those whose TLS is not there yet. One more takes the place of the oldest that never showed the token."""
HANDSHAKE_S = 5.0
"""Real seconds in which TLS must have been agreed on."""
RETRY_S = 0.1
HEADERS_S = 10.0
"""Real seconds in which the head of a request must have come."""
HEADERS_MAX = 16 * 1024
STUCK_S = 20.0
"""Real seconds for which somebody may read nothing of what waits for him; the buffer holds 64 KiB until then."""
SEND_BUFFER = 64 * 1024
"""What the system keeps for each of them besides; by itself it would be megabytes."""
KEEP_ALIVE_S = 15
CLOSE_S = 5
"""Real seconds that requests have to end when the service ends; what moves is at rest by then."""


class BoundedConnection(H11Protocol):
    """A connection of uvicorn that ends when a head comes too slowly or nobody reads; uvicorn waits for ever."""

    _head: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self.is_over = asyncio.Event()
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._head, self._stuck):
            if timer is not None:
                timer.cancel()
        self._head = self._stuck = None
        super().connection_lost(exc)
        self.is_over.set()

    def pause_writing(self) -> None:
        """Take up that the buffer is full."""
        super().pause_writing()
        self._stuck = self._stuck or self.loop.call_later(STUCK_S, self._give_up_deaf)

    def resume_writing(self) -> None:
        """Take up that somebody reads."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _watch_head(self) -> None:
        has_request = self.cycle is not None and not self.cycle.response_complete
        if has_request and self._head is not None:
            self._head.cancel()
            self._head = None
        elif not has_request and self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(HEADERS_S, self._give_up_head)

    def _give_up_head(self) -> None:
        self._head = None
        if self.cycle is None or self.cycle.response_complete:
            self._give_up("did not say what it wants")

    def _give_up_deaf(self) -> None:
        # Thrown away at once: what nobody reads would stay with the system for minutes.
        link = self.transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._give_up("reads nothing")

    def _give_up(self, why: str) -> None:
        client = self.client[0] if self.client else "an unknown place"
        _log.warning("closed: a connection that %s (%s)", why, client)
        self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn, which takes any number of connections, with a bound on them; its caller ends it, and no signal."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._links: dict[Connection, asyncio.Task[None]] = {}

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections from the first of the sockets."""
        if not sockets:
            raise AssertionError("it is given the socket that it listens at")
        self.servers = []
        self._accepting = asyncio.create_task(self._accept(sockets[0]), name="percuss http connections")
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let those that are there come to their end."""
        self._accepting.cancel()
        await asyncio.wait({self._accepting})
        await super().shutdown(sockets)
        for link in self._links.values():
            link.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, address = await loop.sock_accept(listening)
            except OSError as problem:  # such as: too many open files
                _log.warning("a connection could not be taken (%s)", problem.strerror)
                self._make_room()
                await asyncio.sleep(RETRY_S)
                continue
            if len(self._links) >= CONNECTIONS_MAX and not self._make_room():
                _log.warning("refused: more than %d connections with the token", CONNECTIONS_MAX)
                link.close()
                continue
            client = (str(address[0]), int(address[1]))
            self._links[client] = asyncio.create_task(self._host(client, link))
            await asyncio.sleep(0)  # it begins; and many who come at once do not hold up those who are here

    def _make_room(self) -> bool:
        """Drop whoever is here longest without the token; False when there is nobody like that."""
        trusted: set[Connection] = self.config.loaded_app.state.trusted
        oldest = next((client for client in self._links if client not in trusted), None)
        if oldest is None:
            return False
        _log.warning("closed: the oldest connection without the token, because there are too many (%s)", oldest[0])
        self._links.pop(oldest).cancel()
        return True

    async def _host(self, client: Connection, link: socket.socket) -> None:
        """A connection from before its TLS to its end."""
        loop = asyncio.get_running_loop()
        limit = {} if self.config.ssl is None else {"ssl_handshake_timeout": HANDSHAKE_S}
        transport: asyncio.BaseTransport | None = None
        try:
            transport, connection = await loop.connect_accepted_socket(
                lambda: BoundedConnection(self.config, self.server_state, {}), link, ssl=self.config.ssl, **limit
            )
            await connection.is_over.wait()
        except OSError as problem:  # those of TLS too
            _log.debug("no TLS with %s (%s)", client[0], problem)
        finally:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
            if self._links.get(client) is asyncio.current_task():
                del self._links[client]
            self.config.loaded_app.state.trusted.discard(client)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that is listened to, not served yet. ``url`` is where it is, without a slash at the end."""

    listening: socket.socket
    settings: HttpSettings
    url: str

    def server(self, app: FastAPI) -> uvicorn.Server:
        """What serves it, with ``serve(sockets=…)``, until its ``should_exit`` is set. Raises RefusedError."""
        options: dict[str, Any] = {}
        if self.settings.tls_cert is not None and self.settings.tls_key is not None:
            options = {"ssl_certfile": self.settings.tls_cert, "ssl_keyfile": self.settings.tls_key}
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=CLOSE_S,
            h11_max_incomplete_event_size=HEADERS_MAX,
            **options,
        )
        if not any(isinstance(each, OncePerSecond) for each in _log.filters):
            _log.addFilter(OncePerSecond())
        try:
            config.load()
        except (OSError, ssl.SSLError) as problem:
            where = f"{self.settings.tls_cert}, {self.settings.tls_key}"
            raise RefusedError(
                f"TLS cannot be had with these files ({problem}).", where=where, fix="Give a PEM certificate and key."
            ) from problem
        return _Server(config)


def listen(settings: HttpSettings) -> Listener:
    """Take the port. Raises RefusedError when it cannot be had."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # each connection's, too
            listening.bind(address)
            listening.listen(256)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
    except OSError as problem:
        is_taken = problem.errno in {errno.EADDRINUSE, errno.EACCES}
        fix = "Choose another with --port, or end what listens there." if is_taken else "Choose another --host."
        raise RefusedError(f"cannot be listened to ({problem.strerror}).", where=where, fix=fix) from problem
    scheme = "https" if settings.tls_cert is not None else "http"
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return Listener(listening, settings, f"{scheme}://{host}:{port}")
