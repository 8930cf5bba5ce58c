"""A timeline as plain rows, for a table or for JSON."""

from __future__ import annotations

from typing import TypedDict

from routines.limits import full_ppm
from routines.timeline import Drive, Span, Timeline


class Row(TypedDict):
    """One span. The percent and the speed are the highest that the plan asks for; None when no motor is set."""

    start_s: float
    duration_s: float
    kind: str
    step: int
    place: str
    technique: str
    asked_percent: float | None
    asked_ppm: float | None
    driven: bool
    cue: str
    note: str


def rows(timeline: Timeline) -> list[Row]:
    """Every span in order, with where it starts, in seconds from the start of the session."""
    start_s = 0.0
    found: list[Row] = []
    for span in timeline.spans:
        found.append(_row(span, start_s))
        start_s += span.duration_s
    return found


def _row(span: Span, start_s: float) -> Row:
    # A switch is set by hand: its only level says nothing about speed.
    percents = [_percent(drive) for drive in span.drives if not drive.levels.is_switch]
    speeds = [_percent(d) * full_ppm(d.levels) / 100 for d in span.drives if not d.levels.is_switch]
    return Row(
        start_s=start_s,
        duration_s=span.duration_s,
        kind=span.kind,
        step=span.step,
        place=span.place,
        technique=span.technique or "",
        asked_percent=round(max(percents), 1) if percents else None,
        asked_ppm=round(max(speeds), 1) if speeds else None,
        driven=bool(span.drives),
        cue=span.cue,
        note=span.note,
    )


def _percent(drive: Drive) -> float:
    return drive.levels.percent(max(level for _, level in drive.targets))
