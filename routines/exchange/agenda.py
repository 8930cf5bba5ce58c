"""A programme as a calendar, iCalendar (RFC 5545), written by icalendar (the extra ``exchange``).

Each session is a reminder with the command in its description. Nothing starts by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from routines.dose import BETWEEN_SESSIONS_S
from routines.errors import PlanRefusedError
from routines.loader import Routine
from routines.planner import plan
from routines.programme import Programme

REMIND_BEFORE = timedelta(minutes=10)

_QUARTER_S = 900


def write_agenda(programme: Programme, routines: Mapping[str, Routine], first: datetime, stamp_utc: datetime) -> bytes:
    """An event with an alarm for each session, the first at ``first`` and the others on their days at that hour.

    With a time zone in ``first`` the events are in it and the calendar says its rules; without one they are at that
    hour wherever the person is (RFC 5545, 3.3.5: floating time). A second session of a day begins four hours after the
    first has ended. ``stamp_utc`` is when this is written. Raises PlanRefusedError where it would be past midnight,
    and ModuleNotFoundError.
    """
    from icalendar import Alarm, Calendar, Event, vText

    calendar = Calendar()
    calendar.add("prodid", "-//percuss//percuss//EN")
    calendar.add("version", "2.0")
    # As a vText, for the library escapes no text of a property that it does not know.
    calendar.add("name", vText(programme.title))
    begins = _begins(programme, routines, first)
    for number, (session, begin) in enumerate(zip(programme.sessions, begins, strict=True), start=1):
        routine = routines[session.routine]
        event = Event()
        # The same each time that it is written, so that a calendar replaces instead of doubling.
        event.add("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, f"percuss:{programme.name}:{first:%Y-%m-%d}:{number}")))
        event.add("dtstamp", stamp_utc)
        event.add("dtstart", begin)
        event.add("duration", timedelta(seconds=round(plan(routine, {}).duration_s)))
        event.add("summary", f"{routine.title} ({number} of {len(programme.sessions)})")
        event.add("description", f"percuss run {routine.name}\n\nNothing starts by itself: this only reminds you.")
        event.add("transp", "OPAQUE")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", routine.title)
        alarm.add("trigger", -REMIND_BEFORE)
        event.add_component(alarm)
        calendar.add_component(event)
    calendar.add_missing_timezones(first_date=first.date(), last_date=begins[-1].date() + timedelta(days=1))
    return bytes(calendar.to_ical())


def _begins(programme: Programme, routines: Mapping[str, Routine], first: datetime) -> list[datetime]:
    """When each session begins, on the clock on the wall."""
    begins: list[datetime] = []
    for number, session in enumerate(programme.sessions):
        begin = first + timedelta(days=session.day - 1)
        before = programme.sessions[number - 1] if number else None
        if before is not None and before.day == session.day:
            pause_s = plan(routines[before.routine], {}).duration_s + BETWEEN_SESSIONS_S
            # On a quarter of an hour, as people plan.
            begin = begins[-1] + timedelta(seconds=-(-pause_s // _QUARTER_S) * _QUARTER_S)
            if begin.date() != begins[-1].date():
                what = f"Day {session.day} has two sessions, and four hours after the first it is past midnight."
                raise PlanRefusedError(what, key="--at", fix="Begin earlier.")
        begins.append(begin)
    return begins
