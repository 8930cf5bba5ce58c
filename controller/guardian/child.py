"""The guardian's child: waits for the other process to die, hang or freeze, and then stops the devices itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from controller.clock import SystemClock
from controller.guardian.wards import Ward, ward_from_json
from controller.handshake import Handshake
from controller.stopping import Stopper, StopResult
from controller.transports import Transport, link_of, load_link, open_url
from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, Status, Version
from firmware_profiles.folders import state_folder
from firmware_profiles.plain_values import report_name

MISS_S = 1.2
"""Real seconds without a heartbeat after which the other process counts as hung: six beats."""

TICK_S = 0.1
"""How often the child looks whether its parent still lives; a closed pipe tells it at once."""

BUDGET_S = 45.0
"""Real seconds that the child goes on trying: a device that is out of reach for half a minute may come back."""

CLOSE_S = 2.0
"""Real seconds that a link gets to be closed."""

TELL_S = 0.05
"""Real seconds that the terminal gets to take a sentence before the guardian goes on without waiting."""

ENDED = "percuss ended without stopping its devices"

LOG_NAME = "guardian.jsonl"


class Child:
    """Hears the parent on a thread of its own, so that a busy loop here never looks like silence there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parent = os.getppid()
        self._heard_s: float | None = None
        self._called = asyncio.Event()
        self._cause = ""
        self._is_released = False
        self._wards: list[tuple[Ward, _Guarded]] = []

    def hear(self) -> None:
        """Read the parent's lines until it is gone; runs in a thread. What makes no sense counts as its end."""
        try:
            for line in sys.stdin.buffer:
                words = json.loads(line)
                if "beat" in words:
                    self._heard_s = time.monotonic()
                    _say(words)
                elif "guard" in words:
                    self._loop.call_soon_threadsafe(self._guard, words["guard"])
                elif "release" in words:
                    self._is_released = True
                    break
        except Exception as problem:  # noqa: BLE001 - whatever it is: the devices are stopped
            _tell_person(f"percuss guardian: what percuss said makes no sense ({type(problem).__name__}).")
        finally:
            self._loop.call_soon_threadsafe(self._call, ENDED)

    async def watch(self) -> None:
        """Wait until the parent is gone or silent, then stop everything; at once back when it released the child."""
        while not self._called.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._called.wait()
            if os.name == "posix" and os.getppid() != self._parent:
                self._call(ENDED)
            elif self._wards and self._heard_s is not None and time.monotonic() - self._heard_s > MISS_S:
                self._call(f"percuss did not answer for {MISS_S:g} s and was ended")
                self._end_parent()
        if self._is_released:
            return
        stops = (self._stop(ward, guarded) for ward, guarded in self._wards)
        await asyncio.gather(*stops, return_exceptions=True)  # what goes wrong with one keeps no other waiting

    def _call(self, cause: str) -> None:
        if not self._called.is_set():
            self._cause = cause
            self._called.set()

    def _guard(self, wards: list[dict[str, Any]]) -> None:
        try:
            guarded = [(ward, _Guarded(ward)) for ward in map(ward_from_json, wards)]
            for ward, _ in guarded:
                load_link(ward.url)  # what takes time is done now
        except Exception as problem:  # noqa: BLE001 - whatever it is: without a guardian nothing starts
            _tell_person(f"percuss guardian: {problem}")
            os._exit(1)
        self._wards = guarded
        self._heard_s = time.monotonic()  # loading may have taken its time
        _say({"guarding": len(guarded)})

    def _end_parent(self) -> None:
        """End a process that hangs: it must not wake up later and drive, and its links must be free."""
        if os.name == "posix":
            with suppress(ProcessLookupError):
                os.kill(self._parent, signal.SIGKILL)

    async def _stop(self, ward: Ward, guarded: _Guarded) -> None:
        result = await guarded.stopper.until_confirmed(guarded.reopen, budget_s=BUDGET_S)
        self._tell(ward, result, guarded.problem)
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await guarded.transport.close()

    def _tell(self, ward: Ward, result: StopResult, problem: str) -> None:
        told = {
            "confirmed": f"stopped {ward.name}; it confirmed that",
            "cannot_report": f"sent Stop to {ward.name}, which cannot say whether it stopped: look at it",
            "unconfirmed": f"COULD NOT STOP {ward.name}. PRESS ITS BUTTON NOW, or take its power away. {problem}",
        }[result.proof]
        line = {
            "at_utc": datetime.now(UTC).isoformat(),
            "pid": self._parent,
            "device": ward.name,
            "cause": self._cause,
            "proof": result.proof,
            "attempts": result.attempts,
            "problem": problem if result.proof == "unconfirmed" else "",
        }
        with suppress(OSError):  # a full disk: the terminal was told
            folder = state_folder()
            folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(folder / LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as log:
                log.write(json.dumps(line) + "\n")
        _tell_person(f"percuss guardian: {self._cause}. It {told}.")


class _Guarded:
    """The link and the stop of one ward."""

    def __init__(self, ward: Ward) -> None:
        self.problem = ""
        self._ward = ward
        # Not for itself alone: a process that hangs may still hold the port.
        self.transport: Transport = open_url(ward.url, ward.profile, is_exclusive=False)
        self._codec = Codec(ward.profile, link_of(ward.url))
        self._handshake = Handshake(ward.name, self._codec.init_steps(), SystemClock())
        self.stopper = Stopper(
            ward.name,
            self.transport,
            stop=ward.stop,
            ask=ward.ask,
            clock=SystemClock(),
            tells=ward.profile.reports_status,
            only_when_running=self._codec.stops_only_when_running,
        )

    async def reopen(self) -> None:
        """Open the link, however often that takes. Raises TransportError."""
        await self.transport.close()
        self._codec.reset()
        try:
            await self.transport.open(self._receive, lambda _: None)
            first = () if self._codec.stops_only_when_running else self._ward.stop
            await self._handshake.perform(self.transport, is_strict=False, stop=first)
        except Exception as problem:
            self.problem = str(problem)
            raise

    def _receive(self, data: bytes) -> None:
        for report in self._codec.feed(data):
            if not isinstance(report, BadFrame) and (isinstance(report, Version) or report.checksum_ok):
                self._handshake.hear(report_name(report))
            if isinstance(report, Status) and report.checksum_ok:
                self.stopper.hear(is_at_rest=report.is_at_rest)


def _tell_person(text: str) -> None:
    """Say something on the terminal, which may take nothing (Ctrl-S, a full pipe): that must keep nothing waiting."""

    def write() -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode() + b"\n")

    writing = threading.Thread(target=write, name="guardian-voice", daemon=True)
    writing.start()
    writing.join(TELL_S)


def _say(words: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens any more; what is to do is done all the same
        os.write(sys.stdout.fileno(), json.dumps(words).encode() + b"\n")


async def _run() -> None:
    child = Child(asyncio.get_running_loop())
    # A daemon: it may still wait for a line when the work is done.
    threading.Thread(target=child.hear, name="guardian-ears", daemon=True).start()
    await child.watch()


def main() -> None:
    """Run until the parent releases the child, or until its devices are stopped."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGPIPE"):
        # What ends the parent must not end the child: it ends when its work is done.
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    asyncio.run(_run())
    # At once: a link that hangs on closing keeps nobody waiting.
    os._exit(0)
