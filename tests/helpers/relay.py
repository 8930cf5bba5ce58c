"""A network between two ends that can be cut, or stop carrying anything without closing a connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Relay:
    """Carries bytes from a port of its own to another one on this computer, and back, while its block lasts."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._is_carrying = threading.Event()
        self._is_carrying.set()
        self._is_cut = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._links: list[socket.socket] = []
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._is_carrying.set()
        self._close(self._listening, *self._links)

    def hold(self) -> None:
        """Carry nothing any more; what is sent meanwhile is kept."""
        self._is_carrying.clear()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_cut = True
        self._close(*self._links)

    def carry(self) -> None:
        """Carry again, first what was kept."""
        self._is_cut = False
        self._is_carrying.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to_port))
                self._links += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _close(*links: socket.socket) -> None:
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._is_carrying.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
