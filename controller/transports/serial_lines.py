"""The two ways to drive an open pyserial port: by the event loop, or by two threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

READ_BYTES = 4096


class Line(Protocol):
    """An open port that tells what arrives and, at most once, that it ended."""

    async def write(self, data: bytes) -> None:
        """Write one frame. Raises OSError; TimeoutError when nothing could be written for the whole time-out."""
        ...

    def stop(self) -> None:
        """Tell nothing any more, and end the writes that wait."""
        ...

    def close(self) -> None:
        """Close the stopped port; this blocks."""
        ...


OnEnd = Callable[[Line, Exception | None], None]


class DescriptorLine:
    """A port driven by the event loop."""

    def __init__(self, port: Any, fd: int, on_bytes: Callable[[bytes], None], on_end: OnEnd, timeout_s: float) -> None:
        self._port = port
        self._fd = fd
        self._on_bytes = on_bytes
        self._on_end = on_end
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._rest = b""  # of a frame whose write was cancelled half-way
        self._room: asyncio.Future[None] | None = None
        self._is_stopped = False
        self._is_wedged = False
        self._loop.add_reader(fd, self._read)

    async def write(self, data: bytes) -> None:
        """Write one frame; see `Line.write`."""
        async with self._lock:
            out, begins_at, sent = self._rest + data, len(self._rest), 0
            try:
                while True:
                    if self._is_stopped:
                        raise ConnectionAbortedError("closed while writing")
                    with contextlib.suppress(BlockingIOError, InterruptedError):
                        sent += os.write(self._fd, out[sent:])
                    if sent == len(out):
                        break
                    await self._wait_for_room()
            finally:
                # Half a frame must be completed, or the device would read the next one wrong; one not begun is dropped.
                self._rest = out[sent:] if sent > begins_at else out[sent:begins_at]

    async def _wait_for_room(self) -> None:
        room = self._room = self._loop.create_future()
        self._loop.add_writer(self._fd, _settle, room)
        try:
            async with asyncio.timeout(self._timeout_s):
                await room
        except TimeoutError:
            self._is_wedged = True
            raise
        finally:
            if not self._is_stopped:
                self._loop.remove_writer(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            self._on_end(self, problem)
            return
        if data:
            self._on_bytes(data)
        elif not self._is_idle_terminal():
            self._on_end(self, None)

    def _is_idle_terminal(self) -> bool:
        # A terminal also reads empty when another program that has it open (the guardian) flushed its input meanwhile.
        if not os.isatty(self._fd) or not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(self._fd, select.POLLHUP)
        return not poll.poll(0)

    def stop(self) -> None:
        """Tell nothing any more, and end the writes that wait."""
        self._is_stopped = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        if self._room is not None:
            _settle(self._room)

    def close(self) -> None:
        """Close the stopped port. What is queued still goes out, unless the device takes nothing."""
        if self._is_wedged:
            # A UART would wait up to 30 s for the queue to drain.
            with contextlib.suppress(Exception):
                self._port.reset_output_buffer()
        close_port(self._port)


class ThreadedLine:
    """A port that only blocks: one thread reads it, one writes it."""

    def __init__(self, port: Any, on_bytes: Callable[[bytes], None], on_end: OnEnd, timeout_s: float) -> None:
        self._port = port
        self._on_bytes = on_bytes
        self._on_end = on_end
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._is_stopped = False
        # One thread, so that frames go out whole and in order even when a write was cancelled.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="serial-write")
        self._reader = threading.Thread(target=self._read, name="serial-read", daemon=True)
        self._reader.start()

    async def write(self, data: bytes) -> None:
        """Write one frame; see `Line.write`."""
        async with asyncio.timeout(self._timeout_s):
            await self._loop.run_in_executor(self._writer, self._port.write, data)

    def _read(self) -> None:
        try:
            while not self._is_stopped:
                if data := self._port.read(1):
                    data += self._port.read(self._port.in_waiting)
                    self._tell(self._on_bytes, data)
        except Exception as problem:  # noqa: BLE001  # pyserial's URL ports fail with whatever their library raises
            self._tell(self._on_end, self, problem)

    def _tell(self, tell: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(self._tell_now, tell, *args)

    def _tell_now(self, tell: Callable[..., None], *args: object) -> None:
        if not self._is_stopped:
            tell(*args)

    def stop(self) -> None:
        """Tell nothing any more, and end the writes that wait."""
        self._is_stopped = True
        self._writer.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Close the stopped port once its reader has ended."""
        self._reader.join()
        close_port(self._port)


def close_port(port: Any) -> None:
    """Close a port for good; this blocks, and a port that is gone already is no error."""
    sock = getattr(port, "_socket", None)
    with contextlib.suppress(OSError):
        port.close()
    if sock is not None:
        sock.close()  # pyserial forgets it when the peer has reset the connection


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
