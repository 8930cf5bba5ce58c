"""A thousand hostile messages while a session runs: it goes on as if nothing had come, and each kind is logged once."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from controller.station import Station
from tests.controller.mqtt.test_commands import anything, nearly
from tests.helpers.bridge import is_idle, run, settle
from tests.helpers.broker import Client, stamp
from tests.helpers.motor import SPEED
from tests.helpers.processes import RunningSimulator

COUNT = 1000
HUGE = b"x" * 30_000
DEEP = b'{"do":' * 2_500 + b"1" + b"}" * 2_500
SIGNS = b'{"do": "start", "routine": "\\u001b[2J\\u0000"}'
STAMPED = [
    {**stamp(3600.0), "do": do}
    for do in ("start", "hold", "resume", "skip", "back", "extra", "stronger", "softer", "choose", "pain", "intensity")
]


def hostile() -> list[bytes]:
    """A thousand payloads, all different, none of which is a stop: those are obeyed."""
    found: list[bytes] = [HUGE, DEEP, SIGNS, b"\xff\xfe", b"NaN", b"Infinity", b"1e400", b"1" * 5_000]
    found += [json.dumps(each).encode() for each in STAMPED]

    examples = COUNT * 3 // 2  # some come twice, and some are stops

    @settings(max_examples=examples, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=1, max_size=200) | st.builds(lambda value: json.dumps(value).encode(), anything | nearly))
    def collect(payload: bytes) -> None:
        # A pause alone is a command of anybody, and has its own tests.
        if not any(word in payload.lower() for word in (b"stop", b"nerve", b"pause")):
            found.append(payload)

    collect()
    different = list(dict.fromkeys(found))[:COUNT]
    assert len(different) == COUNT
    return different


async def test_a_thousand_hostile_messages_change_nothing_and_are_logged_once(
    gun: RunningSimulator, phone: Client, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    payloads = hostile()  # now: while a session runs, nobody may block the event loop for long
    await run(phone, speed=1.0)
    assert station.running is not None
    running, happened = station.running, len(station.running.live.happened)
    with caplog.at_level(logging.INFO, logger="controller.mqtt"):
        for payload in payloads:
            await phone.send(payload, retain=False)
        # Commands are answered in order: when this one is, all before it were taken.
        assert "not paused" in (await phone.ask("resume"))["said"]
    assert station.running is running
    asked = {"RequestRefused", "SessionPaused", "IntensityChanged", "SpanExtended", "PainTold"}
    since = [type(event).__name__ for event in running.live.happened[happened:]]
    assert not asked & set(since)
    said = [record for record in caplog.records if record.name.startswith("controller.mqtt")]
    # One line for what cannot be read, one for each command that is refused, one for the closing question.
    assert 2 <= len(said) <= 2 + len(STAMPED)
    for record in said:
        assert record.levelno == logging.WARNING
        assert record.getMessage().isprintable()
    state = await phone.state(_is_running, after=len(phone.heard) - 50)
    assert state["routine"] == "script"
    assert (await phone.ask("stop"))["ok"]


def _is_running(state: dict[str, Any]) -> bool:
    return bool(state["status"] == "running")


async def test_a_flood_of_starts_is_one_session_and_a_stop_gets_through(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await settle(phone)
    start = {"do": "start", "script": "calves:left gentle 120s", "massager": "gun", "speed": SPEED}
    for _ in range(200):
        await phone.mqtt.publish(
            f"percuss/{await phone.installation()}/command", json.dumps({**start, **stamp()}), qos=0
        )
    assert (await phone.ask("stop"))["ok"]
    while not is_idle(station):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert float(gun.recorded("motor")[-1]["ppm"]) == 0 if gun.recorded("motor") else True
    sessions = {each.json["session"] for each in phone.heard if each.topic.endswith("/event")}
    assert len(sessions) <= 1


async def test_signs_that_a_terminal_obeys_never_reach_the_log(
    phone: Client, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    await settle(phone)
    with caplog.at_level(logging.INFO, logger="controller.mqtt"):
        answer = await phone.ask("start", script="calves\x1b[2J\x07 40% 20s", no_device=True)
    assert not answer["ok"]
    (record,) = [record for record in caplog.records if record.getMessage().startswith("start")]
    assert "calves" in record.getMessage(), "it says what was wrong"
    assert record.getMessage().isprintable()
    assert is_idle(station)
