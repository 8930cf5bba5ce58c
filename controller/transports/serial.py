"""The serial link: a port of this computer or one behind a TCP socket, by pyserial's URLs.

On POSIX a port with a file descriptor is driven by the event loop itself. What has none (``rfc2217://``, ``loop://``,
every port on Windows) gets one thread that reads and one that writes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import AdapterError, DeviceBusyError, DeviceNotFoundError, LinkLostError, TransportError
from controller.transports import Identity
from controller.transports.serial_lines import DescriptorLine, Line, ThreadedLine, close_port
from firmware_profiles.links import Serial
from firmware_profiles.schema import Profile

READ_POLL_S = 0.2
"""How often a reading thread looks whether it should end; what arrives is passed on at once all the same."""

SCHEMES = ("socket", "rfc2217", "loop")
_PARITIES = {"none": "N", "even": "E", "odd": "O"}


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port of this computer. ``usb_id`` is ``VID:PID`` in upper-case hex; each is None where unknown."""

    url: str
    usb_id: str | None
    product: str | None
    serial_number: str | None


def list_serial_ports() -> list[SerialPort]:
    """List the serial ports of this computer, ``ttyUSB2`` before ``ttyUSB10``. Blocks for some milliseconds."""
    from serial.tools import list_ports

    return [
        SerialPort(
            url=info.device,
            usb_id=f"{info.vid:04X}:{info.pid:04X}" if info.vid is not None else None,
            product=info.product,
            serial_number=info.serial_number,
        )
        for info in sorted(list_ports.comports())
    ]


class SerialTransport:
    """A serial link; see `controller.transports.Transport`.

    A peer that takes no byte for ``write_timeout_s`` counts as lost.
    """

    def __init__(self, url: str, profile: Profile, *, write_timeout_s: float = 2.0, is_exclusive: bool = True) -> None:
        if profile.serial is None:
            raise AdapterError(
                f"{profile.name} speaks Bluetooth LE, not over a serial line.",
                where=url,
                fix="Give a ble:// URL, or another profile.",
            )
        self._url = url
        self._settle_s = profile.serial.settle_s
        self._settings = profile.serial
        self._write_timeout_s = write_timeout_s
        self._is_exclusive = is_exclusive
        self._line: Line | None = None
        self._on_lost: Callable[[TransportError], None] = _ignore
        self._shutting: asyncio.Future[None] | None = None

    @property
    def url(self) -> str:
        """The URL that opens this link again."""
        return self._url

    @property
    def is_open(self) -> bool:
        """Whether bytes can be written now."""
        return self._line is not None

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        """Open the port; an open one is closed first.

        Raises DeviceNotFoundError, DeviceBusyError or AdapterError.
        """
        await self.close()
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(
            None, _open_port, self._url, self._settings, self._write_timeout_s, self._is_exclusive
        )
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        self._on_lost = on_lost
        fd = _descriptor(port)
        if fd is not None:
            self._line = DescriptorLine(port, fd, on_bytes, self._lose, self._write_timeout_s)
        else:
            self._line = ThreadedLine(port, on_bytes, self._lose, self._write_timeout_s)
        try:
            await asyncio.sleep(self._settle_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the port; closing a closed or lost one only waits until it is really closed."""
        if self._line is not None:
            self._shut(self._line)
        if self._shutting is not None:
            await asyncio.shield(self._shutting)

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Write one frame and wait until the system has taken it. A serial line has no acknowledgement to wait for.

        A write that is cancelled before its first byte left is dropped; later, the rest of its frame goes out before
        the next frame. Raises LinkLostError.
        """
        line = self._line
        if line is None:
            raise LinkLostError("The link is not open.", where=self._url, fix="Open it again.")
        try:
            await line.write(data)
        except OSError as problem:
            self._lose(line, problem)
            raise _lost(self._url, problem) from problem

    async def read_identity(self) -> Identity:
        """Read the serial number of the USB adapter; None where the port has none or is not here."""
        if "://" in self._url:
            return Identity(address=self._url)
        here = os.path.realpath(self._url)  # noqa: ASYNC240  # a few lookups in /dev, which is in memory
        ports = await asyncio.to_thread(list_serial_ports)
        number = next((port.serial_number for port in ports if os.path.realpath(port.url) == here), None)  # noqa: ASYNC240
        return Identity(address=self._url, serial=number)

    async def pair(self) -> None:
        """Do nothing: a wire is its own bond."""

    def _lose(self, line: Line, problem: Exception | None) -> None:
        if self._line is not line:
            return  # closed, or already told
        self._shut(line)
        self._on_lost(_lost(self._url, problem))

    def _shut(self, line: Line) -> None:
        self._line = None
        line.stop()
        # In a thread: a UART drains what is still queued, socket:// and rfc2217:// sleep 0.3 s.
        self._shutting = asyncio.get_running_loop().run_in_executor(None, line.close)


def _open_port(url: str, settings: Serial, write_timeout_s: float, is_exclusive: bool) -> Any:
    """Open the port, which may block for seconds. Raises TransportError."""
    import serial

    is_network = "://" in url
    scheme = url.split("://", 1)[0].lower()
    if is_network and scheme not in SCHEMES:
        raise AdapterError(
            f"{scheme}:// is no link that is known.",
            where=url,
            fix="Known: ble://ADDRESS, a port such as /dev/ttyUSB0 or COM3, socket://HOST:PORT, rfc2217://HOST:PORT.",
        )
    try:
        return serial.serial_for_url(
            url,
            baudrate=settings.baud,
            # A pseudo-terminal has no wire to put a parity bit on, and some systems refuse to set one there.
            parity="N" if _is_pseudo_terminal(url) else _PARITIES[settings.parity],
            stopbits=settings.stop_bits,
            timeout=READ_POLL_S,
            # rfc2217:// refuses a write timeout; the lines here have their own.
            write_timeout=None if is_network else write_timeout_s,
            # Advisory: two of us never share a port, but a stop opens it beside whoever holds it.
            exclusive=None if is_network else is_exclusive,
        )
    except _open_errors() as problem:
        raise (_network_fault(url, problem) if is_network else _port_fault(url, problem)) from problem


def _is_pseudo_terminal(url: str) -> bool:
    return "://" not in url and os.path.realpath(url).startswith("/dev/pts/")


def _open_errors() -> tuple[type[Exception], ...]:
    """What pyserial raises: SerialException is an OSError, a wrong setting a ValueError."""
    try:
        import termios
    except ImportError:  # Windows
        return (OSError, ValueError)
    return (OSError, ValueError, termios.error)


def _descriptor(port: Any) -> int | None:
    """The descriptor that the event loop can watch, if there is one."""
    if os.name != "posix":
        return None
    try:
        fd: int = port.fileno()
    except OSError:  # io.UnsupportedOperation
        return None
    return fd


def _close_late(opening: asyncio.Future[Any]) -> None:
    """Close a port that came open after nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=close_port, args=(opening.result(),), name="serial-close").start()


def _ignore(_: TransportError) -> None: ...


def _lost(url: str, problem: Exception | None) -> LinkLostError:
    is_network = "://" in url
    fix = "Check the other end of the connection." if is_network else "Check the cable and the power of the device."
    if isinstance(problem, TimeoutError):
        return LinkLostError("The device takes no more bytes.", where=url, fix=fix)
    return LinkLostError("The link was lost.", where=url, fix=fix)


def _network_fault(url: str, problem: Exception) -> TransportError:
    """Say why a URL could not be opened."""
    # pyserial keeps the reason only as the exception that it was handling.
    reason = problem.__context__
    if isinstance(reason, OSError) and reason.strerror:
        return DeviceNotFoundError(
            f"Nothing answers there ({reason.strerror}).",
            where=url,
            fix="Is the serial server or the simulator running, and are host and port right?",
        )
    if isinstance(reason, TimeoutError):
        return DeviceNotFoundError("Nothing answers there (timed out).", where=url, fix="Is the host reachable?")
    if isinstance(reason, ValueError | TypeError | OSError):
        return AdapterError("This URL is not complete.", where=url, fix="Write it as socket://HOST:PORT.")
    return AdapterError(
        f"The other end is no RFC 2217 server ({problem}).",
        where=url,
        fix="For a plain TCP serial server use socket://HOST:PORT.",
    )


_NOT_FOUND = {errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOTDIR, errno.EIO, None}
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}


def _port_fault(url: str, problem: Exception) -> TransportError:
    """Say why a port of this computer could not be opened."""
    number = _error_number(problem)
    is_listed = number is None and any(port.url == url for port in list_serial_ports())
    # pyserial gives no error number on Windows, where a port that exists and does not open is held by another program.
    if number in _BUSY or is_listed:
        return DeviceBusyError("Another program holds this port.", where=url, fix="End that program, then try again.")
    if number in (errno.EACCES, errno.EPERM):
        return AdapterError("You may not use this port.", where=url, fix=permission_advice(Path(url)))
    if number in _NOT_FOUND and not isinstance(problem, ValueError):
        return DeviceNotFoundError(
            "There is no such serial port.",
            where=url,
            fix="Plug the device in, and list the ports with `percuss scan`.",
        )
    return AdapterError(
        f"This is no serial port that can be used ({problem}).", where=url, fix="List the ports with `percuss scan`."
    )


def _error_number(problem: Exception) -> int | None:
    """The system's error number, which pyserial loses where it turns a termios.error into its own."""
    for error in (problem, problem.__context__):
        number = getattr(error, "errno", None) or (error.args[0] if error is not None and error.args else None)
        if isinstance(number, int):
            return number
    return None


def permission_advice(path: Path) -> str:
    """The command that gives the person the port: joining the group that owns it, where that helps."""
    import grp

    try:
        status = path.stat()
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return f"Look at who owns it: ls -l {path}"
    if status.st_gid == 0 or status.st_mode & 0o060 != 0o060:
        return f"Its group {group} may not either: sudo chgrp dialout {path} && sudo chmod g+rw {path}, or a udev rule."
    return f"It belongs to the group {group}: sudo usermod -aG {group} $USER, then log out and in again."
