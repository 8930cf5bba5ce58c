"""What an unknown Bluetooth LE device shows: its advertisement, its GATT table, and what it says of itself.

Nothing is written to it and nothing is subscribed to.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.errors import DeviceNotFoundError
from controller.transports.ble import CLOSE_TIMEOUT_S, CONNECT_TIMEOUT_S, Sighting, parse_ble_url
from controller.transports.ble_stack import client_options, scanner_options
from firmware_profiles.errors import PercussError
from firmware_profiles.links import full_uuid

if TYPE_CHECKING:
    from bleak import BleakClient

READ_S = 3.0
"""Real seconds that reading one text may take."""

TEXTS = {
    "device_name": full_uuid("2A00"),
    "manufacturer": full_uuid("2A29"),
    "model": full_uuid("2A24"),
    "serial": full_uuid("2A25"),
    "hardware": full_uuid("2A27"),
    "firmware": full_uuid("2A26"),
    "software": full_uuid("2A28"),
}
"""Characteristics of text that the Bluetooth SIG has assigned, by what they say."""


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A characteristic: UUID, handle, and what can be done with it: ``read``, ``write``, ``notify`` and so on."""

    uuid: str
    handle: int
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A GATT service and its characteristics."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What a device showed. ``texts`` are what it says of itself, under the names of `TEXTS`."""

    sighting: Sighting
    services: tuple[Service, ...]
    texts: dict[str, str]


async def read_table(url: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Table:
    """Hear, connect to and read one device; the link is closed again.

    Raises AdapterError, DeviceNotFoundError, DeviceBusyError, LinkLostError and other TransportErrors.
    """
    parts = parse_ble_url(url)
    from controller.transports.ble_errors import OUT_OF_REACH, as_percuss_error

    client: BleakClient | None = None
    try:
        found = await _hear(parts.address, parts.adapter, parts.hci, timeout_s)
        if found is None:
            what = f"The device was not heard within {timeout_s:g} s."
            raise DeviceNotFoundError(what, where=url, fix=OUT_OF_REACH)
        device, sighting = found
        client = _client(device, parts.adapter, parts.hci, timeout_s)
        await client.connect()
        services = tuple(
            Service(service.uuid, tuple(_characteristic(one) for one in service.characteristics))
            for service in client.services
        )
        return Table(sighting, services, await _texts(client))
    except PercussError:
        raise
    except Exception as problem:
        connected = client is not None and client.is_connected
        if ours := as_percuss_error(problem, url, "open", is_connected=connected):
            raise ours from problem
        raise
    finally:
        if client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await client.disconnect()


async def _hear(address: str, adapter: str | None, hci: str | None, timeout_s: float) -> tuple[Any, Sighting] | None:
    """The device with this address, and what it last advertised.

    It is listened to a little longer than until it is heard: a name often comes in the answer to a scan, after that.
    """
    from bleak import BleakScanner

    heard: list[tuple[Any, Any]] = []
    has_all = asyncio.Event()

    def hear(device: Any, said: Any) -> None:
        if device.address.casefold() == address.casefold():
            heard.append((device, said))
            if said.local_name and said.service_uuids:
                has_all.set()

    async with BleakScanner(hear, **scanner_options(adapter, hci)):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s if sys.platform != "darwin" else timeout_s * 2):
                await has_all.wait()
    if not heard:
        return None
    device, said = heard[-1]
    sighting = Sighting(
        address=device.address,
        name=next((s.local_name for _, s in reversed(heard) if s.local_name), None) or device.name,
        rssi_dbm=said.rssi,
        services=tuple(dict.fromkeys(uuid.lower() for _, s in heard for uuid in s.service_uuids)),
        manufacturer={number: data for _, s in heard for number, data in s.manufacturer_data.items()},
    )
    return device, sighting


def _client(device: Any, adapter: str | None, hci: str | None, timeout_s: float) -> BleakClient:
    from bleak import BleakClient

    return BleakClient(device, timeout=timeout_s, **client_options(adapter, hci))


def _characteristic(one: Any) -> Characteristic:
    return Characteristic(one.uuid.lower(), one.handle, tuple(sorted(one.properties)))


async def _texts(client: BleakClient) -> dict[str, str]:
    """What can be read without pairing; a text that is refused is left out."""
    from bleak.exc import BleakError

    there = {one.uuid.lower(): one for one in client.services.characteristics.values() if "read" in one.properties}
    texts = {}
    for name, uuid in TEXTS.items():
        if uuid not in there:
            continue
        with contextlib.suppress(BleakError, TimeoutError):
            async with asyncio.timeout(READ_S):
                raw = await client.read_gatt_char(there[uuid])
            if text := raw.decode("utf-8", errors="replace").strip("\0 "):
                texts[name] = text
    return texts
