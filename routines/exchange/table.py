"""A plan as a table, CSV (RFC 4180, UTF-8): one row a span, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io

from routines.preview import rows
from routines.timeline import Span, Timeline

COLUMNS = (
    *("start_s", "duration_s", "kind", "region", "side", "technique", "position", "tool"),
    *("asked_percent", "asked_ppm", "cue", "note"),
)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is a formula to a spreadsheet (OWASP: CSV injection)."""


def write_csv(timeline: Timeline) -> bytes:
    """Every span with when, where, how and how strong; empty where there is nothing to say.

    Numbers are written in full, so that reading them gives the same numbers. A text that a spreadsheet would take for
    a formula gets a ' in front of it.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for row, span in zip(rows(timeline), timeline.spans, strict=True):
        regions, sides = _where(span)
        values = (row["start_s"], row["duration_s"], row["kind"], regions, sides, row["technique"], span.position)
        asked = (row["asked_percent"], row["asked_ppm"])
        table.writerow([_cell(value) for value in (*values, span.tool, *asked, row["cue"], row["note"])])
    return text.getvalue().encode()


def _where(span: Span) -> tuple[str, str]:
    """The regions and their sides; of several at the same time the first regions belong to the first sides."""
    places = span.places
    if not places:
        return "", span.side or ""
    return " and ".join(place.region for place in places), " and ".join(place.side or "both" for place in places)


def _cell(value: float | str | None) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return "" if value is None else repr(value).removesuffix(".0")
