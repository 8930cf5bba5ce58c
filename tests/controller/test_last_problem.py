"""What a person should look at: what went wrong last."""

from __future__ import annotations

from typing import Any

import pytest

from controller.station.last_problem import LastProblem

LOST = ("link_lost", {"device": "gun", "reason": "no report for 2 s"})


@pytest.mark.parametrize(
    ("kind", "data", "sentence"),
    [
        (*LOST, "gun: no report for 2 s"),
        (
            "session_ended",
            {"outcome": "stop_unconfirmed", "reason": "gun said nothing."},
            "NOT CONFIRMED TO HAVE STOPPED: press the device's own button. gun said nothing.",
        ),
        ("session_ended", {"outcome": "link_lost", "reason": "gone."}, "The link to the device was lost. gone."),
        ("session_ended", {"outcome": "device_fault", "reason": ""}, "The device is at fault."),
        (
            "session_over",
            {"type": "bad_file", "detail": "is full.", "where": "the disk", "fix": "Make room."},
            "the disk: is full. Make room.",
        ),
        ("left_over", {"routine": "feet", "stops": {"gun": "at rest"}}, "Session feet was cut off. gun: at rest."),
        ("device_stopped", {"device": "gun", "proof": "unconfirmed"}, "gun: stop NOT CONFIRMED: press its button."),
        ("problem", {"problem": "The journal cannot be read."}, "The journal cannot be read."),
    ],
)
def test_what_goes_wrong_stands_until_a_session_begins(kind: str, data: dict[str, Any], sentence: str) -> None:
    last = LastProblem()
    last.hear(kind, data)
    for nothing in ("device_reported", "span_started", "paired"):
        last.hear(nothing, {})
    assert last.sentence == sentence
    last.hear("session_started", {})
    assert last.sentence == ""


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("link_restored", {"device": "gun"}),
        ("session_ended", {"outcome": "done", "reason": ""}),
        ("session_ended", {"outcome": "stopped", "reason": "by the person"}),
    ],
)
def test_what_came_right_leaves_nothing_to_look_at(kind: str, data: dict[str, Any]) -> None:
    last = LastProblem()
    last.hear(*LOST)
    last.hear(kind, data)
    assert last.sentence == ""


def test_the_link_that_is_back_says_nothing_of_the_one_that_is_not() -> None:
    last = LastProblem()
    last.hear(*LOST)
    last.hear("link_lost", {"device": "pad", "reason": "gone"})
    last.hear("link_restored", {"device": "gun"})
    assert last.sentence == "pad: gone"


def test_the_end_of_a_session_does_not_hide_what_broke_it() -> None:
    last = LastProblem()
    last.hear("session_ended", {"outcome": "stop_unconfirmed", "reason": "gun said nothing."})
    last.hear("session_over", {"type": "bad_file", "detail": "The disk is full.", "where": "", "fix": ""})
    assert last.sentence.startswith("NOT CONFIRMED TO HAVE STOPPED")
    assert last.sentence.endswith("The disk is full.")


def test_of_two_sessions_that_were_cut_off_neither_hides_the_other() -> None:
    last = LastProblem()
    last.hear("left_over", {"routine": "feet", "stops": {"gun": "NOT CONFIRMED"}})
    last.hear("left_over", {"routine": "calves", "stops": {"pad": "confirmed"}})
    assert last.sentence == "Session feet was cut off. gun: NOT CONFIRMED. Session calves was cut off. pad: confirmed."


def test_a_stop_that_is_confirmed_in_the_end_is_no_problem_any_more() -> None:
    last = LastProblem()
    last.hear("device_stopped", {"device": "gun", "proof": "unconfirmed"})
    last.hear("device_stopped", {"device": "pad", "proof": "confirmed"})
    assert last.sentence != ""
    last.hear("device_stopped", {"device": "gun", "proof": "confirmed"})
    assert last.sentence == ""
