"""What a simulator's own recorder saw of a session, place by place.

The record is a file of JSON lines; the lines ``{"kind": "motor", "t_s", "mono_s", "ppm", …}`` are read here. ``mono_s``
is the machine's monotonic clock, by which they are laid beside the session's spans; ``t_s`` is the simulator's time.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from controller.events import Event, SpanEnded, SpanStarted


@dataclass(frozen=True, slots=True)
class PlaceDose:
    """What one place got, in the simulator's seconds: the time that a motor turned, and its mean and peak speed.

    Places that were worked at the same time are one, with a plus between them.
    """

    region: str
    side: str | None
    driven_s: float
    mean_ppm: int
    peak_ppm: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What the recorder saw in all. ``at_rest`` is whether every motor stood still at the end of the record."""

    places: tuple[PlaceDose, ...]
    at_rest: bool
    frames: int


@dataclass(frozen=True, slots=True)
class _Sample:
    t_s: float
    mono_s: float
    ppm: float


def observe(record: Path, events: Iterable[Event]) -> Observation:
    """Read a record beside the events of the session that it saw. Lines that make no sense are passed over."""
    motors: dict[str, list[_Sample]] = {}
    frames = 0
    for line in record.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            if entry["kind"] == "motor":
                sample = _Sample(float(entry["t_s"]), float(entry["mono_s"]), float(entry["ppm"]))
                motors.setdefault(str(entry["channel"]), []).append(sample)
            frames += entry["kind"] == "rx"
        except (ValueError, KeyError, TypeError):
            continue
    doses: dict[tuple[str, str | None], list[_Turn]] = {}
    for place, begin_mono_s, end_mono_s in _windows(events):
        for samples in motors.values():
            doses.setdefault(place, []).extend(_turns(samples, begin_mono_s, end_mono_s))
    return Observation(
        places=tuple(_dose(region, side, turns) for (region, side), turns in doses.items()),
        at_rest=all(samples[-1].ppm == 0 for samples in motors.values()),
        frames=frames,
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """A stretch of the record in which a motor turned."""

    duration_s: float
    ppm: float


def _turns(samples: list[_Sample], begin_mono_s: float, end_mono_s: float) -> Iterable[_Turn]:
    """Each pair of neighbouring samples inside the window, with the mean of their two speeds."""
    for before, after in itertools.pairwise(samples):
        is_inside = before.mono_s >= begin_mono_s and after.mono_s <= end_mono_s
        if is_inside and (before.ppm > 0 or after.ppm > 0):
            yield _Turn(after.t_s - before.t_s, (before.ppm + after.ppm) / 2)


def _windows(events: Iterable[Event]) -> Iterable[tuple[tuple[str, str | None], float, float]]:
    place: tuple[str, str | None] = ("", None)
    begin_mono_s = 0.0
    for event in events:
        if isinstance(event, SpanStarted):
            begin_mono_s = event.mono_s
            place = (event.region or "", event.side)
            if event.also:
                own = f"{event.side or ''} {event.region}".strip()
                place = (" + ".join([own, *(f"{each.side or ''} {each.region}".strip() for each in event.also)]), None)
        elif isinstance(event, SpanEnded) and event.is_driven:
            yield place, begin_mono_s, event.mono_s


def _dose(region: str, side: str | None, turns: list[_Turn]) -> PlaceDose:
    driven_s = sum(turn.duration_s for turn in turns)
    mean_ppm = sum(turn.duration_s * turn.ppm for turn in turns) / driven_s if driven_s else 0.0
    return PlaceDose(region, side, round(driven_s, 1), round(mean_ppm), round(max((t.ppm for t in turns), default=0)))
