"""Pictures of the history: what the body got day by day, and pain around the sessions. Needs the extra ``plot``.

A picture depends on nothing but what is drawn: no settings of the user's, no time of making, no network. Bars differ in
shade and hatching, so that they can be told apart on paper too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from controller.service.history import Course, PainOfSession

Picture = Literal["svg", "png"]

SIZE_INCH = (11.0, 6.8)
NAMED_DAYS = 12
"""The most days that are named below a picture."""

BY_WEEK_FROM = 100
"""With more days than this, bars are weeks: a day would be a hair."""

HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oo", "||||", "++", "**")
SHADES = ("#5588bb", "#ee9966", "#bbbbbb", "#99ccee", "#ddcc77", "#ffffff", "#cc99bb", "#66aa77", "#eeeeaa")
"""Pale enough for a black hatching to be seen. The lists differ in length, so a pair comes again only after 90."""

MARKS = "#o=+x*%@:~&s$w"
"""What the bars of a terminal are made of."""

COLUMNS, DOSE_LINES, PAIN_LINES = 79, 15, 10
TICKS_S = (30, 60, 120, 300, 600, 1200, 3000, 6000, 12_000, 30_000, 60_000, 120_000)
PAIN_MAX = 10
NERVE_SIGN_AT = 11
"""Tingling, numbness and shooting pain have no score: they stand above the scale."""

PAIN_LABEL = "pain (0 to 10)"


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars: the middle of each, in days from the first day, and the heights in seconds by region."""

    at: tuple[float, ...]
    heights: Mapping[str, tuple[float, ...]]
    days: int

    @property
    def label(self) -> str:
        """What the height is."""
        return "driven, both sides together (s)" if self.days == 1 else "driven a week, both sides together (s)"

    @property
    def tallest_s(self) -> float:
        """The height of the tallest bar; a minute at least."""
        return max([60.0, *(float(sum(bar)) for bar in zip(*self.heights.values(), strict=True))])


def bars_of(course: Course) -> Bars:
    """The bars of a course: its days, or its weeks where it has many days."""
    days = 1 if len(course.days) <= BY_WEEK_FROM else 7
    starts = range(0, len(course.days), days)
    heights = {
        region: tuple(sum(places.get(region, 0.0) for _, places in course.days[i : i + days]) for i in starts)
        for region in course.regions
    }
    return Bars(tuple(start + (days - 1) / 2 for start in starts), heights, days)


def title(course: Course) -> str:
    """What a picture of it shows."""
    days = f"{course.days[0][0]} to {course.days[-1][0]}"
    return f"Simulators only, nobody felt it: {days}" if course.is_simulated else f"Massage and pain, {days}"


def draw(course: Course, picture: Picture) -> bytes:
    """Draw a course: seconds by day and region above, pain below. Raises ImportError without matplotlib."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = bars_of(course)
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "percuss", "hatch.linewidth": 0.6, "font.size": 10}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        figure = Figure(figsize=SIZE_INCH, dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        figure.suptitle(title(course))
        _draw_doses(above, bars)
        _draw_pain(below, course)
        # A last week that is not over yet keeps its whole bar.
        below.set_xlim(-0.7, -(-len(course.days) // bars.days) * bars.days - 0.3)
        _name_days(below, [day for day, _ in course.days])
        content = io.BytesIO()
        # No time and no version: the same history gives the same bytes.
        metadata = {"Date": None, "Creator": "percuss"} if picture == "svg" else {"Software": "percuss"}
        figure.savefig(content, format=picture, metadata=metadata)
    return content.getvalue()


def _draw_doses(axes: Axes, bars: Bars) -> None:
    bottoms = [0.0] * len(bars.at)
    for region, heights in bars.heights.items():
        number = _number(region)
        axes.bar(
            bars.at,
            heights,
            bottom=bottoms,
            width=0.8 * bars.days,
            label=_name(region),
            color=SHADES[number % len(SHADES)],
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor="black",
            linewidth=0.6,
        )
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.set_ylabel(bars.label)
    axes.set_ylim(0, bars.tallest_s * 1.05)
    axes.grid(axis="y", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    if bars.heights:
        axes.legend(title="place", loc="upper left", bbox_to_anchor=(1.01, 1.0), reverse=True)
    else:
        _say_nothing(axes, "nothing was driven")


def _draw_pain(axes: Axes, course: Course) -> None:
    first = course.days[0][0]
    size = 8 if len(course.days) <= BY_WEEK_FROM else 4
    for pain in course.pains:
        if pain.before is not None and pain.after is not None:
            x = _position(pain, first)
            axes.plot((x, x), (pain.before, pain.after), color="black", linewidth=size / 8)
    styles: tuple[dict[str, Any], ...] = (
        # A small dot in a wide ring: both are seen where before and after are the same.
        {"marker": "o", "markerfacecolor": "white", "markersize": size},
        {"marker": "o", "markersize": size / 2},
        {"marker": "^", "markerfacecolor": "#bbbbbb", "markersize": size},
        {"marker": "X", "markersize": size},
    )
    for (label, points), style in zip(_pain_points(course, after=0.0, next_day=0.25).items(), styles, strict=True):
        if points:
            axes.plot(*zip(*points, strict=True), linestyle="", label=label, color="black", **style)
    axes.set_ylabel(PAIN_LABEL)
    axes.set_ylim(-0.6, NERVE_SIGN_AT + 0.7)
    axes.set_yticks(range(0, PAIN_MAX + 1, 2))
    axes.grid(axis="y", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    if course.pains:
        axes.legend(title="pain", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    else:
        _say_nothing(axes, "nothing was said about pain")


def _say_nothing(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", backgroundcolor="white")


def _pain_points(course: Course, *, after: float, next_day: float) -> dict[str, list[tuple[float, int]]]:
    """What was said, by moment: days from the first day, and score. Two moments stand so many days further right."""
    points: dict[str, list[tuple[float, int]]] = {
        name: [] for name in ("before", "after", "the next day", "tingling, numbness\nor shooting pain")
    }
    for pain in course.pains:
        x = _position(pain, course.days[0][0])
        scores = (pain.before, pain.after, pain.next_day, NERVE_SIGN_AT if pain.has_nerve_sign else None)
        for name, score, by in zip(points, scores, (0.0, after, next_day, 0.0), strict=True):
            if score is not None:
                points[name].append((x + by, score))
    return points


def _position(pain: PainOfSession, first: date) -> float:
    """Where a session is between the days: at noon it is in the middle of its day's bar."""
    hours = pain.started.hour + pain.started.minute / 60
    return (pain.started.date() - first).days + (hours / 24 - 0.5) * 0.8


def _name_days(axes: Axes, days: Sequence[date]) -> None:
    named = _named(days, NAMED_DAYS)
    axes.set_xticks(list(named), [f"{days[number]}" for number in named], rotation=30, ha="right")
    axes.set_xlabel("day")


def _named(days: Sequence[date], most: int) -> range:
    return range(0, len(days), -(-len(days) // most))


def _number(region: str) -> int:
    """A region looks the same in every picture: its place in the table of regions says how."""
    from routines.regions import regions

    known = list(regions())
    return known.index(region) if region in known else len(known)


def _name(region: str) -> str:
    return region.replace("_", " ") or "no place named"


def terminal_text(course: Course) -> str:
    """The same in text, without colours, for a terminal of 80 columns. Raises ImportError without plotext."""
    bars = bars_of(course)
    marks = {region: MARKS[_number(region) % len(MARKS)] for region in course.regions}
    step_s = next(step for step in TICKS_S if bars.tallest_s / step <= 6)
    ticks = [step_s * number for number in range(-(-int(bars.tallest_s) // step_s) + 1)]
    lines = [title(course), "", bars.label, *_dose_lines(course, bars, list(marks.values()), ticks)]
    lines += _beside([f"{mark} {_name(region)}" for region, mark in marks.items()] or ["nothing was driven"])
    if course.pains:
        lines += ["", PAIN_LABEL, *_pain_lines(course, len(str(ticks[-1])))]
        lines += _beside(["b before", "a after", "n the next day", "! tingling, numbness or shooting pain"])
    else:
        lines += ["", "Nothing was said about pain."]
    return "\n".join(line.rstrip() for line in lines)


def _dose_lines(course: Course, bars: Bars, marks: list[str], ticks: list[int]) -> list[str]:
    figure = _empty_figure(DOSE_LINES)
    if bars.heights:
        heights = [list(each) for each in bars.heights.values()]
        figure.draw(figure.bar(list(bars.at), heights, stacked=True, marker=marks, width=0.5))
    figure.ruler("y").lim(0, ticks[-1]).ticks(ticks, [str(tick) for tick in ticks])
    return _built(figure, course)


def _pain_lines(course: Course, label_width: int) -> list[str]:
    figure = _empty_figure(PAIN_LINES)
    for mark, points in zip("ban!", _pain_points(course, after=0.4, next_day=0.8).values(), strict=True):
        if points:
            at, scores = zip(*points, strict=True)
            figure.draw(figure.signal(at, scores, marker=mark))
    named = [0, PAIN_MAX // 2, PAIN_MAX]
    # As wide as the labels above, so that the days stand below each other.
    figure.ruler("y").lim(0, NERVE_SIGN_AT).ticks(named, [str(score).rjust(label_width) for score in named])
    return _built(figure, course)


def _empty_figure(lines: int) -> Any:
    """The one figure that plotext has, emptied."""
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.plot_size(COLUMNS, lines)
    return figure


def _built(figure: Any, course: Course) -> list[str]:
    """The lines of a figure, with the days below: bars name themselves by number, so this comes last."""
    days = [day for day, _ in course.days]
    named = _named(days, 6)
    figure.ruler("x").lim(-1, len(days)).ticks(list(named), [str(days[number]) for number in named])
    return str(figure.build().string(colorless=True)).splitlines()


def _beside(entries: Sequence[str]) -> list[str]:
    """Entries beside each other, as many as fit in a line."""
    lines = [""]
    for entry in entries:
        longer = f"{lines[-1]}   {entry}" if lines[-1] else entry
        if len(longer) <= COLUMNS:
            lines[-1] = longer
        else:
            lines.append(entry)
    return lines
