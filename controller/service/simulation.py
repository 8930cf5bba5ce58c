"""Simulators seen from here: processes that say how to reach them, in a line or a file, and nothing that is imported.

A simulator leaves ``<pid>.json`` in the simulators' folder while it runs; with ``--json`` it prints the same as one
line when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.errors import DeviceNotFoundError
from controller.safety import holds
from firmware_profiles.folders import simulators_folder
from firmware_profiles.library import find_profile

READY_S = 30.0
"""Real seconds that a simulator has to start; a cold start on a slow machine takes a few."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator. ``record`` is the file of what it saw, where it keeps one."""

    url: str
    profile: str
    name: str
    pid: int
    speed: float
    record: Path | None


def running_simulators() -> list[Simulator]:
    """The simulators of this user that run now, by URL. Files of dead processes and files that make no sense are no
    simulators.
    """
    folder = simulators_folder()
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        with suppress(OSError, ValueError, KeyError, TypeError):
            simulator = _simulator(json.loads(path.read_text(encoding="utf-8")))
            if holds.is_alive(simulator.pid):
                found.append(simulator)
    return sorted(found, key=lambda simulator: simulator.url)


@asynccontextmanager
async def started_simulator(profile: str, *, speed: float = 1.0) -> AsyncIterator[Simulator]:
    """Start a simulator as a process of its own; it ends with the block, or with this process, however that ends.

    Raises MatchError for a profile that nobody knows, and DeviceNotFoundError with what the simulator said when it does
    not start.
    """
    with tempfile.TemporaryDirectory(prefix="percuss-") as folder:
        record = Path(folder) / "simulator.jsonl"
        command = [
            *(sys.executable, "-P", "-m", "simulators", profile, "--json", "--until-stdin-closes"),
            *("--speed", str(speed), "--record", str(record), *_own_address(profile)),
        ]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A Ctrl-C in the terminal is for this process: the device must outlive it to be stopped.
            start_new_session=True,
        )
        try:
            yield await _ready(process, profile)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()


def _own_address(profile: str) -> tuple[str, ...]:
    """An address of its own on Bluetooth: two simulators of one profile are two devices."""
    if find_profile(profile).ble is None:
        return ()
    return "--address", ":".join(("F0", "F1", "C2", *(f"{byte:02X}" for byte in secrets.token_bytes(3))))


async def _ready(process: asyncio.subprocess.Process, profile: str) -> Simulator:
    if process.stdout is None or process.stderr is None:
        raise AssertionError("the simulator was started with pipes")
    try:
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline()
            if line:
                return _simulator(json.loads(line))
            said = (await process.stderr.read()).decode(errors="replace").strip()
    except (TimeoutError, ValueError, KeyError, TypeError):
        said = "It did not say that it is ready."
    advice = "Try `percuss simulate` by itself to see why."
    raise DeviceNotFoundError(f"the simulator did not start. {said}", where=profile, fix=advice)


def _simulator(values: dict[str, object]) -> Simulator:
    record = values.get("record")
    return Simulator(
        url=str(values["url"]),
        profile=str(values["profile"]),
        name=str(values["name"]),
        pid=int(str(values["pid"])),
        speed=float(str(values["speed"])),
        record=Path(str(record)) if record else None,
    )
