"""Too many who ask at once, a process of its own: requests at a rate, and readers of events of which half never read.

Starts are among the requests.

``python -m tests.helpers.flood URL TOKEN REQUESTS_PER_S READERS`` floods until its stdin closes. For each line there it
prints how many requests were answered, by status, and what became of the readers, as one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOOKS = ("session", "routines", "devices", "history", "screening", "health", "metrics")
START = '{"routine": "short-break", "massager": "nobody"}'
"""A start that is handed on to the process that drives, and refused there."""
CONNECTIONS = 250


@contextmanager
def flooded(
    url: str, token: str, *, requests_per_s: int = 500, readers: int = 200
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Flood for the block; what it gives tells what the flood has seen so far."""
    command = [sys.executable, "-m", "tests.helpers.flood", url, token, str(requests_per_s), str(readers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        told, asked = process.stdout, process.stdin
        assert told is not None
        assert asked is not None

        def look() -> dict[str, Any]:
            asked.write("\n")
            asked.flush()
            seen: dict[str, Any] = json.loads(told.readline())
            return seen

        try:
            assert told.readline() == "flooding\n"
            yield look
        finally:
            process.kill()


def door_of(pid: int) -> int:
    """The process of a service's HTTP door."""
    children = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    (door,) = (
        int(child)
        for found in children
        for child in found
        if "controller.http" in Path(f"/proc/{child}/cmdline").read_text()
    )
    return door


def memory_mb(pid: int) -> float:
    """What a service holds, and its door; no guardian and no simulator."""
    held = (Path(f"/proc/{each}/status").read_text().split("VmRSS:")[1].split()[0] for each in (pid, door_of(pid)))
    return sum(map(int, held)) / 1024


class Flood:
    """Everybody who asks, and what they saw."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self._requests = [
            f"GET /api/v1/{path} HTTP/1.1\r\n{self._head}\r\n".encode() for path in LOOKS * 3
        ]  # so many that its starts alone are not too many
        start = f"Content-Type: application/json\r\nContent-Length: {len(START)}\r\n\r\n{START}"
        self._requests.append(f"POST /api/v1/session HTTP/1.1\r\n{self._head}{start}".encode())
        self.began_s = time.monotonic()
        self.statuses, self.listening, self.ended = Counter[str](), Counter[str](), Counter[str]()
        self.read_bytes = 0

    async def ask(self, rate_hz: float, phase: float) -> None:
        """Ask on one connection at a rate, by absolute deadlines; a connection that was closed is opened again."""
        requests = itertools.cycle(self._requests)
        due_s = time.monotonic() - phase / rate_hz
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(*self._address)
                try:
                    while True:
                        due_s = max(due_s + 1 / rate_hz, time.monotonic() - 1)
                        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                        writer.write(next(requests))
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                        await reader.readexactly(length)
                        self.statuses[head[9:12].decode()] += 1
                finally:
                    writer.close()
            self.statuses["closed"] += 1

    async def listen(self, *, reads: bool) -> None:
        """Read all events from the beginning, or ask for them and read nothing behind the first words."""
        link = socket.socket()
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        if not reads:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with link:
            await loop.sock_connect(link, self._address)
            await loop.sock_sendall(
                link, f"GET /api/v1/events HTTP/1.1\r\nLast-Event-ID: 0\r\n{self._head}\r\n".encode()
            )
            status = (await loop.sock_recv(link, 12)).decode()
            self.listening[status.removeprefix("HTTP/1.1 ")] += 1
            with suppress(OSError):
                while reads and (data := await loop.sock_recv(link, 65536)):
                    self.read_bytes += len(data)
                while not reads and link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            self.ended["reading" if reads else "deaf"] += 1

    def seen(self) -> dict[str, Any]:
        """All of it so far."""
        return {
            "statuses": self.statuses,
            "listening": self.listening,
            "ended": self.ended,
            "read_bytes": self.read_bytes,
            "for_s": time.monotonic() - self.began_s,
        }


async def main(url: str, token: str, requests_per_s: str, readers: str) -> None:
    """Flood until stdin closes; a line there is answered with what was seen so far."""
    flood = Flood(url, token)
    tasks = [asyncio.create_task(flood.listen(reads=number % 2 == 0)) for number in range(int(readers))]
    while sum(flood.listening.values()) < len(tasks):  # noqa: ASYNC110 - they count themselves
        await asyncio.sleep(0.01)
    flood.began_s = time.monotonic()
    rate_hz = float(requests_per_s) / CONNECTIONS
    tasks += [asyncio.create_task(flood.ask(rate_hz, number / CONNECTIONS)) for number in range(CONNECTIONS)]
    print("flooding", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(flood.seen()), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
