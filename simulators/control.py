"""The control socket: look into a running simulator and make things go wrong.

TCP on 127.0.0.1; one JSON object per line in, one per line out, in order. Every request carries ``token``, which is
printed once when the simulator is ready and nowhere else, because other users of the computer reach the port too.

===================================================== =====================================================
``{"do": "state"}``                                   what the device does, see `SimulatedDevice.state`
``{"do": "speed", "factor": 60}``                     let time run that much faster (not on a manual clock)
``{"do": "advance", "by_s": 1}``                      let time pass on a manual clock
``{"do": "inject", "fault": "drop_link", "for_s": 3}`` make something go wrong, see `simulators.faults.FAULTS`
``{"do": "quit"}``                                    end the simulator
===================================================== =====================================================

The answer is ``{"ok": true, …}``; to anything else it is ``{"error": "a sentence"}``, and nothing has changed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from firmware_profiles.errors import PercussError

LOOPBACK = "127.0.0.1"
MAX_LINE_BYTES = 4096
MAX_CLIENTS = 16

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does what a request asks; raises PercussError, with nothing changed, when it cannot."""


class ControlSocket:
    """Listens for requests and hands those with the right token to ``answer``."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.token = secrets.token_urlsafe(18)
        self.address = ""

    async def start(self) -> None:
        """Listen on any free port; `address` is ``host:port`` then."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, family=socket.AF_INET, limit=MAX_LINE_BYTES)
        self.address = f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Listen no more and end every connection."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) > MAX_CLIENTS:
                await _reply(writer, {"error": "Too many connections."})
                return
            while await self._serve_line(reader, writer):
                pass
        except ConnectionError:
            pass  # whoever asked has gone
        except asyncio.CancelledError:
            pass  # the simulator ends; nobody waits for this task
        finally:
            self._tasks.discard(task)
            # Ends at once, also where the other side does not read.
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _serve_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one line; whether another may follow."""
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            await _reply(writer, {"error": f"A request is one line of at most {MAX_LINE_BYTES} bytes."})
            return False
        await _reply(writer, await self._answer_line(line))
        # One request per turn of the loop: a flood must not stop the device's time.
        await asyncio.sleep(0)
        return True

    async def _answer_line(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "A request is one JSON object on one line."}
        if not isinstance(request, dict):
            return {"error": "A request is one JSON object on one line."}
        token = request.pop("token", None)
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(errors="replace"), self.token.encode()):
            return {"error": "The token is missing or wrong: it is in the line that the simulator printed."}
        try:
            return {"ok": True, **await self._answer(request)}
        except PercussError as problem:
            return {"error": str(problem)}


async def _reply(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()
