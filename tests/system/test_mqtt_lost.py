"""MQTT and what gets lost in mid-session: the broker, the network, the service."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from controller.events import IntensityChanged
from controller.mqtt import connection
from controller.mqtt.topics import Topics
from controller.service.settings import MqttSettings
from tests.helpers.bridge import bridged, is_idle, run, until_at_rest
from tests.helpers.broker import broker, client, stamp
from tests.helpers.motor import SPEED, paired_gun
from tests.helpers.processes import HANG_S, RunningSimulator
from tests.helpers.relay import Relay


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


async def test_a_broker_that_dies_in_mid_session_is_come_back_to(gun: RunningSimulator, tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as running:
        settings = MqttSettings(host="127.0.0.1", port=running.port)
        async with bridged(settings) as station:
            async with client(running.port) as home:
                await run(home, speed=1.0)
                assert station.running is not None
                session = station.running
                running.kill()
            happened = len(session.live.happened)
            while len(session.live.happened) < happened + 5:  # noqa: ASYNC110 - it goes on without the broker
                await asyncio.sleep(0.05)
            assert station.running is session
            running.start()
            async with client(running.port) as home:
                state = await home.state(lambda each: each["status"] == "running")
                assert state["number"] == session.number
                await home.until(lambda each: each.topic.startswith("homeassistant/device/"))
                refused = await home.ask("start", script="calves:left gentle 20s", massager="gun", speed=SPEED)
                assert not refused["ok"]
                assert (await home.ask("stop"))["ok"]
            assert is_idle(station)
            await until_at_rest(gun)


@pytest.mark.parametrize("trouble", ["hold", "cut"])
async def test_a_network_that_fails_in_mid_session_is_survived(
    gun: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Frozen, so that both ends hear nothing any more, or cut; the broker lives on."""
    monkeypatch.setattr(connection, "KEEPALIVE_S", 2)  # else the broker waits for 23 s before it says offline
    with broker(tmp_path / "broker") as running, Relay(running.port) as network:
        settings = MqttSettings(host="127.0.0.1", port=network.port)
        async with bridged(settings) as station, client(running.port) as home:
            await run(home, speed=1.0)
            session = station.running
            assert session is not None
            before = len(home.heard)
            getattr(network, trouble)()
            await home.until(lambda each: each.topic.endswith("/availability") and each.payload == b"offline")
            unheard = stamp()
            await home.send(json.dumps({**unheard, "do": "skip"}))
            happened = len(session.live.happened)
            while len(session.live.happened) < happened + 5:  # noqa: ASYNC110 - it goes on without a network
                await asyncio.sleep(0.05)
            assert station.running is session
            network.carry()
            await home.until(
                lambda each: each.topic.endswith("/availability") and each.payload == b"online", after=before
            )
            back = len(home.heard)
            state = await home.state(lambda each: each["status"] == "running", after=back)
            assert (state["number"], state["side"]) == (session.number, "left")
            assert (await home.ask("stop"))["ok"]
            assert is_idle(station)
            answered = [each.json["id"] for each in home.heard if "/reply" in each.topic]
            assert unheard["id"] not in answered, "the broker keeps nothing for a service that is away"
        await until_at_rest(gun)


async def test_what_the_network_delivers_late_is_refused_but_for_a_stop(gun: RunningSimulator, tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as running, Relay(running.port) as network:
        settings = MqttSettings(host="127.0.0.1", port=network.port)
        async with bridged(settings) as station, client(running.port) as home:
            await run(home, speed=1.0)
            session = station.running
            network.hold()
            late = [{**stamp(1.0), "do": "skip"}, {**stamp(1.0), "do": "stronger"}]
            for command in late:
                await home.send(json.dumps(command))
            while datetime.now(UTC).isoformat() <= late[-1]["expires_at"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            network.carry()
            for command in late:
                said = await home.until(lambda each, i=command["id"]: "/reply" in each.topic and each.json["id"] == i)  # type: ignore[misc]
                assert not said.json["ok"]
                assert "the command expired" in said.json["said"]
            assert station.running is session
            assert session is not None
            assert not [each for each in session.live.happened if isinstance(each, IntensityChanged)]
            network.hold()
            await home.send("stop")
            network.carry()
            await home.event("session_ended")
        await until_at_rest(gun)


async def test_the_last_will_of_a_killed_service_says_offline_and_its_guardian_stops_the_motor(
    gun: RunningSimulator, tmp_path: Path
) -> None:
    with broker(tmp_path / "broker") as running:
        program = [sys.executable, "-m", "tests.helpers.mqtt_program", str(running.port)]
        async with client(running.port) as home:
            with subprocess.Popen(program) as service:  # noqa: ASYNC220
                try:
                    await run(home)
                    name = await home.installation()
                    after = len(home.heard)
                    service.kill()
                    service.wait(HANG_S)
                    said = await home.until(lambda each: each.topic.endswith("/availability"), after=after)
                    assert (said.topic, said.payload) == (f"percuss/{name}/availability", b"offline")
                    await until_at_rest(gun)
                finally:
                    service.kill()
        async with client(running.port) as late:
            kept = await late.until(lambda each: each.topic.endswith("/availability"))
            assert (kept.payload, kept.is_retained) == (b"offline", True)


@asynccontextmanager
async def _service(port: int) -> AsyncIterator[None]:
    async with connection.connected(
        MqttSettings(host="127.0.0.1", port=port), Topics("percuss", "0" * 12, "ha")
    ) as link:
        listening = asyncio.create_task(_listen(link))
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.wait({listening})


async def _listen(link: aiomqtt.Client) -> None:
    with suppress(aiomqtt.MqttError):
        async for _ in link.messages:
            pass


@pytest.mark.parametrize("connect", [_service, client])
async def test_a_broker_that_dies_while_somebody_leaves_it_leaves_no_error_for_nobody(
    tmp_path: Path, connect: Callable[[int], AbstractAsyncContextManager[object]]
) -> None:
    """It may die before, while or after nobody listens any more: some moments of each."""
    left: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: left.append(str(about["message"])))
    with broker(tmp_path / "broker") as running:
        for moments in range(30):
            async with connect(running.port):
                running.kill()
                for _ in range(moments % 6):
                    await asyncio.sleep(0.0005)
            gc.collect()
            running.start()
    await asyncio.sleep(0)
    assert left == []
