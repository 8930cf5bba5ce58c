"""The door as a process of its own, and the service's end of it in the test's loop."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controller.errors import RefusedError
from controller.happenings import Happening, Happenings
from controller.http import DoorProcess, opened_door, process, service_app
from controller.http.app import answer as plain_answer
from controller.http.wire import Answered, Asked, Wire
from controller.service.settings import HttpSettings, Settings
from controller.station import Station, open_station
from tests.controller.http.serving import HANG_S, TOKEN, events, served, until_so

FREE = Settings(http=HttpSettings(port=0))


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Station, DoorProcess, httpx.AsyncClient, asyncio.Task[None]]]:
    """A station, its door, a client with the token, and what serves them."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        open_station() as station,
        opened_door(FREE, TOKEN, ()) as door,
        httpx.AsyncClient(base_url=door.url, headers=headers, timeout=HANG_S) as client,
    ):
        serving = asyncio.create_task(door.serve(service_app(station), station.happenings))
        try:
            yield station, door, client, serving
        finally:
            await door.end()
            await asyncio.wait({serving})


async def test_it_answers_by_itself_and_hands_on_what_the_service_must_say() -> None:
    async with opened() as (station, _, client, _):
        assert (await client.get("/api/v1/routines")).json()["routines"]
        started = await client.post("/api/v1/session", json={"script": "calves:left gentle 60s"})
        assert started.status_code == 201
        assert started.json()["by"] == "HTTP at 127.0.0.1"
        now = (await client.get("/api/v1/session")).json()
        assert now["session"]["number"] == 1
        assert (await client.post("/api/v1/session/stop")).json()["ended"]["outcome"] == "stopped"
        assert station.running is None  # here, in this process
        wrong = await client.post("/api/v1/session", content=b"\xff\x00", headers={"content-type": "application/json"})
        assert wrong.status_code == 422
        assert wrong.json()["type"] == "usage"
        refused = await client.put("/api/v1/session")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert "percuss_session_running 0.0" in (await client.get("/api/v1/metrics")).text
        assert "/api/v1/session/stop" in (await client.get("/api/v1/openapi.json")).json()["paths"]


async def test_its_readers_hear_what_happens_there_and_the_end() -> None:
    async with opened() as (station, door, client, serving):
        for number in range(3):
            station.happenings.add("tick", {"number": number}, session=7)
        told = [one async for one in _some(client, 3)]
        assert [(str(one[0]).rpartition("-")[2], one[1]) for one in told] == [("1", 0), ("2", 1), ("3", 2)]
        is_reading = asyncio.Event()
        reading = asyncio.create_task(_all(client, is_reading))
        await is_reading.wait()
        station.happenings.add("last", {"number": 3})
        await station.close("a test")
        await door.end()
        assert (await reading)[-1] == "last"
        await serving


async def _some(client: httpx.AsyncClient, count: int) -> AsyncIterator[tuple[str | None, int]]:
    async for told in events(client, 0):
        if told.kind != "snapshot":
            yield told.id, told.data["data"]["number"]
            count -= 1
            if not count:
                return


async def _all(client: httpx.AsyncClient, is_reading: asyncio.Event) -> list[str]:
    kinds = []
    async for told in events(client, 0):
        is_reading.set()
        kinds.append(told.kind)
    return [kind for kind in kinds if kind != "snapshot"]


async def test_a_door_that_ends_by_itself_is_told() -> None:
    async with opened() as (_, door, _, serving):
        os.kill(door.pid, signal.SIGKILL)
        with pytest.raises(RefusedError, match="ended by itself"):
            await serving


async def test_a_door_that_hangs_is_killed_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as (_, door, client, serving):
        assert (await client.get("/api/v1/health")).status_code == 200
        os.kill(door.pid, signal.SIGSTOP)
        with pytest.raises(RefusedError, match="did not answer and was killed"):
            await serving
        assert "hangs and is killed" in caplog.text
        assert await door._process.wait() == -signal.SIGKILL


async def test_a_door_that_answers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pings = 0

    def pinged(wire: Wire, message: dict[str, Any]) -> None:
        nonlocal pings
        pings += message["kind"] == "ping"
        plain_send(wire, message)

    plain_send = Wire.send
    monkeypatch.setattr(Wire, "send", pinged)
    monkeypatch.setattr(process, "PING_S", 0.05)
    monkeypatch.setattr(process, "PINGS_UNHEARD", 40)
    async with opened() as (_, _, client, serving):
        await until_so(lambda: pings > 80)
        assert (await client.get("/api/v1/health")).status_code == 200
        assert not serving.done()


async def test_what_cannot_be_told_holds_up_nothing_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as (station, _, client, serving):
        station.happenings.add("broken", {"number": math.nan})
        station.happenings.add("whole", {"number": 2})
        found = []
        async for told in events(client, 0):
            if told.kind != "snapshot":
                found.append((told.kind, told.data["data"]))
            if len(found) == 2:
                break
        assert found == [("broken", {}), ("whole", {"number": 2})]
        assert "what broken says cannot be told" in caplog.text
        assert (await client.post("/api/v1/session/stop")).status_code == 200
        assert not serving.done()


async def test_a_request_that_cannot_be_answered_is_told_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(app: FastAPI, asked: Asked) -> Answered:
        if asked.path.endswith("/pause"):
            raise ZeroDivisionError("inside")
        return await plain_answer(app, asked)

    monkeypatch.setattr(process, "answer", answer)
    async with opened() as (_, _, client, _):
        broken = await client.post("/api/v1/session/pause")
        assert (broken.status_code, broken.json()["type"]) == (500, "internal")
        assert "inside" not in broken.text
        assert any(record.exc_info for record in caplog.records if record.name == "percuss.http")
        assert (await client.post("/api/v1/session/stop")).status_code == 200


async def test_too_few_files_for_all_who_come_keep_nobody_from_stop(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as (_, door, client, _):
        has = len(list(Path(f"/proc/{door.pid}/fd").iterdir()))
        resource.prlimit(door.pid, resource.RLIMIT_NOFILE, (has + 10, has + 10))
        address = "127.0.0.1", int(door.url.rsplit(":", 1)[1])
        links = [await asyncio.open_connection(*address) for _ in range(30)]
        assert (await client.post("/api/v1/session/stop")).status_code == 200
        for _, writer in links:
            writer.close()


START = (
    b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
)


@pytest.mark.parametrize("on", [{}, {"simulator": "theragun-gen4"}])
async def test_who_leaves_before_his_session_began_leaves_none_running(on: dict[str, str]) -> None:
    async with opened() as (station, door, client, _):
        body = json.dumps({"script": "calves:left gentle 60s", **on}).encode()
        for _ in range(3):
            known = station.happenings.last_id
            link = socket.create_connection(("127.0.0.1", int(door.url.rsplit(":", 1)[1])))
            link.sendall(START % (len(body), body))
            link.close()
            await until_so(lambda known=known: station.happenings.last_id > known)  # type: ignore[misc]
            await until_so(lambda: station.starting_by is None and station.running is None)
        assert (await client.get("/api/v1/session")).json()["session"] is None


async def test_who_leaves_stops_nobody_elses_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as door:
        mine = await door.client.post("/api/v1/session", json={"script": "calves:left gentle 60s"})
        assert mine.status_code == 201
        body = json.dumps({"script": "heel gentle 60s"}).encode()
        for _ in range(5):
            link = socket.create_connection(door.address)
            link.sendall(START % (len(body), body))
            link.close()
        asked = "POST /api/v1/session from 127.0.0.1"
        await until_so(lambda: caplog.messages.count(asked) == 6 and not door.server.server_state.tasks)
        now = (await door.client.get("/api/v1/session")).json()
        assert now["session"]["number"] == 1


async def test_it_ends_when_the_service_is_gone() -> None:
    async with opened() as (_, door, client, serving):
        reading = asyncio.create_task(client.get("/api/v1/events"))
        assert (await client.get("/api/v1/health")).status_code == 200
        door._wire.close()  # as the end of its process does
        with pytest.raises(RefusedError):
            await serving
        with suppress(httpx.TransportError):  # it ends, in order or not
            await reading
        with suppress(httpx.TransportError):
            while True:
                await client.get("/api/v1/health")


async def test_a_door_that_hangs_for_a_while_holds_nobody_up_and_hears_everything_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "PINGS_UNHEARD", 1_000_000)
    async with opened() as (station, door, client, _):
        waiting = door._wire._writer.transport.get_write_buffer_size
        os.kill(door.pid, signal.SIGSTOP)
        try:
            for number in range(5000):
                station.happenings.add("tick", {"number": number, "much": "x" * 1000})
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await until_so(lambda: waiting() > 0)
            filled = waiting()
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert waiting() == filled < 200_000
        finally:
            os.kill(door.pid, signal.SIGCONT)
        numbers = [one[1] async for one in _some(client, 5000)]
        assert numbers == list(range(5000))


async def test_what_was_before_a_gap_is_said_to_be_gone() -> None:
    far, here = Happenings(), Happenings()
    for number in range(6):
        one = far.add("tick", {"number": number})
        if number != 3:
            here.put(one)
    assert here.last_id == 6
    missed, *rest = here.after(0, most=10)
    assert missed.next_id == 5  # type: ignore[union-attr]
    assert [one.id for one in rest if isinstance(one, Happening)] == [5, 6]


async def test_a_port_that_is_taken_is_refused() -> None:
    async with opened_door(FREE, TOKEN, ()) as first:
        taken = Settings(http=HttpSettings(port=int(first.url.rsplit(":", 1)[1])))
        with pytest.raises(RefusedError, match="cannot be listened to"):
            async with opened_door(taken, TOKEN, ()):
                raise AssertionError("two listen at one port")
