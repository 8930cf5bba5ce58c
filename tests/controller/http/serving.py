"""The HTTP door on a real port, in the test's own loop, and a reader of its events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from controller.http.app import answer, front_app, service_app
from controller.http.server import listen
from controller.service.settings import HttpSettings
from controller.station import Station, open_station

TOKEN = "a-token-that-is-long-enough-for-a-test-of-the-door"
HANG_S = 60.0
"""Far above what anything takes: a hang becomes a failure."""


@dataclass
class Served:
    """A door that is served: ``client`` has the token, ``stranger`` has none."""

    station: Station
    url: str
    server: uvicorn.Server
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient

    @property
    def address(self) -> tuple[str, int]:
        """For a plain socket."""
        return "127.0.0.1", int(self.url.rsplit(":", 1)[1])


@asynccontextmanager
async def served(
    station: Station | None = None, is_heard: Callable[[], bool] = lambda: True, **settings: Any
) -> AsyncIterator[Served]:
    """Serve a station for the block, a new one without."""
    chosen = HttpSettings(port=0, **settings)
    listener = listen(chosen)
    async with open_station() as own:
        whole = service_app(station or own)
        front = front_app(
            (station or own).happenings,
            lambda asked: answer(whole, asked),
            token=TOKEN,
            allowed_hosts=chosen.allowed_hosts,
            is_heard=is_heard,
        )
        server = listener.server(front)
        serving = asyncio.create_task(server.serve(sockets=[listener.listening]))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            async with (
                httpx.AsyncClient(base_url=listener.url, headers=headers, timeout=HANG_S) as client,
                httpx.AsyncClient(base_url=listener.url, timeout=HANG_S) as stranger,
            ):
                yield Served(station or own, listener.url, server, client, stranger)
        finally:
            await (station or own).close("the test ended")
            server.should_exit = True
            await serving


@dataclass
class Told:
    """One server-sent event."""

    kind: str = "message"
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def events(client: httpx.AsyncClient, last_event_id: int | str | None = None) -> AsyncIterator[Told]:
    """What the service tells, from behind a number."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with client.stream("GET", "/api/v1/events", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = Told()
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if not line and told.data:
                yield told
                told = Told()
            elif name == "event":
                told.kind = value
            elif name == "id":
                told.id = value
            elif name == "data":
                told.data = json.loads(value)


async def until(client: httpx.AsyncClient, kind: str, **data: Any) -> Told:
    """The first event of a kind with such values, also one that was before."""
    async for told in events(client, last_event_id=0):
        if told.kind == kind and data.items() <= told.data.get("data", {}).items():
            return told
    raise AssertionError(f"there was no {kind} {data}")


async def until_so(fact: Callable[[], bool]) -> None:
    """Wait for a fact; the test's timeout ends a wait in vain."""
    while not fact():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.005)
