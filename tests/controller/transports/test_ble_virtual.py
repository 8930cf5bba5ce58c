"""`BleTransport` through the real bleak, on our backend, over virtual air: real HCI, ATT and SMP bytes, no radio."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bumble.gatt_server import Server

from controller.errors import (
    AdapterError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceNotFoundError,
    LinkLostError,
    PairingError,
    TransportError,
)
from controller.transports import Identity, open_url
from controller.transports.ble import BleTransport, Sighting, ble_url, parse_ble_url, scan_ble
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral
from tests.controller.transports.bench import ADDRESS, Bench

PASSKEY = 123456


@pytest.fixture
def profile() -> Profile:
    return find_profile("theragun-gen4")


@pytest.fixture
async def bench(profile: Profile) -> AsyncIterator[Bench]:
    air = BleAir()
    await air.start()
    yield Bench(air, profile)
    await air.close()


@pytest.fixture
async def device(bench: Bench) -> AsyncIterator[BlePeripheral]:
    async with bench.device() as device:
        yield device


async def test_a_scan_tells_name_services_and_strength(bench: Bench, device: BlePeripheral) -> None:
    sighting = await _sighting(bench, "Elite")

    assert (sighting.address, sighting.name) == (ADDRESS, "Elite")
    assert sighting.services == ("0000ffe0-0000-1000-8000-00805f9b34fb",)
    assert -120 < sighting.rssi_dbm < 0
    assert sighting.manufacturer == {}


async def test_a_scan_hears_others_while_connected(bench: Bench, device: BlePeripheral) -> None:
    other = BlePeripheral(bench.air, bench.profile, bench.take, name="Pro", address="F0:F1:00:00:00:02")
    await other.start()
    link = await bench.open()

    sighting = await _sighting(bench, "Pro")

    assert sighting.address == other.address
    await link.write(b"still here", with_response=True)
    await other.close()


async def _sighting(bench: Bench, name: str) -> Sighting:
    """Scan until it is heard: on a busy machine one short scan may miss it."""
    while True:
        for sighting in await scan_ble(0.2, hci=bench.air.moniker):
            if sighting.name == name:
                return sighting


async def test_the_url_opens_the_link_and_the_device_tells_who_it_is(bench: Bench, device: BlePeripheral) -> None:
    link = open_url(bench.url, bench.profile)
    assert isinstance(link, BleTransport)
    bench.links.append(link)

    await bench.open(link)

    assert link.is_open
    assert link.url == bench.url
    assert await link.read_identity() == Identity(ADDRESS, serial="TG-1", firmware="2.1.6")


async def test_a_device_without_serial_number_has_none(bench: Bench) -> None:
    async with bench.device(serial="", firmware=""):
        link = await bench.open()
        assert await link.read_identity() == Identity(ADDRESS)


@pytest.mark.parametrize("with_response", [True, False])
async def test_a_write_arrives_in_the_way_that_was_asked_for(
    bench: Bench, device: BlePeripheral, with_response: bool
) -> None:
    link = await bench.open()

    await link.write(b"\xaa\x10\x10\x00", with_response=with_response)

    assert await bench.written.get() == b"\xaa\x10\x10\x00"
    assert bench.ways == [with_response]


@pytest.mark.parametrize(("accepts", "with_response"), [("request", True), ("command", False)])
async def test_a_write_takes_the_only_way_that_the_device_has(bench: Bench, accepts: str, with_response: bool) -> None:
    async with bench.device(accepts=accepts):
        link = await bench.open()

        for asked in (True, False):
            await link.write(b"x", with_response=asked)
            await bench.written.get()

        assert bench.ways == [with_response, with_response]


async def test_concurrent_writes_all_arrive_whole(bench: Bench, device: BlePeripheral) -> None:
    link = await bench.open()
    frames = [bytes([n]) * 20 for n in range(50)]

    await asyncio.gather(*(link.write(frame, with_response=bool(n % 2)) for n, frame in enumerate(frames)))

    assert sorted([await bench.written.get() for _ in frames]) == frames


async def test_what_was_written_before_closing_still_arrives(bench: Bench, device: BlePeripheral) -> None:
    link = await bench.open()
    for _ in range(500):
        await link.write(b"speed", with_response=False)
    await link.write(b"stop", with_response=False)

    await link.close()

    seen = [await bench.written.get() for _ in range(501)]
    assert seen[-1] == b"stop"


async def test_a_cancelled_write_does_not_spoil_the_next(bench: Bench, device: BlePeripheral) -> None:
    link = await bench.open()
    for round_ in range(20):
        first = asyncio.create_task(link.write(b"first", with_response=True))
        for _ in range(round_):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        await link.write(b"stop", with_response=True)

    seen = [bench.written.get_nowait() for _ in range(bench.written.qsize())]
    assert seen.count(b"stop") == 20
    assert seen[-1] == b"stop"


async def test_a_device_that_fails_on_a_write_says_so_at_once(bench: Bench) -> None:
    def fail(data: bytes, /, *, with_response: bool | None) -> bool:
        if data == b"bad":
            raise RuntimeError("firmware crashed")
        return True

    async with bench.device(receive=fail):
        link = await bench.open()
        with pytest.raises(DeviceFaultError, match="refused"):
            await link.write(b"bad", with_response=True)
        await link.write(b"bad", with_response=False)
        await link.write(b"good", with_response=True)


async def test_notifications_arrive_in_order(bench: Bench, device: BlePeripheral) -> None:
    await bench.open()
    sent = [bytes([0xBB, n]) for n in range(100)]
    for data in sent:
        device.notify(data)

    assert [await bench.heard.get() for _ in sent] == sent


async def test_a_dropped_link_is_told_once_and_can_be_opened_again(bench: Bench, device: BlePeripheral) -> None:
    link = await bench.open()

    await device.drop_link(0.0)

    assert isinstance(await bench.lost.get(), LinkLostError)
    assert not link.is_open
    with pytest.raises(LinkLostError):
        await link.write(b"x", with_response=True)
    await bench.open(link)
    device.notify(b"back")
    assert await bench.heard.get() == b"back"
    assert bench.lost.empty()


async def test_a_write_under_way_ends_when_the_link_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.device() as device:
        link = await bench.open()
        arrived = asyncio.Event()
        # A device that takes the write and never acknowledges it.
        monkeypatch.setattr(Server, "on_att_write_request", lambda *_args: arrived.set())
        write = asyncio.create_task(link.write(b"x", with_response=True))
        await arrived.wait()

        await device.drop_link(0.0)

        with pytest.raises(LinkLostError):
            await write


async def test_closing_is_no_loss_and_may_be_repeated(bench: Bench, device: BlePeripheral) -> None:
    link = await bench.open()

    await link.close()
    await link.close()

    assert bench.lost.empty()
    assert not link.is_open
    with pytest.raises(LinkLostError):
        await link.read_identity()


async def test_nothing_listens_at_the_moniker(profile: Profile) -> None:
    async with _closed_port() as moniker:
        link = BleTransport(ble_url(ADDRESS, hci=moniker), profile)
        with pytest.raises(AdapterError, match=moniker) as raised:
            await link.open(_ignore, _ignore)
        assert "simulator" in raised.value.fix
        with pytest.raises(AdapterError, match=moniker):
            await scan_ble(0.1, hci=moniker)


@asynccontextmanager
async def _closed_port() -> AsyncIterator[str]:
    """A port that was free a moment ago."""
    air = BleAir()
    await air.start()
    await air.close()
    yield air.moniker


async def test_what_listens_does_not_speak_hci(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.transports.bumble_radio.OPEN_TIMEOUT_S", 0.05)
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass
        writer.close()
        hung_up.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(AdapterError, match="does not answer"):
        await scan_ble(0.1, hci=f"tcp-client:127.0.0.1:{port}")
    await hung_up.wait()
    server.close()


async def test_nobody_has_the_address(bench: Bench, device: BlePeripheral) -> None:
    link = bench.link(url=ble_url("F0:F1:00:00:00:99", hci=bench.air.moniker), connect_timeout_s=0.3)
    with pytest.raises(DeviceNotFoundError, match="F0:F1:00:00:00:99"):
        await bench.open(link)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("service", "has no service 0000aaaa.*it has: .*0000ffe0-"),
        ("write", "has no characteristic 0000aaaa.*it has: 0000ffe2-.*0000ffe1-"),
        ("notify", "has no characteristic 0000aaaa.*it has: 0000ffe2-.*0000ffe1-"),
    ],
)
async def test_a_wrong_profile_is_told_what_is_there(
    bench: Bench, device: BlePeripheral, part: str, sentence: str
) -> None:
    with pytest.raises(DeviceFaultError, match=sentence):
        await bench.open(bench.link(_with_ble(bench.profile, **{part: "0000aaaa-0000-1000-8000-00805f9b34fb"})))
    await bench.open()  # and the device is free again


async def test_a_characteristic_that_cannot_notify_is_named(bench: Bench, device: BlePeripheral) -> None:
    assert bench.profile.ble
    with pytest.raises(DeviceFaultError, match="offers write-without-response, write, not notify or indicate"):
        await bench.open(bench.link(_with_ble(bench.profile, notify=bench.profile.ble.write)))


def _with_ble(profile: Profile, **changes: Any) -> Profile:
    assert profile.ble
    return profile.model_copy(update={"ble": profile.ble.model_copy(update=changes)})


async def test_a_device_that_refuses_is_busy(bench: Bench, device: BlePeripheral) -> None:
    device.refuses_connections = True
    with pytest.raises(DeviceBusyError, match="took no connection"):
        await bench.open()
    device.refuses_connections = False
    await bench.open()


async def test_a_second_link_in_one_process_finds_the_device_busy(bench: Bench, device: BlePeripheral) -> None:
    first = await bench.open()
    with pytest.raises(DeviceBusyError, match="connected to it already"):
        await bench.open(bench.link())
    await first.write(b"mine", with_response=True)


async def test_a_device_for_one_is_not_heard_while_somebody_has_it(bench: Bench) -> None:
    async with bench.device(max_connections=1), _other_process(bench) as other:
        link = bench.link(connect_timeout_s=0.3)
        with pytest.raises(DeviceNotFoundError, match="another program"):
            await bench.open(link)
        await _end(other)
        await bench.open(bench.link())


async def test_two_processes_drive_one_device_at_once(bench: Bench, device: BlePeripheral) -> None:
    async with _other_process(bench) as other:
        assert await bench.written.get() == b"from the other process"
        link = await bench.open()
        await link.write(b"from this one", with_response=True)
        assert await bench.written.get() == b"from this one"
        assert device.connection_count == 2

        device.notify(b"to both")

        assert await bench.heard.get() == b"to both"
        assert await _line(other) == {"heard": b"to both".hex()}
        await _end(other)
        await link.write(b"still open", with_response=True)


OTHER = """
import asyncio, json, sys
from controller.transports.ble import BleTransport
from firmware_profiles.library import find_profile

async def main():
    link = BleTransport(sys.argv[1], find_profile("theragun-gen4"))
    tell = lambda **what: print(json.dumps(what), flush=True)
    await link.open(lambda data: tell(heard=data.hex()), lambda problem: tell(lost=str(problem)))
    await link.write(b"from the other process", with_response=True)
    tell(ready=True)
    await asyncio.to_thread(sys.stdin.readline)
    await link.close()

asyncio.run(main())
"""

AIR = """
import asyncio, json
from firmware_profiles.library import find_profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral

async def main():
    air = BleAir()
    await air.start()
    take = lambda data, with_response: True
    device = BlePeripheral(air, find_profile("theragun-gen4"), take, name="Elite", address="F0:F1:00:00:00:01")
    await device.start()
    print(json.dumps({"moniker": air.moniker}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def _process(script: str, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, *arguments, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def _other_process(bench: Bench) -> AsyncIterator[Process]:
    async with _process(OTHER, bench.url) as process:
        assert await _line(process) == {"ready": True}
        yield process


async def _line(process: Process) -> Any:
    assert process.stdout
    return json.loads(await process.stdout.readline())


async def _end(process: Process) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
    assert await process.wait() == 0


async def test_a_killed_simulator_is_a_lost_link(profile: Profile) -> None:
    lost: asyncio.Queue[TransportError] = asyncio.Queue()
    async with _process(AIR) as process:
        moniker = (await _line(process))["moniker"]
        link = BleTransport(ble_url(ADDRESS, hci=moniker), profile)
        await link.open(_ignore, lost.put_nowait)
        await link.write(b"x", with_response=True)

        process.send_signal(signal.SIGKILL)

        assert isinstance(await lost.get(), LinkLostError)
        for with_response in (True, False):
            with pytest.raises(LinkLostError):
                await link.write(b"x", with_response=with_response)
        with pytest.raises(AdapterError):
            await link.open(_ignore, lost.put_nowait)
        await link.close()
        assert lost.empty()


async def test_a_device_that_needs_pairing_says_so_and_then_just_works(bench: Bench) -> None:
    async with bench.device(bond=True):
        link = await bench.open()
        with pytest.raises(PairingError, match="percuss pair"):
            await link.write(b"x", with_response=True)

        await link.pair()

        await link.write(b"paired", with_response=True)
        assert await bench.written.get() == b"paired"


async def test_a_profile_that_bonds_pairs_on_opening(bench: Bench) -> None:
    async with bench.device(bond=True):
        link = await bench.open(bench.link(_with_ble(bench.profile, bond=True)))
        await link.write(b"x", with_response=True)


async def test_pairing_asks_for_the_number_that_the_device_shows(bench: Bench) -> None:
    async with bench.device(passkey=PASSKEY):
        link = await bench.open(bench.link(passkey=lambda: f"{PASSKEY} "))
        await link.pair()
        await link.write(b"x", with_response=True)


@pytest.mark.parametrize("passkey", [lambda: "654321", lambda: "", lambda: "not a number", None])
async def test_pairing_without_the_right_number_is_refused(bench: Bench, passkey: Callable[[], str] | None) -> None:
    async with bench.device(passkey=PASSKEY):
        link = await bench.open(bench.link(passkey=passkey))
        with pytest.raises(PairingError, match="did not agree to pair"):
            await link.pair()


async def test_a_device_that_shows_no_number_is_not_asked_for_one(bench: Bench) -> None:
    async with bench.device(bond=True):
        link = await bench.open(bench.link(passkey=lambda: pytest.fail("nobody shows a number")))
        await link.pair()
        await link.write(b"x", with_response=True)


@pytest.mark.parametrize("hci", [None, "tcp-client:127.0.0.1:9000", "unix:/run/a b&c=d", "usb:[driver=rtk]0"])
def test_urls_round_trip(hci: str | None) -> None:
    parts = parse_ble_url(ble_url(ADDRESS, adapter="hci1", hci=hci))
    assert (parts.address, parts.adapter, parts.hci) == (ADDRESS, "hci1", hci)


def test_a_plain_moniker_is_understood() -> None:
    assert parse_ble_url(f"ble://{ADDRESS}/?hci=usb:[driver=rtk]0").hci == "usb:[driver=rtk]0"


@pytest.mark.parametrize("url", ["ble://", "ble://Elite", f"ble://{ADDRESS}?hic=usb:0", f"ble://{ADDRESS}?hci="])
def test_a_url_that_names_no_device_is_refused(profile: Profile, url: str) -> None:
    with pytest.raises(TransportError):
        BleTransport(url, profile)


def test_a_serial_profile_has_no_bluetooth_link() -> None:
    with pytest.raises(TransportError, match="does not speak Bluetooth"):
        BleTransport(ble_url(ADDRESS), find_profile("nlr-hf8"))


async def test_importing_costs_no_bleak_and_a_missing_bumble_is_named() -> None:
    script = (
        "import sys, asyncio; sys.modules['bumble'] = None\n"
        "from controller.transports.ble import scan_ble\n"
        "assert 'bleak' not in sys.modules\n"
        "from controller.errors import AdapterError\n"
        "try: asyncio.run(scan_ble(0.1, hci='usb:0'))\n"
        "except AdapterError as problem: print(problem)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=PIPE)
    output, _ = await process.communicate()
    assert b"pip install 'percuss[sim]'" in output


def _ignore(_what: object) -> None:
    """Take what comes and do nothing."""
