"""What the journal says of past sessions, for people to look back on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args

from sqlalchemy import ColumnElement, Connection, Table, func, select, true

from controller.journal.journal import Journal
from controller.journal.tables import commands, pain_answers, refusals, reports, session_devices, sessions, steps, stops
from firmware_profiles.capabilities import Side

AnswerMoment = Literal["before", "between", "after", "next_day"]

SIDES: tuple[Side, ...] = get_args(Side)

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class PastStep:
    """One place of one step of a session. ``elapsed_s`` is None when its end was never written."""

    index: int
    kind: str
    region: str | None
    side: Side | None
    is_driven: bool
    started_utc: datetime
    planned_s: float
    elapsed_s: float | None

    @property
    def driven_s(self) -> float:
        """How long a motor ran; without a written end all that was planned, as the limits count it."""
        if not self.is_driven:
            return 0.0
        return self.planned_s if self.elapsed_s is None else self.elapsed_s

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that it was about: both where it says none."""
        return SIDES if self.side is None else (self.side,)


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """What was said about pain: ``score`` of 10, None when it was not given; ``note`` the person's own words."""

    at_utc: datetime
    moment: AnswerMoment
    score: int | None
    is_nerve_sign: bool
    region: str | None
    side: Side | None
    note: str | None


@dataclass(frozen=True, slots=True)
class PastDevice:
    """A device of a session, as it was paired, and its profile's id."""

    name: str
    profile: str


@dataclass(frozen=True, slots=True)
class PastSession:
    """One session. Without ``outcome`` and ``ended_utc`` it still runs, or was cut off and nobody knows yet."""

    id: int
    started_utc: datetime
    ended_utc: datetime | None
    routine: str
    outcome: str | None
    reason: str
    pid: int
    is_simulated: bool
    planned_s: float
    elapsed_s: float | None
    speed: float
    percuss_version: str
    devices: Mapping[str, PastDevice]
    steps: tuple[PastStep, ...]
    answers: tuple[PastAnswer, ...]

    @property
    def driven_s(self) -> float:
        """The driven seconds of every place, added up."""
        return sum(step.driven_s for step in self.steps)

    @property
    def pain_before(self) -> int | None:
        """The answer of 0 to 10 from before it; None when there was none."""
        return self._score("before")

    @property
    def pain_after(self) -> int | None:
        """The answer of 0 to 10 from after it, or else the last one while it ran; None when there was none."""
        after = self._score("after")
        return self._score("between") if after is None else after

    @property
    def has_nerve_sign(self) -> bool:
        """Whether tingling, numbness or shooting pain was told."""
        return any(each.is_nerve_sign for each in self.answers)

    @property
    def next_day(self) -> PastAnswer | None:
        """What was said about the day after."""
        return next((each for each in self.answers if each.moment == "next_day"), None)

    def _score(self, moment: AnswerMoment) -> int | None:
        """The last score at a moment."""
        scores = [each.score for each in self.answers if each.moment == moment and each.score is not None]
        return scores[-1] if scores else None


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A level that a channel was told to run at; ``level`` in the device's own unit, 0 is off."""

    at_utc: datetime
    device: str
    channel: str
    level: int
    percent: float
    ppm: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What a device said of itself; None where it does not say."""

    at_utc: datetime
    device: str
    running: bool | None
    ppm: int | None
    battery_pct: float | None
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class StopRow:
    """A device that was stopped, by whom, and how sure that is."""

    at_utc: datetime
    device: str
    proof: str
    attempts: int
    by: str


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """Something that was asked for and refused."""

    at_utc: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Happenings:
    """What happened in one session, each in the order of its time."""

    levels: tuple[LevelRow, ...]
    reports: tuple[ReportRow, ...]
    stops: tuple[StopRow, ...]
    refusals: tuple[RefusalRow, ...]


def past_sessions(
    journal: Journal, *, since_utc: datetime | None = None, number: int | None = None
) -> list[PastSession]:
    """The sessions that started since then, or the one with a number; newest first. Raises JournalError."""
    wanted: ColumnElement[bool] = true()
    if since_utc is not None:
        wanted = sessions.c.started_utc >= since_utc
    if number is not None:
        wanted = sessions.c.id == number
    with journal.reading() as connection:
        rows = connection.execute(select(sessions).where(wanted).order_by(sessions.c.id.desc())).mappings().all()
        used = _by_session(connection, session_devices, wanted)
        worked = _by_session(connection, steps, wanted)
        said = _by_session(connection, pain_answers, wanted)
    found = []
    for row in rows:
        devices = {each["role"]: _made(PastDevice, each) for each in used[row["id"]]}
        its_steps = tuple(_made(PastStep, each) for each in worked[row["id"]])
        answers = tuple(_made(PastAnswer, each) for each in said[row["id"]])
        found.append(_made(PastSession, {**row, "devices": devices, "steps": its_steps, "answers": answers}))
    return found


def count_before(journal: Journal, since_utc: datetime) -> int:
    """How many sessions started before then. Raises JournalError."""
    counted = select(func.count()).select_from(sessions).where(sessions.c.started_utc < since_utc)
    with journal.reading() as connection:
        return int(connection.execute(counted).scalar_one())


def happenings(journal: Journal, number: int) -> Happenings:
    """What happened in the session with this number. Raises JournalError."""
    with journal.reading() as connection:
        return Happenings(
            levels=_all_of(LevelRow, connection, commands, number),
            reports=_all_of(ReportRow, connection, reports, number),
            stops=_all_of(StopRow, connection, stops, number),
            refusals=_all_of(RefusalRow, connection, refusals, number),
        )


def _by_session(
    connection: Connection, table: Table, wanted: ColumnElement[bool]
) -> defaultdict[int, list[Mapping[str, Any]]]:
    """A table's rows that belong to the wanted sessions, by session and in the order of writing."""
    rows = select(table).join(sessions).where(wanted).order_by(*table.primary_key)
    found: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(rows).mappings():
        found[row["session"]].append({**row})
    return found


def _all_of(kind: type[Made], connection: Connection, table: Table, number: int) -> tuple[Made, ...]:
    rows = select(table).where(table.c.session == number).order_by(table.c.id)
    return tuple(_made(kind, {**row}) for row in connection.execute(rows).mappings())


def _made(kind: type[Made], row: Mapping[str, Any]) -> Made:
    """A row as a dataclass, which may have fewer fields than the row has columns."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})  # type: ignore[arg-type]
