"""Server-sent events: numbered, resumed, bounded; who does not read holds nobody up."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from controller.happenings import KEPT, Happenings
from controller.http import events as events_module
from controller.http import server
from controller.station import Station, open_station
from tests.controller.http.serving import TOKEN, Served, Told, events, served, until_so


async def first(door: Served, count: int, last_event_id: int | str | None = None) -> list[Told]:
    """The first events that are no snapshots."""
    found = []
    async for told in events(door.client, last_event_id):
        if told.kind != "snapshot":
            found.append(told)
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {found}")


async def test_a_reader_goes_on_where_it_stopped() -> None:
    async with served() as door:
        for number in range(1, 6):
            door.station.happenings.add("tick", {"number": number}, session=7)
        found = await first(door, 3, last_event_id=2)
        assert [(told.data["id"], told.kind, told.data["data"]) for told in found] == [
            (3, "tick", {"number": 3}),
            (4, "tick", {"number": 4}),
            (5, "tick", {"number": 5}),
        ]
        assert found[0].data["session"] == 7
        assert found[0].id is not None
        assert [told.data["id"] for told in await first(door, 2, last_event_id=found[0].id)] == [4, 5]


async def test_more_than_one_look_holds_arrives_whole_and_in_order() -> None:
    async with served() as door:
        count = events_module.BATCH * 3 + 7
        for number in range(count):
            door.station.happenings.add("tick", {"number": number})
        found = await first(door, count, last_event_id=0)
        assert [told.data["data"]["number"] for told in found] == list(range(count))


async def test_what_is_gone_is_said() -> None:
    async with open_station() as station:
        station.happenings = Happenings(kept=3)
        async with served(station) as door:
            for number in range(1, 10):
                station.happenings.add("tick", {"number": number})
            missed, *rest = await first(door, 4, last_event_id=2)
            assert (missed.kind, missed.id, missed.data) == ("missed", None, {"next_id": 7})
            assert [told.data["id"] for told in rest] == [7, 8, 9]


async def test_an_id_of_an_earlier_run_of_the_service_gives_everything() -> None:
    async with served() as door:
        door.station.happenings.add("tick", {})
        (before,) = await first(door, 1, last_event_id=0)
    async with served() as door:
        for kind in ("left_over", "tick", "tick"):
            door.station.happenings.add(kind, {})
        assert before.id is not None
        # Here that number has another meaning, and what is before it was never read.
        assert [told.kind for told in await first(door, 1, last_event_id=before.id)] == ["left_over"]
        assert [told.kind for told in await first(door, 1, last_event_id=4000)] == ["left_over"]


async def test_the_stream_of_a_service_that_hangs_ends() -> None:
    is_well = True
    async with served(is_heard=lambda: is_well) as door:
        reader = events(door.client)
        assert (await anext(reader)).kind == "snapshot"
        is_well = False
        assert [told.kind async for told in reader if told.kind != "snapshot"] == []


@pytest.mark.parametrize("number", ["-1", "x", "1-2-3", "1.5", "9" * 5000, "²"])
async def test_an_id_that_is_none_is_refused(number: str) -> None:
    async with served() as door:
        headers = {b"Last-Event-ID": number.encode()}
        answer = await door.client.get("/api/v1/events", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "usage")


async def test_without_a_number_it_begins_with_how_things_stand_and_then_tells_what_happens() -> None:
    async with served() as door:
        door.station.happenings.add("old", {})
        reader = events(door.client)
        opening = await anext(reader)
        assert opening.kind == "snapshot"
        assert opening.data["last_id"] == 1
        assert opening.data["session"] is None
        door.station.happenings.add("new", {"text": "line\nline\r\n\r\nevent: forged\u2028"})
        told = await anext(reader)
        assert (told.kind, told.data["data"]["text"]) == ("new", "line\nline\r\n\r\nevent: forged\u2028")
        await reader.aclose()  # type: ignore[attr-defined]


async def test_the_end_of_the_service_ends_the_stream_after_all_was_told() -> None:
    async with served() as door:
        reader = asyncio.ensure_future(_kinds(door))
        await until_so(lambda: bool(door.server.server_state.tasks))
        door.station.happenings.add("last", {})
        await door.station.close("a test")
        assert [kind for kind in await reader if kind != "snapshot"] == ["last"]


async def _kinds(door: Served) -> list[str]:
    return [told.kind async for told in events(door.client, 0)]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 5000])
async def test_a_number_that_is_none_is_refused(number: str) -> None:
    async with served() as door:
        answer = await door.client.get("/api/v1/events", headers={"Last-Event-ID": number})
        assert answer.status_code == 422
        assert answer.json()["type"] == "usage"


def deaf(door: Served) -> socket.socket:
    """Somebody who asks for all events and reads nothing."""
    link = socket.create_connection(door.address)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nLast-Event-ID: 0\r\n\r\n"
    )
    link.sendall(head.encode())
    return link


def fill(station: Station, pieces: int) -> None:
    """So much that no system keeps it in the buffers of a connection: 16 KiB a piece."""
    for number in range(pieces):
        station.happenings.add("tick", {"number": number, "much": "x" * 16_384})


def waiting_bytes(door: Served) -> list[int]:
    """What waits in this process for each connection."""
    connections: Any = door.server.server_state.connections
    return [connection.transport.get_write_buffer_size() for connection in connections]


async def test_who_never_reads_costs_a_bounded_buffer_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "CATCH_UP_S", 0.0)
    async with served() as door:
        fill(door.station, 2000)  # 32 MB
        links = [deaf(door) for _ in range(5)]
        await until_so(lambda: sum(size > 65_536 for size in waiting_bytes(door)) == 5)
        found = await first(door, 2000, last_event_id=0)  # somebody who reads gets everything
        assert found[-1].data["data"]["number"] == 1999
        most = 65_536 + events_module.BATCH_BYTES + 2 * 17_000
        assert max(waiting_bytes(door)) <= most
        for link in links:
            link.close()


async def test_who_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(server, "STUCK_S", 0.2)
    monkeypatch.setattr(events_module, "CATCH_UP_S", 0.0)
    async with served() as door:
        fill(door.station, 2000)
        link = deaf(door)
        await until_so(lambda: bool(door.server.server_state.connections))
        await until_so(lambda: not (door.server.server_state.connections or door.server.server_state.tasks))
        assert "closed: a connection that reads nothing" in caplog.text
        assert "Exception" not in caplog.text
        link.close()


async def test_a_text_is_written_once_for_all_readers_and_no_more_are_kept_than_happenings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert events_module.TEXTS == KEPT
    monkeypatch.setattr(events_module, "TEXTS", 1000)
    async with served() as door:
        feed_texts = 1000
        for number in range(feed_texts + 500):
            door.station.happenings.add("tick", {"number": number})
        feed = events_module.Feed(_door_of(door))
        for one in door.station.happenings.after(0, most=feed_texts + 500):
            feed._text(one)
        assert len(feed._texts) == feed_texts
        newest = door.station.happenings.after(feed_texts + 499, most=1)[0]
        assert feed._text(newest) is feed._text(newest)
        assert json.loads(feed._text(newest).split(b"data: ")[1])["id"] == feed_texts + 500


def _door_of(door: Served) -> Any:
    from controller.http.door import Door

    return Door(door.station)
