"""HCI logs in the btsnoop format, as Android ("Bluetooth HCI snoop log") and BlueZ (``btmon -w``) write them.

Only what a profile is about is taken out of them: values that were written to, or notified by, a GATT characteristic.
The file is a header and records (the layout goes back to RFC 1761); in the records stand HCI packets, in these L2CAP
frames, perhaps in pieces, and in those on the fixed channel 4 the Attribute Protocol (Bluetooth Core 5.4, volume 4
part E 5.4.2; volume 3 part A 3.1; volume 3 part F 3.4).
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

MAGIC = b"btsnoop\0"
H1, H4, MONITOR = 1001, 1002, 2001
"""Bare HCI packets; HCI packets behind one byte that says what they are; the log of BlueZ's monitor socket."""

MAX_PACKET = 100_000
"""Bytes of one record. An HCI packet has at most 65 540."""

MAX_CONNECTIONS = 64
"""Connections of which something is kept; the one that was quiet longest is forgotten first."""

MAX_CHARACTERISTICS = 1000
"""Characteristics that are kept of one connection."""

_FILE_HEADER = struct.Struct(">8sII")
_RECORD_HEADER = struct.Struct(">IIIIq")
_H4_ACL = 0x02
_MONITOR_ACL = {4: True, 5: False}
_ATT_CHANNEL = 0x0004

_READ_BY_TYPE_REQUEST, _READ_BY_TYPE_RESPONSE = 0x08, 0x09
_CHARACTERISTIC = b"\x03\x28"
_VALUES = {0x12: True, 0x52: False, 0x1B: False, 0x1D: True}
"""The opcodes that carry a value, and whether they are acknowledged: write request and command, notification,
indication."""


class Broken(Exception):  # noqa: N818 - a state of the file, which `captures` turns into the error of this project
    """A log that makes no sense (any more): what is wrong, at which byte of the file, and what to do."""

    def __init__(self, what: str, offset: int, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset
        self.fix = fix


@dataclass(frozen=True, slots=True)
class AttValue:
    """A value on its way between the host and a device. ``t_s`` counts from the first record.

    ``connection`` tells the log's connections apart. ``uuid`` is the characteristic of ``handle`` (128-bit, lower case)
    when the log shows its discovery: a phone that remembers a device does not discover it again.
    """

    t_s: float
    is_sent: bool
    connection: str
    handle: int
    uuid: str | None
    is_acknowledged: bool
    data: bytes


def read_btsnoop(file: BinaryIO) -> Iterator[AttValue]:
    """The values in a log, in order. Raises Broken where it stops making sense, after all values before that."""
    header = file.read(_FILE_HEADER.size)
    if len(header) < _FILE_HEADER.size:
        raise Broken("the log ends in its header", len(header), "It is empty: record it again.")
    magic, version, datalink = _FILE_HEADER.unpack(header)
    if magic != MAGIC:
        raise Broken("is no btsnoop log", 0)
    if version != 1:
        raise Broken(f"has the version {version} of the format; only 1 is known", 8)
    if datalink not in {H1, H4, MONITOR}:
        fix = "Known: 1001 (HCI), 1002 (HCI UART), 2001 (BlueZ monitor)."
        raise Broken(f"has the datalink {datalink}, which is not known", 12, fix)
    connections = _Connections()
    began_us: int | None = None
    for flags, stamp_us, packet in _records(file):
        began_us = stamp_us if began_us is None else began_us
        acl = _acl(datalink, flags, packet)
        if acl is not None:
            controller, is_sent, data = acl
            yield from connections.take((stamp_us - began_us) / 1e6, controller, is_sent, data)


def _records(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    offset = _FILE_HEADER.size
    while header := file.read(_RECORD_HEADER.size):
        if len(header) < _RECORD_HEADER.size:
            raise Broken("the last record is cut off", offset, "Everything before it was read.")
        _, included, flags, _, stamp_us = _RECORD_HEADER.unpack(header)
        if included > MAX_PACKET:
            raise Broken(f"a record claims {included} bytes", offset, "The file is damaged from here on.")
        packet = file.read(included)
        if len(packet) < included:
            raise Broken("the last record is cut off", offset, "Everything before it was read.")
        yield flags, stamp_us, packet
        offset += _RECORD_HEADER.size + included


def _acl(datalink: int, flags: int, packet: bytes) -> tuple[int, bool, bytes] | None:
    """Controller, direction and bytes of an ACL packet; None for any other."""
    if datalink == MONITOR:
        is_sent = _MONITOR_ACL.get(flags & 0xFFFF)
        return None if is_sent is None else (flags >> 16, is_sent, packet)
    is_sent = not flags & 1
    if datalink == H4:
        return (0, is_sent, packet[1:]) if packet[:1] == bytes([_H4_ACL]) else None
    return None if flags & 2 else (0, is_sent, packet)


@dataclass(slots=True)
class _Connection:
    """What is kept of one connection: an L2CAP frame that has begun, each way, and which handle is what."""

    begun: dict[bool, bytearray] = field(default_factory=dict)
    asked_type: bytes = b""
    uuids: dict[int, str] = field(default_factory=dict)


class _Connections:
    """All connections of a log."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], _Connection] = OrderedDict()

    def take(self, t_s: float, controller: int, is_sent: bool, packet: bytes) -> Iterator[AttValue]:
        """The value that an ACL packet completes, if it completes one."""
        if len(packet) < 4:
            return
        head, length = struct.unpack_from("<HH", packet)
        key, is_continued = (controller, head & 0x0FFF), head >> 12 & 3 == 1
        connection = self._known.setdefault(key, _Connection())
        self._known.move_to_end(key)
        if len(self._known) > MAX_CONNECTIONS:
            self._known.popitem(last=False)
        frame = _whole_frame(connection.begun, is_sent, packet[4 : 4 + length], is_continued=is_continued)
        if frame is None:
            return
        name = f"{key[1]:04x}" if controller == 0 else f"{controller}/{key[1]:04x}"
        if (value := _value(connection, frame)) is not None:
            handle, is_acknowledged, data = value
            yield AttValue(t_s, is_sent, name, handle, connection.uuids.get(handle), is_acknowledged, data)


def _whole_frame(begun: dict[bool, bytearray], is_sent: bool, piece: bytes, *, is_continued: bool) -> bytes | None:
    """The payload of a frame on the channel of the Attribute Protocol, once all its pieces are there."""
    if is_continued:
        frame = begun.get(is_sent)
        if frame is None:  # its beginning was before the log's
            return None
        frame += piece
    else:
        frame = begun[is_sent] = bytearray(piece)
    if len(frame) < 4:
        return None
    length, channel = struct.unpack_from("<HH", frame)
    if len(frame) < 4 + length:
        return None
    del begun[is_sent]
    return bytes(frame[4 : 4 + length]) if channel == _ATT_CHANNEL else None


def _value(connection: _Connection, frame: bytes) -> tuple[int, bool, bytes] | None:
    """Handle, whether it is acknowledged, and the value; None for a frame without one, which may still teach a UUID."""
    opcode = frame[0] if frame else None
    if opcode in _VALUES and len(frame) >= 3:
        return int.from_bytes(frame[1:3], "little"), _VALUES[opcode], frame[3:]
    if opcode == _READ_BY_TYPE_REQUEST:
        connection.asked_type = frame[5:]
    elif opcode == _READ_BY_TYPE_RESPONSE and connection.asked_type == _CHARACTERISTIC:
        _learn(connection.uuids, frame)
    return None


def _learn(uuids: dict[int, str], frame: bytes) -> None:
    """Take up characteristic declarations: handle, properties, handle of the value, UUID of 2 or 16 bytes."""
    size = frame[1] if len(frame) > 1 else 0
    if size not in {7, 21}:
        return
    for at in range(2, len(frame) - size + 1, size):
        handle = int.from_bytes(frame[at + 3 : at + 5], "little")
        if len(uuids) < MAX_CHARACTERISTICS or handle in uuids:
            uuids[handle] = _uuid(frame[at + 5 : at + size])


def _uuid(little_endian: bytes) -> str:
    digits = little_endian[::-1].hex()
    if len(digits) == 4:
        return f"0000{digits}-0000-1000-8000-00805f9b34fb"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
