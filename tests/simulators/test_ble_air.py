"""The virtual air and its devices, seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError, BleakGATTProtocolError

from controller.transports.bumble_client import client_backend
from controller.transports.bumble_scanner import scanner_backend
from firmware_profiles.errors import PercussError
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import MANUFACTURER, BlePeripheral

ADDRESS = "F0:F1:00:00:00:01"
WRITE, NOTIFY = "0000ffe2-0000-1000-8000-00805f9b34fb", "0000ffe1-0000-1000-8000-00805f9b34fb"


@pytest.fixture
def profile() -> Profile:
    return find_profile("theragun-gen4")


@pytest.fixture
async def air() -> AsyncIterator[BleAir]:
    air = BleAir()
    await air.start()
    yield air
    await air.close()


@pytest.fixture
async def device(air: BleAir, profile: Profile) -> AsyncIterator[BlePeripheral]:
    device = BlePeripheral(air, profile, _ignore, name="Elite", address=ADDRESS)
    await device.start()
    yield device
    await device.close()


def _client(air: BleAir) -> BleakClient:
    return BleakClient(ADDRESS, backend=client_backend(air.moniker))


async def _is_heard(air: BleAir, *, within_s: float = 0.3) -> bool:
    backend = scanner_backend(air.moniker)
    return await BleakScanner.find_device_by_address(ADDRESS, within_s, backend=backend) is not None


def _ignore(_data: bytes, /, *, with_response: bool | None) -> bool:
    """Take a write and do nothing."""
    return True


async def test_it_listens_on_this_computer_only(air: BleAir) -> None:
    kind, host, port = air.moniker.split(":")
    assert (kind, host) == ("tcp-client", "127.0.0.1")
    assert int(port) > 0
    with pytest.raises(OSError, match="in use"):
        await BleAir(int(port)).start()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
async def test_it_listens_on_a_unix_socket(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "air"
    air = BleAir(path=path)
    await air.start()
    device = BlePeripheral(air, profile, _ignore, name="Elite", address=ADDRESS)
    await device.start()
    async with _client(air) as client:
        assert client.is_connected
    await device.close()
    await air.close()
    assert not path.exists()


async def test_whoever_does_not_speak_hci_is_sent_away(air: BleAir, device: BlePeripheral) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(air.moniker.rsplit(":", 1)[1]))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    async with _client(air):
        assert device.is_connected


async def test_closing_the_air_sends_everybody_away(air: BleAir, device: BlePeripheral) -> None:
    gone = asyncio.Event()
    client = BleakClient(ADDRESS, lambda _client: gone.set(), backend=client_backend(air.moniker))
    await client.connect()

    await air.close()
    await air.close()

    await gone.wait()
    await client.disconnect()


async def test_a_device_sees_a_visitor_leave_and_is_heard_again(air: BleAir, device: BlePeripheral) -> None:
    async with _client(air):
        assert device.is_connected
    await _until_free(device)
    assert await _is_heard(air, within_s=10)


async def test_a_device_sees_a_visitor_vanish(air: BleAir, device: BlePeripheral) -> None:
    """The visitor's process dies: its socket closes without any goodbye on the air."""
    client = _client(air)
    await client.connect()
    for visitor in list(air._visitors):
        visitor.leave()
    await _until_free(device)
    assert await _is_heard(air, within_s=10)
    await client.disconnect()


async def test_it_tells_what_it_is(air: BleAir, profile: Profile) -> None:
    device = BlePeripheral(air, profile, _ignore, name="Elite", address=ADDRESS, serial="TG-1", firmware="2.1.6")
    await device.start()
    assert device.address == ADDRESS
    async with _client(air) as client:
        texts = [bytes(await client.read_gatt_char(f"00002a{n}-0000-1000-8000-00805f9b34fb")) for n in (25, 26, 29)]
    assert texts == [b"TG-1", b"2.1.6", MANUFACTURER.encode()]
    await device.close()


async def test_a_full_device_is_not_heard_until_somebody_leaves(air: BleAir, profile: Profile) -> None:
    device = BlePeripheral(air, profile, _ignore, name="Elite", address=ADDRESS, max_connections=1)
    await device.start()
    async with _client(air):
        assert not await _is_heard(air)
    assert await _is_heard(air, within_s=10)
    await device.close()


async def test_a_device_bears_as_many_hosts_as_its_profile_says(air: BleAir, profile: Profile) -> None:
    simulator = profile.simulator.model_copy(update={"max_connections": 1})
    alone = profile.model_copy(update={"simulator": simulator})
    device = BlePeripheral(air, alone, _ignore, name="Elite", address=ADDRESS)
    await device.start()
    async with _client(air):
        assert not await _is_heard(air)
    await device.close()


async def test_a_dropped_link_stays_away_until_it_is_restored(air: BleAir, device: BlePeripheral) -> None:
    gone = asyncio.Event()
    client = BleakClient(ADDRESS, lambda _client: gone.set(), backend=client_backend(air.moniker))
    await client.connect()

    await device.drop_link(float("inf"))

    await gone.wait()
    assert not device.is_connected
    assert not await _is_heard(air)
    device.restore_link()
    assert await _is_heard(air, within_s=10)
    await client.disconnect()


async def test_a_dropped_link_comes_back_by_itself(air: BleAir, device: BlePeripheral) -> None:
    await device.drop_link(0.01)
    assert await _is_heard(air, within_s=10)


async def test_a_refused_connection_fails_at_once(air: BleAir, device: BlePeripheral) -> None:
    device.refuses_connections = True
    assert device.refuses_connections
    with pytest.raises(BleakError, match="CONNECTION_FAILED_TO_BE_ESTABLISHED"):
        await _client(air).connect()
    assert not device.is_connected


async def test_a_handler_that_raises_is_answered_and_logged(
    air: BleAir, profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_data: bytes, /, *, with_response: bool | None) -> bool:
        raise RuntimeError("firmware crashed")

    device = BlePeripheral(air, profile, fail, name="Elite", address=ADDRESS)
    await device.start()
    async with _client(air) as client:
        with caplog.at_level(logging.ERROR), pytest.raises(BleakGATTProtocolError) as raised:
            await client.write_gatt_char(WRITE, b"\xaa", response=True)
    assert raised.value.code == 0x0E  # unlikely error
    assert "failed on a write of aa" in caplog.text
    await device.close()


async def test_a_notification_goes_to_those_who_subscribed_cut_to_the_mtu(air: BleAir, device: BlePeripheral) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def note(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        heard.put_nowait(bytes(data))

    device.notify(b"to nobody")
    async with _client(air) as client:
        device.notify(b"not subscribed")
        await client.start_notify(NOTIFY, note)
        device.notify(bytes(600))
        assert await heard.get() == bytes(247 - 3)


async def test_a_profile_may_have_one_characteristic_for_both_ways_or_none_that_notifies(
    air: BleAir, profile: Profile
) -> None:
    assert profile.ble
    for notify in (profile.ble.write, None):
        other = profile.model_copy(update={"ble": profile.ble.model_copy(update={"notify": notify})})
        device = BlePeripheral(air, other, _ignore, name="Elite", address=ADDRESS)
        await device.start()
        async with _client(air) as client:
            written = client.services.get_characteristic(WRITE)
            assert written is not None
            assert ("notify" in written.properties) is (notify is not None)
            device.notify(b"x")
        await device.close()


async def test_a_long_uuid_is_advertised_too(air: BleAir, profile: Profile) -> None:
    assert profile.ble
    uuid = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
    other = profile.model_copy(update={"ble": profile.ble.model_copy(update={"service": uuid}), "match": ()})
    device = BlePeripheral(air, other, _ignore, name="Elite", address=ADDRESS)
    await device.start()
    async with BleakScanner(backend=scanner_backend(air.moniker)) as scanner:
        async for _device, said in scanner.advertisement_data():
            assert said.service_uuids == [uuid]
            break
    await device.close()


async def test_a_serial_device_cannot_be_on_the_air(air: BleAir) -> None:
    with pytest.raises(PercussError, match="does not speak Bluetooth"):
        BlePeripheral(air, find_profile("nlr-hf8"), _ignore, name="HF8", address=ADDRESS)


async def _until_free(device: BlePeripheral) -> None:
    while device.is_connected:  # noqa: ASYNC110  # nothing announces it
        await asyncio.sleep(0.001)
