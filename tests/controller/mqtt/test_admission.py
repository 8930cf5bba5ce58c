"""Nothing that was kept, repeated or late sets a motor going; a stop always comes through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.errors import RefusedError
from controller.mqtt.admission import LONGEST, QUIET_S, REMEMBERED_MAX, Admission
from controller.mqtt.commands import Ask, Command, Halt, Hold, Start

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
