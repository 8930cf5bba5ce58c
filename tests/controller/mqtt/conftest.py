"""A broker, a paired simulator, and the bridge between a station and the broker, all of them real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controller.service.settings import MqttSettings
from controller.station import Station
from tests.helpers.bridge import bridged
from tests.helpers.broker import Broker, Client, broker, client
from tests.helpers.motor import paired_gun
from tests.helpers.processes import RunningSimulator


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


@pytest.fixture
async def station(mosquitto: Broker) -> AsyncIterator[Station]:
    async with bridged(MqttSettings(host="127.0.0.1", port=mosquitto.port)) as opened:
        yield opened


@pytest.fixture
async def phone(mosquitto: Broker, station: Station) -> AsyncIterator[Client]:
    async with client(mosquitto.port) as talking:
        yield talking
