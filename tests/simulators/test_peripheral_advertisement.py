"""What virtual devices show of themselves before anybody connects."""

from __future__ import annotations

import pytest
from bleak import BleakScanner

from controller.transports.bumble_scanner import scanner_backend
from firmware_profiles.errors import PercussError
from firmware_profiles.schema import Profile
from simulators.adapters.advertisement import PACKET_BYTES, Advertisement, advertise
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral
from tests.helpers.profile_text import profile_from

BODY = """
[level]
unit = "level"
full = 100
[channels.head]
[commands.set_level]
frames = ["{level:u8}"]
[commands.stop]
frames = ["00"]
"""
SHORT = '[ble]\nservice = "FFE0"\nwrite = "FFE1"\n'
LONG = '[ble]\nservice = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"\nwrite = "FFE1"\n'
NUS = bytes.fromhex("6e400001b5a3f393e0a9e50e24dcca9e")[::-1]
FLAGS = bytes.fromhex("02 01 06")
"""Generally discoverable, no classic Bluetooth (Supplement to the Core Specification, part A, 1.3)."""


def shown(profile: Profile, name: str, alternative: int = 0) -> Advertisement:
    assert profile.ble is not None
    return advertise(profile, profile.ble.layouts[alternative], name)


def test_flags_service_and_name_fit_into_the_first_packet() -> None:
    said = shown(profile_from(BODY, SHORT), "Elite")
    assert said == Advertisement(FLAGS + b"\x03\x03\xe0\xff" + b"\x06\x09Elite", b"")


def test_a_name_that_has_no_room_beside_a_long_service_is_the_answer_to_a_scan() -> None:
    said = shown(profile_from(BODY, LONG), "percuss-link workbench")
    assert said == Advertisement(FLAGS + b"\x11\x07" + NUS, b"\x17\x09percuss-link workbench")


def test_a_name_that_has_no_room_at_all_is_shortened_between_letters() -> None:
    said = shown(profile_from(BODY, SHORT), "é" * 20)
    # 31 bytes, less 2 of its head, hold 14 letters of two bytes and half of another.
    assert said.scan_response == bytes([29, 0x08]) + ("é" * 14).encode()


def test_manufacturer_data_stand_behind_the_number_of_the_first_match() -> None:
    match = '[[match]]\nname = ["x"]\n[[match]]\nmanufacturer_id = 0x092D\nmanufacturer_prefix = "58 50"\n'
    said = shown(profile_from(BODY + match + '[simulator]\nmanufacturer_data = "58 50 05"\n', SHORT), "x")
    assert said.data == FLAGS + b"\x03\x03\xe0\xff" + b"\x06\xff\x2d\x09\x58\x50\x05" + b"\x02\x09x"


def test_without_manufacturer_data_of_its_own_it_shows_what_it_is_known_by() -> None:
    match = '[[match]]\nmanufacturer_id = 0x092D\nmanufacturer_prefix = "43 50"\n'
    assert b"\x05\xff\x2d\x09\x43\x50" in shown(profile_from(BODY + match, SHORT), "x").data


def test_manufacturer_data_that_no_packet_holds_are_refused() -> None:
    match = f'[[match]]\nmanufacturer_id = 1\n[simulator]\nmanufacturer_data = "{"00" * 28}"\n'
    with pytest.raises(PercussError, match="two packets of 31 bytes"):
        shown(profile_from(BODY + match, SHORT), "x")


def test_a_service_to_be_known_by_is_shown_beside_the_one_that_takes_the_frames() -> None:
    match = '[[match]]\nservice = "0000abcd-1234-1000-8000-00805f9b34fb"\n'
    said = shown(profile_from(BODY + match, LONG), "Malouf Base")
    known_by = bytes.fromhex("0000abcd12341000800000805f9b34fb")[::-1]
    # Two lists, so neither is the complete one (06); with the name they fill 21 and 31 bytes.
    assert said == Advertisement(FLAGS + b"\x11\x06" + known_by, b"\x11\x06" + NUS + b"\x0c\x09Malouf Base")
    assert len(said.scan_response) == PACKET_BYTES


def test_another_layout_shows_its_own_service_only() -> None:
    link = SHORT + '[[ble.alternatives]]\nservice = "FFF0"\nwrite = "FFF2"\n'
    said = shown(profile_from(BODY + '[[match]]\nservice = "FFE0"\n', link), "x", alternative=1)
    assert said.data == FLAGS + b"\x03\x03\xf0\xff" + b"\x02\x09x"


async def test_a_scan_puts_both_packets_together() -> None:
    match = '[[match]]\nmanufacturer_id = 0x092D\n[simulator]\nmanufacturer_data = "58 50 05"\n'
    air = BleAir()
    await air.start()
    profile = profile_from(BODY + match, LONG)
    device = BlePeripheral(
        air, profile, lambda _data, with_response: True, name="percuss-link bench", address="F0:F1:00:00:00:01"
    )
    await device.start()
    async with BleakScanner(backend=scanner_backend(air.moniker)) as scanner:
        async for _device, said in scanner.advertisement_data():
            if said.local_name is not None:
                assert said.local_name == "percuss-link bench"
                assert said.service_uuids == ["6e400001-b5a3-f393-e0a9-e50e24dcca9e"]
                assert said.manufacturer_data == {0x092D: b"\x58\x50\x05"}
                break
    await device.close()
    await air.close()


async def test_a_layout_that_the_profile_does_not_have_is_refused() -> None:
    with pytest.raises(PercussError, match="no GATT layout number 1") as caught:
        BlePeripheral(
            BleAir(),
            profile_from(BODY, SHORT),
            lambda _data, with_response: True,
            name="x",
            address="F0:F1:00:00:00:01",
            alternative=1,
        )
    assert "from 0 to 0" in caught.value.fix
