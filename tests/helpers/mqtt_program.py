"""The station with its MQTT door as a process, to be killed: ``python -m tests.helpers.mqtt_program PORT``."""

from __future__ import annotations

import asyncio
import sys

from controller.mqtt import run_bridge
from controller.service.settings import MqttSettings
from controller.station import open_station


async def serve(port: int) -> None:
    """Serve until killed."""
    async with open_station() as station:
        await run_bridge(station, MqttSettings(host="127.0.0.1", port=port))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
