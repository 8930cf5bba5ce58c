from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.events import PainTold, SessionEnded, SpanExtended
from controller.journal import Journal, open_journal
from firmware_profiles.capabilities import Place
from routines.dose import DrivenSpan, PainAnswer
from tests.controller.journal.contents import begin, ended, file_of, rows, run, started

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def test_a_session_is_on_disk_when_begin_returns(journal: Journal, url: str) -> None:
    before_utc = datetime.now(UTC)
    record = begin(journal)
    assert rows(
        url, "SELECT id, routine, outcome, reason, pid, planned_s, elapsed_s, speed, percuss_version FROM sessions"
    ) == [(record.id, "evening-legs", None, "", os.getpid(), 120.0, None, 1.0, version("percuss"))]
    assert rows(url, "SELECT session, role, name, profile FROM session_devices") == [
        (record.id, "massager", "elite", "theragun-gen4")
    ]
    (session,) = journal.unfinished()
    assert before_utc <= session.started_utc <= datetime.now(UTC)
    assert session.started_utc.tzinfo is UTC
    assert (session.id, session.routine, session.pid) == (record.id, "evening-legs", os.getpid())
    assert session.devices == {"massager": "elite"}
    assert not session.is_simulated


def test_a_session_that_ended_is_not_unfinished(journal: Journal, url: str) -> None:
    record = begin(journal)
    still_running = begin(journal, is_simulated=True)
    record.record(SessionEnded("stopped", "stopped by the person", 12.5))
    record.close()
    assert [(session.id, session.is_simulated) for session in journal.unfinished()] == [(still_running.id, True)]
    assert rows(url, f"SELECT outcome, reason, elapsed_s FROM sessions WHERE id = {record.id}") == [
        ("stopped", "stopped by the person", 12.5)
    ]


def test_closing_an_unfinished_session_says_when_and_why(journal: Journal, url: str) -> None:
    record = begin(journal)
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    journal.close_unfinished(record.id, reason="its process is gone", ended_utc=noon)
    assert journal.unfinished() == []
    assert rows(url, "SELECT outcome, reason FROM sessions") == [("killed", "its process is gone")]
    hour = "strftime('%H', ended_utc)" if url.startswith("sqlite") else "to_char(ended_utc AT TIME ZONE 'UTC', 'HH24')"
    assert rows(url, f"SELECT {hour} FROM sessions") == [("10",)]


def test_a_session_that_has_an_end_keeps_it(journal: Journal, url: str) -> None:
    record = begin(journal)
    record.record(SessionEnded("done", "", 120.0))
    record.close()
    journal.close_unfinished(record.id, reason="gone", ended_utc=datetime.now(UTC))
    assert rows(url, "SELECT outcome, reason FROM sessions") == [("done", "")]


def test_numbers_rise_also_when_the_newest_session_was_deleted(journal: Journal, url: str) -> None:
    first = begin(journal)
    run(url, "DELETE FROM session_devices", "DELETE FROM sessions")
    assert begin(journal).id > first.id


def test_a_step_whose_end_was_never_written_counts_whole(journal: Journal) -> None:
    record = begin(journal)
    record.record(started(0, duration_s=30.0))
    record.record(ended(0, elapsed_s=12.0))
    record.record(started(1, side="right", duration_s=40.0))
    record.close()
    driven = journal.driven_since(LONG_AGO)
    assert [(span.region, span.side, span.driven_s) for span in driven] == [
        ("calves", "left", 12.0),
        ("calves", "right", 40.0),
    ]
    assert all(isinstance(span, DrivenSpan) and span.session == record.id for span in driven)
    assert all(span.started_utc.tzinfo is UTC for span in driven)


def test_time_that_the_person_added_counts_when_the_end_is_missing(journal: Journal) -> None:
    record = begin(journal)
    record.record(started(0, duration_s=30.0))
    record.record(SpanExtended(15.0))
    record.record(SpanExtended(5.0))
    record.close()
    assert [span.driven_s for span in journal.driven_since(LONG_AGO)] == [50.0]


def test_a_step_without_a_side_counts_for_both(journal: Journal) -> None:
    record = begin(journal)
    record.record(started(side=None))
    record.record(ended(side=None, elapsed_s=20.0))
    record.close()
    assert [(span.side, span.driven_s) for span in journal.driven_since(LONG_AGO)] == [("left", 20.0), ("right", 20.0)]


def test_a_step_at_two_places_counts_for_each_of_them(journal: Journal) -> None:
    record = begin(journal)
    record.record(replace(started(0, duration_s=30.0), also=(Place("heel", "right"),)))
    record.record(SpanExtended(15.0))
    record.record(replace(PainTold("between", 3, "calves", "left"), also=(Place("heel", "right"),)))
    record.close()
    places = [("calves", "left"), ("heel", "right")]
    driven = journal.driven_since(LONG_AGO)
    assert [(span.region, span.side, span.driven_s) for span in driven] == [(*place, 45.0) for place in places]
    assert [(answer.region, answer.side, answer.score) for answer in journal.pain_since(LONG_AGO)] == [
        (*place, 3) for place in places
    ]


def test_a_step_at_two_places_that_ended_counts_for_each_of_them(journal: Journal) -> None:
    record = begin(journal)
    record.record(replace(started(0, duration_s=30.0), also=(Place("heel"),)))
    record.record(ended(0, elapsed_s=12.0))
    record.close()
    assert sorted((span.region, span.side, span.driven_s) for span in journal.driven_since(LONG_AGO)) == [
        ("calves", "left", 12.0),
        ("heel", "left", 12.0),
        ("heel", "right", 12.0),
    ]


def test_only_what_a_real_device_drove_somewhere_counts(journal: Journal) -> None:
    simulated = begin(journal, is_simulated=True)
    simulated.record(started())
    simulated.close()
    real = begin(journal)
    real.record(started(0, is_driven=False))
    real.record(started(1, region=None, side=None))
    real.close()
    assert journal.driven_since(LONG_AGO) == []


def test_the_window_goes_by_utc_and_holds_what_lies_in_the_future(journal: Journal, url: str) -> None:
    record = begin(journal)
    for index in range(3):
        record.record(started(index, duration_s=float(index + 1)))
        record.record(ended(index, elapsed_s=float(index + 1)))
    record.close()
    # 10:00 UTC; one second earlier; and from before the clock was set back.
    zone = "" if url.startswith("sqlite") else "+00"
    for seconds, when in (
        (1, "2026-03-01 10:00:00.000000"),
        (2, "2026-03-01 09:59:59.000000"),
        (3, "2099-01-01 00:00:00.000000"),
    ):
        run(url, f"UPDATE steps SET started_utc = '{when}{zone}' WHERE elapsed_s = {seconds}")
    noon_in_the_east = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    driven = journal.driven_since(noon_in_the_east)
    assert [(span.driven_s, span.started_utc) for span in driven] == [
        (1.0, datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (3.0, datetime(2099, 1, 1, tzinfo=UTC)),
    ]


def test_a_time_without_a_zone_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="zone"):
        journal.driven_since(datetime(2026, 3, 1, 12))


def test_what_was_said_about_pain_is_found_again(journal: Journal) -> None:
    simulated = begin(journal, is_simulated=True)
    simulated.record(PainTold("after", 9))
    simulated.close()
    before_utc = datetime.now(UTC)
    record = begin(journal)
    record.record(PainTold("before", 2))
    record.record(PainTold("between", None, "calves", "left"))
    record.close()
    answers = journal.pain_since(LONG_AGO)
    assert [(a.session, a.moment, a.score, a.is_nerve_sign, a.region, a.side) for a in answers] == [
        (record.id, "before", 2, False, None, None),
        (record.id, "between", None, True, "calves", "left"),
    ]
    assert all(isinstance(a, PainAnswer) and before_utc <= a.at_utc <= datetime.now(UTC) for a in answers)
    assert journal.pain_since(datetime.now(UTC) + timedelta(days=1)) == []


def test_stops_and_refusals_outside_a_session_are_kept(journal: Journal, url: str) -> None:
    journal.note_stop("elite", "unconfirmed", 3, "command")
    journal.note_refusal("the calves had all their time")
    assert rows(url, 'SELECT session, device, proof, attempts, "by" FROM stops') == [
        (None, "elite", "unconfirmed", 3, "command")
    ]
    assert rows(url, "SELECT session, reason FROM refusals") == [(None, "the calves had all their time")]


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("'); DROP TABLE sessions; --", "'); DROP TABLE sessions; --"),
        ('%s {0} :name \\ " `', '%s {0} :name \\ " `'),
        ("a\0b", "a\ufffdb"),
        ("half \udc80 a character", "half ? a character"),
        ("Wadenmuskel 🦵 \u202e\n\x1b[31m", "Wadenmuskel 🦵 \u202e\n\x1b[31m"),
        ("x" * 5000, "x" * 4000),
    ],
)
def test_hostile_words_are_only_words(journal: Journal, url: str, hostile: str, kept: str) -> None:
    record = begin(journal, name=hostile)
    record.record(SessionEnded("device_fault", hostile, 1.0))
    record.close()
    assert record.failure is None
    assert rows(url, "SELECT reason FROM sessions") == [(kept,)]
    assert rows(url, "SELECT name FROM session_devices") == [(kept,)]


def test_closing_a_journal_ends_the_records_that_are_open(url: str) -> None:
    journal = open_journal(url)
    begin(journal).record(started())
    journal.close()
    assert rows(url, "SELECT count(*) FROM steps") == [(1,)]


def test_the_file_is_for_its_owner_only_and_survives_a_power_cut(home: Path, file_url: str) -> None:
    journal = open_journal()
    begin(journal)
    assert journal.where == str(home / "journal.sqlite")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert modes == dict.fromkeys(("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"), 0o600)
    with journal._engine.connect() as connection:  # what a connection is set to can be asked only by itself
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]
    journal.close()
    assert [path.name for path in home.iterdir()] == ["journal.sqlite"], "nothing is left beside it"
    assert file_of(file_url).stat().st_size > 0
