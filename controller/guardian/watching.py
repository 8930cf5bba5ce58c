"""The program's side of the guardian: start it, arm it, let it hear a heartbeat, release it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from controller.errors import GuardianError
from controller.guardian.wards import Ward, ward_json

BEAT_S = 0.2
"""Real seconds between two heartbeats."""

SILENT_S = 2.0
"""Real seconds without an echo after which the child counts as dead: it may be stopped, or drown."""

READY_S = 20.0
"""Real seconds that the child has to be ready; it loads a Bluetooth stack on a machine that may be slow and busy."""

RELEASE_S = 5.0
"""Real seconds that a child which is not needed any more has to end; it may still be starting."""

_FIX = "Try again; if it stays so, run `percuss doctor`."


class Guardian:
    """One child process for one session. ``on_death`` is told, once and in the event loop, that it is gone or mute.

    Whatever ends this process without `release` makes the child stop the devices.
    """

    def __init__(self, keeps: Sequence[int] = ()) -> None:
        """``keeps`` are descriptors of locks that shall hold as long as the child lives, too."""
        self.on_death: Callable[[str], None] = lambda _: None
        self._loop = asyncio.get_running_loop()
        self._guarding = asyncio.Event()
        self._ended = asyncio.Event()
        self._echoed_s = 0.0
        self._is_over = False
        self._beating: asyncio.Task[None] | None = None
        try:
            # Not asyncio's: its subprocesses are killed when the loop goes, and that is when the child is needed.
            self._process = subprocess.Popen(
                # -P: what lies in the folder where somebody happens to be is no module of ours.
                [sys.executable, "-P", "-m", "controller.guardian"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C, Ctrl-Z and a closed terminal are for this process.
                start_new_session=True,
                bufsize=0,
                pass_fds=tuple(keeps) if os.name == "posix" else (),
            )
        except OSError as problem:
            raise GuardianError(f"cannot be started ({problem.strerror or problem}).", fix=_FIX) from problem
        if self._process.stdin is not None and os.name == "posix":
            os.set_blocking(self._process.stdin.fileno(), False)
        threading.Thread(target=self._hear, name="guardian-echo", daemon=True).start()

    @property
    def pid(self) -> int:
        """The child's process."""
        return self._process.pid

    async def guard(self, wards: Sequence[Ward]) -> None:
        """Arm the child with the devices of a session; returns when it is ready. Raises GuardianError."""
        await self._write_whole({"guard": [ward_json(ward) for ward in wards]})
        try:
            async with asyncio.timeout(READY_S):
                await self._guarding.wait()
        except TimeoutError:
            raise GuardianError("did not get ready, so nothing is started.", fix=_FIX) from None
        if self._process.poll() is not None:
            raise GuardianError("ended at once, so nothing is started.", fix=_FIX)
        self._echoed_s = self._loop.time()
        self._beating = asyncio.create_task(self._beat())

    async def release(self) -> None:
        """Let the child end without touching anything: every device is known to be at rest, or was never driven.

        When this comes back it has let go of what it keeps, so that the next session may take it. Being cancelled while
        it waits changes nothing else.
        """
        self._is_over = True
        with suppress(OSError):
            self._write({"release": True})
        self._end()
        with suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self._ended.wait()

    def hand_over(self) -> None:
        """Leave the devices to the child: it stops them from now on, also after this process has ended."""
        self._is_over = True
        self._end()

    def _end(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    async def _beat(self) -> None:
        """Let the child hear that this loop turns; beats that come late are not made up for."""
        number = 0
        while True:
            number += 1
            with suppress(OSError):  # a full pipe or a closed one: the echo stays away
                self._write({"beat": number})
            await asyncio.sleep(BEAT_S)
            if self._loop.time() - self._echoed_s > SILENT_S:
                self._process.kill()  # it would never end by itself, and it guards nothing
                self._die("the guardian does not answer any more")
                return

    def _hear(self) -> None:
        """Take the child's answers; runs in a thread."""
        if self._process.stdout is None:
            raise AssertionError("the child was started with pipes")
        with suppress(OSError, ValueError):
            for line in self._process.stdout:
                words = json.loads(line)
                self._echoed_s = self._loop.time()
                if "guarding" in words:
                    self._loop.call_soon_threadsafe(self._guarding.set)
        self._process.stdout.close()
        self._process.wait()
        with suppress(RuntimeError):  # the loop is closed: so is the session
            self._loop.call_soon_threadsafe(self._die, "the guardian has ended")

    def _die(self, why: str) -> None:
        self._guarding.set()
        self._ended.set()
        if not self._is_over:
            self._is_over = True
            self.on_death(why)

    def _write(self, words: dict[str, Any]) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            raise BrokenPipeError
        self._process.stdin.write(json.dumps(words).encode() + b"\n")

    async def _write_whole(self, words: dict[str, Any]) -> None:
        """Write a line that may be longer than the pipe is wide."""
        if self._process.stdin is None:
            raise AssertionError("the child was started with pipes")
        data = json.dumps(words).encode() + b"\n"
        try:
            while data:
                written = self._process.stdin.write(data)
                data = data[written or 0 :]
                if data:
                    await asyncio.sleep(BEAT_S / 10)
        except OSError as problem:
            raise GuardianError("ended at once, so nothing is started.", fix=_FIX) from problem
