"""No path around the supervisor through the doors of the service: each tries to exceed the caps.

The limits are the published ones, as in test_no_path_around.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.broker import broker, client
from tests.helpers.motor import SPEED, is_at_rest, paired_gun
from tests.helpers.processes import RunningSimulator
from tests.helpers.service import service
from tests.system.test_no_path_around import LUMBAR_PPM, LUMBAR_S, driven_s, peak_ppm

TOO_MUCH: list[dict[str, Any]] = [
    {"script": "calves:left 88% 10s"},  # 2112 ppm
    {"script": "lower_back:left gentle 61s"},
]
TOO_MUCH_HELD: list[dict[str, Any]] = [
    {"percent": 100, "duration_s": 5, "region": "calves"},
    {"percent": 76, "duration_s": 5, "region": "lower_back"},  # 1824 ppm
    {"percent": 67, "duration_s": 5},  # 1608 ppm, and no place is named
    {"percent": 50, "duration_s": 61, "region": "lower_back"},
]
LUMBAR: dict[str, Any] = {"script": "lower_back:left firm 45s", "massager": "gun", "speed": SPEED}
PAUSES = 3


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path, "--ble") as device:
        yield device


def assert_held(gun: RunningSimulator) -> None:
    assert 0 < peak_ppm(gun) <= LUMBAR_PPM
    assert driven_s(gun) <= LUMBAR_S + 0.2 * SPEED
    assert is_at_rest(gun)


def test_http_does_not_lead_beyond_a_cap(gun: RunningSimulator, home: Path) -> None:
    with service(home) as serving:
        for wish in [*TOO_MUCH, *({"hold": held} for held in TOO_MUCH_HELD)]:
            refused = serving.client.post("/api/v1/session", json={**wish, "massager": "gun"})
            assert (refused.status_code, refused.json()["type"]) == (409, "refused"), wish
        assert peak_ppm(gun) == 0
        serving.post("session", LUMBAR)
        rounds = 0
        while (session := serving.client.get("/api/v1/session").json()["session"]) is not None:
            if (
                session["span"] is not None and session["span"]["is_driven"]
            ):  # elsewhere more time is no more for a body
                rounds += 1
                for word in ("extra", "pause", "stronger", "resume") if rounds <= PAUSES else ("extra",):
                    serving.client.post(f"/api/v1/session/{word}")
            serving.client.post("/api/v1/session/stronger")
            time.sleep(0.02)
        assert rounds > PAUSES
    assert_held(gun)


async def test_mqtt_does_not_lead_beyond_a_cap(gun: RunningSimulator, home: Path, tmp_path: Path) -> None:
    with (
        broker(tmp_path / "broker") as running,
        service(home, PERCUSS_MQTT__HOST="127.0.0.1", PERCUSS_MQTT__PORT=str(running.port)),
    ):
        async with client(running.port) as person:
            for do, wishes in (("start", TOO_MUCH), ("hold", TOO_MUCH_HELD)):
                for wish in wishes:
                    refused = await person.insist(do, **wish, massager="gun")
                    assert not refused["ok"], wish
            assert peak_ppm(gun) == 0
            assert (await person.insist("start", **LUMBAR))["ok"]
            said, rounds = "", 0
            while "no session runs" not in said:
                for do in ("hold", "intensity"):
                    await person.ask(do, percent=100.0)  # once it is over, such a hold is refused and starts nothing
                said = (await person.ask("stronger"))["said"]
                if "nothing is driven" not in said:  # elsewhere more time is no more for a body
                    rounds += 1
                    for do in ("extra", "pause", "resume") if rounds <= PAUSES else ("extra",):
                        await person.ask(do)
            assert rounds > PAUSES
    assert_held(gun)
