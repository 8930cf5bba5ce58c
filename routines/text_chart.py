"""The picture of a plan in plain characters, for a terminal: without colour, in 80 columns."""

from __future__ import annotations

import string

from routines.charts import Trace, look, sides, starts, traces
from routines.timeline import Timeline

_LANE = {"move": ".", "rest": "z", "by hand": "/"}
_EDGE = 6


def text_chart(timeline: Timeline, *, width: int = 80, height: int = 12) -> str:
    """Lines of at most ``width`` characters: a letter for each place, as high as it is strong; its cap as dashes."""
    curves = traces(timeline)
    columns = width - _EDGE
    column_s = timeline.duration_s / columns
    places = list(dict.fromkeys(trace.place for trace in curves))
    letters = dict(zip(places, string.ascii_lowercase, strict=False))
    top_ppm = max((trace.cap_ppm for trace in curves), default=0.0)
    lines = []
    for row in range(height if curves else 0, 0, -1):
        low_ppm, high_ppm = top_ppm * (row - 1) / height, top_ppm * row / height
        mark = f"{high_ppm:.0f}" if row % 3 == 0 else ""
        cells = [_cell(curves, letters, (n + 0.5) * column_s, low_ppm, high_ppm) for n in range(columns)]
        lines.append(f"{mark:>{_EDGE - 1}}|{''.join(cells)}".rstrip())
    lines.append(f"{'ppm' if curves else '':>{_EDGE - 1}}|{_lane(timeline, columns, column_s)}")
    lines.append(_minutes(timeline.duration_s, columns))
    for place, letter in letters.items():
        caps = sorted({trace.cap_ppm for trace in curves if trace.place == place})
        lines.append(f"  {letter}  {place}, at most {' or '.join(f'{cap:.0f}' for cap in caps)} ppm (-)")
    lines.append("  L, R  the side   .  move there, motor off   z  rest   /  by hand")
    return "\n".join(lines)


def _cell(curves: list[Trace], letters: dict[str, str], at_s: float, low_ppm: float, high_ppm: float) -> str:
    here = [trace for trace in curves if trace.start_s <= at_s < trace.end_s]
    # Of places at the same time the lower one stands in front.
    for trace in sorted(here, key=lambda trace: _ppm(trace, at_s)):
        if _ppm(trace, at_s) > (low_ppm + high_ppm) / 2:
            return letters[trace.place]
    return "-" if any(low_ppm < trace.cap_ppm <= high_ppm for trace in here) else " "


def _ppm(trace: Trace, at_s: float) -> float:
    return next(ppm for start_s, ppm in reversed(trace.points) if start_s <= at_s)


def _lane(timeline: Timeline, columns: int, column_s: float) -> str:
    """One character for each column: what is done there, and the sides where they fit."""
    row = [" "] * columns
    for start_s, span in starts(timeline):
        first, last = round(start_s / column_s), round((start_s + span.duration_s) / column_s)
        row[first:last] = _LANE.get(look(span), "_") * (last - first)
        name = sides(span) if span.kind == "work" else ""
        if name and len(name) <= last - first:
            at = (first + last - len(name)) // 2
            row[at : at + len(name)] = name
    return "".join(row)


def _minutes(duration_s: float, columns: int) -> str:
    row = [" "] * (columns + _EDGE)
    row[:3] = "min"
    minute_s = 60 if duration_s > 180 else 30
    for number in range(int(duration_s // minute_s) + 1):
        text = f"{number * minute_s / 60:g}"
        at = _EDGE + round(number * minute_s * columns / duration_s)
        if at + len(text) <= len(row) and row[at - 1] == " ":
            row[at : at + len(text)] = text
    return "".join(row).rstrip()
