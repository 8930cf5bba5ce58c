"""HCI logs made by hand, from the published layouts and not from the reader: btsnoop, HCI ACL, L2CAP, ATT."""

from __future__ import annotations

import struct
from collections.abc import Sequence

H1, H4, MONITOR = 1001, 1002, 2001
EPOCH_US = 0x00DCDDB30F2F8000
"""1970 in microseconds since the year 0, which is how the records count."""


def log(records: Sequence[bytes], *, datalink: int = H4, version: int = 1) -> bytes:
    return b"btsnoop\0" + struct.pack(">II", version, datalink) + b"".join(records)


def record(packet: bytes, flags: int, at_s: float = 0.0) -> bytes:
    stamp_us = EPOCH_US + round(at_s * 1e6)
    return struct.pack(">IIIIq", len(packet), len(packet), flags, 0, stamp_us) + packet


def acl(
    att: bytes, *, connection: int = 0x0040, channel: int = 4, pieces: int = 1, is_sent: bool = True
) -> list[bytes]:
    """The ACL packets of one L2CAP frame, in so many pieces."""
    frame = struct.pack("<HH", len(att), channel) + att
    size = -(-len(frame) // pieces)
    packets = []
    for number, at in enumerate(range(0, len(frame), size)):
        piece = frame[at : at + size]
        # Packet boundary: 0 begins from the host, 2 begins from the controller, 1 goes on.
        boundary = 1 if number else (0 if is_sent else 2)
        packets.append(struct.pack("<HH", connection | boundary << 12, len(piece)) + piece)
    return packets


def passed(
    is_sent: bool, att: bytes, *, at_s: float = 0.0, datalink: int = H4, pieces: int = 1, connection: int = 0x0040
) -> bytes:
    """The records of one ATT packet."""
    made = b""
    for packet in acl(att, pieces=pieces, is_sent=is_sent, connection=connection):
        if datalink == MONITOR:
            made += record(packet, 4 if is_sent else 5, at_s)
        else:
            made += record((b"\x02" if datalink == H4 else b"") + packet, 0 if is_sent else 1, at_s)
    return made


def write_request(handle: int, value: bytes) -> bytes:
    return b"\x12" + struct.pack("<H", handle) + value


def write_command(handle: int, value: bytes) -> bytes:
    return b"\x52" + struct.pack("<H", handle) + value


def notification(handle: int, value: bytes) -> bytes:
    return b"\x1b" + struct.pack("<H", handle) + value


def indication(handle: int, value: bytes) -> bytes:
    return b"\x1d" + struct.pack("<H", handle) + value
