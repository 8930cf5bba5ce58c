"""What the command line's settings come to, before anything is started."""

from __future__ import annotations

import pytest

from firmware_profiles.errors import PercussError
from simulators.service import Link, Settings
from tests.simulators.bench import profile_of

REST = """
roles = ["massager"]
level = { unit = "level", full = 100 }
channels.head = {}
commands.set_level.frames = ["01 {level:u8}"]
commands.stop.frames = ["02"]
"""
BLE = 'ble = { service = "FFE0", write = "FFE1" }\nsimulator.max_connections = 1\n'
SERIAL = "serial = { baud = 9600 }\n"


@pytest.mark.parametrize("link", ["ble", "pty", "tcp"])
def test_a_device_with_both_links_is_simulated_over_either(link: Link) -> None:
    assert Settings(profile_of(BLE + SERIAL + REST), link=link).chosen_link == link


def test_of_two_links_bluetooth_is_the_first_choice() -> None:
    assert Settings(profile_of(BLE + SERIAL + REST)).chosen_link == "ble"
    assert Settings(profile_of(SERIAL + REST)).chosen_link == "pty"


def test_a_link_that_the_device_does_not_have_is_refused_with_the_one_that_it_has() -> None:
    with pytest.raises(PercussError, match="speaks a serial line"):
        _ = Settings(profile_of(SERIAL + REST), link="ble").chosen_link
    with pytest.raises(PercussError, match="speaks Bluetooth LE"):
        _ = Settings(profile_of(BLE + REST), link="tcp").chosen_link


def test_over_bluetooth_as_many_hosts_as_the_profile_says_may_connect_unless_told_otherwise() -> None:
    profile = profile_of(BLE + SERIAL + REST)
    assert Settings(profile).chosen_max_connections == 1
    assert Settings(profile, max_connections=3).chosen_max_connections == 3
    assert Settings(profile, link="tcp").chosen_max_connections > 1
