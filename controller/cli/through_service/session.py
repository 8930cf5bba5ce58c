"""A session that the service runs, as if it ran here: the same plan, the same events, the same requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from pydantic import TypeAdapter

from controller.cli.through_service.client import ServiceClient, Told, raise_told
from controller.cli.through_service.standing import Standing
from controller.events import Event, RequestRefused, SessionEnded, event_of
from controller.service.emergency import SESSION_STOP
from controller.service.live import EventLog, check_pain, see_over
from controller.sessions import BY_THE_PERSON, Progress, Request
from firmware_profiles.errors import PercussError
from routines.timeline import Timeline

LEASE_S, RENEW_S = 2.0, 0.5
"""A session that is driven from a terminal ends that soon after the terminal's process has died, as without a service.

docs/decisions/0009-lease-and-latch.md.
"""

STOP_S = 1.0
"""Real seconds that the door has to pass a stop on; then the service is told by a signal."""

COMMAND_LINE = "the command line"
"""What the service calls whoever asks as percuss itself."""

PREPARATION = frozenset({"left_over", "planned"})


class ServiceSession:
    """A session of the service; it has what a `LiveSession` has."""

    def __init__(
        self,
        client: ServiceClient,
        number: int,
        plan: Timeline,
        speed: float,
        told: asyncio.Queue[Told | Exception],
        renewing: asyncio.Task[None],
    ) -> None:
        self.plan = plan
        self.is_over = False
        self._client = client
        self._number = number
        self._standing = Standing(plan, speed)
        self._log = EventLog()
        self._asked: asyncio.Queue[tuple[str, object]] = asyncio.Queue()
        self._last_id = 0
        self._stopping: asyncio.Task[None] | None = None
        self._renewing = renewing
        self._sending = asyncio.create_task(self._send())
        self._urgent: set[asyncio.Task[None]] = set()
        self.task = asyncio.create_task(self._follow(told), name="percuss session of the service")

    @property
    def happened(self) -> Sequence[Event]:
        """All events so far."""
        return self._log.events

    def events(self) -> AsyncIterator[Event]:
        """All events from the session's start, until everything is over."""
        return self._log.read()

    def progress(self) -> Progress:
        """Where it stands now."""
        return self._standing.progress()

    def request(self, request: Request) -> None:
        """Ask for a pause, the next place, more time …"""
        if request is Request.TOGGLE:  # what is shown here is meant, and not what somebody else has just made of it
            request = Request.RESUME if self._standing.goes_on else Request.PAUSE
        self._ask(f"/session/{request.name.lower()}")

    def tell_pain(self, score: int) -> None:
        """Tell how much it hurts, 0 to 10. Raises RefusedError for another figure."""
        check_pain(score)
        self._ask_at_once("/session/pain", {"score": score})

    def tell_nerve_sign(self) -> None:
        """Tell of tingling, numbness or shooting pain: everything stops at once."""
        self._ask_at_once("/session/nerve-sign")

    def stop(self, reason: str = BY_THE_PERSON) -> asyncio.Future[SessionEnded]:
        """Stop now, past what was asked before. ``reason`` is for the one who stops it; the service has its own."""
        del reason
        self._renewing.cancel()  # if nothing else gets through, it ends by itself
        if not self.is_over and self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        ended = asyncio.shield(self.task)
        ended.add_done_callback(lambda future: future.cancelled() or future.exception())
        return ended

    async def ended(self) -> SessionEnded:
        """Wait for the end. Raises what broke it, and LinkLostError when the service is gone."""
        return await asyncio.shield(self.task)

    async def _follow(self, told: asyncio.Queue[Told | Exception]) -> SessionEnded:
        ended: SessionEnded | None = None
        try:
            while True:
                one = await told.get()
                if isinstance(one, Exception):
                    raise one
                if one.kind == "snapshot":
                    self._see(one.values)
                    continue
                self._last_id = int(one.values.get("id", self._last_id))
                if one.values.get("session") != self._number:
                    continue
                if one.kind == "session_over":
                    raise_told(one.values["data"])
                    if ended is None:
                        raise self._client.lost()
                    return ended
                if (event := event_of(one.kind, one.values["data"])) is not None:
                    ended = event if isinstance(event, SessionEnded) else ended
                    self._standing.hear(event)
                    self._log.add(event)
        finally:
            self.is_over = True
            self._renewing.cancel()
            self._sending.cancel()
            self._log.close()

    def _see(self, snapshot: dict[str, Any]) -> None:
        session = snapshot["session"]
        if session is not None and session["number"] == self._number and snapshot["last_id"] == self._last_id:
            self._standing.see(session)

    def _ask(self, path: str, body: object = None) -> None:
        if not self.is_over:
            self._asked.put_nowait((path, body))

    def _ask_at_once(self, path: str, body: object = None) -> None:
        """Ask past what was asked before: it may be a reason to stop."""
        if not self.is_over:
            self._urgent.add(task := asyncio.create_task(self._say(path, body)))
            task.add_done_callback(self._urgent.discard)

    async def _send(self) -> None:
        """Ask in order, one after the other."""
        while True:
            await self._say(*await self._asked.get())

    async def _say(self, path: str, body: object) -> None:
        try:
            await self._client.ask("POST", path, body)
        except PercussError as problem:
            if not self.is_over:
                self._log.add(RequestRefused(str(problem)))

    async def _stop(self) -> None:
        try:
            await self._client.ask("POST", "/session/stop", {"number": self._number}, within_s=STOP_S)
        except PercussError:
            # Past its door, which may be stuck; whatever comes of that, the lease ends.
            with suppress(OSError):
                os.kill(self._client.service.pid, SESSION_STOP)


@asynccontextmanager
async def service_session(
    client: ServiceClient, wish: dict[str, Any], *, tell: Callable[[dict[str, Any]], None]
) -> AsyncIterator[ServiceSession]:
    """Let the service run a session for a block; ``wish`` is the body of `POST /session`.

    ``tell`` hears what is told before anything is connected, as plain values. Leaving the block stops the session, as
    `api.session`. Raises what the service refuses.
    """
    last_id = int((await client.ask("GET", "/session"))["last_id"])
    told: asyncio.Queue[Told | Exception] = asyncio.Queue()
    number: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(client, last_id, told, tell, number))
    renewing = asyncio.create_task(_renew(client, number))
    try:
        started = await _start(client, {**wish, "lease_s": LEASE_S}, number)
        plan = TypeAdapter(Timeline).validate_python(
            {key: started[key] for key in ("routine", "spans", "roles", "closing_note")}
        )
        session = ServiceSession(client, started["number"], plan, wish.get("speed", 1.0), told, renewing)
        try:
            yield session
        finally:
            await see_over(session.task, session, "the command line left it")
    finally:
        reading.cancel()
        renewing.cancel()


async def _start(client: ServiceClient, wish: dict[str, Any], number: asyncio.Future[int]) -> dict[str, Any]:
    try:
        return await client.ask("POST", "/session", wish, within_s=None)
    except asyncio.CancelledError:
        # What is being prepared; while nobody knows its number yet, whatever there is.
        body = {"number": number.result()} if number.done() else None
        with suppress(PercussError):
            await client.ask("POST", "/session/stop", body, within_s=STOP_S)
        raise


async def _renew(client: ServiceClient, number: asyncio.Future[int]) -> None:
    """Say that this terminal is still there, from the moment on when the session is being prepared."""
    known = await number
    while True:
        with suppress(PercussError):  # when it cannot be reached, the events say so
            await client.ask("POST", "/session/renew", {"number": known}, within_s=LEASE_S)
        await asyncio.sleep(RENEW_S)


async def _read(
    client: ServiceClient,
    after_id: int,
    told: asyncio.Queue[Told | Exception],
    tell: Callable[[dict[str, Any]], None],
    number: asyncio.Future[int],
) -> None:
    try:
        async for one in client.happenings(after_id):
            if one.kind == "starting" and one.values["data"]["by"] == COMMAND_LINE and not number.done():
                number.set_result(int(one.values["session"]))
            if one.kind in PREPARATION:
                tell({"event": one.kind, **one.values["data"]})
            told.put_nowait(one)
    except Exception as problem:  # noqa: BLE001 - raised by whoever follows
        told.put_nowait(problem)
