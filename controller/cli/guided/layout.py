"""Where everything stands on a screen of any size: as much as fits, and what matters most first.

What stops is always there, and so is where one is and how long. When room runs out the picture goes first, then what
the device says, then notes; a text that is too long ends in "…". Nothing is ever wider or higher than the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from controller.cli.durations import clock_text
from controller.cli.guided import body, digits
from controller.cli.guided.shown import Shown
from controller.cli.guided.wording import lay_names, manner, note_of, place_or_technique
from controller.cli.keys import legend
from routines.timeline import Span

GAP = 2
"""Columns between the words and the picture."""

WORDS_MIN, WORDS_MAX = 38, 80
"""The narrowest that the words get beside a picture, and the widest that is easy to read."""

COUNTDOWN_FROM_S = 3.0
HEADS = {"move": "MOVE TO", "work": "NOW", "rest": "REST"}

ALWAYS, CUE, NEXT, NOTE, MANNER, FIGURES, BAR, LAY_NAME = range(8)
"""How much a block matters, the most first. Up to `NOTE` comes before big figures."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines that belong together. It has a blank line before it where there is room."""

    rank: int
    lines: Sequence[Text]
    has_gap: bool = False


def frame(shown: Shown, width: int, height: int) -> list[Text]:
    """The whole screen: exactly ``height`` lines of ``width`` columns."""
    keys = _legend(shown, width)[: max(1, height // 3)]
    rows = max(0, height - 1 - len(keys))
    views = _views(shown, width, rows)
    words_width = min(WORDS_MAX, max(1, width - 2 - len(views) * (body.WIDTH + GAP)))
    words = _words(shown, words_width, rows)
    pictures = [body.draw(view, shown.places_now, shown.places_next) for view in views]
    lines = [_title(shown, width)]
    for row in range(rows):
        line = Text(" ") + _fitted(words[row], words_width)
        for picture in pictures:
            line.append(" " * GAP)
            line.append_text(_fitted(picture[row], body.WIDTH) if row < len(picture) else Text(" " * body.WIDTH))
        lines.append(line)
    return [_fitted(line, width) for line in [*lines, *keys][:height]]


def _views(shown: Shown, width: int, rows: int) -> tuple[body.View, ...]:
    room = (width - 2 - WORDS_MIN) // (body.WIDTH + GAP) if rows >= body.HEIGHT else 0
    if room < 1 or shown.span is None:
        return ()
    return body.views(shown.places_now, shown.places_next, are_both_shown=room > 1)


def _title(shown: Shown, width: int) -> Text:
    right = f" {clock_text(shown.progress.total_left_s)} left in all " if shown.span is not None else " "
    left = f" {' · '.join(part for part in (shown.routine, shown.on) if part)} "
    fill = max(0, width - 2 - len(left) - len(right))
    return Text(f"─{left}{'─' * fill}{right}─", style="bold")


def _legend(shown: Shown, width: int) -> list[Text]:
    if not shown.keys_are_heard:
        return [Text(" Ctrl-C stops")]
    space = "pause"
    if shown.question in {"before", "after"}:
        space = "go on without saying"
    elif shown.progress.is_waiting:
        space = "I am in place"
    elif shown.progress.is_paused:
        space = "go on"
    lines: list[str] = []
    for item in legend(space):
        if lines and len(lines[-1]) + len(item) + 4 <= width:
            lines[-1] += f" · {item}"
        else:
            lines.append(f" {item}")
    return [Text(line, style="bold" if number == 0 else "") for number, line in enumerate(lines)]


def _words(shown: Shown, width: int, rows: int) -> list[Text]:
    """The words beside the picture: exactly ``rows`` lines."""
    message = _shortened(_wrapped(shown.message, width, "bold yellow"), max(2, rows // 3))
    blocks: list[Block] = []
    for is_big in (True, False):
        blocks = [*_banner(shown, width), *_place(shown, width, is_big=is_big)]
        needed = sum(len(block.lines) for block in blocks if block.rank <= NOTE)
        if needed + len(message) <= rows:
            break
    return fitted(blocks, message, rows)


def fitted(blocks: Sequence[Block], last: Sequence[Text], rows: int) -> list[Text]:
    """So many of the blocks as fit into ``rows`` lines, and ``last`` at the bottom."""
    last = list(last)[:rows]
    left = rows - len(last)
    kept: dict[int, list[Text]] = {}
    for number in sorted(range(len(blocks)), key=lambda number: blocks[number].rank):
        lines = list(blocks[number].lines)
        if blocks[number].rank <= NOTE:
            lines = _shortened(lines, left)
        if lines and len(lines) <= left:
            kept[number] = lines
            left -= len(lines)
    rows_kept: list[Text] = []
    for number in sorted(kept):
        if rows_kept and blocks[number].has_gap and left > 0:
            rows_kept.append(Text())
            left -= 1
        rows_kept += kept[number]
    return [*rows_kept, *(Text() for _ in range(left)), *last]


def _banner(shown: Shown, width: int) -> list[Block]:
    """What the person is asked, so that nobody misses it: light on dark turned round, and marked without colour."""
    lines = [_fitted(Text(f" >> {line.plain}"), width) for line in _wrapped(shown.asks, max(1, width - 5), "")]
    for line in lines:
        line.stylize("bold reverse")
    return [Block(ALWAYS, lines)] if lines else []


def _place(shown: Shown, width: int, *, is_big: bool) -> list[Block]:
    span = shown.span
    if span is None:
        return []
    name = place_or_technique(span) if span.places or span.kind == "work" else ""
    head = HEADS[span.kind] if name or span.kind != "move" else "GET READY"
    head = "FIRST" if shown.question == "before" else head
    clock, bar = _clock(shown, width, is_big=is_big), [_bar(shown, width)]
    if shown.question == "before":  # no time passes yet
        clock, bar = [], []
    return [
        Block(ALWAYS, _wrapped(f"{head} {name}".rstrip(), width, "bold"), has_gap=True),
        Block(LAY_NAME, _wrapped(lay_names(span), width, "")),
        Block(MANNER, _wrapped(" · ".join(manner(span)), width, "")),
        Block(CUE, _wrapped(span.cue, width, ""), has_gap=True),
        Block(NOTE, _wrapped(note_of(span), width, "italic")),
        Block(ALWAYS, clock, has_gap=True),
        Block(BAR, bar),
        Block(NEXT, _wrapped(f"NEXT {_next(shown.following)}", width, "bold"), has_gap=True),
        Block(FIGURES, _wrapped(shown.figures, width, "")),
    ]


def _clock(shown: Shown, width: int, *, is_big: bool) -> list[Text]:
    """How long it is to the end of what one does: from three on only the figure."""
    counts = 0 < shown.left_s <= COUNTDOWN_FROM_S + 0.5 and not shown.progress.is_paused
    figure = f"{max(1, round(shown.left_s))}" if counts else clock_text(shown.left_s)
    state = shown.state
    if not is_big:
        return [Text(f"{figure}  {state}".rstrip(), style="bold")]
    lines = [Text(line, style="bold green") for line in digits.big(figure)]
    lines[digits.HEIGHT // 2].append(f"  {state}" if width > 30 + len(state) else "", "bold")
    return lines


def _bar(shown: Shown, width: int) -> Text:
    done = min(1.0, max(0.0, 1 - shown.left_s / max(shown.duration_s, 1.0)))
    filled = round(done * width)
    return Text("━" * filled, "green").append("─" * (width - filled), "dim")


def _next(following: Sequence[Span]) -> str:
    """What comes next, and after a rest or a way the place where it leads."""
    if not following:
        return "the end"
    span, clock = following[0], clock_text(following[0].duration_s)
    if span.kind == "move":
        return f"move to {span.place or 'the next place'}, {clock}"
    if span.kind == "work":
        return ", ".join(dict.fromkeys([place_or_technique(span), (span.technique or "").replace("-", " "), clock]))
    work = next((each for each in following if each.kind == "work"), None)
    return f"rest, {clock}; then {place_or_technique(work) if work is not None else 'the end'}"


def _wrapped(text: str, width: int, style: str) -> list[Text]:
    if not text:
        return []
    return list(Text(" ".join(text.split()), style=style).wrap(_console(), width))


@cache
def _console() -> Console:
    return Console()


def _fitted(line: Text, width: int) -> Text:
    fits = line.copy()
    fits.truncate(width, overflow="crop", pad=True)
    return fits


def _shortened(lines: list[Text], rows: int) -> list[Text]:
    """So many lines at most; where some are left out, the last one says so."""
    if len(lines) <= rows or rows < 1:
        return lines[:rows]
    last = lines[rows - 1].copy()
    last.truncate(max(0, cell_len(last.plain) - 1), overflow="crop")
    last.rstrip()
    return [*lines[: rows - 1], last.append("…")]
