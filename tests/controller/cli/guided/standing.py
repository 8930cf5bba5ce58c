"""Sessions that stand still: a plan and where it is, as values."""

from __future__ import annotations

from dataclasses import dataclass

from controller.cli.guided.shown import Shown
from controller.events import SessionStarted, SpanStarted
from controller.sessions import Progress
from routines.timeline import Timeline


@dataclass
class Standing:
    """Something that a display follows."""

    plan: Timeline
    at: Progress

    def progress(self) -> Progress:
        return self.at


def progress(plan: Timeline, index: int, left_s: float | None = None, *, is_paused: bool = False) -> Progress:
    """A session in one of its spans, with so much of it left; all of it where that is not said."""
    span = plan.spans[index]
    left_s = span.duration_s if left_s is None else left_s
    behind = plan.spans[index + 1 :]
    return Progress(
        span=span,
        next_span=behind[0] if behind else None,
        span_left_s=left_s,
        total_left_s=left_s + sum(each.duration_s for each in behind),
        is_paused=is_paused,
        is_waiting=False,
    )


def started(plan: Timeline, index: int) -> SpanStarted:
    """The event that tells of a span."""
    span = plan.spans[index]
    return SpanStarted(
        index=index,
        kind=span.kind,
        duration_s=span.duration_s,
        region=span.region,
        side=span.side,
        cue=span.cue,
        is_driven=bool(span.drives),
        note=span.note,
        mono_s=0.0,
    )


def shown(plan: Timeline, index: int, left_s: float | None = None) -> Shown:
    """What a screen shows then."""
    session = Standing(plan, progress(plan, index, left_s))
    follows = Shown(session)
    follows.keys_are_heard = True
    devices = {"massager": "Elite"} if "massager" in plan.roles else {}
    follows.hear(SessionStarted(plan.routine, plan.duration_s, devices))
    follows.hear(started(plan, index))
    follows.look()
    return follows
