"""What can be said to a device, and what it can say back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_profiles.units import Level

Value = int | float | bool | str
"""What stands in a frame: a number, a yes or no, a word, or bytes as hex text."""


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


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Let the device switch itself off after ``duration_s`` seconds, or as soon after that as its timer can."""

    duration_s: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a schedule, in whole seconds: work, or rest."""

    duration_s: int
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class LoadSchedule:
    """Give a timer the whole routine."""

    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Let a timer begin, or go on."""


@dataclass(frozen=True, slots=True)
class PauseTimer:
    """Let a timer hold."""


@dataclass(frozen=True, slots=True)
class ResetTimer:
    """Take a timer back to the beginning."""


TimerCommand = LoadSchedule | StartTimer | PauseTimer | ResetTimer
Command = SetLevel | Stop | SetTimer | QueryStatus | QueryVersion | TimerCommand


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for the link, whether it waits for the device's acknowledgement, and how long nothing follows them."""

    data: bytes
    with_response: bool
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """What the device says it is doing. None and a missing channel mean that it did not say.

    ``timer_s`` is what its own timer has left. ``others`` are values that percuss does not use. A status whose checksum
    is wrong has ``checksum_ok`` false: it is shown, and never says that the device is at rest.
    """

    running: bool | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    battery_pct: float | None = None
    temperature_c: float | None = None
    force_n: float | None = None
    stalled: bool | None = None
    timer_s: float | None = None
    others: Mapping[str, Value] = field(default_factory=dict)
    checksum_ok: bool = True

    @property
    def is_at_rest(self) -> bool:
        """Whether the device says, with every means it has, that nothing moves."""
        speaks = self.running is not None or bool(self.levels)
        return self.checksum_ok and speaks and not self.running and not any(self.levels.values())


@dataclass(frozen=True, slots=True)
class Version:
    """The firmware that the device says it runs."""

    firmware: str


@dataclass(frozen=True, slots=True)
class Said:
    """Any other report of the profile: an acknowledgement, settings."""

    name: str
    values: Mapping[str, Value]
    checksum_ok: bool = True


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that arrived and are no frame of this device; what follows them is not lost."""

    reason: str
    data: bytes


Report = Status | Version | Said | BadFrame
