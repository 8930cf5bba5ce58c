"""What happens, as server-sent events: each happening with its number, and a snapshot every second.

A reader looks now and then at what is kept for all; nothing is queued for it, and it is never woken. So 200 readers are
no burst of work, and one that reads nothing costs the buffer of its connection.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header
from sse_starlette import EventSourceResponse, ServerSentEvent

from controller.errors import LinkLostError
from controller.happenings import KEPT, Happening, Missed
from controller.http.door import Outlook

LOOK_S = 0.2
"""How often a reader looks, in real seconds: what happens is told that late at most."""
CATCH_UP_S = 0.005
"""Readers who were away catch up in turn: so often one of them gets `BATCH` happenings or `BATCH_BYTES`."""
BATCH = 500
BATCH_BYTES = 64 * 1024
SNAPSHOT_S = 1.0
TOGETHER_S = 0.1
PING_S = 2
"""How often everybody who reads sees that the way is still there, in real seconds."""
HUNG_S = 2.0
"""Real seconds for which a snapshot is waited for."""
TEXTS = KEPT
"""All that are kept are kept as text too, written once for all readers."""

EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "RUN-NUMBER, the service's run and its number; a snapshot has none."},
        "event": {"type": "string", "description": "Its kind."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
"""A server-sent event as OpenAPI 3.1 tells of it."""
_ID = r"^(([0-9]{1,15}-)?[0-9]{1,15})?$"
_LAST = "The id of the last event that was read, or a number of this run; it goes on behind that."


class Feed:
    """Reads for all readers of one door."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._run = round(outlook.happenings.began_utc.timestamp() * 1000)
        self._texts: OrderedDict[int, bytes] = OrderedDict()
        self._snapshot = b""
        self._taken_s = 0.0
        self._is_busy = False
        self._one_at_a_time, self._catching_up = asyncio.Lock(), asyncio.Lock()

    def number(self, event_id: str | None) -> int:
        """Up to where somebody has read who names this as the last id; from another run of the service nothing."""
        if not event_id:
            return self._outlook.happenings.last_id
        run, _, number = event_id.rpartition("-")
        return int(number) if run in {"", str(self._run)} else 0

    async def read(self, at: int) -> AsyncIterator[bytes]:
        """Events from behind a number, until the service ends."""
        happenings = self._outlook.happenings
        due_s, is_news = 0.0, True
        while True:
            pieces, at, is_behind = self._texts_after(at)
            is_over = happenings.is_over and not pieces
            if not self._outlook.is_heard():
                return  # nobody is to take the sign of life of this process for one of the service
            is_news = is_news or bool(pieces)
            if is_over or (time.monotonic() >= due_s and (is_news or self._is_busy)):
                if (snapshot := await self._snapshot_text()) is None:
                    return
                pieces.append(snapshot)
                due_s, is_news = time.monotonic() + SNAPSHOT_S, False
            if pieces:
                yield b"".join(pieces)
            if is_over:
                return
            if is_behind:
                async with self._catching_up:
                    await asyncio.sleep(CATCH_UP_S)
            else:
                await asyncio.sleep(LOOK_S)

    def _texts_after(self, at: int) -> tuple[list[bytes], int, bool]:
        """Those behind a number, up to which number, and whether there may be more."""
        pieces, left = [], BATCH_BYTES
        batch = self._outlook.happenings.after(at, most=BATCH)
        for one in batch:
            pieces.append(self._text(one))
            at = one.id if isinstance(one, Happening) else one.next_id - 1
            left -= len(pieces[-1])
            if left <= 0:
                break
        return pieces, at, left <= 0 or len(batch) >= BATCH

    def _text(self, one: Happening | Missed) -> bytes:
        if isinstance(one, Missed):
            return ServerSentEvent(json.dumps(asdict(one)), event="missed").encode()
        if (known := self._texts.get(one.id)) is not None:
            return known
        told = {**asdict(one), "at_utc": one.at_utc.isoformat(timespec="milliseconds")}
        text = ServerSentEvent(json.dumps(told), id=f"{self._run}-{one.id}", event=one.kind).encode()
        self._texts[one.id] = text
        if len(self._texts) > TEXTS:
            self._texts.popitem(last=False)
        return text

    async def _snapshot_text(self) -> bytes | None:
        """The newest, taken and written once for all who want one within `TOGETHER_S`; None when the service hangs."""
        async with self._one_at_a_time:
            if time.monotonic() - self._taken_s > TOGETHER_S:
                try:
                    async with asyncio.timeout(HUNG_S):
                        snapshot = await self._outlook.snapshot()
                except (TimeoutError, LinkLostError):
                    return None
                self._is_busy = snapshot.session is not None or snapshot.starting_by is not None
                self._snapshot = ServerSentEvent(snapshot.model_dump_json(), event="snapshot").encode()
                self._taken_s = time.monotonic()
            return self._snapshot


def event_routes(outlook: Outlook) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["looking"])
    feed = Feed(outlook)
    stream: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "Server-sent events; the schema is that of each.",
            "content": {"text/event-stream": {"schema": EVENT}},
        }
    }

    @routes.get("/events", response_class=EventSourceResponse, responses=stream)
    async def read_events(
        last_event_id: Annotated[str | None, Header(pattern=_ID, description=_LAST)] = None,
    ) -> EventSourceResponse:
        """Everything that happens, and a snapshot every second while a session runs."""
        return EventSourceResponse(feed.read(feed.number(last_event_id)), ping=PING_S)

    return routes
