from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import DeviceNotFoundError, TransportError
from controller.transports.ble_table import read_table
from tests.helpers.processes import simulator


async def test_a_table_is_read_and_the_device_is_free_again(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--max-connections", "1", "--firmware", "2.1.6") as gun:
        for _ in range(2):
            table = await read_table(gun.url, timeout_s=5)
            # What the Bluetooth SIG assigned: 180A is Device Information, 2A26 its firmware revision.
            assert table.texts["firmware"] == "2.1.6"
            by_service = {service.uuid[4:8]: service.characteristics for service in table.services}
            assert "2a26" in {one.uuid[4:8] for one in by_service["180a"]}
            handles = [one.handle for characteristics in by_service.values() for one in characteristics]
            assert len(set(handles)) == len(handles)
            assert table.sighting.name == "Elite"
        # Looking is not touching.
        assert gun.recorded("rx") == []


async def test_nobody_at_the_address_is_not_found(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun, pytest.raises(DeviceNotFoundError, match="not heard"):
        await read_table(gun.url.replace("00:00:01", "00:00:09"), timeout_s=0.3)


async def test_a_radio_that_is_not_there_is_told() -> None:
    with pytest.raises(TransportError):
        await read_table("ble://F0:F1:C2:00:00:01?hci=tcp-client:127.0.0.1:9", timeout_s=0.3)


async def test_a_url_without_an_address_is_told() -> None:
    with pytest.raises(TransportError, match="no Bluetooth address"):
        await read_table("ble://somewhere")
