"""One virtual device on an air: its advertising, its GATT table, its pairing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextvars import ContextVar
from typing import Literal

from bumble import att, gatt, hci
from bumble.device import (
    AdvertisingEventProperties,
    AdvertisingParameters,
    AdvertisingSet,
    AdvertisingType,
    Connection,
    Device,
    DeviceConfiguration,
)
from bumble.host import Host
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink

from firmware_profiles.errors import PercussError
from firmware_profiles.links import GattLayout
from firmware_profiles.schema import Profile
from simulators.adapters import Receive
from simulators.adapters.advertisement import advertise, short_uuid
from simulators.adapters.air import AirController, BleAir

MANUFACTURER = "percuss simulator"

DEFAULT_MTU = 247
"""The ATT MTU of a device whose profile says none: what fits into one packet of the radio's longest."""

Accepts = Literal["any", "request", "command"]

_log = logging.getLogger(__name__)


_is_request: ContextVar[bool] = ContextVar("_is_request")
"""Whether the write that is being handled asked for an acknowledgement. bumble handles each in a task of its own, which
is born with what is set when the packet arrives."""


class _Device(Device):
    """bumble's device, which notes what it tells no characteristic: how it was written to."""

    def on_gatt_pdu(self, connection_handle: int, pdu: bytes) -> None:
        """Take an ATT packet."""
        _is_request.set(pdu[:1] != bytes([att.Opcode.ATT_WRITE_COMMAND]))
        super().on_gatt_pdu(connection_handle, pdu)


class BlePeripheral:
    """One virtual device on an air, with the GATT table of a profile: its main layout, or its ``alternative`` N.

    ``receive`` gets what a central writes; what it refuses or raises becomes an ATT error for that central. With
    ``max_connections`` (else those of the profile) the device stops advertising, as real ones do, until somebody
    leaves. ``bond`` makes reading and writing ask for encryption; ``passkey`` makes pairing ask for these six digits
    (not 0: bumble cannot). ``accepts`` says how the device can be written to: with acknowledgement, without, or both.

    Raises PercussError for a profile without Bluetooth or without that layout, and for what is too long to advertise.
    """

    def __init__(
        self,
        air: BleAir,
        profile: Profile,
        receive: Receive,
        *,
        name: str,
        address: str,
        serial: str = "",
        firmware: str = "",
        alternative: int = 0,
        max_connections: int | None = None,
        bond: bool = False,
        passkey: int | None = None,
        accepts: Accepts = "any",
        advertising_interval_ms: float = 100.0,
    ) -> None:
        layout = _layout(profile, alternative)
        self._receive = receive
        self._advertisement = advertise(profile, layout, name)
        self._interval_ms = advertising_interval_ms
        self._max_connections = profile.simulator.max_connections if max_connections is None else max_connections
        self._passkey = passkey
        self._advertising: AdvertisingSet | None = None
        self._advertising_lock = asyncio.Lock()
        self._is_silent = False
        self._comeback: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._controller = AirController(name, link=air.link)
        self._device = _Device(
            config=DeviceConfiguration(name=name, address=hci.Address(address)),
            host=Host(self._controller, AsyncPipeSink(self._controller)),
        )
        self._device.pairing_config_factory = lambda _connection: self._pairing_config()
        self._device.gatt_server.max_mtu = (profile.ble and profile.ble.mtu) or DEFAULT_MTU
        self._notified = self._add_layout(layout, accepts, is_encrypted=bond or passkey is not None)
        self._add_information(serial, firmware)

    @property
    def address(self) -> str:
        """The random static address it is found at."""
        return self._device.static_address.to_string(False)

    @property
    def is_connected(self) -> bool:
        """Whether at least one central is connected."""
        return bool(self._device.connections)

    @property
    def connection_count(self) -> int:
        """How many centrals are connected."""
        return len(self._device.connections)

    @property
    def refuses_connections(self) -> bool:
        """Whether it advertises but lets every attempt to connect fail. May be set at any time."""
        return self._controller.refuses_connections

    @refuses_connections.setter
    def refuses_connections(self, refuses: bool) -> None:
        self._controller.refuses_connections = refuses

    async def start(self) -> None:
        """Switch on: be found and connected to."""
        await self._device.power_on()
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)
        self._advertising = await self._device.create_advertising_set(
            advertising_parameters=AdvertisingParameters(
                advertising_event_properties=AdvertisingEventProperties.from_advertising_type(
                    AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
                ),
                primary_advertising_interval_min=self._interval_ms,
                primary_advertising_interval_max=self._interval_ms,
                own_address_type=hci.OwnAddressType.RANDOM,
            ),
            advertising_data=self._advertisement.data,
            scan_response_data=self._advertisement.scan_response,
            auto_start=False,
        )
        await self._advertise_as_needed()

    async def close(self) -> None:
        """Switch off: connections drop, advertising ends."""
        self._is_silent = True
        if self._comeback:
            self._comeback.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._controller in self._controller.link.controllers:
            self._controller.leave()

    def notify(self, data: bytes) -> None:
        """Send a notification to every central that subscribed, cut to its MTU as on a real link."""
        if self._notified is None:
            return
        server = self._device.gatt_server
        handle = self._notified.handle
        for bearer, configurations in list(server.subscribers.items()):
            configuration = configurations.get(handle)
            if configuration and configuration[0] & gatt.ClientCharacteristicConfigurationBits.NOTIFICATION:
                value = data[: bearer.att_mtu - 3]
                pdu = att.ATT_Handle_Value_Notification(attribute_handle=handle, attribute_value=value)
                server.send_gatt_pdu(bearer, bytes(pdu))

    async def drop_link(self, for_s: float) -> None:
        """Drop every connection as if out of range, and stay away for that long or until `restore_link`."""
        self._is_silent = True
        if self._comeback:
            self._comeback.cancel()
        await self._advertise_as_needed()
        for connection in list(self._device.connections.values()):
            with contextlib.suppress(hci.HCI_Error):
                await connection.disconnect(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self._comeback = asyncio.get_running_loop().call_later(for_s, self.restore_link)

    def restore_link(self) -> None:
        """Be back in range."""
        self._is_silent = False
        self._spawn_advertising()

    def _on_connection(self, connection: Connection) -> None:
        # bumble's own restart waits for the disconnection; several centrals at a time need it now.
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._spawn_advertising())
        self._spawn_advertising()

    def _spawn_advertising(self) -> None:
        task = asyncio.get_running_loop().create_task(self._advertise_as_needed())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advertise_as_needed(self) -> None:
        async with self._advertising_lock:
            if self._advertising is None:
                return
            is_wanted = not self._is_silent and self.connection_count < self._max_connections
            if is_wanted and not self._advertising.enabled:
                await self._advertising.start()
            elif not is_wanted and self._advertising.enabled:
                await self._advertising.stop()

    def _add_layout(
        self, layout: GattLayout, accepts: Accepts, *, is_encrypted: bool
    ) -> gatt.Characteristic[bytes] | None:
        """Build the part of the GATT table that carries frames; give back the characteristic that notifies."""
        properties, permissions = gatt.Characteristic.Properties, att.Attribute.Permissions
        may_write, may_read = permissions.WRITEABLE, permissions.READABLE
        if is_encrypted:
            may_write |= permissions.WRITE_REQUIRES_ENCRYPTION
            may_read |= permissions.READ_REQUIRES_ENCRYPTION
        takes = {
            "any": properties.WRITE | properties.WRITE_WITHOUT_RESPONSE,
            "request": properties.WRITE,
            "command": properties.WRITE_WITHOUT_RESPONSE,
        }[accepts]
        notify_service = layout.notify_service or layout.service
        is_one = (layout.notify, notify_service) == (layout.write, layout.service)
        written: gatt.Characteristic[bytes] = gatt.Characteristic(
            short_uuid(layout.write),
            takes | properties.NOTIFY if is_one else takes,
            may_write,
            gatt.CharacteristicValue(write=self._on_written),
        )
        table = {layout.service: [written]}
        notified = written if is_one else None
        if layout.notify is not None and notified is None:
            notified = gatt.Characteristic(short_uuid(layout.notify), properties.NOTIFY, may_read, b"")
            table.setdefault(notify_service, []).append(notified)
        for service, characteristics in table.items():
            self._device.add_service(gatt.Service(short_uuid(service), characteristics))
        return notified

    def _add_information(self, serial: str, firmware: str) -> None:
        texts = {
            gatt.GATT_SERIAL_NUMBER_STRING_CHARACTERISTIC: serial,
            gatt.GATT_FIRMWARE_REVISION_STRING_CHARACTERISTIC: firmware,
            gatt.GATT_MANUFACTURER_NAME_STRING_CHARACTERISTIC: MANUFACTURER,
        }
        information = [
            gatt.Characteristic(
                uuid, gatt.Characteristic.Properties.READ, att.Attribute.Permissions.READABLE, text.encode()
            )
            for uuid, text in texts.items()
            if text
        ]
        self._device.add_service(gatt.Service(gatt.GATT_DEVICE_INFORMATION_SERVICE, information))

    def _on_written(self, _connection: Connection, value: bytes) -> None:
        try:
            is_taken = self._receive(bytes(value), with_response=_is_request.get())
        except Exception as problem:
            # bumble answers nothing to any other exception, and the central would wait for 30 s.
            _log.exception("the virtual device failed on a write of %s", value.hex(" "))
            raise att.ATT_Error(att.ErrorCode.UNLIKELY_ERROR) from problem
        if not is_taken:
            raise att.ATT_Error(att.ErrorCode.WRITE_NOT_PERMITTED)

    def _pairing_config(self) -> PairingConfig:
        return PairingConfig(sc=True, mitm=self._passkey is not None, bonding=True, delegate=_Display(self._passkey))


class _Display(PairingDelegate):
    """A device that shows ``passkey``, or one that shows nothing and takes everybody."""

    def __init__(self, passkey: int | None) -> None:
        super().__init__(self.NO_OUTPUT_NO_INPUT if passkey is None else self.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        """The number it shows."""
        assert self._passkey is not None
        return self._passkey

    async def confirm(self, auto: bool = False) -> bool:
        """Refuse to be paired without the number, where there is one."""
        return self._passkey is None


def _layout(profile: Profile, alternative: int) -> GattLayout:
    if profile.ble is None:
        raise PercussError("does not speak Bluetooth LE.", where=profile.id)
    layouts = profile.ble.layouts
    if not 0 <= alternative < len(layouts):
        what = f"has no GATT layout number {alternative}."
        raise PercussError(what, where=profile.id, fix=f"They are numbered from 0 to {len(layouts) - 1}.")
    return layouts[alternative]
