"""Look back: past sessions, what each place got and may still get, and what the days after were like.

Nothing here makes a journal where there is none; then there is nothing to look back on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from controller.errors import RefusedError
from controller.journal import Journal, open_existing, reading
from controller.journal.reading import Happenings, PastSession
from controller.safety import holds
from firmware_profiles.capabilities import Side
from routines.bounds import least_left_s
from routines.dose import DAY_MAX_S, bounds_today, sessions_left
from routines.regions import regions

WINDOW = timedelta(hours=25)
"""How far back `routines.dose` wants to know."""

LEAST_DAYS = 7
"""So many days at least are shown of a course: one bar alone says little."""


@dataclass(frozen=True, slots=True)
class PlaceTotal:
    """What one side of a place got, and in how many sessions and on how many days of this computer's time zone.

    ``left_s`` and ``sessions_left`` are what the limits of 24 hours leave now.
    """

    region: str
    side: Side
    driven_s: float
    sessions: int
    days: int
    left_s: float
    sessions_left: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What all places got. ``rests`` says, a phrase each, which of them have to rest now, and how long."""

    places: tuple[PlaceTotal, ...]
    sessions: int
    days: int
    rests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PainOfSession:
    """What was said about pain around one session, 0 to 10 each; ``started`` is in this computer's time zone."""

    started: datetime
    before: int | None
    after: int | None
    next_day: int | None
    has_nerve_sign: bool


@dataclass(frozen=True, slots=True)
class Course:
    """How the days went: the driven seconds of each region, day by day without a gap, and pain session by session.

    Both sides and all sessions of a day are added up. A place without a name is the region ``""``.
    """

    days: tuple[tuple[date, Mapping[str, float]], ...]
    pains: tuple[PainOfSession, ...]
    is_simulated: bool

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that was driven, in the order of the table of regions."""
        driven = {region for _, places in self.days for region in places}
        return tuple(sorted(driven, key=_rank))


def start_of(day: date) -> datetime:
    """When a day began in this computer's time zone. Raises ValueError or OverflowError for days no clock knows."""
    return datetime.combine(day, time.min).astimezone(UTC)


def local_day(at_utc: datetime) -> date:
    """The day in this computer's time zone."""
    return at_utc.astimezone().date()


def sessions_since(
    since_utc: datetime | None = None, *, routine: str | None = None, device: str | None = None
) -> list[PastSession]:
    """The sessions since then, newest first; of one routine or on one device where given. Raises JournalError."""
    with _looking_back() as journal:
        found = [] if journal is None else reading.past_sessions(journal, since_utc=since_utc)
    return [
        session
        for session in found
        if routine in {None, session.routine}
        and (device is None or any(each.name == device for each in session.devices.values()))
    ]


def count_before(since_utc: datetime) -> int:
    """How many sessions started before then. Raises JournalError."""
    with _looking_back() as journal:
        return 0 if journal is None else reading.count_before(journal, since_utc)


def find_session(number: int) -> tuple[PastSession, Happenings] | None:
    """A session by its number, and what happened in it; None when there is none. Raises JournalError."""
    with _looking_back() as journal:
        found = [] if journal is None else reading.past_sessions(journal, number=number)
        return (found[0], reading.happenings(journal, number)) if journal is not None and found else None


def running_processes() -> set[int]:
    """The processes that drive a device now: a session of theirs without an end still runs."""
    return holds.holders()


def state_of(session: PastSession, running: set[int]) -> str:
    """How a session ended, by the journal's word; ``running``, or ``cut_off`` when nobody wrote an end yet."""
    if session.outcome is not None:
        return session.outcome
    return "running" if session.pid in running else "cut_off"


def totals(sessions: Iterable[PastSession], *, is_simulated: bool = False, now_utc: datetime | None = None) -> Totals:
    """What each place got in these sessions: real devices only, or simulators only. Raises JournalError."""
    seconds: defaultdict[tuple[str, Side], float] = defaultdict(float)
    numbers: defaultdict[tuple[str, Side], set[int]] = defaultdict(set)
    days: defaultdict[tuple[str, Side], set[date]] = defaultdict(set)
    for session in sessions:
        for step in session.steps:
            if session.is_simulated is not is_simulated or step.region is None or step.driven_s <= 0:
                continue
            for side in step.sides:
                seconds[step.region, side] += step.driven_s
                numbers[step.region, side].add(session.id)
                days[step.region, side].add(local_day(step.started_utc))
    now_utc = now_utc or datetime.now(UTC)
    with _looking_back() as journal:
        driven = [] if journal is None or is_simulated else journal.driven_since(now_utc - WINDOW)
    bounds = bounds_today(driven, (), now_utc=now_utc, has_driven_before=True)
    places = [
        PlaceTotal(
            region=region,
            side=side,
            driven_s=seconds[region, side],
            sessions=len(numbers[region, side]),
            days=len(days[region, side]),
            left_s=min(DAY_MAX_S, least_left_s(bounds, region, side)[0]),
            sessions_left=sessions_left(driven, region, now_utc=now_utc),
        )
        for region, side in sorted(seconds, key=lambda place: (_rank(place[0]), place[1]))
    ]
    rests = tuple(bound.reason for bound in bounds if bound.is_refused)
    return Totals(tuple(places), len(set().union(*numbers.values())), len(set().union(*days.values())), rests)


def course(sessions: Sequence[PastSession], *, today: date, is_simulated: bool = False) -> Course:
    """How the days went from the first of these sessions to today: on real devices only, or on simulators only."""
    chosen = [session for session in sessions if session.is_simulated is is_simulated]
    driven: defaultdict[date, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for session in chosen:
        for step in session.steps:
            if step.driven_s > 0:
                driven[local_day(step.started_utc)][step.region or ""] += step.driven_s * len(step.sides)
    known = [*driven, *(local_day(session.started_utc) for session in chosen)]
    last = max([today, *known])
    first = min([last - timedelta(days=LEAST_DAYS - 1), *known])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    pains = [_pain_of(session) for session in sorted(chosen, key=lambda session: session.id)]
    return Course(
        days=tuple((day, dict(driven[day])) for day in days),
        pains=tuple(pain for pain in pains if _says_something(pain)),
        is_simulated=is_simulated,
    )


def without_answer(sessions: Iterable[PastSession], *, today: date) -> PastSession | None:
    """The newest session of yesterday on a real device about which nothing was said since."""
    yesterday = today - timedelta(days=1)
    return next((each for each in _felt(sessions) if _day(each) == yesterday and each.next_day is None), None)


def latest_before_today(sessions: Iterable[PastSession], *, today: date) -> PastSession | None:
    """The newest session on a real device that began on an earlier day."""
    return next((each for each in _felt(sessions) if _day(each) < today), None)


def note(session: PastSession, *, score: int | None, text: str) -> bool:
    """Write what a person says about the day after a session; whether something was said about it before.

    ``score`` is 0 to 10, or None to leave it as it is; so does an empty text. A score counts like one from after the
    session: where it tells of harm, its places are held to gentle. Raises RefusedError while the session runs, and
    JournalError.
    """
    if state_of(session, running_processes()) == "running":
        raise RefusedError("still runs.", where=f"session {session.id}", fix="Say it when it is over.")
    with _looking_back() as journal:
        if journal is None:
            raise RefusedError("is not in the journal any more.", where=f"session {session.id}")
        return journal.note_next_day(session.id, score, text)


@contextmanager
def _looking_back() -> Iterator[Journal | None]:
    journal = open_existing()
    try:
        yield journal
    finally:
        if journal is not None:
            journal.close()


def _felt(sessions: Iterable[PastSession]) -> Iterator[PastSession]:
    """Those in which a body got something."""
    return (session for session in sessions if not session.is_simulated and session.driven_s > 0)


def _day(session: PastSession) -> date:
    return local_day(session.started_utc)


def _rank(region: str) -> tuple[int, str]:
    """Where a region comes in the table; what is not in it comes last."""
    order = list(regions())
    return (order.index(region) if region in order else len(order), region)


def _pain_of(session: PastSession) -> PainOfSession:
    answer = session.next_day
    return PainOfSession(
        started=session.started_utc.astimezone(),
        before=session.pain_before,
        after=session.pain_after,
        next_day=None if answer is None else answer.score,
        has_nerve_sign=session.has_nerve_sign,
    )


def _says_something(pain: PainOfSession) -> bool:
    return pain.has_nerve_sign or {pain.before, pain.after, pain.next_day} != {None}
