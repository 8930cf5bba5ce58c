from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

import pytest

from controller.errors import JournalError
from controller.events import (
    BytesIgnored,
    DeviceReported,
    DeviceStopped,
    Event,
    IntensityChanged,
    LevelAsked,
    PainTold,
    RequestRefused,
    SessionEnded,
    SessionPaused,
    SessionStarted,
    SpanExtended,
)
from controller.journal import Journal, open_journal, recording
from tests.controller.journal.contents import NEVER_S, begin, ended, plain_connection, rows, run, started

REPORT = DeviceReported("elite", True, 1800, 81.0, None)


@pytest.fixture
def file_journal(file_url: str) -> Iterator[Journal]:
    opened = open_journal(file_url)
    yield opened
    opened.close()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread does; a hang is pytest-timeout's."""
    while not is_so():
        threading.Event().wait(0.005)


def test_every_kind_of_event_becomes_its_row(journal: Journal, url: str) -> None:
    record = begin(journal)
    for event in (
        SessionStarted("evening-legs", 120.0, {"massager": "elite"}),
        started(2, duration_s=30.0),
        LevelAsked("elite", "motor", 1800, 33.3, 1800),
        REPORT,
        DeviceReported("elite", None, None, None, 31.5),
        RequestRefused("no stronger here"),
        BytesIgnored("elite", "no frame", "ff"),
        SessionPaused(),
        IntensityChanged(5.0),
        ended(2, elapsed_s=29.5),
        DeviceStopped("elite", "confirmed", 2),
        PainTold("after", 3, "calves", "left"),
        SessionEnded("done", "", 29.5),
    ):
        record.record(event)
    record.close()
    number = record.id
    assert record.failure is None
    assert rows(url, 'SELECT session, "index", kind, region, side, is_driven, planned_s, elapsed_s FROM steps') == [
        (number, 2, "work", "calves", "left", True, 30.0, 29.5)
    ]
    assert rows(url, "SELECT session, device, channel, level, percent, ppm FROM commands") == [
        (number, "elite", "motor", 1800, 33.3, 1800)
    ]
    assert rows(url, "SELECT session, device, running, ppm, battery_pct, temperature_c FROM reports ORDER BY id") == [
        (number, "elite", True, 1800, 81.0, None),
        (number, "elite", None, None, None, 31.5),
    ]
    assert rows(url, "SELECT session, reason FROM refusals") == [(number, "no stronger here")]
    assert rows(url, 'SELECT session, device, proof, attempts, "by" FROM stops') == [
        (number, "elite", "confirmed", 2, "session")
    ]
    assert rows(url, "SELECT session, moment, score, is_nerve_sign, region, side FROM pain_answers") == [
        (number, "after", 3, False, "calves", "left")
    ]
    assert rows(url, "SELECT outcome, elapsed_s FROM sessions WHERE ended_utc IS NOT NULL") == [("done", 29.5)]


def test_a_step_that_is_started_again_is_a_row_of_its_own(journal: Journal, url: str) -> None:
    record = begin(journal)
    for elapsed_s in (10.0, 2.0, 30.0):
        record.record(started(4))
        record.record(ended(4, elapsed_s=elapsed_s))
    record.record(ended(4, elapsed_s=99.0))
    record.record(SpanExtended(10.0))
    record.close()
    assert rows(url, "SELECT elapsed_s, planned_s FROM steps ORDER BY id") == [(10.0, 30.0), (2.0, 30.0), (30.0, 30.0)]
    assert record.failure is None, "an end without a start ends nothing"


def test_two_sessions_at_once_keep_their_steps_apart(journal: Journal, url: str) -> None:
    one, other = begin(journal), begin(journal)
    for record in (one, other):
        record.record(started(0))
    one.record(ended(0, elapsed_s=1.0))
    other.record(ended(0, elapsed_s=2.0))
    one.close()
    other.close()
    assert sorted(rows(url, "SELECT session, elapsed_s FROM steps")) == [(one.id, 1.0), (other.id, 2.0)]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_kept_as_nothing(journal: Journal, url: str, broken: float) -> None:
    record = begin(journal)
    record.record(DeviceReported("elite", True, 2**40, broken, broken))
    record.close()
    assert rows(url, "SELECT ppm, battery_pct, temperature_c FROM reports") == [(2**40, None, None)]


@pytest.mark.parametrize(
    "urgent",
    [
        started(),
        ended(),
        SpanExtended(5.0),
        DeviceStopped("elite", "confirmed", 1),
        PainTold("before", 1),
        SessionEnded("done", "", 1.0),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_doses_depend_on_is_written_at_once_with_all_before_it(
    file_journal: Journal, file_url: str, monkeypatch: pytest.MonkeyPatch, urgent: Event
) -> None:
    monkeypatch.setattr(recording, "BATCH_S", NEVER_S)
    record = begin(file_journal)
    record.record(REPORT)
    record.record(urgent)
    until(lambda: rows(file_url, "SELECT count(*) FROM reports") == [(1,)])


def test_reports_wait_to_be_written_together(
    file_journal: Journal, file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "BATCH_S", NEVER_S)
    record = begin(file_journal)
    for _ in range(recording.BATCH_EVENTS):
        record.record(REPORT)
    until(lambda: rows(file_url, "SELECT count(*) FROM reports") == [(recording.BATCH_EVENTS,)])


def test_a_single_report_does_not_wait_for_another(file_journal: Journal, file_url: str) -> None:
    record = begin(file_journal)
    record.record(REPORT)
    until(lambda: rows(file_url, "SELECT count(*) FROM reports") == [(1,)])


def test_a_moment_is_shorter_than_a_quarter_of_a_second() -> None:
    assert recording.BATCH_S < 0.25


def test_a_failure_is_told_once_from_the_writing_thread_and_nothing_is_raised(journal: Journal, url: str) -> None:
    record = begin(journal)
    told: list[tuple[JournalError, str]] = []
    heard = threading.Event()

    def hear(problem: JournalError) -> None:
        told.append((problem, threading.current_thread().name))
        heard.set()
        raise RuntimeError("also a listener may fail")

    record.on_failure = hear
    run(url, "DROP TABLE stops")
    record.record(DeviceStopped("elite", "confirmed", 1))
    heard.wait()
    record.record(started())
    record.close()
    ((problem, thread),) = told
    assert thread == f"journal-{record.id}"
    assert record.failure is problem
    assert "stops" in problem.what
    assert rows(url, "SELECT count(*) FROM steps") == [(0,)]


def test_who_listens_after_the_failure_is_told_all_the_same(file_journal: Journal, file_url: str) -> None:
    record = begin(file_journal)
    run(file_url, "DROP TABLE steps")
    record.record(started())
    record.close()
    told: list[JournalError] = []
    record.on_failure = told.append
    record.on_failure = told.append
    assert told == [record.failure]


def test_a_listener_may_close_the_record_that_failed(file_journal: Journal, file_url: str) -> None:
    record = begin(file_journal)
    record.on_failure = lambda _: record.close()
    run(file_url, "DROP TABLE steps")
    record.record(started())
    record.close()
    assert record.failure is not None


def test_memory_has_an_end_when_the_disk_cannot_keep_up(
    file_journal: Journal, file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "QUEUE_EVENTS", 50)
    record = begin(file_journal)
    told: list[JournalError] = []
    record.on_failure = told.append
    with plain_connection(file_url) as connection:
        connection.execute("BEGIN IMMEDIATE")  # the thread has to wait for this one
        for _ in range(recording.BATCH_EVENTS + 100):
            record.record(REPORT)
        connection.rollback()
    record.close()
    assert [problem.what for problem in told] == ["cannot keep up: 50 events are not written yet."]
    ((written,),) = rows(file_url, "SELECT count(*) FROM reports")
    assert 50 <= written <= 50 + recording.BATCH_EVENTS, "what was taken before is written all the same"


def test_a_record_that_cannot_be_closed_in_time_has_failed(file_journal: Journal, file_url: str) -> None:
    record = begin(file_journal)
    told: list[JournalError] = []
    record.on_failure = told.append
    with plain_connection(file_url) as connection:
        connection.execute("BEGIN IMMEDIATE")
        record.record(started())
        record.close(timeout_s=0.0)
        assert [problem.what for problem in told] == ["did not take the end of the session within 0 s."]
        connection.rollback()
    record.close()
    assert rows(file_url, "SELECT count(*) FROM steps") == [(1,)], "it was only late"


def test_what_comes_after_the_end_is_dropped(file_journal: Journal, file_url: str) -> None:
    record = begin(file_journal)
    record.close()
    record.close()
    record.record(started())
    assert record.failure is None
    assert rows(file_url, "SELECT count(*) FROM steps") == [(0,)]


def test_a_fault_of_percuss_itself_is_told_too(file_journal: Journal) -> None:
    record = begin(file_journal)
    record.record(DeviceReported("elite", True, 1800, "many", None))  # type: ignore[arg-type]
    record.close()
    assert record.failure is not None
    assert record.failure.where == file_journal.where
