from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.errors import DeviceBusyError, DeviceNotFoundError
from controller.safety import holds
from controller.service.probing import probe, probe_json
from controller.transports import serial as serial_links
from controller.transports.serial import SerialPort
from firmware_profiles.errors import MatchError
from tests.helpers.processes import simulator


async def test_a_bluetooth_device_shows_its_table_its_texts_and_what_it_may_be(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--serial", "T-0042") as gun:
        found = await probe(gun.url, timeout_s=5)
        # The services that the protocol notes name: FFE0, written to at FFE2, heard at FFE1.
        table = {
            (service.uuid[4:8], one.uuid[4:8]): one.properties
            for service in found.services
            for one in service.characteristics
        }
        assert "notify" in table["ffe0", "ffe1"]
        assert "write" in table["ffe0", "ffe2"]
        assert found.name == "Elite"
        assert found.texts["serial"] == "T-0042"
        assert [(one.profile.id, one.is_sure) for one in found.candidates] == [("theragun-gen4", True)]
        plain = json.loads(json.dumps(probe_json(found)))
        # An exact name is worth 45, a service that many share 10.
        assert plain["candidates"][0]["score"] == 55
        assert gun.recorded("rx") == []


async def test_a_device_is_found_by_its_name_and_not_while_it_is_driven(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--name", "Nobody") as gun:
        assert (await probe("Nobody", timeout_s=5)).url == gun.url
        with holds.held("gun", gun.url), pytest.raises(DeviceBusyError):
            await probe(gun.url)


async def test_a_device_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        with pytest.raises(DeviceNotFoundError):
            await probe(gun.url.replace("00:00:01", "00:00:09"), timeout_s=0.5)
        with pytest.raises(MatchError):
            await probe("nobody-of-this-name", timeout_s=0.5)


async def test_a_serial_port_shows_its_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    port = SerialPort("/dev/ttyUSB7", "1A86:7523", "USB Serial", "S-1")
    monkeypatch.setattr(serial_links, "list_serial_ports", lambda: [port])
    found = await probe("/dev/ttyUSB7")
    assert (found.usb_id, found.usb_product, found.texts) == ("1A86:7523", "USB Serial", {"serial": "S-1"})
    # A bridge that thousands of products have is never sure.
    assert found.candidates
    assert not any(candidate.is_sure for candidate in found.candidates)


async def test_a_port_without_a_bridge_says_nothing_of_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_links, "list_serial_ports", list)
    assert "says nothing" in (await probe("/dev/null")).note
    assert "--profile" in (await probe("socket://127.0.0.1:9")).note
    with pytest.raises(DeviceNotFoundError):
        await probe("/dev/none-of-this-name")


async def test_a_simulator_on_a_wire_says_that_it_is_one(tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8", "--tcp") as pad:
        assert "A simulator of nlr-hf8" in (await probe(pad.url)).note
