"""A station with its MQTT door, a paired simulator, and what both are asked again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.mqtt import run_bridge
from controller.service.settings import MqttSettings
from controller.station import Station, open_station
from tests.helpers.broker import Client
from tests.helpers.motor import SPEED, is_at_rest
from tests.helpers.processes import RunningSimulator

SCRIPT = "calves:left gentle 120s; calves:right gentle 120s"


@asynccontextmanager
async def bridged(settings: MqttSettings) -> AsyncIterator[Station]:
    """A station and its bridge for a block; they end in the order of the service."""
    async with open_station() as station:
        bridge = asyncio.create_task(run_bridge(station, settings))
        try:
            yield station
        finally:
            await station.close("the test is over")
            bridge.cancel()
            await asyncio.wait({bridge})
            assert bridge.cancelled(), bridge.exception()


async def run(phone: Client, script: str = SCRIPT, *, speed: float = SPEED) -> None:
    """Start a session and wait until the device says that it turns."""
    after = len(phone.heard)
    answer = await phone.insist("start", script=script, massager="gun", speed=speed)
    assert answer["ok"], answer
    await phone.state(lambda each: (each["reported_ppm"] or 0) > 0, after=after)


async def settle(phone: Client) -> None:
    """Wait until starts are let in: the connection has been there for a while."""
    answer = await phone.insist("resume")
    assert "no session runs" in answer["said"]


def is_idle(station: Station) -> bool:
    """Whether no session runs."""
    return station.running is None


def is_paused(station: Station) -> bool:
    """Whether a session runs that is paused."""
    return station.running is not None and station.running.progress.is_paused


async def until_at_rest(device: RunningSimulator) -> None:
    """Wait for it: the device is another process, and only looking tells."""
    while not is_at_rest(device):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
