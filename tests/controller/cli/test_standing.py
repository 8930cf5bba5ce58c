"""Where a session of the service stands, as a terminal reckons it between two words of the service."""

from __future__ import annotations

import time

import pytest

from controller import api, events
from controller.cli.through_service.standing import Standing
from controller.events import Event, SpanStarted
from routines.timeline import Timeline


@pytest.fixture
def plan() -> Timeline:
    """A way of some seconds to each place, and the place."""
    return api.plan(api.script("calves:left gentle 60s; rest 10s; calves:right gentle 30s"))


def begun(plan: Timeline, index: int, ago_s: float = 0.0) -> SpanStarted:
    span = plan.spans[index]
    return SpanStarted(
        index, span.kind, span.duration_s, span.region, None, span.cue, False, "", time.monotonic() - ago_s
    )


def test_a_span_that_began_some_time_ago_is_that_much_shorter(plan: Timeline) -> None:
    standing = Standing(plan, 1.0)
    standing.hear(begun(plan, 0, ago_s=5.0))
    standing.hear(events.SessionPaused())  # from here on time stands still
    now = standing.progress()
    assert now.span_left_s <= plan.spans[0].duration_s - 5.0
    assert now == standing.progress()
    assert now.total_left_s == pytest.approx(
        now.span_left_s + sum(span.duration_s for span in plan.spans[1:]), abs=1e-6
    )
    assert (now.span, now.next_span, now.is_paused) == (plan.spans[0], plan.spans[1], True)


def test_time_runs_as_fast_as_on_the_simulator(plan: Timeline) -> None:
    standing = Standing(plan, 1000.0)
    standing.hear(begun(plan, 0, ago_s=1.0))
    assert standing.progress().span_left_s == 0.0  # and never below


def test_time_that_is_added_is_left_too(plan: Timeline) -> None:
    standing = Standing(plan, 1.0)
    standing.hear(begun(plan, 0))
    standing.hear(events.SessionPaused())
    before = standing.progress()
    standing.hear(events.SpanExtended(15.0))
    after = standing.progress()
    assert after.span_left_s - before.span_left_s == pytest.approx(15.0)
    assert after.total_left_s - before.total_left_s == pytest.approx(15.0)


def test_a_snapshot_is_the_truth(plan: Timeline) -> None:
    standing = Standing(plan, 1.0)
    standing.hear(begun(plan, 1))
    standing.see({"is_paused": True, "is_waiting": False, "total_left_s": 33.0, "span": {"left_s": 3.0}})
    now = standing.progress()
    assert (now.span_left_s, now.total_left_s, now.is_paused) == (3.0, 33.0, True)


@pytest.mark.parametrize(
    ("heard", "goes_on"),
    [
        ([], False),
        ([events.SessionPaused()], True),
        ([events.SessionPaused(), events.SessionResumed()], False),
        ([events.KeyAwaited("")], True),
        ([events.PainAsked("before")], True),
        ([events.PainAsked("between")], False),
        ([events.PainAsked("after"), events.PainTold("after", 2)], False),
    ],
)
def test_the_space_bar_means_what_is_shown(plan: Timeline, heard: list[Event], goes_on: bool) -> None:
    standing = Standing(plan, 1.0)
    standing.hear(begun(plan, 0))
    for event in heard:
        standing.hear(event)
    assert standing.goes_on is goes_on


def test_the_end_has_no_span(plan: Timeline) -> None:
    standing = Standing(plan, 1.0)
    standing.hear(begun(plan, len(plan.spans) - 1))
    standing.hear(events.SessionEnded("done", "", 1.0))
    assert standing.progress().span is None
