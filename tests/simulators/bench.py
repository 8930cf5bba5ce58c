"""A device on a bench: manual time, its record, and what it sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_profiles.errors import ProfileError
from firmware_profiles.library import find_profile
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile, SimulatorTable
from firmware_profiles.tomlfile import parse_toml
from simulators.clock import ManualClock
from simulators.device import SimulatedDevice
from simulators.faults import check_injection
from simulators.recorder import Recorder


class Bench:
    def __init__(
        self,
        profile: str | Profile,
        *,
        seed: int = 0,
        over: Link | None = None,
        remembers: dict[str, str] | None = None,
        **behaviour: Any,
    ) -> None:
        self.profile = _with(find_profile(profile) if isinstance(profile, str) else profile, behaviour)
        self.clock = ManualClock()
        self.entries: list[dict[str, Any]] = []
        self.sent: list[str] = []
        recorder = Recorder(self.entries, self.clock)
        self.device = SimulatedDevice(
            self.profile, clock=self.clock, recorder=recorder, seed=seed, over=over, remembers=remembers
        )
        self.device.send = lambda data: self.sent.append(data.hex(" ").upper())

    def write(self, *frames: str) -> None:
        for frame in frames:
            self.device.receive(bytes.fromhex(frame))

    def wait(self, duration_s: float) -> None:
        self.clock.advance(duration_s)
        self.device.catch_up()

    def levels(self) -> dict[str, int]:
        """What every channel is asked for."""
        return {name: channel["level_asked"] for name, channel in self.device.state()["channels"].items()}

    def inject(self, fault: str, **settings: Any) -> None:
        self.device.inject(check_injection({"fault": fault, **settings}, list(self.profile.channels)))

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["kind"] == kind]


HEAD = """
schema = 1
id = "on-the-bench"
name = "A device on the bench"
confidence = "C"
verified_on_hardware = false
dead_man = "host only"
sources = [{ url = "https://example.org/bench", says = "written for a test" }]
"""


def profile_of(text: str) -> Profile:
    """A small profile: ``text`` without what says nothing about behaviour, and with ``roles`` first."""
    return parse_toml((HEAD + text).encode(), Profile, path=Path("bench.toml"), error=ProfileError)


def _with(profile: Profile, behaviour: dict[str, Any]) -> Profile:
    table = SimulatorTable.model_validate({**profile.simulator.model_dump(), **behaviour})
    return profile.model_copy(update={"simulator": table})


async def until(holds: Callable[[], object]) -> None:
    """Wait for something that no event tells; a hang ends with the test's timeout."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def is_sent_away(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ends the connection, kindly or not, without another byte."""
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
