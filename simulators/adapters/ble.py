"""The virtual air: Bluetooth LE without a radio, between processes, down to the real HCI, ATT and SMP bytes.

`BleAir` listens on this computer; every process that connects finds an HCI controller of its own there, all of them on
one link. `BlePeripheral` is a device on that air. Both stand on bumble (the optional extra ``sim``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from bumble import att, core, data_types, gatt, hci, ll
from bumble.controller import Controller
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
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink, PacketParser

from firmware_profiles.schema import Profile

LOOPBACK = "127.0.0.1"
"""The only address the air listens on: whoever reaches it may drive every virtual device."""

MANUFACTURER = "percuss simulator"

_log = logging.getLogger(__name__)
# bumble warns of everything that is normal on a real air, such as data for somebody who has just left. (It cannot be
# left to the handlers: a stray logging.debug() inside bumble configures the root logger to print.)
if logging.getLogger("bumble").level == logging.NOTSET:
    logging.getLogger("bumble").setLevel(logging.CRITICAL)


class BleAir:
    """Virtual air on ``127.0.0.1:port`` (0: any free one) or, with ``path``, on a unix socket."""

    def __init__(self, port: int = 0, *, path: Path | None = None) -> None:
        self._port = port
        self._path = path
        self._server: asyncio.Server | None = None
        self._visitors: set[_Visitor] = set()
        self.link: LocalLink = _Link()  # type: ignore[no-untyped-call]  # bumble

    @property
    def moniker(self) -> str:
        """What another process opens to get a controller on this air."""
        return f"unix:{self._path}" if self._path else f"tcp-client:{LOOPBACK}:{self._port}"

    @property
    def visitor_count(self) -> int:
        """How many processes hold a controller now."""
        return len(self._visitors)

    async def start(self) -> None:
        """Begin to listen. Raises OSError when the port or path is taken."""
        loop = asyncio.get_running_loop()
        if self._path:
            self._server = await loop.create_unix_server(lambda: _Visitor(self.link, self._visitors), self._path)
            return
        self._server = await loop.create_server(
            lambda: _Visitor(self.link, self._visitors), LOOPBACK, self._port, family=socket.AF_INET
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and send every visitor away."""
        if self._server is None:
            return
        self._server.close()
        for visitor in list(self._visitors):
            visitor.leave()
        await self._server.wait_closed()
        self._server = None
        if self._path:
            self._path.unlink(missing_ok=True)


class _Link(LocalLink):
    """bumble's link, made to behave like air: nothing is wrong with talking to somebody who has just gone."""

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Carry data, labelled with the address that the connection was made with.

        bumble labels it with the sender's random address, which loses every central that uses a public one.
        """
        receiver = self.find_le_controller(destination_address)
        connection = sender_controller.le_connections.get(destination_address)
        if receiver and connection:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Carry a control packet; with nobody there it is lost, where bumble would raise in the sender."""
        if receiver := self.find_le_controller(receiver_address):
            asyncio.get_running_loop().call_soon(receiver.on_ll_control_pdu, sender_address, packet)


class _Controller(Controller):
    """bumble's controller, with what it leaves out of refusing and giving up connections."""

    refuses_connections = False

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give up the pending connection and say so, as a controller must; bumble's keeps it and stays silent."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending:
            failure = hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            # Later: the answer to the command goes first.
            asyncio.get_running_loop().call_soon(self.send_hci_packet, failure)
        return super().on_hci_le_create_connection_cancel_command(command)

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """Accept a connection, or let it fail as it fails on a radio whose call nobody answers.

        bumble ignores a call that comes too late, which leaves the caller with a connection to nobody.
        """
        mine = [s for s in self.advertising_sets.values() if s.address == packet.advertiser_address]
        if mine and (self.refuses_connections or not any(s.enabled for s in mine)):
            reason = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            self.link.send_ll_control_pdu(packet.advertiser_address, packet.initiator_address, ll.TerminateInd(reason))
            return
        super().on_le_connect_ind(packet)

    def leave(self) -> None:
        """Vanish from the air: peers see their connection time out."""
        for advertising in self.advertising_sets.values():
            advertising.stop()
        self.le_legacy_advertiser.stop()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.link.remove_controller(self)


class _Visitor(asyncio.Protocol):
    """One process on the air: its stream of HCI packets and the controller behind it."""

    def __init__(self, link: LocalLink, visitors: set[_Visitor]) -> None:
        self._link = link
        self._visitors = visitors

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._controller = _Controller("visitor", host_sink=self, link=self._link)
        self._parser = PacketParser(self._controller)
        self._visitors.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except core.InvalidPacketError:
            _log.warning("a process that does not speak HCI connected to the air; it is sent away")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._controller.set_packet_sink(None)
        self._controller.leave()
        self._visitors.discard(self)

    def on_packet(self, packet: bytes) -> None:
        """Hand a packet of the controller to the process."""
        if not self._transport.is_closing():
            self._transport.write(packet)

    def leave(self) -> None:
        """Send the process away."""
        self._transport.abort()


class BlePeripheral:
    """One virtual device on an air, with the GATT table of a profile.

    ``on_write`` gets what a central writes; what it raises becomes an ATT error for that central. With
    ``max_connections`` reached the device stops advertising, as real ones do, until somebody leaves. ``bond`` makes
    reading and writing ask for encryption; ``passkey`` makes pairing ask for these six digits (not 0: bumble cannot).
    """

    def __init__(
        self,
        air: BleAir,
        profile: Profile,
        *,
        name: str,
        address: str,
        on_write: Callable[[bytes], None],
        serial: str = "",
        firmware: str = "",
        max_connections: int = 8,
        bond: bool = False,
        passkey: int | None = None,
        advertising_interval_ms: float = 100.0,
    ) -> None:
        if profile.ble is None:
            raise ValueError(f"{profile.id} does not speak Bluetooth LE.")
        self._on_write = on_write
        self._service = profile.ble.service
        self._interval_ms = advertising_interval_ms
        self._max_connections = max_connections
        self._passkey = passkey
        self._advertising: AdvertisingSet | None = None
        self._advertising_lock = asyncio.Lock()
        self._is_silent = False
        self._comeback: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._controller = _Controller(name, link=air.link)
        self._device = Device(
            config=DeviceConfiguration(name=name, address=hci.Address(address)),
            host=Host(self._controller, AsyncPipeSink(self._controller)),
        )
        self._device.pairing_config_factory = lambda _connection: self._pairing_config()
        self._notified = self._add_services(profile, bond or passkey is not None, serial, firmware)

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
            advertising_data=self._advertising_data(),
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

    def _advertising_data(self) -> bytes:
        uuid = _uuid(self._service)
        listing = (
            data_types.CompleteListOf16BitServiceUUIDs([uuid])
            if len(uuid.to_bytes()) == 2
            else data_types.CompleteListOf128BitServiceUUIDs([uuid])
        )
        flags = core.AdvertisingData.Flags
        return bytes(
            core.AdvertisingData(
                [
                    data_types.Flags(flags.LE_GENERAL_DISCOVERABLE_MODE | flags.BR_EDR_NOT_SUPPORTED),
                    data_types.CompleteLocalName(self._device.name),
                    listing,
                ]
            )
        )

    def _add_services(
        self, profile: Profile, is_encrypted: bool, serial: str, firmware: str
    ) -> gatt.Characteristic[bytes] | None:
        """Build the GATT table; give back the characteristic that notifies."""
        ble = profile.ble
        assert ble is not None
        properties, permissions = gatt.Characteristic.Properties, att.Attribute.Permissions
        may_write, may_read = permissions.WRITEABLE, permissions.READABLE
        if is_encrypted:
            may_write |= permissions.WRITE_REQUIRES_ENCRYPTION
            may_read |= permissions.READ_REQUIRES_ENCRYPTION
        takes, notified = properties.WRITE | properties.WRITE_WITHOUT_RESPONSE, None
        if ble.notify == ble.write:
            takes |= properties.NOTIFY
        written: gatt.Characteristic[bytes] = gatt.Characteristic(
            _uuid(ble.write), takes, may_write, gatt.CharacteristicValue(write=self._on_written)
        )
        characteristics = [written]
        if ble.notify == ble.write:
            notified = written
        elif ble.notify is not None:
            notified = gatt.Characteristic(_uuid(ble.notify), properties.NOTIFY, may_read, b"")
            characteristics.append(notified)
        self._device.add_service(gatt.Service(_uuid(ble.service), characteristics))
        texts = {
            gatt.GATT_SERIAL_NUMBER_STRING_CHARACTERISTIC: serial,
            gatt.GATT_FIRMWARE_REVISION_STRING_CHARACTERISTIC: firmware,
            gatt.GATT_MANUFACTURER_NAME_STRING_CHARACTERISTIC: MANUFACTURER,
        }
        information = [
            gatt.Characteristic(uuid, properties.READ, permissions.READABLE, text.encode())
            for uuid, text in texts.items()
            if text
        ]
        self._device.add_service(gatt.Service(gatt.GATT_DEVICE_INFORMATION_SERVICE, information))
        return notified

    def _on_written(self, _connection: Connection, value: bytes) -> None:
        try:
            self._on_write(bytes(value))
        except att.ATT_Error:
            raise
        except Exception as problem:
            # bumble answers nothing to any other exception, and the central would wait for 30 s.
            _log.exception("the virtual device failed on a write of %s", value.hex(" "))
            raise att.ATT_Error(att.ErrorCode.UNLIKELY_ERROR) from problem

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


def _uuid(text: str) -> core.UUID:
    """A UUID in its short form where it has one, as devices send it."""
    is_short = text.startswith("0000") and text.endswith("-0000-1000-8000-00805f9b34fb")
    return core.UUID(text[4:8] if is_short else text)
