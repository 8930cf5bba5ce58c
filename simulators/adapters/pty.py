"""A serial port that is not there: a pseudo-terminal that any serial program opens by its path (not on Windows)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from pathlib import Path

from firmware_profiles.errors import PercussError
from simulators.adapters import Receive
from simulators.adapters.wire import Wire

_CHUNK = 4096

_log = logging.getLogger(__name__)


class PtyAdapter:
    """A device behind a pseudo-terminal; ``link`` is a symbolic link to keep pointing at it.

    The simulator holds the host's side open as well, so the path stays good while hosts open and close it. A broken
    link hangs up, as an unplugged adapter does; what comes back may have another path, which ``link`` hides.
    """

    def __init__(self, receive: Receive, *, link: Path | None = None, baud: int | None = None) -> None:
        self._receive = receive
        self._link = link
        self._master = self._slave = -1
        self._path = ""
        self._to_device = Wire(baud, functools.partial(receive, with_response=None))
        self._to_host = Wire(baud, self._write)
        self._comeback: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """The path of the link where there is one, else of the terminal."""
        return str(self._link or self._path)

    @property
    def connection_count(self) -> int:
        """1 while the cable is whole."""
        return int(self._master >= 0)

    async def start(self) -> None:
        """Open the terminal. Raises OSError, and PercussError when there are none here or the link's path is taken."""
        self._open()

    def send(self, data: bytes) -> None:
        """Send bytes to whoever reads the other side."""
        self._to_host.carry(data)

    async def drop_link(self, for_s: float) -> None:
        """Hang up, and come back after ``for_s`` real seconds."""
        self._hang_up()
        self._comeback = asyncio.get_running_loop().call_later(for_s, self._come_back)

    async def restore_link(self) -> None:
        """Open it again now."""
        if self._comeback is not None:
            self._comeback.cancel()
            self._come_back()

    async def close(self) -> None:
        """Hang up for good and take the link away."""
        self._hang_up()
        if self._link is not None and self._link.is_symlink() and self._path == str(self._link.readlink()):
            self._link.unlink(missing_ok=True)

    def _open(self) -> None:
        if not hasattr(os, "openpty"):
            raise PercussError("this system has no pseudo-terminals.", where="--pty", fix="Use --tcp.")
        import tty

        if self._link is not None and self._link.exists() and not self._link.is_symlink():
            raise PercussError("is there and no symbolic link.", where=str(self._link), fix="Choose another --link.")
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._path = os.ttyname(self._slave)
        if self._link is not None:
            # By way of another name, so that a host that looks just now finds the old or the new, never nothing.
            fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._path)
            fresh.replace(self._link)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _come_back(self) -> None:
        self._comeback = None
        try:
            self._open()
        except (OSError, PercussError) as problem:
            _log.warning("the link cannot come back: %s", problem)

    def _hang_up(self) -> None:
        if self._comeback is not None:
            self._comeback.cancel()
            self._comeback = None
        self._to_device.cut()
        self._to_host.cut()
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._to_device.carry(os.read(self._master, _CHUNK))

    def _write(self, data: bytes) -> None:
        # A full buffer means that nobody reads: the rest is lost, as on a real line.
        if self._master >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)
