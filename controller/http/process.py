"""The service's side of its HTTP door, which is a process of its own: start it, answer what it hands on, end it.

However much is asked there, the interpreter that drives the motor has no part in it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI

from controller.errors import RefusedError
from controller.happenings import KEPT, Happening, Happenings, Missed
from controller.http.app import answer
from controller.http.problems import MEDIA_TYPE, problem_json
from controller.http.wire import PING_S, PINGS_UNHEARD, Answered, Asked, Wire
from controller.service.settings import Settings

logger = logging.getLogger("percuss.http")

END_S = 10.0
"""Real seconds that the process has to end; it gives those who read or wait five."""


class DoorProcess:
    """A door that is open. ``url`` is where it listens, without a slash at the end."""

    def __init__(self, url: str, wire: Wire, process: asyncio.subprocess.Process) -> None:
        self.url = url
        self.pid = process.pid
        self._wire = wire
        self._process = process
        self._is_ending = False
        self._told_id = 0
        self._unheard = 0
        self._is_hung = False
        self._answering: set[asyncio.Task[None]] = set()

    async def serve(self, app: FastAPI, happenings: Happenings) -> None:
        """Answer until the door has ended. Raises RefusedError when it did so by itself, or hung and was killed."""
        telling = asyncio.create_task(self._tell(happenings), name="percuss http events")
        watching = asyncio.create_task(self._watch(), name="percuss http watch")
        try:
            async for message in self._wire.messages():
                self._unheard = 0
                if message["kind"] == "asked":
                    task = asyncio.create_task(self._answer(app, message, happenings))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
        finally:
            telling.cancel()
            watching.cancel()
        if self._is_hung:
            raise RefusedError("the process that serves HTTP did not answer and was killed.", fix="Start it again.")
        if not self._is_ending:
            raise RefusedError("the process that serves HTTP has ended by itself.", fix="Its log says why.")

    async def end(self) -> None:
        """Let it end in order, while `serve` goes on: those who read the events get all of them."""
        self._is_ending = True
        self._wire.send({"kind": "end"})
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._process.wait()
        if self._process.returncode is None:
            logger.warning("the process that serves HTTP did not end and is killed")
            self._process.kill()
            await self._process.wait()

    async def _watch(self) -> None:
        """Kill the process when it hangs: nobody could stop anything over HTTP, and nobody would notice.

        Pings are counted, and not timed, so that a service which was itself suspended blames nobody for it.
        """
        while self._unheard < PINGS_UNHEARD:
            self._wire.send({"kind": "ping"})
            self._unheard += 1
            await asyncio.sleep(PING_S)
        if not self._is_ending:
            logger.error("the process that serves HTTP hangs and is killed: nobody could be heard over HTTP")
            self._is_hung = True
            self._process.kill()

    async def _answer(self, app: FastAPI, message: dict[str, Any], happenings: Happenings) -> None:
        try:
            answered = await answer(app, Asked(**message["asked"]))
            # First what happened before it: an answer may name the newest, and whoever reads goes on behind that.
            for one in happenings.after(self._told_id, most=KEPT):
                self._tell_one(one)
        except Exception:
            logger.exception("this should not have happened: a request from the process that serves HTTP")
            answered = _failed()
        self._wire.send({"kind": "answered", "number": message["number"], "answered": asdict(answered)})

    async def _tell(self, happenings: Happenings) -> None:
        """Tell it what happens. One that does not read keeps nobody waiting but this task."""
        async for one in happenings.read(after_id=0):
            self._tell_one(one)
            await self._wire.drain()
        self._wire.send({"kind": "over"})

    def _tell_one(self, one: Happening | Missed) -> None:
        if isinstance(one, Happening) and one.id > self._told_id:
            self._told_id = one.id
            told = {"id": one.id, "at_utc": one.at_utc.isoformat(), "session": one.session, "kind": one.kind}
            try:
                self._wire.send({"kind": "happened", "happening": {**told, "data": one.data}})
            except (TypeError, ValueError):  # no JSON, such as NaN; those behind it are told all the same
                logger.exception("this should not have happened: what %s says cannot be told", one.kind)
                self._wire.send({"kind": "happened", "happening": {**told, "data": {}}})


def _failed() -> Answered:
    problem = problem_json(500, "percuss itself failed; its log says where.", kind="internal")
    return Answered(500, {"content-type": MEDIA_TYPE}, json.dumps(problem))


@asynccontextmanager
async def opened_door(settings: Settings, token: str, allowed_hosts: Collection[str]) -> AsyncIterator[DoorProcess]:
    """Open it for the block. Raises RefusedError when the port or a file for TLS cannot be had."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            # -P: what lies in the folder where somebody happens to be is no module of ours.
            *(sys.executable, "-P", "-m", "controller.http", str(theirs.fileno())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            # Ctrl-C is for this process, which ends that one when everything is at rest.
            start_new_session=True,
        )
    wire = await Wire.over(ours)
    door = DoorProcess("", wire, process)
    try:
        wire.send(
            {
                "kind": "opening",
                "http": settings.http.model_dump(mode="json"),
                "log": settings.log.model_dump(mode="json"),
                "token": token,
                "allowed_hosts": sorted(allowed_hosts),
            }
        )
        said = await wire.receive()
        if said is None:
            raise RefusedError("the process that serves HTTP did not start.", fix="Its log says why.")
        if said["kind"] == "refused":
            raise RefusedError(said["what"], where=said["where"], fix=said["fix"])
        door.url = said["url"]
        yield door
    finally:
        wire.close()  # whatever it does, it ends with that
        await door.end()
