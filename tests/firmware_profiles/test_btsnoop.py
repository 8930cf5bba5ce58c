from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles import btsnoop
from firmware_profiles.btsnoop import AttValue, Broken, read_btsnoop
from tests.helpers import hci_log
from tests.helpers.hci_log import H1, H4, MONITOR, indication, log, notification, passed, write_command, write_request

SET_1750 = bytes.fromhex("AA E3 01 03 06 D6 03")
STATUS = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")


def values(raw: bytes) -> list[AttValue]:
    return list(read_btsnoop(io.BytesIO(raw)))


def read_until_broken(raw: bytes) -> tuple[list[AttValue], Broken | None]:
    found = []
    try:
        for value in read_btsnoop(io.BytesIO(raw)):
            found.append(value)
    except Broken as problem:
        return found, problem
    return found, None


@pytest.mark.parametrize("datalink", [H1, H4, MONITOR])
def test_what_is_written_and_notified_is_found_in_every_kind_of_log(datalink: int) -> None:
    raw = log(
        [
            passed(True, write_request(0x12, SET_1750), at_s=10.0, datalink=datalink),
            passed(True, write_command(0x12, SET_1750), at_s=10.25, datalink=datalink),
            passed(False, notification(0x15, STATUS), at_s=10.5, datalink=datalink),
            passed(False, indication(0x15, STATUS), at_s=11.0, datalink=datalink),
        ],
        datalink=datalink,
    )
    assert [(v.t_s, v.is_sent, v.handle, v.is_acknowledged, v.data) for v in values(raw)] == [
        (0.0, True, 0x12, True, SET_1750),
        (0.25, True, 0x12, False, SET_1750),
        (0.5, False, 0x15, False, STATUS),
        (1.0, False, 0x15, True, STATUS),
    ]


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 22])
def test_a_frame_in_pieces_is_put_together(pieces: int) -> None:
    raw = log([passed(False, notification(0x15, STATUS), pieces=pieces)])
    assert [value.data for value in values(raw)] == [STATUS]


def test_pieces_of_two_connections_and_of_both_ways_do_not_mix() -> None:
    def packets(is_sent: bool, data: bytes, connection: int) -> list[bytes]:
        flags = 0 if is_sent else 1
        pieces = hci_log.acl(notification(9, data), pieces=2, is_sent=is_sent, connection=connection)
        return [hci_log.record(b"\x02" + piece, flags) for piece in pieces]

    rows = [packets(True, b"one " * 4, 0x40), packets(False, b"two " * 4, 0x40), packets(False, b"three" * 3, 0x41)]
    raw = log([row[0] for row in rows] + [row[1] for row in rows])
    assert [(v.connection, v.is_sent, v.data) for v in values(raw)] == [
        ("0040", True, b"one " * 4),
        ("0040", False, b"two " * 4),
        ("0041", False, b"three" * 3),
    ]


def test_pieces_whose_beginning_is_not_in_the_log_are_passed_over() -> None:
    late = hci_log.acl(notification(9, STATUS), pieces=2, is_sent=False)[1]
    raw = log([hci_log.record(b"\x02" + late, 1), passed(False, notification(9, b"whole"))])
    assert [value.data for value in values(raw)] == [b"whole"]


def test_a_frame_that_never_ends_gives_way_to_the_next() -> None:
    begun = hci_log.acl(notification(9, STATUS), pieces=2, is_sent=False)[0]
    raw = log([hci_log.record(b"\x02" + begun, 1), passed(False, notification(9, b"whole"))])
    assert [value.data for value in values(raw)] == [b"whole"]


def test_a_characteristic_that_is_discovered_in_the_log_has_its_uuid() -> None:
    # Read By Type: opcode 08, from 0001 to FFFF, type 2803. Its answer: opcode 09, 7 bytes each: handle, properties,
    # handle of the value, UUID. 2A00 is the device's name; FFE1 stands where a massager has its own.
    asked = bytes.fromhex("08 01 00 FF FF 03 28")
    told = bytes.fromhex("09 07 02 00 02 03 00 00 2A 10 00 0C 12 00 E1 FF")
    raw = log([passed(True, asked), passed(False, told), passed(True, write_command(0x12, SET_1750))])
    (found,) = values(raw)
    assert found.uuid == "0000ffe1-0000-1000-8000-00805f9b34fb"


def test_a_long_uuid_is_read_from_its_last_byte() -> None:
    asked = bytes.fromhex("08 01 00 FF FF 03 28")
    uuid = bytes.fromhex("1b0d1301a7205d75a6f231d68a0c5e3c")[::-1]
    told = bytes.fromhex("09 15 10 00 0C 12 00") + uuid
    raw = log([passed(True, asked), passed(False, told), passed(True, write_command(0x12, SET_1750))])
    assert values(raw)[0].uuid == "1b0d1301-a720-5d75-a6f2-31d68a0c5e3c"


def test_an_answer_to_another_question_teaches_no_uuid() -> None:
    asked = bytes.fromhex("08 01 00 FF FF 00 2A")
    told = bytes.fromhex("09 07 10 00 0C 12 00 E1 FF")
    raw = log([passed(True, asked), passed(False, told), passed(True, write_command(0x12, SET_1750))])
    assert values(raw)[0].uuid is None


def test_what_is_no_attribute_protocol_is_passed_over() -> None:
    other_channel = hci_log.acl(notification(9, STATUS), channel=5)[0]
    raw = log(
        [
            hci_log.record(b"\x01\x03\x0c\x00", 2),  # a command
            hci_log.record(b"\x04\x0e\x04\x01\x03\x0c\x00", 3),  # an event
            hci_log.record(b"\x02" + other_channel, 0),
            hci_log.record(b"\x02\x40", 0),  # too short for anything
            hci_log.record(b"", 0),
            passed(False, b""),
            passed(False, b"\x1b\x09"),
        ]
    )
    assert values(raw) == []


def test_the_bare_log_tells_commands_by_their_flag() -> None:
    # A command whose bytes would make sense as an ACL packet.
    looks_like_acl = hci_log.acl(write_command(9, STATUS))[0]
    assert values(log([hci_log.record(looks_like_acl, 2)], datalink=H1)) == []
    assert len(values(log([hci_log.record(looks_like_acl, 0)], datalink=H1))) == 1


@pytest.mark.parametrize(
    ("raw", "offset", "what"),
    [
        (b"", 0, "ends in its header"),
        (b"btsnoop\0\0\0\0\1", 12, "ends in its header"),
        (b"BTSNOOP\0" + bytes(8), 0, "no btsnoop log"),
        (log([], version=2), 8, "version 2"),
        (log([], datalink=1003), 12, "datalink 1003"),
        (log([passed(True, write_command(9, STATUS))])[:-1], 16, "cut off"),
        (log([passed(True, write_command(9, STATUS)), b"\0\0\0"]), 16 + 24 + 1 + 4 + 4 + 3 + 15, "cut off"),
        (log([struct.pack(">IIIIq", 9, 0xFFFFFFFF, 0, 0, 0)]), 16, "claims 4294967295 bytes"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(raw: bytes, offset: int, what: str) -> None:
    _, problem = read_until_broken(raw)
    assert problem is not None
    assert problem.offset == offset
    assert what in problem.what


def test_everything_before_a_cut_is_read() -> None:
    whole = log([passed(True, write_command(9, SET_1750)), passed(False, notification(9, STATUS))])
    found, problem = read_until_broken(whole[:-1])
    assert [value.data for value in found] == [SET_1750]
    assert problem is not None


@given(st.binary(max_size=400), st.sampled_from([H1, H4, MONITOR]))
def test_whatever_is_in_a_log_it_is_read_or_refused(raw: bytes, datalink: int) -> None:
    read_until_broken(raw)
    read_until_broken(log([raw], datalink=datalink))


PACKETS = st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 0xFFFFFFFF), st.floats(0, 1e6)), max_size=12)


@given(PACKETS, st.sampled_from([H1, H4, MONITOR]))
def test_no_packet_is_so_broken_that_the_next_is_lost(packets: list[tuple[bytes, int, float]], datalink: int) -> None:
    raw = log([hci_log.record(packet, flags, at_s) for packet, flags, at_s in packets], datalink=datalink)
    # On a connection of its own, so that no piece from before it belongs to it.
    raw += passed(False, notification(0x15, STATUS), datalink=datalink, connection=0x0EFF)
    found, problem = read_until_broken(raw)
    assert problem is None
    assert found[-1].data == STATUS


@given(st.data())
def test_every_cut_of_a_log_gives_the_values_before_it(data: st.DataObject) -> None:
    raw = log([passed(True, write_command(9, bytes([n]) * 9), pieces=2) for n in range(4)])
    cut = data.draw(st.integers(16, len(raw)))
    found, _ = read_until_broken(raw[:cut])
    assert [value.data for value in found] == [bytes([n]) * 9 for n in range(len(found))]


def test_a_log_of_endless_connections_keeps_little() -> None:
    begun = [
        hci_log.record(b"\x02" + hci_log.acl(notification(9, STATUS), pieces=2, connection=number)[0], 0)
        for number in range(500)
    ]
    connections = btsnoop._Connections()
    for packet in begun:
        list(connections.take(0.0, 0, True, packet[25:]))
    assert len(connections._known) == btsnoop.MAX_CONNECTIONS
