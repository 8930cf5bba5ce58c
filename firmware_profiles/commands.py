"""What can be said to a device, and what it can say back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_profiles.units import Level


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Run one channel at a level of its own unit; 0 is off."""

    channel: str
    level: Level


@dataclass(frozen=True, slots=True)
class Stop:
    """Everything off. Idempotent."""


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """Ask what the device is doing."""


@dataclass(frozen=True, slots=True)
class QueryVersion:
    """Ask which firmware the device runs."""


Command = SetLevel | Stop | QueryStatus | QueryVersion


@dataclass(frozen=True, slots=True)
class Write:
    """One frame for the link, and whether the link waits for the device's acknowledgement."""

    data: bytes
    with_response: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What the device says it is doing. None and a missing channel mean that it did not say."""

    running: bool | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    battery_pct: float | None = None
    temperature_c: float | None = None
    force_n: float | None = None
    stalled: bool | None = None

    @property
    def is_at_rest(self) -> bool:
        """Whether the device says, with every means it has, that nothing moves."""
        speaks = self.running is not None or bool(self.levels)
        return speaks and not self.running and not any(self.levels.values())


@dataclass(frozen=True, slots=True)
class Version:
    """The firmware that the device says it runs."""

    firmware: str


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that arrived and are no frame of this device; what follows them is not lost."""

    reason: str
    data: bytes


Report = Status | Version | BadFrame
