"""A capture as a device: behind a real pseudo-terminal or TCP port it expects what was written and answers as it did.

A write that differs ends the replay: `Replay.mismatch` says what was wanted and what came. What the device said by
itself at the beginning is said as soon as somebody is there. A write that was left out of the capture is any of the
same length.
"""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from firmware_profiles.captures import Opened, Passed

LOOK_S = 0.05


class Replay:
    """The device's end. ``done`` is set when the whole capture has passed, or when something else came."""

    def __init__(self, capture: Iterable[Opened | Passed]) -> None:
        self.url = ""
        self.mismatch = ""
        self.done = threading.Event()
        self.is_whole = False
        self._script = [one for one in capture if isinstance(one, Passed)]
        self._pending = b""

    def begin(self) -> bytes:
        """What is said before anything is written."""
        return self._answers()

    def take(self, data: bytes) -> bytes:
        """What is said to these bytes."""
        self._pending += data
        said = b""
        while self._script and self._pending:
            wanted = self._script[0]
            size = wanted.left_out or len(wanted.data)
            got = self._pending[:size]
            if not wanted.left_out and not wanted.data.startswith(got):
                self.mismatch = self.mismatch or f"wanted {wanted.data.hex(' ')}, got {got.hex(' ')}"
                break
            if len(got) < size:
                break
            self._pending = self._pending[size:]
            del self._script[0]
            said += self._answers()
        if self._pending and not self._script:
            self.mismatch = self.mismatch or f"wanted nothing more, got {self._pending.hex(' ')}"
        if self.mismatch:
            self.done.set()
            return b""
        return said

    def _answers(self) -> bytes:
        said = b""
        while self._script and self._script[0].direction == "rx":
            said += self._script.pop(0).data
        if not self._script:
            self.is_whole = True
            self.done.set()
        return said


@contextmanager
def replayed(capture: Iterable[Opened | Passed], link: Literal["pty", "tcp"]) -> Iterator[Replay]:
    """Play a capture for the block; its ``url`` is how to reach it."""
    replay, ended = Replay(capture), threading.Event()
    if link == "pty":
        device, port = pty.openpty()
        tty.setraw(device)
        tty.setraw(port)
        replay.url = os.ttyname(port)
        thread = threading.Thread(target=_serve, args=(replay, device, ended))
    else:
        server = socket.create_server(("127.0.0.1", 0))
        replay.url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=_serve_tcp, args=(replay, server, ended))
    thread.start()
    try:
        yield replay
    finally:
        ended.set()
        thread.join()
        if link == "pty":
            os.close(device)
            os.close(port)
        else:
            server.close()


def _serve_tcp(replay: Replay, server: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        if select.select([server], [], [], LOOK_S)[0]:
            connection, _ = server.accept()
            with connection:
                _serve(replay, connection.fileno(), ended)


def _serve(replay: Replay, device: int, ended: threading.Event) -> None:
    with suppress(OSError):
        if said := replay.begin():
            os.write(device, said)
        while not ended.is_set():
            if not select.select([device], [], [], LOOK_S)[0]:
                continue
            data = os.read(device, 4096)
            if not data:
                return
            if said := replay.take(data):
                os.write(device, said)
