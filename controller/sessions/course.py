"""Where a session stands in its timeline: which span, how long it has been there, what is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from controller.clock import Clock
from controller.events import SpanEnded, SpanStarted
from controller.sessions.span_time import SpanTime
from routines.timeline import Span

RESTART_S = 3.0
"""Within the first seconds of a place, "back" means the place before."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a session stands, for a display. Times are seconds of the session's clock."""

    span: Span | None
    next_span: Span | None
    span_left_s: float
    total_left_s: float
    is_paused: bool
    is_waiting: bool


class Course:
    """The way through the spans. ``is_waiting`` says that it waits for the person to be in place."""

    def __init__(self, spans: Sequence[Span], clock: Clock) -> None:
        self.index = 0
        self.is_waiting = False
        self.done_s = 0.0
        self.time = SpanTime(clock, spans[0].duration_s if spans else 0.0)
        self._spans = spans
        self._drives_something = any(span.drives for span in spans)

    @property
    def is_running(self) -> bool:
        """Whether time passes here."""
        return not self.time.is_paused and not self.is_waiting

    def begin_span(self, span: Span, duration_s: float) -> SpanStarted:
        """Take up that the span here begins and may last so long; the event that tells of it."""
        self.time.duration_s = duration_s
        self.is_waiting = False
        return SpanStarted(
            index=self.index,
            kind=span.kind,
            duration_s=span.duration_s,
            region=span.region,
            side=span.side,
            cue=span.cue,
            is_driven=bool(span.drives),
            note=span.note,
            mono_s=time.monotonic(),
            also=span.also,
        )

    def end_span(self, span: Span) -> SpanEnded:
        """Count what passed here; the event that tells of it."""
        elapsed_s = self.time.elapsed_s
        self.done_s += elapsed_s
        return SpanEnded(self.index, span.region, span.side, bool(span.drives), elapsed_s, time.monotonic())

    def left(self) -> list[tuple[Span, float]]:
        """What is left: this span with its seconds, and those behind it with theirs."""
        spans = self._spans[self.index :]
        return [(span, span.duration_s if number else self.time.left_s) for number, span in enumerate(spans)]

    def progress(self) -> Progress:
        """The same for a display."""
        left = self.left()
        return Progress(
            span=left[0][0] if left else None,
            next_span=left[1][0] if len(left) > 1 else None,
            span_left_s=left[0][1] if left else 0.0,
            total_left_s=sum(left_s for _, left_s in left),
            is_paused=self.time.is_paused,
            is_waiting=self.is_waiting,
        )

    def room_s(self, longest_s: float) -> float:
        """How much longer a session that drives something may become when ``longest_s`` is the most."""
        if not self._drives_something:
            return float("inf")
        behind_s = sum(span.duration_s for span in self._spans[self.index + 1 :])
        return longest_s - (self.done_s + self.time.duration_s + behind_s)

    def back_index(self) -> int:
        """The start of this place, or of the place before when this one has hardly begun."""
        start = self._place_start(self.index)
        here = self._spans[self.index]
        has_hardly_begun = here.kind == "move" or (here.kind == "work" and self.time.offset_s < RESTART_S)
        return self._place_start(start - 1) if has_hardly_begun and start > 0 else start

    def _place_start(self, index: int) -> int:
        """Where the way there begins, or the work itself; a rest belongs to the work before it."""
        while index > 0 and self._spans[index].kind == "rest":
            index -= 1
        is_worked = self._spans[index].kind == "work"
        return index - 1 if is_worked and index > 0 and self._spans[index - 1].kind == "move" else index
