"""Bluetooth LE through bleak's public API: the operating system's stack, or bumble on an HCI moniker (``?hci=``).

bleak is imported inside functions: it costs a third of a second that ``percuss --help`` should not spend.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from controller.errors import DeviceFaultError, DeviceNotFoundError, LinkLostError, TransportError
from controller.transports import Identity
from controller.transports.ble_gatt import FrameWriter, find_endpoints, longest_frame_bytes
from controller.transports.ble_stack import Told, client_options, held_radio, scanner_options
from firmware_profiles.errors import PercussError
from firmware_profiles.links import Ble, full_uuid
from firmware_profiles.schema import Profile

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.device import BLEDevice

CONNECT_TIMEOUT_S = 10.0
"""How long finding a device may take, and again connecting to it. A massager advertises several times a second."""

CLOSE_TIMEOUT_S = 5.0
"""How long a goodbye may take before the link is left to its fate."""

WAKE_TIMEOUT_S = 2.0
"""How long a device may take to acknowledge the bytes that wake it."""

SERIAL_NUMBER, FIRMWARE_REVISION = full_uuid("2A25"), full_uuid("2A26")

_ADDRESS = re.compile(r"^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device that was heard in a scan. ``services`` are 128-bit lower-case UUIDs."""

    address: str
    name: str | None
    rssi_dbm: int
    services: tuple[str, ...]
    manufacturer: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class BleUrl:
    """The parts of a URL. ``address`` is a UUID on macOS."""

    address: str
    adapter: str | None = None
    hci: str | None = None


def ble_url(address: str, adapter: str | None = None, hci: str | None = None) -> str:
    """The URL that opens the device at ``address``."""
    options = {"adapter": adapter, "hci": hci}
    query = "&".join(f"{name}={quote(value, safe=':/@,')}" for name, value in options.items() if value)
    return f"ble://{address}?{query}" if query else f"ble://{address}"


def parse_ble_url(url: str) -> BleUrl:
    """Take a URL apart. Raises TransportError for one that names no device."""
    address, _, query = url.removeprefix("ble://").partition("?")
    options = dict.fromkeys(("adapter", "hci"), "")
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in options or not value:
            raise TransportError(f"{part!r} means nothing in a Bluetooth URL.", where=url, fix="Known: adapter=, hci=.")
        options[name] = unquote(value)
    if not url.startswith("ble://") or not _ADDRESS.match(address.rstrip("/")):
        fix = "Write ble:// and the address that percuss scan shows."
        raise TransportError("There is no Bluetooth address in this URL.", where=url, fix=fix)
    return BleUrl(address.rstrip("/"), options["adapter"] or None, options["hci"] or None)


async def scan_ble(timeout_s: float, *, adapter: str | None = None, hci: str | None = None) -> list[Sighting]:
    """Listen for ``timeout_s`` and give back who was heard, the strongest first. Raises AdapterError."""
    from bleak import BleakScanner

    where = f"Bluetooth (hci={hci})" if hci else f"Bluetooth ({adapter})" if adapter else "Bluetooth"
    with Told(where, "scan"):
        heard = await BleakScanner.discover(timeout_s, return_adv=True, **scanner_options(adapter, hci))
    sightings = [
        Sighting(
            address=device.address,
            name=said.local_name or device.name,
            rssi_dbm=said.rssi,
            services=tuple(uuid.lower() for uuid in said.service_uuids),
            manufacturer=dict(said.manufacturer_data),
        )
        for device, said in heard.values()
    ]
    return sorted(sightings, key=lambda sighting: sighting.rssi_dbm, reverse=True)


class BleTransport:
    """A link to one device: writes to the profile's ``write`` characteristic, listens on its ``notify``.

    ``passkey`` asks a person for the six digits that the device shows; ``connect_timeout_s`` counts twice, for finding
    and for connecting.
    """

    def __init__(
        self,
        url: str,
        profile: Profile,
        *,
        passkey: Callable[[], str] | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        if profile.ble is None:
            fix = "Give the device the profile that fits it."
            raise TransportError(f"The profile {profile.id} does not speak Bluetooth LE.", where=url, fix=fix)
        self._url = url
        self._parts = parse_ble_url(url)
        self._ble: Ble = profile.ble
        self._longest_bytes = longest_frame_bytes(profile)
        self._passkey = passkey
        self._connect_timeout_s = connect_timeout_s
        self._client: BleakClient | None = None
        self._writer: FrameWriter | None = None
        self._on_lost: Callable[[TransportError], None] | None = None
        self._goodbye: asyncio.Task[None] | None = None
        self._refusal: PercussError | None = None

    @property
    def url(self) -> str:
        """The URL that opens this link again."""
        return self._url

    @property
    def is_open(self) -> bool:
        """Whether bytes can be written now."""
        return self._client is not None and self._client.is_connected

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        """Find the device, connect, let it settle, pair and wake it where the profile asks for that, and subscribe.

        Raises AdapterError, DeviceNotFoundError, DeviceBusyError, LinkLostError, PairingError, and DeviceFaultError
        when none of the profile's layouts is there, or the link does not carry its longest frame.
        """
        await self.close()
        async with held_radio(self._parts.hci, self._url):
            client = await self._connect()
        try:
            writer = await self._set_up(client, on_bytes)
            if not client.is_connected:
                raise LinkLostError("The device ended the connection while it was set up.", where=self._url)
        except BaseException:
            await _disconnect(client)
            raise
        self._client, self._writer, self._on_lost = client, writer, on_lost

    async def close(self) -> None:
        """Close the link; closing a closed or lost link does nothing."""
        client, self._client, self._writer, self._on_lost = self._client, None, None, None
        if client is not None:
            self._goodbye = asyncio.create_task(_disconnect(client))
        if self._goodbye is not None:
            await asyncio.shield(self._goodbye)

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Write one frame, in the way that the characteristic knows where it does not know the one asked for.

        It goes out in pieces to a device that takes it so; see `FrameWriter` for what that means for a Stop. Raises
        LinkLostError, PairingError, DeviceBusyError, and DeviceFaultError, also for a frame that the link cannot carry.
        """
        client, writer = self._client, self._writer
        if client is None or writer is None:
            raise LinkLostError("The link to the device is not open.", where=self._url)
        with Told(self._url, "use", client):
            await writer.write(data, with_response=with_response)

    async def read_identity(self) -> Identity:
        """Read serial number and firmware revision, where the device has them.

        Raises LinkLostError, and what keeps the device from being driven over this link: it did not wake up, or the
        link is too small for its frames. Who only stops it does not ask, and its Stop goes out all the same.
        """
        if self._client is None:
            raise LinkLostError("The link to the device is not open.", where=self._url)
        if self._refusal is not None:
            raise self._refusal
        serial = await self._read_text(self._client, SERIAL_NUMBER)
        firmware = await self._read_text(self._client, FIRMWARE_REVISION)
        return Identity(self._parts.address, serial, firmware)

    async def pair(self) -> None:
        """Bond with the device. On macOS the system does so by itself when it must. Raises PairingError."""
        if self._client is None:
            raise LinkLostError("The link to the device is not open.", where=self._url)
        await self._pair(self._client)

    async def _set_up(self, client: BleakClient, on_bytes: Callable[[bytes], None]) -> FrameWriter:
        with Told(self._url, "open"):
            ends = find_endpoints(client.services, self._ble, self._url)
            await asyncio.sleep(self._ble.settle_s)
        if self._ble.bond:
            await self._pair(client)
        writer = FrameWriter(client, ends.written, self._ble, self._url)
        self._refusal = None
        try:
            with Told(self._url, "open"):
                await writer.check_room(self._longest_bytes)
                if self._ble.wake is not None:
                    async with asyncio.timeout(WAKE_TIMEOUT_S):
                        await writer.write(bytes.fromhex(self._ble.wake), with_response=True)
        except DeviceFaultError as problem:
            self._refusal = problem  # it is not driven over this link; Stop may still go through
        except TransportError as problem:
            if not client.is_connected:
                raise
            self._refusal = problem
        with Told(self._url, "open"):
            if ends.notified is not None:
                await client.start_notify(ends.notified, lambda _characteristic, data: on_bytes(bytes(data)))
        return writer

    async def _connect(self) -> BleakClient:
        from bleak import BleakClient

        hci, adapter = self._parts.hci, self._parts.adapter
        options = client_options(adapter, hci, passkey=self._passkey, mtu=self._ble.mtu)
        with Told(self._url, "open"):
            device = await self._find()
            client = BleakClient(device, self._on_disconnected, timeout=self._connect_timeout_s, **options)
            await client.connect()
        return client

    async def _find(self) -> BLEDevice:
        """Find the device among those this computer is connected to, else by a scan.

        The first matters after a crash: BlueZ keeps the connection, and a connected device does not advertise.
        """
        from bleak import BleakAdapter, BleakScanner

        address, adapter = self._parts.address, self._parts.adapter
        if not self._parts.hci:
            with contextlib.suppress(NotImplementedError):
                system = await BleakAdapter.get(bluez={"adapter": adapter} if adapter else {})
                services = {uuid for layout in self._ble.layouts for uuid in (layout.service, layout.notify_service)}
                for device in await system.get_connected_devices([uuid for uuid in services if uuid]):
                    if device.address.lower() == address.lower():
                        return device
        options = scanner_options(adapter, self._parts.hci)
        found = await BleakScanner.find_device_by_address(address, self._connect_timeout_s, **options)
        if found is None:
            from controller.transports.ble_errors import OUT_OF_REACH

            what = f"The device was not heard within {self._connect_timeout_s:g} s."
            raise DeviceNotFoundError(what, where=self._url, fix=OUT_OF_REACH)
        return found

    def _on_disconnected(self, client: BleakClient) -> None:
        # During `open` and after `close` the client is not (any more) the one of this link: nobody is told.
        if client is not self._client or self._on_lost is None:
            return
        on_lost, self._on_lost, self._client, self._writer = self._on_lost, None, None, None
        self._goodbye = asyncio.create_task(_disconnect(client))
        on_lost(LinkLostError("The link to the device was lost.", where=self._url))

    async def _read_text(self, client: BleakClient, uuid: str) -> str | None:
        from bleak.exc import BleakGATTProtocolError

        with Told(self._url, "use", client):
            characteristic = next((c for c in client.services.characteristics.values() if c.uuid == uuid), None)
            if characteristic is None:
                return None
            try:
                raw = await client.read_gatt_char(characteristic)
            except BleakGATTProtocolError:
                return None
        return raw.decode("utf-8", errors="replace").strip("\0 ") or None

    async def _pair(self, client: BleakClient) -> None:
        with Told(self._url, "pair", client):
            if self._parts.hci or sys.platform != "linux":
                with contextlib.suppress(NotImplementedError):
                    await client.pair()
                return
            from controller.transports.bluez_agent import PairingAgent

            async with PairingAgent(self._passkey):
                await client.pair()


async def _disconnect(client: BleakClient) -> None:
    """Say goodbye; a link that is beyond that is left alone."""
    from bleak.exc import BleakError

    with contextlib.suppress(BleakError, OSError, EOFError, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.disconnect()
