"""A timeline as plain rows, for tables and JSON."""

from __future__ import annotations

from dataclasses import dataclass

from routines.timeline import Span, Timeline


@dataclass(frozen=True, slots=True)
class Row:
    """One span. ``asked`` says how strong at most, or that it is done by hand."""

    start_s: float
    duration_s: float
    kind: str
    place: str
    technique: str
    asked: str
    is_driven: bool
    cue: str
    note: str


def rows(timeline: Timeline) -> list[Row]:
    """The spans in order, with the time at which each begins."""
    found: list[Row] = []
    start_s = 0.0
    for span in timeline.spans:
        technique = (span.technique or span.kind).replace("-", " ")
        is_driven = bool(span.drives)
        row = Row(
            start_s, span.duration_s, span.kind, span.place, technique, _asked(span), is_driven, span.cue, span.note
        )
        found.append(row)
        start_s += span.duration_s
    return found


def _asked(span: Span) -> str:
    if span.kind != "work":
        return ""
    if not span.drives:
        return "by hand"
    drive = max(span.drives, key=lambda drive: drive.levels.percent(drive.targets[-1][1]))
    level = drive.targets[-1][1]
    if drive.levels.is_switch:
        return "on"
    return f"{drive.levels.ppm(level)} ppm ({drive.levels.percent(level):.0f} %)"
