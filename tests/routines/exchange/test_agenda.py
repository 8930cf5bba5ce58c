from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Component

from routines.errors import PlanRefusedError
from routines.exchange.agenda import write_agenda
from routines.library import load_routines
from routines.planner import plan
from routines.programme import Programme, load_programmes

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 12, 1, 19, tzinfo=BERLIN)
STAMP = datetime(2026, 11, 1, 8, tzinfo=UTC)
ROUTINES = load_routines()[0]


def programme(*days: int, routine: str = "piriformis-release") -> Programme:
    sessions = [{"day": day, "routine": routine} for day in days]
    return Programme.model_validate(
        {"schema": 1, "name": "mine", "title": "My, programme; of mine", "sessions": sessions}, strict=False
    )


def events(raw: bytes) -> list[Component]:
    return list(Calendar.from_ical(raw).walk("VEVENT"))


def test_each_session_is_a_reminder_on_its_day_with_the_command() -> None:
    raw = write_agenda(programme(1, 3, 6), ROUTINES, EVENING, STAMP)
    found = events(raw)
    assert [event.decoded("dtstart") for event in found] == [
        datetime(2026, 12, day, 19, tzinfo=BERLIN) for day in (1, 3, 6)
    ]
    length = timedelta(seconds=round(plan(ROUTINES["piriformis-release"], {}).duration_s))
    for event in found:
        assert event.decoded("duration") == length
        assert str(event["description"]).startswith("percuss run piriformis-release\n")
        assert "Nothing starts by itself" in str(event["description"])
        (alarm,) = event.walk("VALARM")
        assert (alarm["action"], alarm.decoded("trigger")) == ("DISPLAY", timedelta(minutes=-10))
    # RFC 5545, 3.6.1 and 3.3.5: what must be there, and UTC with a Z.
    assert b"\r\nDTSTAMP:20261101T080000Z\r\n" in raw
    assert b"\r\nDTSTART;TZID=Europe/Berlin:20261201T190000\r\n" in raw
    assert b"BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n" in raw


def test_without_a_zone_the_hour_is_that_of_where_the_person_is() -> None:
    raw = write_agenda(programme(1), ROUTINES, datetime(2026, 12, 1, 19), STAMP)
    assert b"\r\nDTSTART:20261201T190000\r\n" in raw
    assert b"VTIMEZONE" not in raw


def test_the_hour_stays_the_same_when_the_clocks_change() -> None:
    # In Berlin summer time begins on the 29th of March 2026.
    found = events(write_agenda(programme(1, 3), ROUTINES, datetime(2026, 3, 28, 7, 30, tzinfo=BERLIN), STAMP))
    begins = [event.decoded("dtstart") for event in found]
    assert [begin.hour for begin in begins] == [7, 7]
    assert [begin.utcoffset() for begin in begins] == [timedelta(hours=1), timedelta(hours=2)]


def test_the_second_session_of_a_day_leaves_four_hours_after_the_first() -> None:
    first, second = events(write_agenda(programme(1, 1), ROUTINES, datetime(2026, 12, 1, 8, tzinfo=BERLIN), STAMP))
    pause = second.decoded("dtstart") - first.decoded("dtstart") - first.decoded("duration")
    assert timedelta(hours=4) <= pause < timedelta(hours=4, minutes=15)
    with pytest.raises(PlanRefusedError, match="past midnight"):
        write_agenda(programme(1, 1), ROUTINES, datetime(2026, 12, 1, 20, tzinfo=BERLIN), STAMP)


def test_a_calendar_that_is_written_again_replaces_the_first() -> None:
    def uids(raw: bytes) -> list[str]:
        return [str(event["uid"]) for event in events(raw)]

    once = uids(write_agenda(programme(1, 3), ROUTINES, EVENING, STAMP))
    later = uids(write_agenda(programme(1, 3), ROUTINES, EVENING.replace(hour=20), STAMP + timedelta(days=1)))
    assert once == later
    assert len(set(once)) == 2
    assert not set(once) & set(uids(write_agenda(programme(1, 3), ROUTINES, EVENING + timedelta(days=1), STAMP)))


def test_lines_are_folded_and_texts_escaped() -> None:
    raw = write_agenda(programme(1), ROUTINES, EVENING, STAMP)
    # RFC 5545, 3.1: 75 octets without the line break, which is CR LF.
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r\nNAME:My\\, programme\\; of mine\r\n" in raw


@pytest.mark.parametrize("name", sorted(load_programmes()[0]))
def test_every_bundled_programme_can_be_exported(name: str) -> None:
    shipped = load_programmes()[0][name]
    assert len(events(write_agenda(shipped, ROUTINES, EVENING, STAMP))) == len(shipped.sessions)
