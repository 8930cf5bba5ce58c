"""A client for bleak on bumble: Bluetooth LE over any HCI stream, without the operating system's Bluetooth stack.

`client_backend` makes the class that ``BleakClient(backend=…)`` takes. Clients and scanners (`bumble_scanner`) of one
moniker share its `Radio`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, ClassVar, cast

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic, GattCharacteristicsFlags
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from controller.transports.ble_errors import ConnectionFailedError, PairingFailedError

# First: it tells what to install when bumble is missing.
from controller.transports.bumble_radio import Radio, to_the_end  # isort: skip
from bumble import att, core, gatt, gatt_client, hci
from bumble.device import Connection, Peer

from controller.transports.bumble_scanner import bleak_uuid, scanner_backend

PAIRING_TIMEOUT_S = 60.0
"""How long pairing may take, a person typing six digits included."""

DRAIN_TIMEOUT_S = 1.0
"""How long a disconnection waits for writes that are on their way."""

MTU = 517
"""What is asked for when nobody says: the largest that makes sense, one whole attribute value of 512 bytes."""


def client_backend(
    hci_moniker: str, passkey: Callable[[], str] | None = None, mtu: int | None = None
) -> type[BumbleClient]:
    """The client class for one controller.

    ``passkey`` asks a person for the six digits that a device shows; ``mtu`` is the ATT MTU to ask for, else `MTU`.
    """
    own = {"moniker": hci_moniker, "passkey": (passkey,), "wanted_mtu": mtu or MTU}
    return type("BumbleClient", (BumbleClient,), own)


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
            ours = BleakGATTService(service, service.handle, bleak_uuid(service.uuid.to_bytes()))
            found.add_service(ours)
            for characteristic in await to_the_end(peer.discover_characteristics(service=service)):
                listed = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    bleak_uuid(characteristic.uuid.to_bytes()),
                    _properties(characteristic.properties),
                    lambda: self.mtu_size - 3,
                    ours,
                )
                found.add_characteristic(listed)
                for descriptor in await to_the_end(peer.discover_descriptors(characteristic)):
                    told = BleakGATTDescriptor(
                        descriptor, descriptor.handle, bleak_uuid(descriptor.type.to_bytes()), listed
                    )
                    found.add_descriptor(told)
                characteristic.descriptors_discovered = True
        return found


def _properties(flags: gatt.Characteristic.Properties) -> list[CharacteristicPropertyName]:
    names = [flag.name.replace("_", "-") for flag in GattCharacteristicsFlags if flag.value & flags]
    return cast("list[CharacteristicPropertyName]", names)
