"""The process of the HTTP door: ``python -m controller.http DESCRIPTOR``, started by the service alone."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

import uvicorn

from controller.errors import LinkLostError, RefusedError
from controller.happenings import Happening, Happenings
from controller.http.app import front_app
from controller.http.server import listen
from controller.http.wire import PING_S, PINGS_UNHEARD, SWITCH_S, Answered, Asked, Wire
from controller.service.logs import start_logging
from controller.service.settings import HttpSettings, LogSettings


class Service:
    """The service, seen from here: what happens there, and what it answers."""

    def __init__(self, wire: Wire) -> None:
        self.happenings = Happenings()
        self._wire = wire
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._is_gone = False
        self._heard_s = time.monotonic()

    def is_heard(self) -> bool:
        """Whether it gave a sign of life of late; without a reason to speak it pings."""
        return time.monotonic() - self._heard_s < PINGS_UNHEARD * PING_S

    async def hand_on(self, asked: Asked) -> Answered:
        """What the service answers. Raises LinkLostError when it is gone."""
        if self._is_gone:
            raise _gone()
        number = next(self._numbers)
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._wire.send({"kind": "asked", "number": number, "asked": asdict(asked)})
            return await future
        finally:
            del self._waiting[number]

    async def hear(self, server: uvicorn.Server) -> None:
        """Take what it says until it is gone, which ends the server; so does what cannot be understood."""
        try:
            async for message in self._wire.messages():
                self._heard_s = time.monotonic()
                self._take(message, server)
        finally:
            server.should_exit = server.force_exit = True
            self._is_gone = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_gone())

    def _take(self, message: dict[str, Any], server: uvicorn.Server) -> None:
        match message["kind"]:
            case "happened":
                told = message["happening"]
                self.happenings.put(Happening(**{**told, "at_utc": datetime.fromisoformat(told["at_utc"])}))
            case "over":
                self.happenings.close()
            case "answered":
                future = self._waiting.get(message["number"])
                if future is not None and not future.done():
                    future.set_result(Answered(**message["answered"]))
            case "ping":
                self._wire.send({"kind": "echo"})
            case "end":
                server.should_exit = True


def _gone() -> LinkLostError:
    return LinkLostError("the service has ended.", fix="If a motor runs, its guardian stops it now.")


async def main(descriptor: int) -> None:
    """Open the door, and serve until the service says that it ends, or is gone."""
    wire = await Wire.over(socket.socket(fileno=descriptor))
    opening = await wire.receive()
    if opening is None:
        return
    start_logging(LogSettings(**opening["log"]))
    service = Service(wire)
    app = front_app(
        service.happenings,
        service.hand_on,
        token=opening["token"],
        allowed_hosts=opening["allowed_hosts"],
        is_heard=service.is_heard,
    )
    try:
        listener = listen(HttpSettings(**opening["http"]))
        server = listener.server(app)
    except RefusedError as problem:
        wire.send({"kind": "refused", "what": problem.what, "where": problem.where, "fix": problem.fix})
        await wire.drain()
        wire.close()
        return
    wire.send({"kind": "listening", "url": listener.url})
    sys.setswitchinterval(SWITCH_S)
    hearing = asyncio.create_task(service.hear(server), name="percuss service")
    await server.serve(sockets=[listener.listening])
    wire.close()
    await hearing


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
