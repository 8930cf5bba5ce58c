"""Runs the fake BlueZ as its own process, and talks to it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast


@dataclass
class RunningBluez:
    """A fake BlueZ on the bus of DBUS_SYSTEM_BUS_ADDRESS. ``record`` is the simulated device's own record."""

    process: subprocess.Popen[str]
    record: Path
    address: str

    async def set(self, **radio: object) -> dict[str, Any]:
        """Change what goes wrong; see `tests.helpers.fake_bluez.Radio`."""
        return await self._tell({"set": radio})

    async def do(self, what: str) -> dict[str, Any]:
        """Let it ``connect``, ``drop_link``, ``cancel_pairing``, or just ``look``; its state."""
        return await self._tell({"do": what})

    def received(self) -> list[tuple[str, bool]]:
        """Every write that reached the device: its bytes in hex, and whether it asked for a response."""
        written, _, _ = self.record.read_text(encoding="utf-8").rpartition("\n")  # it may be writing a line just now
        lines = [json.loads(line) for line in written.splitlines()]
        return [(line["hex"], line["with_response"]) for line in lines if line["kind"] == "rx"]

    async def _tell(self, wish: dict[str, Any]) -> dict[str, Any]:
        # In a thread: it may have to ask this process something before it answers.
        return await asyncio.to_thread(self._tell_and_wait, wish)

    def _tell_and_wait(self, wish: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        return self._read_line()

    def _read_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the fake BlueZ has ended; what it said is above"
        return cast("dict[str, Any]", json.loads(line))


@contextmanager
def fake_bluez(folder: Path, profile: str = "theragun-gen4", *, alternative: int = 0) -> Iterator[RunningBluez]:
    """Run it for the block, with a device of the profile (an id, or a file) and its GATT layout; it must end well."""
    record = folder / "bluez-record.jsonl"
    command = [sys.executable, "-m", "tests.helpers.fake_bluez", "--profile", profile, "--record", str(record)]
    command += ["--alternative", str(alternative)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        running = RunningBluez(process, record, "")
        running.address = running._read_line()["address"]
        try:
            yield running
        finally:
            assert process.stdin is not None
            process.stdin.close()  # its sign to end
    assert process.returncode == 0, "the fake BlueZ failed; its traceback is above"
