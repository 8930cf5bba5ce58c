"""What passes over a link, told to somebody who listens, or written to a file; the link itself is none the wiser.

With the environment variable ``PERCUSS_CAPTURE`` every link that is opened writes what passes into that file, as
`firmware_profiles.captures` reads it. Addresses, serial numbers and secrets are left out. A disk that is full, gone or
slow costs lines, never time: a stop waits for no file.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import queue
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from controller.errors import TransportError
from controller.transports import Identity, Transport, link_of
from firmware_profiles.captures import SCHEMA, CaptureError, Direction
from firmware_profiles.redaction import Redaction
from firmware_profiles.schema import Profile

VARIABLE = "PERCUSS_CAPTURE"
MAX_WAITING = 10_000
"""Lines that may wait for the disk; more than that are dropped, and the next line that is written says how many."""

DRAIN_S = 2.0
"""Real seconds that the end of the process waits for lines that are not written yet."""


class Tap(Protocol):
    """Somebody who is told what passes. It must not block; whatever it raises is swallowed."""

    def opening(self) -> None:
        """The link is about to be opened."""
        ...

    def passed(self, direction: Direction, data: bytes, *, with_response: bool | None) -> None:
        """Bytes passed: arrived (``rx``), or were handed to the link (``tx``)."""
        ...

    def identified(self, identity: Identity) -> None:
        """The device said who it is."""
        ...


class TappedTransport:
    """Any transport, with everything that passes told to ``tap``; see `controller.transports.Transport`."""

    def __init__(self, inner: Transport, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    @property
    def url(self) -> str:
        """The URL that opens this link again."""
        return self._inner.url

    @property
    def is_open(self) -> bool:
        """Whether bytes can be written now."""
        return self._inner.is_open

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        """Open the link."""

        def heard(data: bytes) -> None:
            with suppress(Exception):
                self._tap.passed("rx", data, with_response=None)
            on_bytes(data)

        with suppress(Exception):
            self._tap.opening()
        await self._inner.open(heard, on_lost)

    async def close(self) -> None:
        """Close the link."""
        await self._inner.close()

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Write one frame. It is told before it is written: an answer must not come first."""
        with suppress(Exception):
            self._tap.passed("tx", data, with_response=with_response)
        await self._inner.write(data, with_response=with_response)

    async def read_identity(self) -> Identity:
        """Read what tells this device from another."""
        identity = await self._inner.read_identity()
        with suppress(Exception):
            self._tap.identified(identity)
        return identity

    async def pair(self) -> None:
        """Bond with the device where the link knows bonding."""
        await self._inner.pair()

    def __getattr__(self, name: str) -> Any:
        # What a kind of link offers beyond the protocol stays reachable.
        return getattr(self._inner, name)


def captured(transport: Transport, profile: Profile) -> Transport:
    """The transport, with a capture where `VARIABLE` names a file for it."""
    path = os.environ.get(VARIABLE)
    return TappedTransport(transport, CaptureTap(transport.url, profile, _file(Path(path)))) if path else transport


def prepare_capture(path: Path) -> None:
    """Let every link that this process and its guardian open from now on write to ``path``.

    Raises CaptureError when it cannot be written; it is found out here, because later nobody will be told.
    """
    try:
        # Without waiting: a pipe that nobody reads would hold everything up.
        os.close(_open(path, getattr(os, "O_NONBLOCK", 0)))
    except OSError as problem:
        what = f"the capture cannot be written ({problem.strerror})."
        raise CaptureError(what, path=path, fix="Name a file in a folder that is yours.") from problem
    os.environ[VARIABLE] = str(path.absolute())


class CaptureTap:
    """Writes what passes over one link to a file. Frames that hold something private are only counted."""

    def __init__(self, url: str, profile: Profile, file: CaptureFile) -> None:
        self._over = link_of(url)
        self._profile = profile
        self._redaction = Redaction(profile, self._over)
        self._redaction.learn(url)
        self._file = file
        # The guardian is a process of its own and writes to the same file.
        self._link = f"{os.getpid()}-{next(_numbers)}"

    def opening(self) -> None:
        """Write the header of a link."""
        self._file.write({"schema": SCHEMA, "link": self._link, "profile": self._profile.id, "over": self._over})

    def passed(self, direction: Direction, data: bytes, *, with_response: bool | None) -> None:
        """Write a line."""
        line: dict[str, object] = {"t_s": self._file.now_s(), "dir": direction}
        if self._redaction.hides(data):
            line["left_out_bytes"] = len(data)
        else:
            line["hex"] = data.hex(" ").upper()
        if with_response is not None:
            line["with_response"] = with_response
        self._file.write({**line, "link": self._link})

    def identified(self, identity: Identity) -> None:
        """Leave out from now on what tells this device from others."""
        self._redaction.learn(identity.address, identity.serial)


_numbers = itertools.count(1)
_files: dict[Path, CaptureFile] = {}


def _file(path: Path) -> CaptureFile:
    """The file at a path: one for all links of this process."""
    if path not in _files:
        _files[path] = CaptureFile(path)
    return _files[path]


class CaptureFile:
    """A private file of JSON lines, written and flushed line by line in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began_s = time.monotonic()
        self._lines: queue.Queue[dict[str, object] | None] = queue.Queue(MAX_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        atexit.register(self.drain)

    def now_s(self) -> float:
        """Real seconds since the capture began."""
        return round(time.monotonic() - self._began_s, 6)

    def write(self, line: dict[str, object]) -> None:
        """Queue a line. It neither blocks nor fails."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def drain(self, within_s: float = DRAIN_S) -> None:
        """Wait until what is queued is written, and end. It is called by itself when the process ends."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=within_s)
            self._thread.join(within_s)

    def _run(self) -> None:
        file: int | None = None
        while (line := self._lines.get()) is not None:
            if self._dropped:
                line["dropped_lines"], self._dropped = self._dropped, 0
            # Whatever it is, and whenever it passes: nobody waits for this file.
            with suppress(OSError):
                file = _open(self._path) if file is None else file
                # One call for one line: two processes append to the same file.
                os.write(file, json.dumps(line).encode() + b"\n")
        if file is not None:
            with suppress(OSError):
                os.close(file)


def _open(path: Path, flags: int = 0) -> int:
    """Open for appending, readable by its owner only, also when somebody made it beforehand."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, 0o600)
    # Not a terminal or /dev/null, which others need as they are.
    if stat.S_ISREG(os.fstat(file).st_mode) and hasattr(os, "fchmod"):
        with suppress(OSError):
            os.fchmod(file, 0o600)
    return file
