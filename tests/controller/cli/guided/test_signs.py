"""Half-way and three, two, one: each once, at its time, as the lamp of a timer gives them."""

from __future__ import annotations

import pytest

from controller.cli.guided.signs import Signs, tone_of
from controller.cli.guided.sound import Tone
from controller.events import (
    Event,
    KeyAwaited,
    LinkLost,
    PainTold,
    RequestRefused,
    SessionEnded,
    SessionPaused,
    SpanStarted,
)


def signs(kind: str, duration_s: float) -> Signs:
    made = Signs()
    made.begin(kind, duration_s)
    return made


def test_each_sign_comes_once_at_its_time() -> None:
    work = signs("work", 30)
    seen = {left_s: work.due(left_s) for left_s in (30, 15.1, 15, 14, 3.1, 3, 2.9, 2, 1, 0)}
    assert {left_s: due for left_s, due in seen.items() if due} == {15: ["half-way"], 3: ["3"], 2: ["2"], 1: ["1"]}


def test_a_short_piece_has_no_half_way_and_a_way_has_no_signs() -> None:
    assert signs("rest", 19.9).due(0) == ["3", "2", "1"]
    assert signs("work", 20).due(0) == ["half-way", "3", "2", "1"]
    assert signs("work", 3).due(0) == []
    assert signs("move", 60).due(0) == []


def test_what_nobody_looked_at_in_time_comes_at_the_end() -> None:
    assert signs("work", 30).due_at_end(30) == ["half-way", "3", "2", "1"]


def test_a_skipped_piece_is_not_counted_down() -> None:
    assert signs("work", 30).due_at_end(20) == ["half-way"]
    assert signs("work", 30).due_at_end(5) == []


def test_more_time_is_counted_down_again_but_is_half_way_only_once() -> None:
    work = signs("work", 30)
    assert work.due(2) == ["half-way", "3", "2"]
    work.extend(15)
    assert work.due(17) == []
    assert work.due(3) == ["3"]
    early = signs("work", 30)
    early.extend(10)
    assert early.due(20.1) == []
    assert early.due(20) == ["half-way"]


@pytest.mark.parametrize(
    ("event", "tone"),
    [
        (SpanStarted(0, "work", 5, None, None, "", is_driven=False, note="", mono_s=0), Tone.START),
        (SpanStarted(0, "move", 5, None, None, "", is_driven=False, note="", mono_s=0), None),
        (SessionEnded("done", "", 5), Tone.DONE),
        (SessionEnded("stopped", "stopped by the person", 5), None),
        (SessionEnded("stop_unconfirmed", "gun did not confirm", 5), Tone.ATTENTION),
        (LinkLost("gun", "gone"), Tone.ATTENTION),
        (RequestRefused("no"), Tone.ATTENTION),
        (KeyAwaited(""), Tone.ATTENTION),
        (SessionPaused(), None),
        (SessionPaused("the link is lost"), Tone.ATTENTION),
        (PainTold("between", 2), None),
    ],
)
def test_what_is_wrong_sounds_unlike_what_goes_well(event: Event, tone: Tone | None) -> None:
    assert tone_of(event) is tone
