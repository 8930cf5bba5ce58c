from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.events import (
    DeviceReported,
    DeviceStopped,
    LevelAsked,
    PainTold,
    RequestRefused,
    SessionEnded,
)
from controller.journal import Journal, open_existing, open_journal, places
from controller.journal.reading import (
    LevelRow,
    PastDevice,
    ReportRow,
    count_before,
    happenings,
    past_sessions,
)
from tests.controller.journal.contents import begin, ended, file_of, plain_connection, rows, run, started
from tests.controller.journal.past import write_session

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_session_is_read_as_it_was_written(journal: Journal) -> None:
    record = begin(journal)
    for event in (
        PainTold("before", 3),
        started(0, is_driven=False, duration_s=8.0),
        ended(0, is_driven=False, elapsed_s=8.0),
        started(1, duration_s=30.0),
        LevelAsked("elite", "head", 1750, 72.9, 1750),
        DeviceReported("elite", True, 1745, 80.0, None),
        RequestRefused("no stronger here."),
        ended(1, elapsed_s=12.5),
        PainTold("between", 5, "calves", "left"),
        DeviceStopped("elite", "confirmed", 2),
        SessionEnded("stopped", "pain rose", 20.5),
    ):
        record.record(event)
    record.close()
    (session,) = past_sessions(journal)
    assert (session.id, session.routine, session.outcome, session.reason) == (
        record.id,
        "evening-legs",
        "stopped",
        "pain rose",
    )
    assert session.devices == {"massager": PastDevice("elite", "theragun-gen4")}
    assert [(step.index, step.region, step.side, step.planned_s, step.driven_s) for step in session.steps] == [
        (0, "calves", "left", 8.0, 0.0),
        (1, "calves", "left", 30.0, 12.5),
    ]
    assert session.driven_s == 12.5
    assert (session.pain_before, session.pain_after, session.has_nerve_sign) == (3, 5, False)
    assert session.started_utc.tzinfo is UTC
    found = happenings(journal, session.id)
    at_utc = found.levels[0].at_utc
    assert found.levels == (LevelRow(at_utc, "elite", "head", 1750, 72.9, 1750),)
    assert found.reports == (ReportRow(found.reports[0].at_utc, "elite", True, 1745, 80.0, None),)
    assert [(stop.device, stop.proof, stop.attempts, stop.by) for stop in found.stops] == [
        ("elite", "confirmed", 2, "session")
    ]
    assert [refusal.reason for refusal in found.refusals] == ["no stronger here."]


def test_sessions_come_newest_first_and_only_with_what_is_theirs(journal: Journal, url: str) -> None:
    old = write_session(("calves", "left", 10.0), started_utc=NOON, url=url, pain=[("before", 1)])
    new = write_session(("heel", None, 20.0), started_utc=NOON + timedelta(days=1), url=url, pain=[("between", None)])
    assert [(each.id, each.driven_s) for each in past_sessions(journal)] == [(new, 20.0), (old, 10.0)]
    assert [each.id for each in past_sessions(journal, since_utc=NOON + timedelta(seconds=1))] == [new]
    assert [each.id for each in past_sessions(journal, since_utc=NOON)] == [new, old]
    (only,) = past_sessions(journal, number=old)
    assert (only.pain_before, only.has_nerve_sign) == (1, False)
    assert past_sessions(journal, number=new)[0].has_nerve_sign
    assert past_sessions(journal, number=99) == []
    assert count_before(journal, NOON + timedelta(seconds=1)) == 1
    assert happenings(journal, old).stops == ()


def test_a_step_without_an_end_counts_whole(journal: Journal) -> None:
    record = begin(journal)
    record.record(started(0, duration_s=45.0))
    record.close()
    (session,) = past_sessions(journal)
    assert session.outcome is None
    assert session.driven_s == 45.0


def test_the_answer_after_counts_before_those_between(journal: Journal, url: str) -> None:
    write_session(started_utc=NOON, url=url, pain=[("before", 4), ("between", 5), ("after", 2)])
    assert past_sessions(journal)[0].pain_after == 2


def test_looking_back_makes_no_journal(url: str) -> None:
    assert open_existing(url) is None
    if url.startswith("sqlite"):
        assert not file_of(url).exists()
    else:
        assert rows(url, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(0,)]
    open_journal(url).close()
    existing = open_existing(url)
    assert existing is not None
    assert past_sessions(existing) == []
    existing.close()


def test_looking_back_at_an_old_journal_brings_it_up_to_date(file_url: str) -> None:
    with plain_connection(file_url) as connection:
        connection.executescript((Path(__file__).parent / "old" / "0001.sql").read_text(encoding="utf-8"))
    journal = open_existing(file_url)
    assert journal is not None
    assert [session.id for session in past_sessions(journal)] == [3, 1]
    assert past_sessions(journal, number=1)[0].answers == ()
    journal.close()


def test_what_is_no_journal_is_told_when_looking_back(url: str) -> None:
    run(url, "CREATE TABLE sessions (cookie INTEGER)")
    with pytest.raises(JournalError, match="sessions"):
        open_existing(url)


def test_reading_waits_for_nobody_who_writes(journal: Journal, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_session(("calves", "left", 10.0), started_utc=NOON, url=url)
    monkeypatch.setattr(places, "BUSY_S", 0.0)
    with plain_connection(url) as writer:
        if url.startswith("sqlite"):
            writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE sessions SET routine = 'other'")
        assert [each.routine for each in past_sessions(journal)] == ["evening-legs"], "as it was committed"
        writer.rollback()


def test_what_is_said_about_the_next_day_is_kept_and_replaced(journal: Journal, url: str) -> None:
    number = write_session(("calves", "left", 10.0), started_utc=NOON, url=url)
    assert journal.note_next_day(number, 3, "sore") is False
    assert journal.note_next_day(number, None, "less sore") is True
    (session,) = past_sessions(journal)
    assert session.next_day is not None
    assert (session.next_day.score, session.next_day.note) == (3, "less sore"), "what is not given stays"
    assert journal.note_next_day(number, 1, "") is True
    assert rows(url, "SELECT moment, score, note FROM pain_answers") == [("next_day", 1, "less sore")]


def test_the_next_day_counts_as_pain_of_its_session(journal: Journal, url: str) -> None:
    number = write_session(("calves", "left", 10.0), started_utc=NOON, url=url)
    journal.note_next_day(number, 8, "")
    (answer,) = journal.pain_since(NOON)
    assert (answer.session, answer.moment, answer.score, answer.is_nerve_sign) == (number, "next_day", 8, False)
