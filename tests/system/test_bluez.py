"""The unmodified BlueZ backend of bleak, through our own transport, against a BlueZ that is not there.

The fake (and with it the simulated Theragun) is a process of its own on a message bus of its own; the transport runs in
the test. bleak keeps one connection to the bus per event loop, and every test has a loop of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.errors import (
    AdapterError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceNotFoundError,
    LinkLostError,
    PairingError,
    TransportError,
)
from controller.transports import Identity
from controller.transports.ble import BleTransport, scan_ble
from firmware_profiles.codec import Codec
from firmware_profiles.commands import QueryStatus, QueryVersion, SetLevel, Status, Version
from firmware_profiles.library import BUNDLED
from firmware_profiles.links import full_uuid
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level
from tests.helpers.fake_bluez_process import RunningBluez, fake_bluez
from tests.helpers.private_bus import needs_dbus_daemon, private_bus

pytestmark = needs_dbus_daemon

PROFILE = load_profile(BUNDLED / "theragun-gen4.toml")
SCAN_S = 0.5
"""Many times the interval at which the fake advertises."""


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A message bus without bluetoothd."""
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def bluez(bus: str, tmp_path: Path) -> Iterator[RunningBluez]:
    with fake_bluez(tmp_path) as running:
        yield running


class Theragun:
    """A link to the simulated Theragun, and what it told."""

    def __init__(self, bluez: RunningBluez, typed: str | None = None, profile: Profile = PROFILE) -> None:
        self.asked = 0
        passkey = None if typed is None else lambda: self._type(typed)
        self.link = BleTransport(f"ble://{bluez.address}", profile, passkey=passkey, connect_timeout_s=5)
        self.codec = Codec(profile)
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Queue[TransportError] = asyncio.Queue()

    def _type(self, typed: str) -> str:
        self.asked += 1
        return typed

    async def __aenter__(self) -> Theragun:
        await self.link.open(self.arrived.put_nowait, self.lost.put_nowait)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.link.close()

    async def say(self, command: SetLevel | QueryStatus | QueryVersion) -> None:
        for write in self.codec.encode(command):
            await self.link.write(write.data, with_response=write.with_response)


# ---- what works


async def test_a_scan_hears_the_device(bluez: RunningBluez) -> None:
    (sighting,) = await scan_ble(SCAN_S)
    assert (sighting.address, sighting.name, sighting.rssi_dbm) == (bluez.address, "Elite", -58)
    assert sighting.services == (full_uuid("FFE0"),)
    assert sighting.manufacturer == {0xFFFF: b"SIM"}
    assert (await bluez.do("look"))["discovering"] == 0


async def test_each_command_is_written_as_the_profile_says_and_answered(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        await gun.say(SetLevel("head", Level(1750)))
        await gun.say(QueryVersion())
        assert gun.codec.feed(await gun.arrived.get()) == [Version("2.1.6")]
        await gun.say(QueryStatus())
        (status,) = gun.codec.feed(await gun.arrived.get())
        assert isinstance(status, Status)
        assert status.running
        for write in gun.codec.stop_writes():
            await gun.link.write(write.data, with_response=write.with_response)
    assert bluez.received() == [
        ("AA E3 01 03 06 D6 03", True),
        ("AA 20 20 00", False),
        ("AA 10 10 00", True),
        ("AA 07 01 03 00 00 03", True),
        ("AA 04 01 03", True),
    ]


async def test_the_device_information_is_read(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        assert await gun.link.read_identity() == Identity(bluez.address, serial="SIM-0001", firmware="2.1.6")


async def test_a_closed_link_can_be_opened_again(bluez: RunningBluez) -> None:
    gun = Theragun(bluez)
    for _ in range(2):
        async with gun:
            await gun.say(QueryStatus())
            await gun.arrived.get()
        state = await bluez.do("look")
        assert (state["connected"], state["notifying"]) == (False, 0)
    assert gun.lost.empty()


# ---- pairing


async def test_a_device_without_keys_pairs_by_itself(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        await gun.link.pair()
        state = await bluez.do("look")
        assert (state["paired"], state["agents"]) == (True, 0)
        await gun.link.pair()  # again: it is already


async def test_the_number_that_a_person_types_pairs(bluez: RunningBluez) -> None:
    await bluez.set(pairing="passkey", passkey=4711)
    async with Theragun(bluez, typed="004711") as gun:
        await gun.link.pair()
        assert gun.asked == 1
    assert (await bluez.do("look"))["paired"]


@pytest.mark.parametrize(
    ("pairing", "typed"),
    [
        pytest.param("refuse", "123456", id="the device refuses"),
        pytest.param("passkey", "654321", id="a wrong number"),
        pytest.param("passkey", "what?", id="no number"),
        pytest.param("passkey", None, id="nobody to ask"),
    ],
)
async def test_a_pairing_that_fails_says_what_to_do(bluez: RunningBluez, pairing: str, typed: str | None) -> None:
    await bluez.set(pairing=pairing)
    async with Theragun(bluez, typed=typed) as gun:
        with pytest.raises(PairingError) as caught:
            await gun.link.pair()
        assert "did not agree to pair" in str(caught.value)
        assert "pairing mode" in caught.value.fix
        assert gun.link.is_open
    state = await bluez.do("look")
    assert (state["paired"], state["agents"]) == (False, 0)


async def test_a_device_that_gives_up_while_a_person_thinks_ends_the_pairing(bluez: RunningBluez) -> None:
    await bluez.set(pairing="passkey")
    asked, typed, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def passkey() -> str:
        loop.call_soon_threadsafe(asked.set)
        typed.wait()
        return "123456"

    link = BleTransport(f"ble://{bluez.address}", PROFILE, passkey=passkey)
    await link.open(lambda _: None, lambda _: None)
    pairing = asyncio.create_task(link.pair())
    await asked.wait()
    await bluez.do("cancel_pairing")
    with pytest.raises(PairingError, match="did not agree to pair"):
        await pairing
    typed.set()
    await link.close()


async def test_a_profile_that_bonds_pairs_while_it_opens(bluez: RunningBluez) -> None:
    assert PROFILE.ble is not None
    bonding = PROFILE.model_copy(update={"ble": PROFILE.ble.model_copy(update={"bond": True})})
    async with Theragun(bluez, profile=bonding):
        assert (await bluez.do("look"))["paired"]


# ---- other layouts, and what a write carries

BED = """
schema = 1
id = "bed"
name = "A bed that a test made up"
roles = ["massager"]
confidence = "C"
verified_on_hardware = false
dead_man = "host only"
[[sources]]
url = "https://example.org/bed"
[ble]
service = "FFE5"
write = "FFE9"
notify_service = "FFE0"
notify = "FFE4"
[[ble.alternatives]]
service = "FFF0"
write = "FFF2"
notify = "FFF1"
[level]
unit = "level"
full = 1
[channels.head]
[commands.set_level]
frames = ["'A MASSAGE OF THE HEAD, NUMBER ' {level:digit} 0D 0A"]
[commands.stop]
frames = ["'A MASSAGE OF THE HEAD, NUMBER 0' 0D 0A"]
[commands.query_status]
frames = ["3F"]
[reports.status]
frames = ["{level:u8}"]
[[vectors]]
source = "made up"
command = "set_level"
values = { level = 1 }
writes = ["41 20 4D 41 53 53 41 47 45 20 4F 46 20 54 48 45 20 48 45 41 44 2C 20 4E 55 4D 42 45 52 20 31 0D 0A"]
[[vectors]]
source = "made up"
command = "stop"
writes = ["41 20 4D 41 53 53 41 47 45 20 4F 46 20 54 48 45 20 48 45 41 44 2C 20 4E 55 4D 42 45 52 20 30 0D 0A"]
[[vectors]]
source = "made up"
command = "query_status"
writes = ["3F"]
[[vectors]]
source = "made up"
report = "status"
frame = "01"
decoded = { level = 1 }
"""
STOP_BED = b"A MASSAGE OF THE HEAD, NUMBER 0\r\n".hex(" ").upper()
"""33 bytes: an MTU of 36 carries it."""


@contextmanager
def bed(folder: Path, *, alternative: int = 0, keys: str = "") -> Iterator[tuple[RunningBluez, Profile]]:
    """A device of this profile, whose ``[ble]`` has ``keys`` besides."""
    path = folder / "bed.toml"
    path.write_text(BED.replace('write = "FFE9"\n', f'write = "FFE9"\n{keys}\n'), encoding="utf-8")
    with fake_bluez(folder, str(path), alternative=alternative) as running:
        yield running, load_profile(path)


@pytest.mark.parametrize("alternative", [0, 1])
async def test_each_layout_is_written_and_listened_to(bus: str, tmp_path: Path, alternative: int) -> None:
    with bed(tmp_path, alternative=alternative) as (bluez, profile):
        async with Theragun(bluez, profile=profile) as device:
            await device.say(QueryStatus())
            assert await device.arrived.get() == b"\x00"
        assert bluez.received() == [("3F", False)]


@pytest.mark.parametrize("alternative", [0, 1])
async def test_a_device_that_somebody_is_connected_to_is_found_by_any_of_its_layouts(
    bus: str, tmp_path: Path, alternative: int
) -> None:
    with bed(tmp_path, alternative=alternative) as (bluez, profile):
        await bluez.do("connect")  # and from now on it does not advertise
        async with Theragun(bluez, profile=profile) as device:
            await device.say(QueryStatus())
            assert await device.arrived.get() == b"\x00"


async def test_wake_bytes_come_with_acknowledgement_before_anybody_listens(bus: str, tmp_path: Path) -> None:
    with bed(tmp_path, keys='wake = "5A 0B"') as (bluez, profile):
        async with Theragun(bluez, profile=profile):
            assert (await bluez.do("look"))["calls"] == ["WriteValue", "StartNotify"]
        assert bluez.received() == [("5A 0B", True)]


async def test_a_link_that_cannot_carry_the_longest_frame_drives_nothing(
    bus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.transports.ble_gatt.ROOM_S", 0.1)
    with bed(tmp_path, keys="mtu = 100") as (bluez, profile):
        for mtu in (23, 35):
            await bluez.set(mtu=mtu)
            link = BleTransport(f"ble://{bluez.address}", profile, connect_timeout_s=5)
            await link.open(lambda _: None, lambda _: None)
            with pytest.raises(DeviceFaultError, match=f"33 bytes does not fit .* carries {mtu - 3} ") as caught:
                await link.read_identity()
            assert f"MTU of {mtu}; 36 are needed" in caught.value.fix
            await link.close()
        await bluez.set(mtu=36)
        async with Theragun(bluez, profile=profile) as device:
            for write in device.codec.stop_writes():
                await device.link.write(write.data, with_response=write.with_response)
        assert [data for data, _ in bluez.received()] == [STOP_BED]


async def test_a_device_that_takes_pieces_gets_them_one_after_the_other(bus: str, tmp_path: Path) -> None:
    with bed(tmp_path, keys="chunk_bytes = 12") as (bluez, profile):
        await bluez.set(mtu=23)
        async with Theragun(bluez, profile=profile) as device:
            await asyncio.gather(
                *(device.link.write(write.data, with_response=True) for write in device.codec.stop_writes()),
                device.link.write(b"?", with_response=False),
            )
        assert bluez.received() == [
            (STOP_BED[:35], True),
            (STOP_BED[36:71], True),
            (STOP_BED[72:], True),
            ("3F", False),
        ]


# ---- what goes wrong


async def test_a_lost_link_is_told_once_and_can_be_opened_again(bluez: RunningBluez) -> None:
    gun = Theragun(bluez)
    async with gun:
        await bluez.do("drop_link")
        lost = await gun.lost.get()
        assert isinstance(lost, LinkLostError)
        assert "link to the device was lost" in str(lost)
        assert not gun.link.is_open
        with pytest.raises(LinkLostError):
            await gun.say(QueryStatus())
    assert gun.lost.empty()
    async with gun:
        await gun.say(QueryStatus())
        await gun.arrived.get()


async def test_a_link_that_is_lost_during_a_write_ends_the_write(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        await bluez.set(writing="hang")
        writing = asyncio.create_task(gun.say(QueryStatus()))
        await asyncio.sleep(0)
        await bluez.do("drop_link")
        with pytest.raises(LinkLostError):
            await writing
        assert isinstance(await gun.lost.get(), LinkLostError)


async def test_a_write_that_the_device_refuses_is_its_fault(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        await bluez.set(writing="refuse")
        with pytest.raises(DeviceFaultError, match="refused"):
            await gun.say(QueryStatus())
        assert gun.link.is_open


async def test_a_device_that_stays_silent_still_takes_its_commands(bluez: RunningBluez) -> None:
    async with Theragun(bluez) as gun:
        await bluez.set(answering=False)
        await gun.say(QueryStatus())
        assert gun.arrived.empty()
        await bluez.set(answering=True)
        await gun.say(QueryStatus())
        await gun.arrived.get()


async def test_an_adapter_that_is_switched_off_ends_the_link(bluez: RunningBluez) -> None:
    gun = Theragun(bluez)
    async with gun:
        await bluez.set(powered=False)
        assert isinstance(await gun.lost.get(), LinkLostError)
    with pytest.raises(AdapterError) as caught:
        await gun.link.open(gun.arrived.put_nowait, gun.lost.put_nowait)
    assert "Bluetooth is switched off" in str(caught.value)
    assert caught.value.fix == "Switch it on: bluetoothctl power on"


async def test_no_scan_with_an_adapter_that_is_switched_off(bluez: RunningBluez) -> None:
    await bluez.set(powered=False)
    with pytest.raises(AdapterError, match="Bluetooth is switched off"):
        await scan_ble(SCAN_S)
    with pytest.raises(AdapterError, match="Bluetooth is switched off"):
        await scan_ble(SCAN_S, adapter="hci0")


async def test_an_adapter_that_is_not_there_is_named(bluez: RunningBluez) -> None:
    with pytest.raises(AdapterError, match="There is no adapter 'hci7'"):
        await scan_ble(SCAN_S, adapter="hci7")


async def test_a_device_that_is_away_is_not_found(bluez: RunningBluez) -> None:
    await bluez.set(present=False)
    assert await scan_ble(SCAN_S) == []
    link = BleTransport(f"ble://{bluez.address}", PROFILE, connect_timeout_s=0.1)
    await refused(link, DeviceNotFoundError, "was not heard", "switched on")


@pytest.mark.parametrize(
    ("connecting", "kind", "what"),
    [
        ("busy", DeviceBusyError, "The device is busy"),
        ("fail", DeviceNotFoundError, "The connection failed"),
        ("hang", DeviceNotFoundError, "did not answer in time"),
    ],
)
async def test_a_connection_that_does_not_come_about(
    bluez: RunningBluez, connecting: str, kind: type[TransportError], what: str
) -> None:
    await bluez.set(connecting=connecting)
    link = BleTransport(f"ble://{bluez.address}", PROFILE, connect_timeout_s=1)
    await refused(link, kind, what, "connected to another program or phone")


async def test_a_bus_without_bluetoothd_names_the_service_to_start(bus: str) -> None:
    with pytest.raises(AdapterError) as caught:
        await scan_ble(SCAN_S)
    assert "bluetoothd) is not running" in str(caught.value)
    link = BleTransport("ble://CA:FE:00:00:00:01", PROFILE, connect_timeout_s=1)
    await refused(link, AdapterError, "bluetoothd) is not running", "sudo systemctl start bluetooth")


async def test_a_computer_without_a_bus_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    with pytest.raises(AdapterError) as caught:
        await scan_ble(SCAN_S)
    assert "message bus (D-Bus), which leads to Bluetooth, cannot be reached" in str(caught.value)
    link = BleTransport("ble://CA:FE:00:00:00:01", PROFILE, connect_timeout_s=1)
    await refused(link, AdapterError, "No such file or directory", "Start D-Bus")


async def refused(link: BleTransport, kind: type[TransportError], what: str, fix: str) -> None:
    """Opening must fail with this class, and a sentence that a person can act on."""
    with pytest.raises(TransportError) as caught:
        await link.open(lambda _: None, lambda _: None)
    assert type(caught.value) is kind
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert caught.value.where == link.url
    assert not link.is_open
