"""A simulated Theragun on the air, through the real bleak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bleak import BleakClient
from bleak.exc import BleakGATTProtocolError

from controller.transports.bumble_client import client_backend
from firmware_profiles.errors import PercussError
from firmware_profiles.library import find_profile
from simulators.adapters.ble import DEFAULT_ADDRESS, BleAdapter
from simulators.clock import ManualClock
from simulators.device import SimulatedDevice
from simulators.faults import check_injection
from simulators.recorder import Recorder
from simulators.run import Simulation

WRITE, NOTIFY = "0000ffe2-0000-1000-8000-00805f9b34fb", "0000ffe1-0000-1000-8000-00805f9b34fb"


@pytest.fixture
async def record() -> list[dict[str, Any]]:
    return []


@pytest.fixture
async def simulation(record: list[dict[str, Any]]) -> AsyncIterator[Simulation]:
    profile = find_profile("theragun-gen4")
    clock = ManualClock()
    simulation = Simulation(SimulatedDevice(profile, clock=clock, recorder=Recorder(record, clock)), clock)
    await simulation.start(BleAdapter(simulation.receive, profile, name="Elite"))
    yield simulation
    await simulation.close()


def _client(simulation: Simulation) -> BleakClient:
    address, moniker = simulation.url.removeprefix("ble://").split("?hci=")
    assert address == DEFAULT_ADDRESS
    return BleakClient(address, backend=client_backend(moniker))


async def test_it_obeys_and_answers_over_the_air(simulation: Simulation) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with _client(simulation) as client:
        await client.start_notify(NOTIFY, lambda _char, data: heard.put_nowait(bytes(data)))
        await client.write_gatt_char(WRITE, bytes.fromhex("AA E3 01 03 06 D6 03"), response=True)
        simulation.device.process(30)
        await client.write_gatt_char(WRITE, bytes.fromhex("AA 10 10 00"), response=True)
        assert await heard.get() == bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")


async def test_the_record_says_in_which_way_the_host_wrote(
    simulation: Simulation, record: list[dict[str, Any]]
) -> None:
    async with _client(simulation) as client:
        await client.write_gatt_char(WRITE, bytes.fromhex("AA 20 20 00"), response=False)
        await client.write_gatt_char(WRITE, bytes.fromhex("AA 10 10 00"), response=True)
    heard = [(line["hex"], line["with_response"]) for line in record if line["kind"] == "rx"]
    assert heard == [("AA 20 20 00", False), ("AA 10 10 00", True)]


async def test_a_refused_write_is_an_error_for_the_host(simulation: Simulation) -> None:
    simulation.device.inject(check_injection({"fault": "refuse"}, ["head"]))
    async with _client(simulation) as client:
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(WRITE, bytes.fromhex("AA 04 01 03"), response=True)


async def test_a_dropped_link_disconnects_the_host_and_can_be_restored(simulation: Simulation) -> None:
    gone = asyncio.Event()
    address, moniker = simulation.url.removeprefix("ble://").split("?hci=")
    client = BleakClient(address, lambda _client: gone.set(), backend=client_backend(moniker))
    await client.connect()
    adapter = simulation._adapter
    assert adapter is not None
    await adapter.drop_link(3600)
    await gone.wait()
    assert adapter.connection_count == 0
    await adapter.restore_link()
    async with _client(simulation):
        assert adapter.connection_count == 1


@pytest.mark.parametrize("address", ["00:11:22:33:44:55", "F0:F1", "elite", "F0:F1:C2:00:00:01:02"])
def test_an_address_that_is_not_random_static_is_refused(address: str) -> None:
    with pytest.raises(PercussError, match="random static"):
        BleAdapter(_take, find_profile("theragun-gen4"), name="Elite", address=address)


def _take(_data: bytes, /, *, with_response: bool | None) -> bool:
    """Take a write and do nothing."""
    return True
