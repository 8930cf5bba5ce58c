"""A picture of a plan: how strong, where and when, with what each place bears.

As SVG or PNG by matplotlib, which is imported only here and only when asked for, and as text for a terminal.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from firmware_profiles.capabilities import Place
from firmware_profiles.commands import SetLevel
from routines.limits import full_ppm
from routines.schema import NEEDS_NO_PLACE
from routines.timeline import OFF, Drive, Span, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ChartFormat = Literal["svg", "png"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Told apart by most eyes: the palette of Okabe and Ito, 2008."""

LANE = 0.09
"""How high the strip below the curves is, as a share of the highest speed shown."""

_FACES = {"move": "#D9D9D9", "rest": "white", "by hand": "white"}
_HATCHES = {"move": "", "rest": "....", "by hand": "////"}
_WORDS = {"move": "move there, motor off", "rest": "rest", "by hand": "by hand"}


@dataclass(frozen=True, slots=True)
class Trace:
    """What one motor does in one span: from each time on, in seconds of the session, the speed; and what is allowed."""

    place: str
    start_s: float
    end_s: float
    points: tuple[tuple[float, float], ...]
    cap_ppm: float
    full_ppm: float


def traces(timeline: Timeline) -> list[Trace]:
    """The curves of a plan in order. A switch has none: its strength is set by hand."""
    found = []
    for start_s, span in starts(timeline):
        found += [_trace(drive, span, start_s) for drive in span.drives if not drive.levels.is_switch]
    return found


def starts(timeline: Timeline) -> list[tuple[float, Span]]:
    """Every span with when it starts, in seconds of the session."""
    begins = itertools.accumulate((span.duration_s for span in timeline.spans), initial=0.0)
    return list(zip(begins, timeline.spans, strict=False))


def _trace(drive: Drive, span: Span, start_s: float) -> Trace:
    full = full_ppm(drive.levels)
    place = drive.place or Place(span.region or "", span.side)
    points = [(start_s, 0.0)]
    for cue in drive.cues(span.duration_s):
        level = cue.command.level if isinstance(cue.command, SetLevel) else OFF
        points.append((start_s + cue.at_s, drive.levels.percent(level) * full / 100))
    cap_ppm = drive.levels.percent(drive.cap_level) * full / 100
    return Trace(place.region.replace("_", " "), start_s, start_s + span.duration_s, tuple(points), cap_ppm, full)


def chart(timeline: Timeline, title: str, *, image: ChartFormat) -> bytes:
    """The picture of a plan. The same plan gives the same bytes. Raises ImportError without matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rules: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "percuss",
        "font.family": "DejaVu Sans",
        "font.size": 9,
    }
    with mpl.rc_context(rules), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a title may have letters that the font lacks
        # Without a motor there is only the strip.
        height_in = 5.6 if traces(timeline) else 2.2
        figure = Figure(figsize=(11.0, height_in), layout="constrained")
        _draw(figure, timeline, title)
        written = io.BytesIO()
        # No date and no version, so that the same plan gives the same bytes.
        nothing = {"Date": None, "Creator": None} if image == "svg" else {"Software": None}
        figure.savefig(written, format=image, dpi=150, metadata=nothing)
    return written.getvalue()


def _draw(figure: Figure, timeline: Timeline, title: str) -> None:
    axes = figure.add_subplot()
    curves = traces(timeline)
    top = max([1000.0, *(trace.cap_ppm for trace in curves)]) if curves else 1.0
    places = list(dict.fromkeys(trace.place for trace in curves))
    colours = dict(zip(places, itertools.cycle(COLOURS), strict=False))
    # Of places at the same time the lower one stands in front.
    for trace in sorted(curves, key=_highest_ppm, reverse=True):
        at_once = list(dict.fromkeys(other.place for other in curves if other.start_s == trace.start_s))
        _draw_trace(axes, trace, colours[trace.place], at_once.index(trace.place))
    lane = (LANE if curves else 1.0) * top
    for start_s, span in starts(timeline):
        _draw_lane(axes, span, start_s, lane, colours)
    _draw_names(axes, timeline, colours, top * 1.06)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xlim(0, timeline.duration_s)
    axes.set_ylim(-lane, top * 1.06)
    _set_axes(axes, timeline, curves)
    figure.suptitle(title[:100], parse_math=False, x=0.01, ha="left", fontsize=12)
    _draw_legend(figure, timeline, curves, colours)


def _highest_ppm(trace: Trace) -> float:
    return max(ppm for _, ppm in trace.points)


def _draw_trace(axes: Axes, trace: Trace, colour: str, number: int) -> None:
    times, speeds = zip(*trace.points, strict=True)
    axes.fill_between(times, speeds, step="post", color=_light(colour), linewidth=0)
    axes.step(times, speeds, where="post", color=colour, linewidth=1.4)
    # Of two caps at the same height both are seen, one in the gaps of the other.
    dashes = (4.0 * number, (4, 4))
    axes.hlines(trace.cap_ppm, trace.start_s, trace.end_s, color=colour, linestyle=dashes, linewidth=1.2)


def _light(colour: str) -> tuple[float, float, float]:
    """The colour mixed with much white: unlike a transparent one it does not mix with what is behind it."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return 0.3 * red + 0.7, 0.3 * green + 0.7, 0.3 * blue + 0.7


def sides(span: Span) -> str:
    """The sides of a span: ``L``, ``R`` or ``L+R``; nothing where it has no place."""
    found = {side for place in span.places for side in place.sides}
    return "+".join(side[0].upper() for side in sorted(found))


def look(span: Span) -> str:
    """What a span is for the eye: ``driven``, ``by hand``, ``move`` or ``rest``."""
    if span.kind != "work":
        return span.kind
    return "driven" if any(not drive.levels.is_switch for drive in span.drives) else "by hand"


def _draw_lane(axes: Axes, span: Span, start_s: float, lane: float, colours: dict[str, str]) -> None:
    kind = look(span)
    end_s = start_s + span.duration_s
    place = (span.region or "").replace("_", " ")
    edge: dict[str, Any] = {"edgecolor": "#595959", "linewidth": 0.5}
    if kind == "driven":
        axes.fill_between([start_s, end_s], -lane, 0, facecolor=_light(colours.get(place, "#FFFFFF")), **edge)
    else:
        axes.fill_between([start_s, end_s], -lane, 0, facecolor=_FACES[kind], hatch=_HATCHES[kind], **edge)
    if kind in {"move", "rest"}:
        axes.axvspan(start_s, end_s, color="#EDEDED", linewidth=0, zorder=0)
    if span.kind == "work" and span.region is not None:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if kind == "by hand" else None
        middle_s = (start_s + end_s) / 2
        axes.text(middle_s, -lane / 2, sides(span), ha="center", va="center", fontsize=7, bbox=box, clip_on=True)


def _draw_names(axes: Axes, timeline: Timeline, colours: dict[str, str], y: float) -> None:
    """The name of each place once above its row of spans, or of what is done without a place."""
    last_s = -timeline.duration_s
    for name, start_s, end_s in rows(timeline):
        middle_s = (start_s + end_s) / 2
        if middle_s - last_s < timeline.duration_s / 45:
            continue  # it would lie on the one before
        last_s = middle_s
        colour = colours.get(name.split(" + ")[0], "#404040")
        gap_s = timeline.duration_s / 1000
        axes.plot(
            [start_s + gap_s, end_s - gap_s], [y, y], color=colour, linewidth=3, clip_on=False, solid_capstyle="butt"
        )
        axes.annotate(
            name.replace(" + ", " +\n"),
            (middle_s, y),
            (0, 5),
            textcoords="offset points",
            rotation=35,
            ha="left",
            va="bottom",
            rotation_mode="anchor",
            parse_math=False,
        )


def rows(timeline: Timeline) -> list[tuple[str, float, float]]:
    """What is worked on, with start and end in seconds: spans of the same place or doing are one row."""
    found: list[tuple[str, float, float]] = []
    for start_s, span in starts(timeline):
        if span.kind != "work":
            continue
        name = _name(span)
        end_s = start_s + span.duration_s
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], end_s)
        else:
            found.append((name, start_s, end_s))
    return found


def _name(span: Span) -> str:
    """What a person calls it: the place, the places at the same time, or what is done there."""
    places = " + ".join(dict.fromkeys(place.region.replace("_", " ") for place in span.places))
    if span.technique not in NEEDS_NO_PLACE:
        return places
    return f"{places} {span.technique}".replace("-", " ").strip()


def _set_axes(axes: Axes, timeline: Timeline, curves: Sequence[Trace]) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    minute_s = next(s for s in (30, 60, 120, 300, 600) if timeline.duration_s / s <= 15 or s == 600)
    axes.xaxis.set_major_locator(MultipleLocator(minute_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: f"{at_s / 60:g}"))
    axes.set_xlabel("minutes")
    axes.set_ylabel("percussions per minute")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ppm, _: f"{ppm:g}" if ppm >= 0 else ""))
    axes.grid(axis="y", color="#D9D9D9", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not curves:
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
    fulls = {trace.full_ppm for trace in curves}
    if len(fulls) == 1:
        full = fulls.pop()
        scales: Any = (lambda ppm: ppm * 100 / full, lambda share: share * full / 100)
        percent = axes.secondary_yaxis("right", functions=scales)
        percent.set_ylabel("percent of the device's full scale")
        percent.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g} %" if share >= 0 else ""))


def _draw_legend(figure: Figure, timeline: Timeline, curves: Sequence[Trace], colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Line2D | Patch] = []
    if curves:
        entries = [
            Line2D([], [], color="black", linewidth=1.4, label="planned speed"),
            Line2D([], [], color="black", linestyle=(0, (4, 4)), linewidth=1.2, label="the most allowed there"),
        ]
    if any(len({drive.place for drive in span.drives}) > 1 for span in timeline.spans):
        entries += [Patch(facecolor=_light(colour), edgecolor=colour, label=place) for place, colour in colours.items()]
    shown = {look(span) for span in timeline.spans}
    entries += [
        Patch(facecolor=_FACES[kind], hatch=_HATCHES[kind], edgecolor="#595959", linewidth=0.5, label=words)
        for kind, words in _WORDS.items()
        if kind in shown
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=5, frameon=False)
