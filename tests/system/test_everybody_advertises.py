"""Every Bluetooth device that percuss knows on one air at once, and some that it does not know.

Each is simulated from its bundled profile, heard through the real bleak by HCI, and matched as ``percuss scan`` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from controller.transports.ble import Sighting, ble_url, scan_ble
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import read_profile
from firmware_profiles.matching import Appearance, choose_profile, find_candidates
from firmware_profiles.schema import Profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral
from tests.helpers.profile_text import profile_from

PROFILES = [read_profile(path) for path in sorted(BUNDLED.glob("*.toml"))]
WIRELESS = [profile for profile in PROFILES if profile.ble is not None]
SCAN_S = 0.5
"""Several times the interval at which they advertise."""

STRANGER = """
[level]
unit = "level"
full = 100
[channels.lamp]
[commands.set_level]
frames = ["{level:u8}"]
[commands.stop]
frames = ["00"]
"""
STRANGERS = {
    "HMSoft": "FFE0",
    "Triones": "FFE5",
    "Smart Scale": "FFF0",
    "Nordic_UART": "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
    "": "FFE0",
}
"""Devices that share a service with one that percuss knows: a serial module, a lamp, a scale, a development board, and
one that does not say its name."""


def is_known_by_more_than_its_name(profile: Profile) -> bool:
    return any(match.service is not None or match.manufacturer_id is not None for match in profile.match)


@asynccontextmanager
async def crowd(air: BleAir) -> AsyncIterator[tuple[dict[str, Profile], set[str]]]:
    """Everybody on the air: the profiles by address, and the addresses of the strangers."""
    known = {f"F0:F1:C2:00:00:{number:02X}": profile for number, profile in enumerate(WIRELESS)}
    strangers = {f"F0:F1:C2:00:01:{number:02X}": name for number, name in enumerate(STRANGERS)}
    async with AsyncExitStack() as stack:
        for address, profile in known.items():
            name = profile.simulator.advertised_name or profile.name
            await _switch_on(stack, BlePeripheral(air, profile, _take, name=name, address=address))
        for address, name in strangers.items():
            profile = profile_from(STRANGER, f'[ble]\nservice = "{STRANGERS[name]}"\nwrite = "FFE1"\n')
            await _switch_on(stack, BlePeripheral(air, profile, _take, name=name, address=address))
        yield known, set(strangers)


async def _switch_on(stack: AsyncExitStack, device: BlePeripheral) -> None:
    await device.start()
    stack.push_async_callback(device.close)


def _take(_data: bytes, /, *, with_response: bool | None) -> bool:
    return True


@pytest.fixture
async def air() -> AsyncIterator[BleAir]:
    air = BleAir()
    await air.start()
    yield air
    await air.close()


async def hear(air: BleAir, named: set[str], others: set[str]) -> dict[str, Sighting]:
    """Scan until everybody was heard with all that they say, however busy this computer is."""
    while True:
        heard = {sighting.address: sighting for sighting in await scan_ble(SCAN_S, hci=air.moniker)}
        if set(heard) >= named | others and all(heard[address].name for address in named):
            return heard


def appearance(sighting: Sighting) -> Appearance:
    return Appearance(name=sighting.name or "", services=sighting.services, manufacturer=sighting.manufacturer)


async def test_each_device_is_found_as_itself_among_all_others_and_no_stranger_is_claimed(air: BleAir) -> None:
    async with crowd(air) as (known, strangers):
        heard = await hear(air, set(known), strangers)
    found, expected = {}, {}
    for address, profile in known.items():
        name = profile.simulator.advertised_name or profile.name
        assert name.startswith(heard[address].name or "?"), "a long name is shortened, as it does not fit on the air"
        candidates = find_candidates(appearance(heard[address]), PROFILES)
        assert [candidate.profile.id for candidate in candidates][:1] == [profile.id], heard[address]
        sure = [candidate.profile.id for candidate in candidates if candidate.is_sure]
        found[address] = sure
        # A device that only its name tells of is offered first, and a person says whether it is that.
        expected[address] = [profile.id] if is_known_by_more_than_its_name(profile) else []
        if sure:
            assert choose_profile(candidates, device=ble_url(address)).id == profile.id
    assert found == expected
    for address in strangers:
        candidates = find_candidates(appearance(heard[address]), PROFILES)
        assert not any(candidate.is_sure for candidate in candidates), heard[address]
