"""The parts of bleak that finding, connecting and writing share: which backend serves a URL, and its errors as ours.

bleak is imported inside functions: it costs a third of a second that ``percuss --help`` should not spend.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from firmware_profiles.errors import PercussError

if TYPE_CHECKING:
    from bleak import BleakClient

    from controller.transports.ble_errors import Phase


class Told:
    """Raises the errors of this project in place of those of bleak, D-Bus and the system.

    A class and not a generator: it stands around every write, and costs a tenth there.
    """

    __slots__ = ("_client", "_phase", "_where")

    def __init__(self, where: str, phase: Phase, client: BleakClient | None = None) -> None:
        self._where = where
        self._phase = phase
        self._client = client

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        if not isinstance(problem, Exception) or isinstance(problem, PercussError):
            return
        from controller.transports.ble_errors import as_percuss_error

        is_connected = self._client is not None and self._client.is_connected
        if ours := as_percuss_error(problem, self._where, self._phase, is_connected=is_connected):
            raise ours from problem


@contextlib.asynccontextmanager
async def held_radio(hci: str | None, url: str) -> AsyncIterator[None]:
    """Hold the HCI controller open from the scan over to the connection."""
    if hci is None:
        yield
        return
    from controller.transports.bumble_radio import Radio

    with Told(url, "open"):
        radio = await Radio.acquire(hci)
    try:
        yield
    finally:
        await radio.release()


def scanner_options(adapter: str | None, hci: str | None) -> Any:
    """What a ``BleakScanner`` takes for this adapter, or this HCI moniker."""
    if hci:
        from controller.transports.bumble_scanner import scanner_backend

        return {"backend": scanner_backend(hci)}
    return {"bluez": {"adapter": adapter}} if adapter else {}


def client_options(
    adapter: str | None, hci: str | None, *, passkey: Callable[[], str] | None = None, mtu: int | None = None
) -> dict[str, Any]:
    """What a ``BleakClient`` takes for this adapter, or this HCI moniker."""
    if hci:
        from controller.transports.bumble_client import client_backend

        return {"backend": client_backend(hci, passkey, mtu)}
    return {"bluez": {"adapter": adapter}} if adapter else {}
