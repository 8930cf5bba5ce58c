"""The HTTP door put together. What only looks is answered where it is asked; all else is handed on to the service.

::

    world ──► Lock ──► front_app: page, events, files, metrics
                           └─ hand_on ═══ wire ═══► service_app: session, devices, emergency stop
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from controller.happenings import Happenings
from controller.http.door import Door, Outlook, asker
from controller.http.driving import driving_routes
from controller.http.equipment import equipment_routes, listing_routes
from controller.http.events import event_routes
from controller.http.lock import Lock
from controller.http.metrics import watching_routes
from controller.http.problems import (
    MEDIA_TYPE,
    Problem,
    respond,
    respond_to_error,
    respond_to_http,
    respond_to_invalid,
)
from controller.http.reading import answering_routes, reading_routes
from controller.http.refusals import Connection, Refusals
from controller.http.regions import region_routes
from controller.http.wire import Answered, Asked
from controller.snapshot import Snapshot
from controller.station import Station
from firmware_profiles.errors import PercussError

logger = logging.getLogger("percuss.http")

API = "/api/v1"
PAGE = Path(__file__).with_name("page")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

LOOK_S = 0.2
"""How often the door looks whether a session that nobody waits for any more is being prepared."""

_LOOK = Asked("GET", f"{API}/session", "", "", "", "")

HandOn = Callable[[Asked], Awaitable[Answered]]

_PROBLEM: dict[str, Any] = {
    "description": "What went wrong.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def front_app(
    happenings: Happenings,
    hand_on: HandOn,
    *,
    token: str,
    allowed_hosts: Collection[str] = (),
    is_heard: Callable[[], bool] = lambda: True,
) -> FastAPI:
    """What the world talks to. ``allowed_hosts`` are names that a browser may use besides this computer's own.

    ``is_heard`` says whether the service gives signs of life.
    """

    async def take_snapshot() -> Snapshot:
        return _snapshot(await hand_on(_LOOK))

    outlook = Outlook(happenings, take_snapshot, is_heard)
    app = _bare_app(None)
    _include(app, _looking(outlook))
    app.mount(API, _Rest(hand_on, outlook.refusals))
    app.mount("/", StaticFiles(directory=PAGE, html=True, check_dir=False))
    hosts = {*LOOPBACK_NAMES, *allowed_hosts}
    trusted = set[Connection]()
    app.state.trusted = trusted  # for the server
    app.add_middleware(Lock, token=token, allowed_hosts=hosts, refusals=outlook.refusals, trusted=trusted)
    return app


def service_app(station: Station) -> FastAPI:
    """The whole of the API, in the loop of the station; also what is documented. It trusts whoever asks it."""
    app = _bare_app(f"{API}/openapi.json")
    door = Door(station)
    moving = (driving_routes(door), equipment_routes(door), answering_routes(door))
    _include(app, (*_looking(door), *moving))
    app.add_exception_handler(Exception, _respond_to_bug)
    _document_problems(app)
    return app


async def answer(app: FastAPI, asked: Asked) -> Answered:
    """What an app answers to a request that was handed on."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": asked.method,
        "path": asked.path,
        "query_string": asked.query.encode("latin-1"),
        "headers": [(b"content-type", asked.content_type.encode("latin-1"))] if asked.content_type else [],
        "percuss.by": asked.by,
    }
    status, headers, body = 500, dict[str, str](), b""
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:  # nobody waits for more, such as a stream that never ends
            return {"type": "http.disconnect"}
        is_read = True
        return {"type": "http.request", "body": asked.body.encode("latin-1"), "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body += message.get("body", b"")

    try:
        await app(scope, receive, send)
    except Exception:
        logger.exception("this should not have happened: %s %s", asked.method, ascii(asked.path))
    return Answered(status, headers, body.decode("latin-1"))


class _Rest:
    """Hands on whatever is not answered here."""

    def __init__(self, hand_on: HandOn, refusals: Refusals) -> None:
        self._hand_on = hand_on
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = Asked(
            method=request.method,
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            content_type=request.headers.get("content-type", ""),
            body=(await request.body()).decode("latin-1"),
            by=asker(request),
        )
        is_start = (asked.method, asked.path) == ("POST", f"{API}/session")
        answered = await (self._start(asked, receive) if is_start else self._hand_on(asked))
        await Response(answered.body.encode("latin-1"), answered.status, answered.headers)(scope, receive, send)

    async def _start(self, asked: Asked, receive: Receive) -> Answered:
        """Have a session started; if whoever asks for it leaves before it is under way, it is stopped."""
        starting = asyncio.ensure_future(self._hand_on(asked))
        leaving = asyncio.create_task(_leave(receive))
        try:
            await asyncio.wait({starting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self._refusals.note(
                    "a session whose asker left before it began", asked.by, f"{asked.method} {asked.path}"
                )
                await self._give_up(starting, asked.by)
            return await starting
        finally:
            leaving.cancel()

    async def _give_up(self, starting: asyncio.Future[Answered], by: str) -> None:
        # Nobody else's session: what is being prepared for him, and then the one with his number.
        while not starting.done():
            looked = await self._hand_on(_LOOK)
            if looked.status == HTTPStatus.OK and _is_starting(_snapshot(looked), by):
                await self._hand_on(Asked("POST", f"{API}/session/stop", "", "", "", by))
            await asyncio.wait({starting}, timeout=LOOK_S)
        answered = await starting
        if answered.status == HTTPStatus.CREATED:
            number = json.dumps({"number": json.loads(answered.body)["number"]})
            await self._hand_on(Asked("POST", f"{API}/session/stop", "", "application/json", number, by))


def _is_starting(now: Snapshot, by: str) -> bool:
    return now.session is None and now.starting_by == by


async def _leave(receive: Receive) -> None:
    """Wait until whoever asks is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _snapshot(answered: Answered) -> Snapshot:
    return Snapshot.model_validate_json(answered.body.encode("latin-1"))


def _looking(outlook: Outlook) -> tuple[APIRouter, ...]:
    return (
        watching_routes(outlook),
        event_routes(outlook),
        listing_routes(outlook),
        reading_routes(outlook),
        region_routes(),
    )


def _bare_app(openapi_url: str | None) -> FastAPI:
    app = FastAPI(
        title="percuss",
        version=version("percuss"),
        description="Drive percussive massagers. Whatever moves keeps to the limits; POST /session/stop always stops.",
        docs_url=None,  # it would come from a CDN
        redoc_url=None,
        openapi_url=openapi_url,
    )
    app.add_exception_handler(PercussError, respond_to_error)
    app.add_exception_handler(HTTPException, respond_to_http)
    app.add_exception_handler(RequestValidationError, respond_to_invalid)
    return app


def _include(app: FastAPI, routers: Collection[APIRouter]) -> None:
    refused: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM, 422: _PROBLEM}
    watching, *locked = routers
    app.include_router(watching, prefix=API, responses=refused)
    for router in locked:
        app.include_router(router, prefix=API, responses=refused, dependencies=[Depends(HTTPBearer(auto_error=False))])


async def _respond_to_bug(_request: Request, _problem: Exception) -> Response:
    return respond(500, "percuss itself failed; its log says where.", kind="internal", fix="Report what the log says.")


def _document_problems(app: FastAPI) -> None:
    """Let the document know what a problem is."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]
