"""Our backend behind bleak's own classes, as any program that uses bleak would use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble import core
from bumble.device import Advertisement

from controller.transports.bumble_client import client_backend
from controller.transports.bumble_scanner import advertisement_data, scanner_backend
from firmware_profiles.library import find_profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral

ADDRESS = "F0:F1:00:00:00:01"
SERVICE, WRITE, NOTIFY = (f"0000ffe{n}-0000-1000-8000-00805f9b34fb" for n in (0, 2, 1))
SERIAL_NUMBER = "00002a25-0000-1000-8000-00805f9b34fb"


@pytest.fixture
async def air() -> AsyncIterator[BleAir]:
    air = BleAir()
    await air.start()
    yield air
    await air.close()


@pytest.fixture
async def device(air: BleAir) -> AsyncIterator[BlePeripheral]:
    profile = find_profile("theragun-gen4")
    device = BlePeripheral(air, profile, _take, name="Elite", address=ADDRESS, serial="TG-1")
    await device.start()
    yield device
    await device.close()


def _client(air: BleAir, device: BLEDevice | str = ADDRESS, timeout_s: float = 10.0) -> BleakClient:
    return BleakClient(device, timeout=timeout_s, backend=client_backend(air.moniker))


def _take(_data: bytes, /, *, with_response: bool | None) -> bool:
    """Take a write and do nothing."""
    return True


async def _find(air: BleAir) -> BLEDevice:
    found = await BleakScanner.find_device_by_address(ADDRESS, backend=scanner_backend(air.moniker))
    assert found is not None
    return found


async def test_the_whole_gatt_table_is_discovered(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air) as client:
        service = client.services.get_service(SERVICE)
        assert service is not None
        properties = {c.uuid: set(c.properties) for c in service.characteristics}
        assert properties == {WRITE: {"write", "write-without-response"}, NOTIFY: {"notify"}}
        assert client.services.get_service("180A") is not None
        notified = service.get_characteristic(NOTIFY)
        assert notified is not None
        assert notified.get_descriptor("2902") is not None
        assert client.mtu_size == 247
        assert notified.max_write_without_response_size == 244


async def test_values_and_descriptors_are_read_and_written(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air) as client:
        assert await client.read_gatt_char(SERIAL_NUMBER) == b"TG-1"
        notified = client.services.get_characteristic(NOTIFY)
        assert notified is not None
        configuration = notified.get_descriptor("2902")
        assert configuration is not None
        assert await client.read_gatt_descriptor(configuration) == b"\x00\x00"
        # bleak itself keeps its users from writing this one, which is the only one that the device has.
        await client._backend.write_gatt_descriptor(configuration, b"\x01\x00")
        assert await client.read_gatt_descriptor(configuration) == b"\x01\x00"


async def test_an_att_error_keeps_its_code(air: BleAir) -> None:
    profile = find_profile("theragun-gen4")
    locked = BlePeripheral(air, profile, _take, name="Elite", address=ADDRESS, bond=True)
    await locked.start()
    async with _client(air) as client:
        with pytest.raises(BleakGATTProtocolError) as raised:
            await client.write_gatt_char(WRITE, b"x", response=True)
        assert raised.value.code == 0x0F  # insufficient encryption
    await locked.close()


async def test_a_command_that_does_not_fit_is_refused(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air) as client:
        with pytest.raises(BleakError, match="do not fit"):
            await client.write_gatt_char(WRITE, bytes(600), response=False)


async def test_after_stop_notify_nothing_arrives(air: BleAir, device: BlePeripheral) -> None:
    heard: list[bytes] = []

    def note(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        heard.append(bytes(data))

    async with _client(air) as client:
        await client.start_notify(NOTIFY, note)
        device.notify(b"one")
        await client.read_gatt_char(SERIAL_NUMBER)  # what was sent before the answer has arrived with it
        await client.stop_notify(NOTIFY)
        device.notify(b"two")
        await client.read_gatt_char(SERIAL_NUMBER)
    assert heard == [b"one"]


async def test_notifications_need_a_characteristic_that_has_them(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air) as client:
        with pytest.raises(BleakError):
            await client.start_notify(WRITE, lambda _characteristic, _data: None)


async def test_scanner_and_clients_share_one_controller_until_the_last_leaves(
    air: BleAir, device: BlePeripheral
) -> None:
    other = BlePeripheral(air, find_profile("theragun-gen4"), _take, name="Pro", address="F0:F1:00:00:00:02")
    await other.start()
    async with BleakScanner(backend=scanner_backend(air.moniker)):
        async with _client(air), _client(air, other.address):
            assert air.visitor_count == 1
        assert air.visitor_count == 1
    await _until_alone(air)
    await other.close()


async def test_a_scan_filters_by_service(air: BleAir, device: BlePeripheral) -> None:
    backend = scanner_backend(air.moniker)
    async with BleakScanner(service_uuids=["1234"], backend=backend) as picky:
        await _find(air)
        assert picky.discovered_devices == []
    async with BleakScanner(service_uuids=[SERVICE], backend=backend) as scanner:
        async for found, said in scanner.advertisement_data():
            assert (found.address, said.service_uuids) == (ADDRESS, [SERVICE])
            break


async def test_a_client_made_from_an_address_finds_its_device(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air, ADDRESS.lower()) as client:
        assert client.name == "Elite"


async def test_an_unknown_address_is_not_found(air: BleAir, device: BlePeripheral) -> None:
    with pytest.raises(BleakDeviceNotFoundError):
        await _client(air, "F0:F1:00:00:00:99", timeout_s=0.2).connect()
    await _until_alone(air)


async def test_connecting_to_a_device_that_went_away_times_out_and_can_be_tried_again(
    air: BleAir, device: BlePeripheral
) -> None:
    found = await _find(air)
    await device.drop_link(float("inf"))
    with pytest.raises(TimeoutError):
        await _client(air, found, timeout_s=0.2).connect()

    device.restore_link()

    async with _client(air, found) as client:
        assert client.is_connected


async def test_a_connection_that_is_cancelled_leaves_nothing_behind(air: BleAir, device: BlePeripheral) -> None:
    found = await _find(air)
    for steps in (0, 5, 50, 200):
        connecting = asyncio.create_task(_client(air, found).connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
    await _until_alone(air)
    while device.is_connected:  # noqa: ASYNC110  # nothing announces it
        await asyncio.sleep(0.001)
    async with _client(air, found) as client:
        assert client.is_connected


async def test_the_callback_is_called_when_the_air_is_gone(air: BleAir, device: BlePeripheral) -> None:
    gone = asyncio.Event()
    client = BleakClient(ADDRESS, lambda _client: gone.set(), backend=client_backend(air.moniker))
    await client.connect()

    await air.close()

    await gone.wait()
    assert not client.is_connected
    with pytest.raises(BleakError):
        await client.read_gatt_char(SERIAL_NUMBER)
    await client.disconnect()
    with pytest.raises(BleakBluetoothNotAvailableError):
        await client.connect()


async def test_unpairing_disconnects_and_forgets(air: BleAir) -> None:
    profile = find_profile("theragun-gen4")
    locked = BlePeripheral(air, profile, _take, name="Elite", address=ADDRESS, bond=True)
    await locked.start()
    client = BleakClient(ADDRESS, pair=True, backend=client_backend(air.moniker))
    async with client:
        await client.pair()  # once more does nothing
        await client.write_gatt_char(WRITE, b"x", response=True)
        await client.unpair()
        assert not client.is_connected
        with pytest.raises(BleakDeviceNotFoundError):
            await client.unpair()
    await locked.close()


def test_what_a_device_says_in_several_packets_is_put_together() -> None:
    ad = core.AdvertisingData
    first = _heard((ad.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, b"\xe0\xff\x0a\x18"), (ad.TX_POWER_LEVEL, b"\xf8"))
    second = _heard((ad.COMPLETE_LOCAL_NAME, b"Eli\xffte"), (ad.MANUFACTURER_SPECIFIC_DATA, b"\x4c\x00\x01\x02"))

    said = advertisement_data(second, advertisement_data(first, None))

    assert said.local_name == "Eli\N{REPLACEMENT CHARACTER}te"
    assert said.service_uuids == [SERVICE, "0000180a-0000-1000-8000-00805f9b34fb"]
    assert said.manufacturer_data == {0x4C: b"\x01\x02"}
    assert said.tx_power == -8
    assert said.rssi == -127  # unknown


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x01\x02\x03"])
@pytest.mark.parametrize("kind", [0x02, 0x07, 0x09, 0x0A, 0x16, 0x21, 0xFF, 0x99])
def test_no_advertisement_is_too_broken_to_be_heard(kind: int, junk: bytes) -> None:
    advertisement_data(_heard((kind, junk)), None)


def _heard(*structures: tuple[int, bytes]) -> Advertisement:
    from bumble.hci import Address

    packet = b"".join(bytes([len(data) + 1, kind]) + data for kind, data in structures)
    return Advertisement(address=Address(ADDRESS), data_bytes=packet)


async def _until_alone(air: BleAir) -> None:
    """Wait until the air has noticed that the last connection to it is closed."""
    while air.visitor_count:  # noqa: ASYNC110  # nothing announces it
        await asyncio.sleep(0.001)
