"""Nothing that was kept, repeated or late sets a motor going; a stop always comes through."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import RefusedError
from controller.mqtt.admission import LONGEST, QUIET_S, REMEMBERED_MAX, Admission
from controller.mqtt.commands import Ask, Command, Halt, Hold, Pain, Start

BEGAN = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=5)


def start(number: int = 1, *, expires_s: float = 10.0) -> Start:
    return Start(do="start", id=f"start-{number}", expires_at=NOW + timedelta(seconds=expires_s))


def check(
    command: Command, admission: Admission | None = None, *, now: datetime = NOW, connected_s: float = 60.0, **more: Any
) -> None:
    (admission or Admission(BEGAN)).check(
        command, is_retained=more.get("is_retained", False), connected_s=connected_s, now_utc=now
    )


def test_a_command_in_time_is_let_in_once() -> None:
    admission = Admission(BEGAN)
    check(start(), admission)
    with pytest.raises(RefusedError, match="taken already"):
        check(start(), admission)
    check(start(2), admission)


def test_what_was_refused_may_be_said_again() -> None:
    admission = Admission(BEGAN)
    with pytest.raises(RefusedError, match="just begun"):
        check(start(), admission, connected_s=0.5)
    check(start(), admission, connected_s=QUIET_S + 0.5)


def test_a_retained_command_is_refused_whatever_it_is() -> None:
    for command in (start(), Ask(do="pause"), Ask(do="resume", id="r", expires_at=NOW + timedelta(seconds=5))):
        with pytest.raises(RefusedError, match="retained"):
            check(command, is_retained=True)


@pytest.mark.parametrize("do", ["stop", "emergency_stop", "nerve_sign"])
def test_a_stop_is_let_in_retained_expired_repeated_and_at_once(do: Any) -> None:
    admission = Admission(NOW)
    for _ in range(3):
        old = Halt(do=do, id="same", expires_at=NOW - timedelta(days=1))
        check(old, admission, is_retained=True, connected_s=0.0)


@pytest.mark.parametrize("score", range(7, 11))
def test_pain_that_stops_is_let_in_like_a_stop(score: int) -> None:
    check(Pain(do="pain", score=score), Admission(NOW), is_retained=True, connected_s=0.0)


def test_less_pain_needs_its_stamp() -> None:
    with pytest.raises(RefusedError, match="no id or no expires_at"):
        check(Pain(do="pain", score=6))


def test_an_expired_command_says_how_late_it_is() -> None:
    with pytest.raises(RefusedError, match="expired 3 s ago"):
        check(start(expires_s=-3.0))
    with pytest.raises(RefusedError, match="expired"):
        check(start(expires_s=0.0))


def test_a_command_that_would_be_good_for_long_is_refused() -> None:
    check(start(expires_s=LONGEST.total_seconds()))
    with pytest.raises(RefusedError, match="more than 20 s from now"):
        check(start(expires_s=LONGEST.total_seconds() + 0.1))


@pytest.mark.parametrize("missing", ["id", "expires_at"])
def test_what_sets_a_motor_going_needs_both(missing: str) -> None:
    both = {"id": "a", "expires_at": NOW + timedelta(seconds=5)}
    del both[missing]
    for command in (Start(do="start", **both), Hold(do="hold", **both), Ask(do="resume", **both)):  # type: ignore[arg-type]
        with pytest.raises(RefusedError, match="no id or no expires_at"):
            check(command)


def test_a_pause_needs_neither() -> None:
    check(Ask(do="pause"))


def test_after_a_restart_nothing_is_let_in_that_may_have_been_taken_before() -> None:
    """The service before let in nothing that lived beyond `LONGEST`: what expires later is new."""
    began = NOW - timedelta(seconds=1)
    with pytest.raises(RefusedError, match=r"service has just begun.*in 1 s"):  # one that lives as long expires later
        check(start(expires_s=LONGEST.total_seconds() - 1.0), Admission(began))
    with pytest.raises(RefusedError, match=r"service has just begun.*in 9 s"):
        check(start(expires_s=10.0), Admission(began))
    check(start(expires_s=LONGEST.total_seconds()), Admission(began))


def test_after_the_clock_went_back_what_was_taken_is_refused_and_told_why() -> None:
    admission = Admission(BEGAN)
    check(start(1, expires_s=10.0), admission)
    check(start(2, expires_s=40.0), admission, now=NOW + timedelta(seconds=30))
    back = NOW + timedelta(seconds=5)
    for again in (start(1, expires_s=10.0), start(3, expires_s=20.0)):
        with pytest.raises(RefusedError, match=r"clock of this computer went back.*until 2026-11-21 15:05:30 UTC"):
            check(again, admission, now=back)
    check(Halt(do="stop"), admission, now=back)
    check(Ask(do="pause"), admission, now=back)
    check(start(4, expires_s=31.0), admission, now=NOW + timedelta(seconds=20))


def test_a_service_that_begins_with_the_clock_set_back_takes_nothing_that_the_one_before_may_have_taken() -> None:
    before = Admission(BEGAN)
    check(start(expires_s=10.0), before)
    anew = Admission(before.latest_utc)
    with pytest.raises(RefusedError, match="until 2026-11-21 15:05:20 UTC"):  # the one before took none for longer
        check(start(expires_s=10.0), anew, now=NOW - timedelta(seconds=5))


def test_when_nobody_knows_what_the_service_before_took_nothing_is_started() -> None:
    admission = Admission(BEGAN, problem="mqtt-last-start: cannot be read.")
    with pytest.raises(RefusedError, match=r"mqtt-last-start: cannot be read"):
        check(start(), admission)
    check(Halt(do="stop"), admission)
    check(Ask(do="pause"), admission)


@settings(max_examples=1000)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 4), st.booleans()), max_size=40))
def test_whatever_the_clock_does_and_however_often_the_service_begins_nothing_is_taken_twice(
    deeds: list[tuple[int, int, bool]],
) -> None:
    admission = Admission(BEGAN)
    last_start = BEGAN
    taken: Counter[int] = Counter()
    for clock_s, number, begins_anew in deeds:
        now = NOW + timedelta(seconds=clock_s)
        if begins_anew:
            admission = Admission(max(now, last_start))
        try:
            check(start(number, expires_s=number * 20.0), admission, now=now)
        except RefusedError:
            continue
        taken[number] += 1
        last_start = admission.latest_utc
    assert set(taken.values()) <= {1}


def test_ids_are_forgotten_when_they_can_do_no_harm_any_more_and_not_before() -> None:
    admission = Admission(BEGAN)
    check(start(expires_s=10.0), admission)
    late = NOW + LONGEST - timedelta(seconds=0.1)
    again = start(expires_s=30.0)  # the same id with another expiry
    with pytest.raises(RefusedError, match="taken already"):
        check(again, admission, now=late)
    check(again, admission, now=NOW + LONGEST)


def test_a_flood_of_ids_is_refused_instead_of_forgotten() -> None:
    admission = Admission(BEGAN)
    for number in range(REMEMBERED_MAX):
        check(start(number), admission)
    with pytest.raises(RefusedError, match="too many"):
        check(start(REMEMBERED_MAX), admission)
    with pytest.raises(RefusedError, match="taken already"):
        check(start(0), admission)
    check(Halt(do="stop"), admission)
