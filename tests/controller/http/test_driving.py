"""Sessions over HTTP, on real simulators: started, asked, stopped, and stopped for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.http.problems import MEDIA_TYPE
from tests.controller.http.serving import served, until, until_so
from tests.helpers.motor import SPEED, has_turned, is_at_rest, paired_gun
from tests.helpers.processes import RunningSimulator

LONG = {"script": "calves:left gentle 60s; calves:right gentle 60s; heel gentle 30s", "massager": "gun", "speed": SPEED}
SHORT = {"script": "calves:left gentle 20s", "massager": "gun", "speed": SPEED}


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


async def post(client: httpx.AsyncClient, path: str, body: Any = None) -> Any:
    answer = await client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def test_a_session_from_its_start_to_its_end(gun: RunningSimulator) -> None:
    async with served() as door:
        started = await post(door.client, "session", SHORT)
        assert (started["number"], started["by"], started["routine"]) == (1, "HTTP at 127.0.0.1", "script")
        assert started["duration_s"] == sum(span["duration_s"] for span in started["spans"]) == 28.0
        ended = await until(door.client, "session_ended")
        assert ended.data["session"] == 1
        assert ended.data["data"]["outcome"] == "done"
        history = (await door.client.get("/api/v1/history")).json()["sessions"]
        assert [(each["routine"], each["outcome"]) for each in history] == [("script", "done")]
        one = (await door.client.get(f"/api/v1/history/{history[0]['id']}")).json()
        assert [step["region"] for step in one["steps"] if step["is_driven"]] == ["calves"]
    assert has_turned(gun)
    assert is_at_rest(gun)


async def test_a_second_one_is_refused_with_the_name_of_who_has_the_first(gun: RunningSimulator) -> None:
    async with served() as door:
        phone = {"User-Agent": "Mozilla/5.0 (iPhone)"}
        assert (await door.client.post("/api/v1/session", json=LONG, headers=phone)).status_code == 201
        answer = await door.client.post("/api/v1/session", json=LONG)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert answer.json() == {
            "type": "refused",
            "title": "Conflict",
            "status": 409,
            "detail": "a session runs already, started by the web page at 127.0.0.1.",
            "where": "",
            "fix": "Stop it, or wait until it has ended.",
        }
        for path, body in (("scan", {}), ("pair", {"target": "x"})):
            busy = await door.client.post(f"/api/v1/{path}", json=body)
            assert (busy.status_code, busy.json()["type"]) == (409, "refused")
        held = await door.client.delete("/api/v1/devices/gun")  # it must be stoppable by its name
        assert (held.status_code, held.json()["type"]) == (409, "not_found")
        assert "gun" in (await door.client.get("/api/v1/devices")).text


async def test_pause_resume_and_the_rest_reach_the_session(gun: RunningSimulator) -> None:
    async with served() as door:
        await post(door.client, "session", LONG)
        await until(door.client, "level_asked")
        for _ in range(3):  # as often as somebody presses it
            await post(door.client, "session/pause")
        await until(door.client, "session_paused")
        paused = (await door.client.get("/api/v1/session")).json()["session"]
        assert (paused["is_paused"], paused["span"]["region"]) == (True, "calves")
        await post(door.client, "session/resume")
        await until(door.client, "session_resumed")
        await post(door.client, "session/softer")
        await until(door.client, "intensity_changed")
        await post(door.client, "session/stronger")
        await post(door.client, "session/extra")
        await post(door.client, "session/back")
        await post(door.client, "session/skip")
        stopped = await post(door.client, "session/stop")
        assert stopped["ended"]["outcome"] == "stopped"
        assert stopped["ended"]["reason"] == "stopped by the person"  # who had started it
        assert is_at_rest(gun)  # when it answers, not some time later
        assert (await door.client.get("/api/v1/session")).json()["session"] is None


async def test_somebody_else_is_named_as_the_one_who_stopped_it(gun: RunningSimulator) -> None:
    async with served() as door:
        phone = {"User-Agent": "Mozilla/5.0 (iPhone)"}
        assert (await door.client.post("/api/v1/session", json=LONG, headers=phone)).status_code == 201
        stopped = await post(door.client, "session/stop")
        assert stopped["ended"]["reason"] == "stopped by HTTP at 127.0.0.1"
        assert is_at_rest(gun)


async def test_the_plan_of_the_session_that_runs(gun: RunningSimulator) -> None:
    async with served() as door:
        assert (await door.client.get("/api/v1/session/plan")).status_code == 404
        started = await post(door.client, "session", LONG)
        plan = (await door.client.get("/api/v1/session/plan")).json()
        assert {**plan, "by": "HTTP at 127.0.0.1"} == started
        await post(door.client, "session/stop", {"number": started["number"] + 1})  # another one is meant
        assert (await door.client.get("/api/v1/session/plan")).status_code == 200
        await post(door.client, "session/stop", {"number": started["number"]})
    assert is_at_rest(gun)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("session/stop/", ""),
        ("session/stop//", '{"number": 1}'),
        ("session/stop", '{"number": true}'),
        ("session/stop", '{"number": "1"}'),
        ("session/stop", '{"number": 1.0}'),
        ("session/stop", '{"number": 7, "more": 1}'),
    ],
)
async def test_a_stop_that_is_not_to_the_letter_stops_what_runs(gun: RunningSimulator, path: str, body: str) -> None:
    async with served() as door:
        for _ in range(2):  # the second one has the number 2
            started = await post(door.client, "session", LONG)
            stopped = await door.client.post(f"/api/v1/{path}", content=body)
            if body != '{"number": 1}' or started["number"] == 1:
                assert (stopped.status_code, stopped.json()["running"]) == (200, None)
                assert stopped.json()["ended"]["outcome"] == "stopped"
            else:
                assert stopped.json() == {"ended": None, "running": 2}


@pytest.mark.parametrize("word", ["pause", "resume", "skip", "back", "extra", "stronger", "softer", "nerve-sign"])
async def test_without_a_session_there_is_nothing_to_ask(word: str) -> None:
    async with served() as door:
        answer = await door.client.post(f"/api/v1/session/{word}")
        assert (answer.status_code, answer.json()["detail"]) == (409, "no session runs.")
        assert await post(door.client, "session/stop") == {"ended": None, "running": None}


async def test_pain_is_asked_and_a_high_answer_stops_everything(gun: RunningSimulator) -> None:
    async with served() as door:
        await post(door.client, "session", {**LONG, "asks_pain": True})
        await until(door.client, "pain_asked", moment="before")
        assert (await door.client.get("/api/v1/session")).json()["session"]["pain_question"] == "before"
        for score in (11, -1, 2.5, "3", None, True):
            refused = await door.client.post("/api/v1/session/pain", json={"score": score})
            assert refused.status_code == 422, score
        await post(door.client, "session/pain", {"score": 2})
        await until(door.client, "level_asked")
        await post(door.client, "session/pain", {"score": 7})
        ended = await until(door.client, "session_ended")
        assert ended.data["data"]["outcome"] == "stopped"
    assert is_at_rest(gun)


async def test_a_nerve_sign_stops_everything(gun: RunningSimulator) -> None:
    async with served() as door:
        await post(door.client, "session", LONG)
        await until(door.client, "level_asked")
        await post(door.client, "session/nerve-sign")
        ended = await until(door.client, "session_ended")
        assert "Tingling" in ended.data["data"]["reason"]
    assert is_at_rest(gun)


async def test_the_emergency_stop_stays_in_until_it_is_cleared(gun: RunningSimulator) -> None:
    async with served() as door:
        await post(door.client, "session", LONG)
        await until(door.client, "level_asked")
        told = await post(door.client, "emergency-stop")
        assert told["is_confirmed"] is True
        assert told["devices"]["gun"]["proof"] == "confirmed"
        assert is_at_rest(gun)
        refused = await door.client.post("/api/v1/session", json=LONG)
        assert refused.status_code == 409
        assert "emergency stop is in" in refused.json()["detail"]
        stands = (await door.client.get("/api/v1/session")).json()["emergency_stop"]
        assert stands["is_engaged"]
        cleared = await door.client.delete("/api/v1/emergency-stop")
        assert cleared.json() == {"since_utc": stands["since_utc"]}
        await post(door.client, "session", SHORT)


async def test_an_emergency_stop_that_a_device_does_not_confirm_says_so(gun: RunningSimulator) -> None:
    gun.process.kill()
    gun.process.wait()
    async with served() as door:
        told = await post(door.client, "emergency-stop")
        assert told["is_confirmed"] is False
        assert told["devices"]["gun"]["type"] == "not_found"
        assert told["devices"]["gun"]["problem"].endswith("If it runs, press its button.")
        assert (await door.client.get("/api/v1/session")).json()["emergency_stop"]["is_engaged"]


async def test_one_device_is_stopped_with_the_session_that_drives_it(gun: RunningSimulator) -> None:
    async with served() as door:
        await post(door.client, "session", LONG)
        await until(door.client, "level_asked")
        told = await post(door.client, "devices/gun/stop")
        assert told["proof"] == "confirmed"
        assert is_at_rest(gun)
        assert (await door.client.get("/api/v1/session")).json()["session"] is None
        unknown = await door.client.post("/api/v1/devices/nobody/stop")
        assert (unknown.status_code, unknown.json()["type"]) == (404, "not_found")


async def test_a_start_that_is_stopped_while_it_connects_says_so(gun: RunningSimulator) -> None:
    async with served() as door:
        starting = asyncio.ensure_future(door.client.post("/api/v1/session", json=LONG))
        await until_so(lambda: door.station.starting_by is not None)
        await post(door.client, "session/stop")
        answer = await starting
        assert (answer.status_code, answer.json()["type"]) == (409, "refused")
        await post(door.client, "session", SHORT)


@pytest.mark.parametrize(
    ("body", "status", "kind", "says"),
    [
        ({}, 422, "usage", "one of them"),
        ({"routine": "short-break", "script": "calves gentle 10s"}, 422, "usage", "one of them"),
        ({"script": "calves gentle 10s", "massager": "a", "simulator": "b"}, 422, "usage", "two for one part"),
        ({"script": "calves gentle 10s", "speed": 0}, 422, "usage", "speed"),
        ({"script": "calves gentle 10s", "speed": 1e6}, 422, "usage", "speed"),
        ({"script": "calves gentle 10s", "pain_before": 11}, 422, "usage", "pain_before"),
        ({"script": "calves gentle 10s", "no_such_key": 1}, 422, "usage", "no_such_key"),
        ({"script": "calves gentle 10s", "massager": "nobody"}, 404, "not_found", "is not paired"),
        ({"script": "calves gentle 10s", "massager": "../x"}, 422, "usage", "massager"),
        ({"script": "nowhere gentle 10s"}, 422, "bad_file", "nowhere"),
        ({"script": "neck gentle 10s"}, 409, "refused", "neck is refused"),
        ({"script": "calves 100% 20s", "simulator": "theragun-gen4"}, 409, "refused", "100"),
        ({"routine": "no-such-routine"}, 422, "bad_file", "is no known routine"),
        ({"routine": "../../etc/passwd"}, 422, "usage", "routine"),
        ({"routine": "/etc/passwd.toml"}, 422, "usage", "routine"),
        ({"routine": "short-break", "simulator": "no-such-gun"}, 404, "not_found", "no-such-gun"),
        ({"script": "\ud800 gentle 10s"}, 422, "usage", "script"),
        ({"hold": {"percent": 40, "duration_s": 10}, "massager2": "x"}, 409, "refused", "second massager"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    body: dict[str, Any], status: int, kind: str, says: str
) -> None:
    async with served() as door:
        content = json.dumps(body)
        answer = await door.client.post(
            "/api/v1/session", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["type"]) == (status, kind), answer.text
        assert says in answer.text
        assert door.station.running is None
        assert door.station.starting_by is None


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[" * 60_000, "application/json"),
        (b'{"script": NaN}', "application/json"),
        (b'{"script": "calves gentle 10s", "speed": 1' + b"0" * 5000 + b"}", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"script": "calves gentle 10s"}', "text/plain"),  # what a foreign form may send
        (b"script=calves", "application/x-www-form-urlencoded"),
    ],
)
async def test_bodies_that_are_none_are_refused(content: bytes, media_type: str) -> None:
    async with served() as door:
        answer = await door.client.post("/api/v1/session", content=content, headers={"Content-Type": media_type})
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert door.station.starting_by is None
