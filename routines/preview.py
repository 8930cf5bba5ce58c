"""A timeline as plain rows, for a table or for JSON."""

from __future__ import annotations

from typing import TypedDict

from routines.limits import full_ppm
from routines.timeline import Drive, Span, Timeline


class Motor(TypedDict):
    """What the plan asks of one channel at most; None for a switch, whose strength a person sets."""

    role: str
    channel: str
    place: str
    asked_percent: float | None
    asked_ppm: float | None


class Row(TypedDict):
    """One span. The percent and the speed are the highest of its ``motors``; None when none is set."""

    start_s: float
    duration_s: float
    kind: str
    step: int
    place: str
    technique: str
    asked_percent: float | None
    asked_ppm: float | None
    driven: bool
    motors: list[Motor]
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
    motors = [_motor(span, drive) for drive in span.drives]
    return Row(
        start_s=start_s,
        duration_s=span.duration_s,
        kind=span.kind,
        step=span.step,
        place=span.place,
        technique=span.technique or "",
        asked_percent=max((m["asked_percent"] for m in motors if m["asked_percent"] is not None), default=None),
        asked_ppm=max((m["asked_ppm"] for m in motors if m["asked_ppm"] is not None), default=None),
        driven=bool(span.drives),
        motors=motors,
        cue=span.cue,
        note=span.note,
    )


def _motor(span: Span, drive: Drive) -> Motor:
    percent = drive.levels.percent(max(level for _, level in drive.targets))
    # A switch is set by hand: its only level says nothing about speed.
    is_set = not drive.levels.is_switch
    return Motor(
        role=drive.role,
        channel=drive.channel,
        place=span.place if drive.place is None else str(drive.place),
        asked_percent=round(percent, 1) if is_set else None,
        asked_ppm=round(percent * full_ppm(drive.levels) / 100, 1) if is_set else None,
    )
