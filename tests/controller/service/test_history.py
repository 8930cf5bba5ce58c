from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from controller.errors import RefusedError
from controller.journal import open_journal
from controller.safety import holds
from controller.service import history
from routines.dose import bounds_today
from tests.controller.journal.past import write_session
from tests.helpers.postgres import Postgres, postgres

__all__ = ["postgres"]

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TODAY = date(2026, 3, 10)


@pytest.fixture(autouse=True)
def two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A computer that is two hours ahead of UTC all year."""
    monkeypatch.setenv("TZ", "EAST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def totals(**wishes: bool) -> history.Totals:
    return history.totals(history.sessions_since(), now_utc=NOW, **wishes)


def test_without_a_journal_there_is_nothing_and_none_is_made(home: Path) -> None:
    assert history.sessions_since() == []
    assert history.find_session(1) is None
    assert totals().places == ()
    assert history.count_before(NOW) == 0
    assert not (home / "journal.sqlite").exists()


def test_each_side_of_a_place_is_added_up() -> None:
    write_session(("calves", "left", 60.0), ("calves", "right", 50.0), started_utc=hours_ago(100))
    write_session(("calves", "left", 30.0), ("calves", "left", 15.0), ("heel", None, 20.0), started_utc=hours_ago(99))
    write_session(("calves", "left", 10.0), started_utc=hours_ago(50))
    told = totals()
    assert [(each.region, each.side, each.driven_s, each.sessions, each.days) for each in told.places] == [
        ("calves", "left", 115.0, 3, 2),
        ("calves", "right", 50.0, 1, 1),
        ("heel", "left", 20.0, 1, 1),
        ("heel", "right", 20.0, 1, 1),
    ]
    assert (told.sessions, told.days) == (3, 2)


def test_a_journal_on_a_server_adds_up_the_same(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_JOURNAL", postgres.new_database())
    assert history.sessions_since() == []
    number = write_session(("calves", None, 60.0), ("heel", "left", 5.0), started_utc=hours_ago(1))
    told = totals()
    assert [(each.region, each.side, each.driven_s, each.left_s) for each in told.places] == [
        ("calves", "left", 60.0, 240.0),
        ("calves", "right", 60.0, 240.0),
        ("heel", "left", 5.0, 295.0),
    ]
    found = history.find_session(number)
    assert found is not None
    assert history.note(found[0], score=2, text="fine") is False
    assert history.note(found[0], score=1, text="") is True


def test_simulators_count_for_no_body() -> None:
    write_session(("calves", "left", 60.0), started_utc=hours_ago(2), is_simulated=True)
    write_session(("calves", "left", 20.0), started_utc=hours_ago(100))
    (real,) = totals().places
    assert (real.driven_s, real.sessions, real.left_s, real.sessions_left) == (20.0, 1, 300.0, 2)
    (simulated,) = totals(is_simulated=True).places
    assert (simulated.driven_s, simulated.left_s) == (60.0, 300.0)


def test_what_is_left_is_what_the_limits_leave() -> None:
    # 300 s a side and 2 sessions a place in 24 hours; a session counts from 10 s on.
    write_session(("calves", "left", 120.0), ("heel", "left", 5.0), started_utc=hours_ago(26))
    write_session(("calves", "left", 100.0), ("calves", "right", 40.0), started_utc=hours_ago(20))
    write_session(("calves", "left", 80.0), ("heel", "left", 5.0), started_utc=hours_ago(6))
    told = totals()
    assert {(each.region, each.side): (each.left_s, each.sessions_left) for each in told.places} == {
        ("calves", "left"): (120.0, 0),
        ("calves", "right"): (260.0, 0),
        ("heel", "left"): (295.0, 2),
    }
    (rest,) = told.rests
    assert rest.startswith("2 sessions a day with the calves are the most")


def test_one_session_leaves_one_and_a_rest_of_four_hours() -> None:
    write_session(("calves", "left", 60.0), started_utc=hours_ago(1))
    told = totals()
    assert [each.sessions_left for each in told.places] == [1]
    (rest,) = told.rests
    # It ended 59 min ago, and four hours have to pass.
    assert "and the next may start in 3 h 1 min" in rest


def test_sessions_are_chosen_by_routine_and_device() -> None:
    one = write_session(started_utc=hours_ago(3), routine="one", device="a")
    two = write_session(started_utc=hours_ago(2), routine="two", device="a")
    write_session(started_utc=hours_ago(1), routine="two", device="b")
    assert [each.id for each in history.sessions_since(device="a")] == [two, one]
    assert [each.id for each in history.sessions_since(routine="two", device="a")] == [two]
    assert history.sessions_since(routine="three") == []


def test_a_day_begins_at_midnight_here() -> None:
    assert history.start_of(TODAY) == datetime(2026, 3, 9, 22, tzinfo=UTC)
    assert history.local_day(datetime(2026, 3, 9, 22, tzinfo=UTC)) == TODAY


def test_the_course_has_every_day_up_to_today() -> None:
    late = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # half past midnight of the second of March here
    write_session(("calves", "left", 30.0), ("calves", "right", 20.0), started_utc=late, pain=[("before", 4)])
    write_session(("calves", "left", 10.0), ("heel", None, 15.0), started_utc=late + timedelta(hours=6))
    write_session(("calves", "left", 99.0), started_utc=hours_ago(1), is_simulated=True)
    course = history.course(history.sessions_since(), today=TODAY)
    assert [day for day, _ in course.days] == [date(2026, 3, number) for number in range(2, 11)]
    assert course.days[0][1] == {"calves": 60.0, "heel": 30.0}
    assert all(places == {} for _, places in course.days[1:])
    assert course.regions == ("calves", "heel")
    (pain,) = course.pains
    assert (pain.before, pain.after, pain.next_day, pain.started.hour) == (4, None, None, 0)


def test_a_course_shows_a_week_at_least() -> None:
    write_session(("calves", "left", 30.0), started_utc=hours_ago(1))
    course = history.course(history.sessions_since(), today=TODAY)
    assert (course.days[0][0], course.days[-1][0]) == (date(2026, 3, 4), TODAY)


def test_a_session_without_an_end_runs_or_was_cut_off() -> None:
    write_session(("calves", "left", 30.0), started_utc=hours_ago(1), outcome=None, pid=os.getpid())
    (session,) = history.sessions_since()
    assert history.state_of(session, history.running_processes()) == "cut_off"
    with holds.held("elite", "ble://00:00:00:00:00:01"):
        assert history.state_of(session, history.running_processes()) == "running"
        with pytest.raises(RefusedError, match="still runs"):
            history.note(session, score=3, text="")


def test_yesterday_is_asked_about_until_something_is_said() -> None:
    write_session(("calves", "left", 30.0), started_utc=hours_ago(50))
    yesterday = write_session(("calves", "left", 30.0), started_utc=hours_ago(20))
    write_session(("calves", "left", 30.0), started_utc=hours_ago(19), is_simulated=True)
    write_session(("calves", "left", 0.0), started_utc=hours_ago(18))
    today = write_session(("calves", "left", 30.0), started_utc=hours_ago(1))
    asked = history.without_answer(history.sessions_since(), today=TODAY)
    assert asked is not None
    assert asked.id == yesterday
    latest = history.latest_before_today(history.sessions_since(), today=TODAY)
    assert latest is not None
    assert latest.id == yesterday != today
    assert history.note(asked, score=None, text="fine") is False
    assert history.without_answer(history.sessions_since(), today=TODAY) is None


@pytest.mark.parametrize(("score", "is_gentle"), [(3, False), (4, True), (7, True)])
def test_a_bad_next_day_holds_the_place_to_gentle(score: int, is_gentle: bool) -> None:
    """As after a session: a rise of 2 or more, or 7 and above."""
    number = write_session(("calves", "left", 30.0), started_utc=hours_ago(30), pain=[("before", 2), ("after", 2)])
    found = history.find_session(number)
    assert found is not None
    history.note(found[0], score=score, text="")
    journal = open_journal()
    since_utc = hours_ago(100)
    driven, pain = journal.driven_since(since_utc), journal.pain_since(since_utc)
    journal.close()
    bounds = bounds_today(driven, pain, now_utc=NOW, has_driven_before=True)
    assert [bound.region for bound in bounds if bound.cap is not None] == (["calves"] if is_gentle else [])
