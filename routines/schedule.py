"""The intervals that a timer device shows: what is left of a session, in whole seconds that add up to it."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_profiles.commands import Interval
from routines.timeline import Span


def intervals_of(left: Iterable[tuple[Span, float]]) -> tuple[Interval, ...]:
    """An interval for each span and the seconds that are left of it; a way or a rest is rest.

    Each ends at the whole second nearest to its own end, so that rounding never adds up; what is shorter than half a
    second is left out.
    """
    intervals: list[Interval] = []
    end_s, shown_s = 0.0, 0
    for span, left_s in left:
        end_s += left_s
        duration_s = round(end_s) - shown_s
        if duration_s > 0:
            intervals.append(Interval(duration_s, is_rest=span.kind != "work"))
            shown_s += duration_s
    return tuple(intervals)
