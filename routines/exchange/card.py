"""A routine as one printed page, for people with no device: plain HTML that fetches nothing, in black and white.

A4 and US Letter: printed from any browser, or saved there as PDF.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from firmware_profiles.capabilities import Place
from routines.dose import PAIN_STOP_RISE, PAIN_STOP_SCORE
from routines.loader import Routine
from routines.preview import Row, rows
from routines.regions import regions
from routines.schema import NEEDS_NO_PLACE
from routines.screening import question_table
from routines.timeline import Span, Timeline

COMFORT = "This is a comfort tool: it diagnoses nothing and treats nothing."
BREATHE = "Breathe in through the nose and slowly out, all the way through. Start gently, and never press through pain."
STOP = (
    "Stop at once when anything tingles, goes numb or shoots, when pain reaches "
    f"{PAIN_STOP_SCORE} of 10 or rises by {PAIN_STOP_RISE}."
)

_STYLE = """
@page { margin: 9mm; }
body { font: SIZEpt/1.2 Arial, Helvetica, "Liberation Sans", sans-serif; color: #000; background: #fff; margin: 0; }
h1 { font-size: 175%; margin: 0 0 1mm; }
p, ul { margin: 0 0 1.2mm; }
table { border-collapse: collapse; width: 100%; margin: 1.5mm 0; }
th, td { border: 0.2mm solid #000; padding: 0.5mm 1mm; text-align: left; vertical-align: top; }
tr { break-inside: avoid; }
th { border-bottom-width: 0.5mm; }
td:first-child, td:nth-child(2):not(:nth-last-child(2)) { white-space: nowrap; }
.stop { border: 0.6mm solid #000; padding: 1mm 1.5mm; font-weight: bold; }
.small { font-size: 85%; }
"""

_PLACES = ("Place", "How to find it", "Keep off")
_STEPS = ("At", "For", "Where and how", "What to do")


def write_card(routine: Routine, timeline: Timeline) -> bytes:
    """The page of a routine as planned: its places, and one row a step with the times over all sides.

    Where a motor is planned, the row says how strong a device may be set by hand.
    """
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(routine.title)}</title>",
        f"<style>{_STYLE.replace('SIZE', _size(timeline))}</style></head><body>",
        f"<h1>{escape(routine.title)} <small>({_clock(timeline.duration_s)})</small></h1>",
        _paragraph(routine.description),
        _paragraph(f"{STOP} {BREATHE}", "stop"),
        _table(_PLACES, _places(timeline)),
        _table(_STEPS, _steps(timeline)),
        _paragraph(routine.closing_note),
        *_before_you_start(),
        _paragraph(COMFORT if COMFORT not in routine.closing_note else ""),
        _paragraph(f"Sources: {'; '.join(routine.sources)}." if routine.sources else "", "small"),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part).encode()


def _size(timeline: Timeline) -> str:
    """How large the letters are, in points, so that all that is shipped fits on one page of either paper."""
    length = len(list(_places(timeline))) + len(list(_steps(timeline)))
    return "8" if length <= 16 else "7" if length <= 22 else "6"


def _table(headings: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markup already; nothing when there are none."""
    found = ["".join(f"<td>{cell}</td>" for cell in row) for row in cells]
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join(f"<tr>{row}</tr>" for row in found)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>" if found else ""


def _paragraph(text: str, kind: str = "") -> str:
    shown = escape(" ".join(text.split()))
    return f"<p{f' class={kind}' if kind else ''}>{shown}</p>" if shown else ""


def _before_you_start() -> Iterator[str]:
    """What percuss asks about before it drives anything, tier by tier."""
    table = question_table()
    for tier in table.tiers:
        phrases = "; ".join(question.phrase for question in table.questions if question.tier == tier.id)
        yield f"<p class=small><b>{escape(tier.title)}</b>, when {escape(phrases)}.</p>"


def _places(timeline: Timeline) -> Iterator[tuple[str, str, str]]:
    """Each region that is pressed: how to find it, what to look for first, what to keep off."""
    for name in dict.fromkeys(place.region for span in timeline.spans if _presses(span) for place in span.places):
        region = regions()[name]
        find = f"{region.landmark} {region.check_first}".strip()
        yield f"<b>{escape(region.name)}</b>", escape(find), escape("; ".join(region.avoid))


def _steps(timeline: Timeline) -> Iterator[tuple[str, str, str, str]]:
    timed = zip(rows(timeline), timeline.spans, strict=True)
    for _, group in groupby(timed, key=lambda each: each[1].step):
        yield _step(list(group))


def _step(timed: list[tuple[Row, Span]]) -> tuple[str, str, str, str]:
    """The cells of everything that happens in one step."""
    work = [(row, span) for row, span in timed if span.kind == "work"] or timed
    places = dict.fromkeys(place for _, span in work for place in span.places)
    what = [*(span.cue for _, span in work), _strongest(work)]
    return (
        _clock(timed[0][0]["start_s"]),
        _how_long(timed, work),
        _where(list(places), work[0][1]),
        escape(" ".join(dict.fromkeys(text for text in what if text))),
    )


def _presses(span: Span) -> bool:
    return span.kind == "work" and span.technique not in NEEDS_NO_PLACE


def _strongest(work: list[tuple[Row, Span]]) -> str:
    asked = [row["asked_ppm"] for row, _ in work if row["asked_ppm"] is not None]
    return f"With a device: at most {math.floor(max(asked))} a minute." if asked else ""


def _where(places: list[Place], span: Span) -> str:
    """The places with their sides, and the technique, the position and the tool."""
    by_region = groupby(places, key=lambda place: place.region)
    named = (f"{regions()[name].name}: {_sides(list(same))}" for name, same in by_region)
    words = (
        str(word).replace("-", " ") for word in (span.technique, span.position, span.tool) if word not in {None, "none"}
    )
    return "; ".join([*(f"<b>{escape(name)}</b>" for name in named), escape(", ".join(words))])


def _sides(places: list[Place]) -> str:
    """One side, both at once, or one after the other."""
    return ", then ".join(place.side or "both sides" for place in places)


def _how_long(timed: list[tuple[Row, Span]], work: list[tuple[Row, Span]]) -> str:
    """How often and how long, and the rest after each: ``2 × 0:40 + 0:05``."""
    each = f"{len(work)} &times; " if len(work) > 1 else ""
    rests = [span for _, span in timed if span.kind == "rest" and work[0][1].kind != "rest"]
    pause = f" + {_clock(rests[0].duration_s)}" if rests else ""
    return f"{each}{_clock(work[0][1].duration_s)}{pause}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
