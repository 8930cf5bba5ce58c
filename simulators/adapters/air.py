"""The virtual air: Bluetooth LE without a radio, between processes, down to the real HCI bytes.

It listens on this computer; every process that connects finds an HCI controller of its own there, all of them on one
link. It stands on bumble (the optional extra ``sim``).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

from bumble import core, hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport.common import PacketParser

LOOPBACK = "127.0.0.1"
"""The only address the air listens on: whoever reaches it may drive every virtual device."""

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


class AirController(Controller):
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

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Tell the host. A scan is answered with what the advertiser keeps for it, where bumble only repeats itself."""
        if isinstance(packet, hci.HCI_LE_Extended_Advertising_Report_Event):
            for report in packet.reports:
                if report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE:
                    report.data = self._scan_response_of(report.address)
        super().send_hci_packet(packet)

    def _scan_response_of(self, address: hci.Address) -> bytes:
        advertiser = self.link.find_le_controller(address) if self.link else None
        sets = advertiser.advertising_sets.values() if advertiser else ()
        return next((bytes(one.scan_response_data) for one in sets if one.address == address), b"")

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
        self._controller = AirController("visitor", host_sink=self, link=self._link)
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
