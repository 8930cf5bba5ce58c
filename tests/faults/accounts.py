"""What a witness writes down."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.limits import Side


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken, when (seconds since the session began), and how."""

    at_s: float
    rule: str
    what: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame asks for, as it was written, and the limits at that moment.

    ``offs`` are the channels that it switches off. ``cap`` is the highest level allowed to the channel that it sets,
    and ``gentle`` is from where on it rises slowly.
    """

    data: bytes
    is_stop: bool = False
    offs: frozenset[str] = frozenset()
    channel: str | None = None
    level: int = 0
    cap: int = 0
    gentle: int = 0


@dataclass(slots=True)
class MotorAccount:
    """One motor: what it is asked for, and what the line did to its commands. ``offs_lost`` is how many in a row."""

    level: int = 0
    rose_s: float = -math.inf
    disturbed_s: float = -math.inf
    excused_until_s: float = -math.inf
    offs_lost: int = 0
    off_arrives_s: float = -math.inf
    is_reported: bool = False
    late_s: float = 0.0


@dataclass(slots=True)
class Place:
    """Where the session says that the massager is, while it is driven there."""

    region: str
    sides: tuple[Side, ...]


@dataclass(slots=True)
class Figures:
    """What is counted over a scenario; the worst are seconds."""

    excuses: Counter[str] = field(default_factory=Counter)
    worst_lost_s: float = 0.0
    worst_excused_s: float = 0.0
    worst_stop_s: float = 0.0

    def note_off(self, after_s: float, *, is_excused: bool, is_stop: bool) -> None:
        """Count how long a motor ran after its permission was gone."""
        if is_excused:
            self.worst_excused_s = max(self.worst_excused_s, after_s)
            return
        self.worst_lost_s = max(self.worst_lost_s, after_s)
        if is_stop:
            self.worst_stop_s = max(self.worst_stop_s, after_s)
