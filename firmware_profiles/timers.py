"""The values that frames of timers carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firmware_profiles.commands import Interval
from firmware_profiles.frames import Frame

_UNITS_S = {"timer_h": 3600, "timer_min": 60, "timer_s": 1}


def timer_values(duration_s: int, frames: Iterable[Frame]) -> dict[str, int]:
    """A time in the units that the frames have, the largest first; what is left over is rounded up in the smallest."""
    fields = {field for frame in frames for field in frame.fields}
    units = [name for name in _UNITS_S if name in fields]
    values: dict[str, int] = {"timer_s": duration_s}
    left_s = duration_s
    if units:
        smallest_s = _UNITS_S[units[-1]]
        left_s = -(-duration_s // smallest_s) * smallest_s
    for name in units:
        values[name], left_s = divmod(left_s, _UNITS_S[name])
    return values


def timer_s(values: Mapping[str, Any]) -> int:
    """The time that such values say, in seconds."""
    return sum(int(values.get(name, 0)) * unit_s for name, unit_s in _UNITS_S.items())


def schedule_values(intervals: Sequence[Interval]) -> dict[str, Any]:
    """The values of a schedule: how many intervals, and what each is."""
    rows = [{"seconds": interval.duration_s, "rest": interval.is_rest} for interval in intervals]
    return {"count": len(rows), "intervals": rows}
