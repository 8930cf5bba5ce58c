"""The figures of the evidence table, ``figures.toml``: what limits and plans are checked against."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """One region: seconds a side and session, percussions a minute; no speeds where it is never driven."""

    default_s: float
    max_s: float
    gentle_ppm: int | None = None
    cap_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What holds for one session and for a day."""

    max_s: float
    rise_ppm: int
    rise_hold_s: float
    day_sessions: int
    between_s: float
    day_max_s: float
    pain_stop_rise: int
    pain_stop_score: int


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

PLACES = {name: Place(**row) for name, row in _TABLE["regions"].items()}
SESSION = Session(**_TABLE["session"])
FULL_PPM: int = _TABLE["full_ppm"]
RISING_PPM: list[int] = _TABLE["rising_ppm"]
HOLD_STAGES: list[int] = _TABLE["hold_stages"]
PRESSED_S: list[float] = _TABLE["pressed_s"]
HELD_S: list[float] = _TABLE["held_s"]
