"""A backend for bleak on bumble: Bluetooth LE over any HCI stream, without the operating system's Bluetooth stack.

`scanner_backend` and `client_backend` make the classes that ``BleakScanner(backend=…)`` and ``BleakClient(backend=…)``
take. Scanners and clients of one moniker (``tcp-client:127.0.0.1:9000``, ``unix:/path``, ``usb:0``) share its `Radio`.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, cast

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import AdvertisementDataType as Kind
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic, GattCharacteristicsFlags
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from controller.transports.ble_errors import ConnectionFailedError, PairingFailedError

# First: it tells what to install when bumble is missing.
from controller.transports.bumble_radio import Radio, to_the_end  # isort: skip
from bumble import att, core, gatt, gatt_client, hci
from bumble.device import Advertisement, Connection, Peer

PAIRING_TIMEOUT_S = 60.0
"""How long pairing may take, a person typing six digits included."""

DRAIN_TIMEOUT_S = 1.0
"""How long a disconnection waits for writes that are on their way."""

MTU = 517
"""What is asked for when nobody says: the largest that makes sense, one whole attribute value of 512 bytes."""

_UUID_KINDS: dict[int, int] = {
    Kind.INCOMPLETE_LIST_SERVICE_UUID16: 2,
    Kind.COMPLETE_LIST_SERVICE_UUID16: 2,
    Kind.INCOMPLETE_LIST_SERVICE_UUID32: 4,
    Kind.COMPLETE_LIST_SERVICE_UUID32: 4,
    Kind.INCOMPLETE_LIST_SERVICE_UUID128: 16,
    Kind.COMPLETE_LIST_SERVICE_UUID128: 16,
}
_SERVICE_DATA_KINDS: dict[int, int] = {
    Kind.SERVICE_DATA_UUID16: 2,
    Kind.SERVICE_DATA_UUID32: 4,
    Kind.SERVICE_DATA_UUID128: 16,
}
_RSSI_UNKNOWN_DBM = 127


def scanner_backend(hci_moniker: str) -> type[BumbleScanner]:
    """The scanner class for one controller."""
    return type("BumbleScanner", (BumbleScanner,), {"moniker": hci_moniker})


def client_backend(
    hci_moniker: str, passkey: Callable[[], str] | None = None, mtu: int | None = None
) -> type[BumbleClient]:
    """The client class for one controller.

    ``passkey`` asks a person for the six digits that a device shows; ``mtu`` is the ATT MTU to ask for, else `MTU`.
    """
    own = {"moniker": hci_moniker, "passkey": (passkey,), "wanted_mtu": mtu or MTU}
    return type("BumbleClient", (BumbleClient,), own)


class BumbleScanner(BaseBleakScanner):
    """Scans actively. What a device says in its advertisement and in its scan response is put together."""

    moniker: ClassVar[str]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._radio: Radio | None = None

    async def start(self) -> None:
        """Begin to scan. Raises BleakBluetoothNotAvailableError."""
        self.seen_devices = {}
        radio = await Radio.acquire(self.moniker)
        try:
            await radio.start_scanning(self._on_advertisement)
        except BaseException:
            await radio.release()
            raise
        self._radio = radio

    async def stop(self) -> None:
        """End the scan."""
        radio, self._radio = self._radio, None
        if radio is None:
            return
        try:
            await radio.stop_scanning(self._on_advertisement)
        finally:
            await radio.release()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        address = advertisement.address.to_string(False)
        _, known = self.seen_devices.get(address, (None, None))
        heard = _advertisement_data(advertisement, known)
        if not self.is_allowed_uuid(heard.service_uuids):
            return
        device = self.create_or_update_device(address, address, heard.local_name, advertisement.address, heard)
        self.call_detection_callbacks(device, heard)


def _advertisement_data(advertisement: Advertisement, known: AdvertisementData | None) -> AdvertisementData:
    """What an advertisement says, added to what is known already: devices spread it over several packets."""
    name = known.local_name if known else None
    tx_power = known.tx_power if known else None
    uuids = dict.fromkeys(known.service_uuids) if known else {}
    manufacturer = dict(known.manufacturer_data) if known else {}
    services = dict(known.service_data) if known else {}
    for kind, data in advertisement.data.ad_structures:
        match kind:
            case Kind.SHORTENED_LOCAL_NAME | Kind.COMPLETE_LOCAL_NAME:
                name = data.decode("utf-8", errors="replace")
            case Kind.TX_POWER_LEVEL:
                tx_power = int.from_bytes(data[:1], signed=True)
            case Kind.MANUFACTURER_SPECIFIC_DATA:
                manufacturer[int.from_bytes(data[:2], "little")] = bytes(data[2:])
            case _ if size := _UUID_KINDS.get(kind):
                whole = len(data) - len(data) % size
                uuids |= dict.fromkeys(_uuid(data[at : at + size]) for at in range(0, whole, size))
            case _ if (size := _SERVICE_DATA_KINDS.get(kind)) and len(data) >= size:
                services[_uuid(data[:size])] = bytes(data[size:])
            case _:
                pass
    rssi_dbm = -_RSSI_UNKNOWN_DBM if advertisement.rssi == _RSSI_UNKNOWN_DBM else advertisement.rssi
    return AdvertisementData(name, manufacturer, services, list(uuids), tx_power, rssi_dbm, (advertisement,))


def _uuid(little_endian: bytes) -> str:
    """A UUID of 2, 4 or 16 bytes as bleak writes it."""
    whole = core.UUID.from_bytes(bytes(little_endian)).uuid_128_bytes
    return str(uuid.UUID(bytes=whole[::-1]))


class BumbleClient(BaseBleakClient):
    """One connection. The controller stays acquired from `connect` until `disconnect`, over a loss of the link too."""

    moniker: ClassVar[str]
    # In a tuple, so that the function does not become a method.
    passkey: ClassVar[tuple[Callable[[], str] | None]] = (None,)
    wanted_mtu: ClassVar[int] = MTU

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._connection: Connection | None = None
        self._found = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._radio: Radio | None = None
        self._end_reason: int | None = None
        self._subscribers: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """The advertised name, or the address."""
        return (self._found and self._found.name) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated MTU in bytes."""
        return self._connection.att_mtu if self._connection else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        """Whether the link stands."""
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect and discover everything.

        Raises TimeoutError, BleakDeviceNotFoundError, ConnectionFailedError, BleakBluetoothNotAvailableError.
        """
        if self.is_connected:
            raise BleakError("Client is already connected")
        await self.disconnect()
        self._radio = radio = await Radio.acquire(self.moniker)
        try:
            timeout_s = kwargs.get("timeout", self._timeout)
            self._found = self._found or await self._find(timeout_s)
            async with asyncio.timeout(timeout_s):
                self._connection = await radio.connect(self._found.details)
                self._end_reason = None
                radio.hold(self._connection, self._on_ended, self.passkey[0])
                if pair:
                    await self.pair()
                self.services = await self._discover()
        except BaseException as problem:
            reason = None if self.is_connected else self._end_reason
            await self.disconnect()
            if isinstance(problem, BleakError) and reason is not None:
                name = hci.HCI_Constant.error_name(reason)  # type: ignore[no-untyped-call]  # bumble
                what = f"the device ended the connection while it was set up ({name})"
                raise ConnectionFailedError(what, reason) from problem
            raise

    async def disconnect(self) -> None:
        """End the connection, if there is one, and give the controller back."""
        radio, self._radio = self._radio, None
        if radio is None:
            return
        try:
            if self._connection is not None and not radio.is_lost:
                with contextlib.suppress(core.BaseBumbleError, TimeoutError):
                    # A disconnection overtakes the writes that wait for the controller: the last may be a stop.
                    async with asyncio.timeout(DRAIN_TIMEOUT_S):
                        await self._connection.drain()
                with contextlib.suppress(core.BaseBumbleError):
                    await self._connection.disconnect()
        finally:
            self._on_ended(None)
            await radio.release()

    def _on_ended(self, reason: int | None) -> None:
        if self._connection is None:
            return
        self._connection = None
        self.services = None
        self._end_reason = reason
        self._subscribers.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Bond, with the device's number where it has one and `passkey` can ask for it.

        The bond lasts as long as the process holds the controller. Raises PairingFailedError.
        """
        connection = self._connected()
        if connection.is_encrypted:
            return
        try:
            async with asyncio.timeout(PAIRING_TIMEOUT_S):
                await to_the_end(connection.pair())
        except TimeoutError:
            raise PairingFailedError(f"no agreement within {PAIRING_TIMEOUT_S:.0f} s") from None
        except BleakError as problem:
            if isinstance(problem.__cause__, core.ProtocolError):
                name = problem.__cause__.error_name.lower().replace("_", " ")
                raise PairingFailedError(name) from problem
            raise

    async def unpair(self) -> None:
        """Disconnect and forget the bond."""
        radio = self._radio
        if radio is None or self._found is None:
            raise BleakDeviceNotFoundError(self.address, "only what is connected can be unpaired")
        if radio.device.keystore:
            await radio.device.keystore.delete(str(self._found.details))
        await self.disconnect()

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read a value; there is no cache. Raises BleakGATTProtocolError."""
        return bytearray(await to_the_end(self._gatt().read_value(characteristic.obj)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read a descriptor; there is no cache. Raises BleakGATTProtocolError."""
        return bytearray(await to_the_end(self._gatt().read_value(descriptor.obj)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write a value. With ``response`` a Write Request, else a Write Command, whatever the properties say."""
        client = self._gatt()
        if response:
            await to_the_end(client.write_value(characteristic.obj, bytes(data), with_response=True))
            return
        if len(data) > characteristic.max_write_without_response_size:
            raise BleakError(f"{len(data)} bytes do not fit into one write without response")
        # Nothing is waited for: no task is needed, and nothing can be given up half way.
        await client.write_value(characteristic.obj, bytes(data), with_response=False)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor. Raises BleakGATTProtocolError."""
        await to_the_end(self._gatt().write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Subscribe, to notifications where the characteristic has both them and indications."""
        client = self._gatt()
        if characteristic.get_descriptor("2902") is None:
            raise BleakError(f"{characteristic.uuid} has no configuration descriptor to subscribe with")

        def subscriber(value: bytes) -> None:
            callback(bytearray(value))

        await to_the_end(client.subscribe(characteristic.obj, subscriber))
        self._subscribers[characteristic.handle] = subscriber

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """End a subscription."""
        client = self._gatt()
        if subscriber := self._subscribers.pop(characteristic.handle, None):
            await to_the_end(client.unsubscribe(characteristic.obj, subscriber))

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    def _gatt(self) -> gatt_client.Client:
        client = self._connected().gatt_client
        assert client is not None
        return client

    async def _find(self, timeout_s: float) -> BLEDevice:
        backend = scanner_backend(self.moniker)
        found = await BleakScanner.find_device_by_address(self.address, timeout_s, backend=backend)
        if found is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        return found

    async def _discover(self) -> BleakGATTServiceCollection:
        """Ask for the MTU and read the whole GATT table."""
        peer = Peer(self._connected())
        with contextlib.suppress(BleakGATTProtocolError):
            await to_the_end(peer.request_mtu(self.wanted_mtu))
        found = BleakGATTServiceCollection()
        for service in await to_the_end(peer.discover_services()):
            ours = BleakGATTService(service, service.handle, _uuid(service.uuid.to_bytes()))
            found.add_service(ours)
            for characteristic in await to_the_end(peer.discover_characteristics(service=service)):
                listed = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    _uuid(characteristic.uuid.to_bytes()),
                    _properties(characteristic.properties),
                    lambda: self.mtu_size - 3,
                    ours,
                )
                found.add_characteristic(listed)
                for descriptor in await to_the_end(peer.discover_descriptors(characteristic)):
                    told = BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type.to_bytes()), listed)
                    found.add_descriptor(told)
                characteristic.descriptors_discovered = True
        return found


def _properties(flags: gatt.Characteristic.Properties) -> list[CharacteristicPropertyName]:
    names = [flag.name.replace("_", "-") for flag in GattCharacteristicsFlags if flag.value & flags]
    return cast("list[CharacteristicPropertyName]", names)
