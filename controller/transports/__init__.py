"""Links that carry bytes to a device, opened by URL, behind one small protocol.

========================================  ==========================================================
URL                                       link
========================================  ==========================================================
``ble://ADDRESS``                         Bluetooth LE through the operating system (bleak)
``ble://ADDRESS?adapter=hci1``            the same on a named BlueZ adapter
``ble://ADDRESS?hci=MONIKER``             Bluetooth LE through bleak on a bumble HCI (``usb:0``,
                                          ``tcp-client:127.0.0.1:9000``, ``unix:/path``)
``/dev/ttyUSB0``, ``COM3``                serial port
``socket://HOST:PORT``, ``rfc2217://…``   serial over the network (pyserial's URLs)
========================================  ==========================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.errors import TransportError
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one device from another: each is None where the device does not say."""

    address: str
    serial: str | None = None
    firmware: str | None = None


class Transport(Protocol):
    """A link that carries bytes. Errors are `controller.errors.TransportError`; every call may be cancelled."""

    @property
    def url(self) -> str:
        """The URL that opens this link again."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether bytes can be written now."""
        ...

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        """Open the link. ``on_bytes`` gets what arrives, as it arrives; ``on_lost`` is called at most once per open,
        never after `close` was called.
        """
        ...

    async def close(self) -> None:
        """Close the link; closing a closed or lost link does nothing."""
        ...

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Write one frame. With ``with_response`` the device's acknowledgement is waited for, where the link has one.

        Concurrent writes are safe: frames never mix.
        """
        ...

    async def read_identity(self) -> Identity:
        """Read what tells this device from another, as far as the link itself can tell (Device Information, USB)."""
        ...

    async def pair(self) -> None:
        """Bond with the device where the link knows bonding; elsewhere do nothing."""
        ...


def open_url(
    url: str, profile: Profile, *, passkey: Callable[[], str] | None = None, is_exclusive: bool = True
) -> Transport:
    """Build the (still closed) link for a URL. ``passkey`` asks a person for the six digits that a device shows.

    A serial port is taken for itself alone; with ``is_exclusive`` false it is opened beside whoever holds it: to stop.
    """
    transport = _transport_for(url, profile, passkey, is_exclusive)
    if "PERCUSS_CAPTURE" in os.environ:
        from controller.transports.capture import captured

        return captured(transport, profile)
    return transport


def _transport_for(url: str, profile: Profile, passkey: Callable[[], str] | None, is_exclusive: bool) -> Transport:
    if url.startswith("ble://"):
        from controller.transports.ble import BleTransport

        return BleTransport(url, profile, passkey=passkey)
    from controller.transports.serial import SerialTransport

    return SerialTransport(url, profile, is_exclusive=is_exclusive)


def link_of(url: str) -> Link:
    """Which kind of link a URL opens."""
    return "ble" if url.startswith("ble://") else "serial"


def load_link(url: str) -> None:
    """Load what opening a link needs, which takes up to a second, before it matters."""
    if not url.startswith("ble://"):
        import serial  # noqa: F401
    elif "hci=" in url:
        from controller.transports import bumble_client, bumble_scanner  # noqa: F401
    else:
        import bleak  # noqa: F401

        if sys.platform == "linux":
            from bleak.backends.bluezdbus import client, scanner  # noqa: F401
