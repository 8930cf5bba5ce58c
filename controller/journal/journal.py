"""The journal itself: begin a session's record, tell of unfinished ones, and say what a body already got."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, Row, func, insert, inspect, select, update

from controller.errors import JournalError
from controller.events import StopProof
from controller.journal import guardian_log
from controller.journal.guardian_log import GuardianWord
from controller.journal.places import Place, find_place, make_engine
from controller.journal.problems import told
from controller.journal.recording import SessionRecord
from controller.journal.revisions import bring_up_to_date
from controller.journal.tables import pain_answers, refusals, session_devices, sessions, steps, stops
from firmware_profiles.capabilities import Side
from routines.dose import DrivenSpan, PainAnswer

StopBy = Literal["session", "guardian", "command"]

SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, slots=True)
class UnfinishedSession:
    """A session whose end was never written. ``devices`` is the device's name by role; ``started_utc`` is aware."""

    id: int
    started_utc: datetime
    routine: str
    pid: int
    devices: Mapping[str, str]
    is_simulated: bool


def open_journal(url: str | None = None) -> Journal:
    """Open the journal, and make it or bring it up to date where needed.

    ``url`` is SQLAlchemy's; without it ``PERCUSS_JOURNAL`` counts, and without that the user's own file. Raises
    JournalError.
    """
    place = find_place(url)
    with told(place):
        engine = make_engine(place)
        try:
            bring_up_to_date(engine, place)
        except BaseException:
            engine.dispose()
            raise
    return Journal(engine, place)


def open_existing(url: str | None = None) -> Journal | None:
    """Open the journal to look back; None where there is none yet, and none is made. Otherwise as `open_journal`."""
    place = find_place(url)
    with told(place):
        if place.path is not None and not place.path.exists():
            return None
        engine = make_engine(place)
        try:
            has_tables = bool(inspect(engine).get_table_names())
        finally:
            engine.dispose()
    return open_journal(url) if has_tables else None


class Journal:
    """An open journal. Every method may raise JournalError; times go in and come out aware, as UTC."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self.where = place.where
        self._place = place
        self._engine = engine
        self._writing = engine.execution_options(is_writing=True)
        self._records: list[SessionRecord] = []

    def begin(
        self,
        *,
        routine: str,
        devices: Mapping[str, tuple[str, str]],
        is_simulated: bool,
        planned_s: float,
        speed: float,
    ) -> SessionRecord:
        """Write that a session begins; it is committed when this returns.

        ``devices`` is name and profile by role; ``speed`` how many session seconds go into a real one.
        """
        row = {
            "started_utc": datetime.now(UTC),
            "routine": routine,
            "reason": "",
            "pid": os.getpid(),
            "is_simulated": is_simulated,
            "planned_s": planned_s,
            "speed": speed,
            "percuss_version": version("percuss"),
        }
        with told(self._place), self._writing.begin() as connection:
            key = connection.execute(insert(sessions).values(row)).inserted_primary_key
            if key is None:
                raise JournalError("gave the session no number.", where=self.where)
            number = int(key[0])
            for role, (name, profile) in devices.items():
                connection.execute(
                    insert(session_devices).values(session=number, role=role, name=name, profile=profile)
                )
        record = SessionRecord(number, self._writing, self._place)
        self._records.append(record)
        return record

    def note_refusal(self, reason: str) -> None:
        """Write that something was refused outside a session."""
        with told(self._place), self._writing.begin() as connection:
            connection.execute(insert(refusals).values(at_utc=datetime.now(UTC), reason=reason))

    def note_stop(self, device: str, proof: StopProof, attempts: int, by: StopBy) -> None:
        """Write that a device was stopped outside a session."""
        row = insert(stops).values(at_utc=datetime.now(UTC), device=device, proof=proof, attempts=attempts, by=by)
        with told(self._place), self._writing.begin() as connection:
            connection.execute(row)

    def note_next_day(self, session: int, score: int | None, note: str) -> bool:
        """Write what a person says about the day after a session; whether something was said about it before.

        What is given replaces what was said; a score of None and an empty note leave it.
        """
        given: dict[str, object] = {"at_utc": datetime.now(UTC)}
        given |= {"score": score} if score is not None else {}
        given |= {"note": note} if note else {}
        said = (pain_answers.c.session == session) & (pain_answers.c.moment == "next_day")
        with told(self._place), self._writing.begin() as connection:
            if connection.execute(select(pain_answers.c.id).where(said)).first() is not None:
                connection.execute(update(pain_answers).where(said).values(given))
                return True
            row = insert(pain_answers).values(session=session, moment="next_day", is_nerve_sign=False)
            connection.execute(row.values(given))
            return False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that reads one state of the journal, whatever is written meanwhile."""
        with told(self._place), self._engine.begin() as connection:
            yield connection

    def unfinished(self) -> list[UnfinishedSession]:
        """The sessions whose end was never written, oldest first: those that were killed, and those that still run."""
        names: defaultdict[int, dict[str, str]] = defaultdict(dict)
        is_open = sessions.c.ended_utc.is_(None)
        used = select(session_devices).join(sessions).where(is_open)
        with told(self._place), self._engine.begin() as connection:
            rows = connection.execute(select(sessions).where(is_open).order_by(sessions.c.id)).all()
            for device in connection.execute(used):
                names[device.session][device.role] = device.name
        return [
            UnfinishedSession(row.id, row.started_utc, row.routine, row.pid, names[row.id], row.is_simulated)
            for row in rows
        ]

    def close_unfinished(self, id: int, *, reason: str, ended_utc: datetime, outcome: str = "killed") -> None:  # noqa: A002
        """Write the end of a session that could not do so itself; one that has an end keeps it."""
        ended = update(sessions).where(sessions.c.id == id, sessions.c.ended_utc.is_(None))
        with told(self._place), self._writing.begin() as connection:
            connection.execute(ended.values(reason=reason, ended_utc=ended_utc, outcome=outcome))

    def driven_since(self, since_utc: datetime) -> list[DrivenSpan]:
        """What real devices drove in the steps that started since then, oldest session first.

        A step whose end was never written counts whole. One without a side ran on both and gives two.
        """
        seconds = func.coalesce(steps.c.elapsed_s, steps.c.planned_s).label("driven_s")
        found = (
            select(steps.c.session, steps.c.region, steps.c.side, steps.c.started_utc, seconds)
            .join(sessions)
            .where(steps.c.started_utc >= since_utc, steps.c.is_driven, ~sessions.c.is_simulated)
            .where(steps.c.region.is_not(None))
            .order_by(steps.c.id)
        )
        with told(self._place), self._engine.begin() as connection:
            return [span for row in connection.execute(found) for span in _spans(row)]

    def pain_since(self, since_utc: datetime) -> list[PainAnswer]:
        """What was said about pain since then, in sessions on real devices, in the order of saying."""
        found = (
            select(pain_answers)
            .join(sessions)
            .where(pain_answers.c.at_utc >= since_utc, ~sessions.c.is_simulated)
            .order_by(pain_answers.c.id)
        )
        with told(self._place), self._engine.begin() as connection:
            return [
                PainAnswer(
                    session=row.session,
                    at_utc=row.at_utc,
                    region=row.region,
                    side=row.side,
                    moment=row.moment,
                    score=row.score,
                    is_nerve_sign=row.is_nerve_sign,
                )
                for row in connection.execute(found)
            ]

    def take_guardian_log(self) -> list[GuardianWord]:
        """Take up what the guardian wrote since the last time: each of its stops becomes a row, once.

        Call it before `close_unfinished`: a stop belongs to the unfinished session of its process.
        """
        log, taken = guardian_log.log_path(), guardian_log.taken_path()
        if not log.exists() and not taken.exists():
            return []
        with told(self._place), guardian_log.taking():
            # Left by a take that broke off, or written to late by a guardian that had the file open.
            words = self._take(taken)
            if log.exists():
                log.replace(taken)
                words += self._take(taken)
            else:
                taken.unlink(missing_ok=True)
        return words

    def close(self) -> None:
        """End the records that are still open, and let go of the database."""
        for record in self._records:
            record.close()
        self._engine.dispose()

    def _take(self, path: Path) -> list[GuardianWord]:
        """Write the words of one file that are not written yet; gives these."""
        words = guardian_log.read_words(path)
        with self._writing.begin() as connection:
            return [word for word in words if _take_word(connection, word)]


def _take_word(connection: Connection, word: GuardianWord) -> bool:
    """Write one word of the guardian's; False when it is there already."""
    same = select(stops.c.id).where(
        stops.c.at_utc == word.at_utc, stops.c.device == word.device, stops.c.by == "guardian"
    )
    if connection.execute(same).first() is not None:
        return False
    of_process = select(func.max(sessions.c.id)).where(sessions.c.pid == word.pid, sessions.c.ended_utc.is_(None))
    session = connection.execute(of_process).scalar()
    row = insert(stops).values(session=session, at_utc=word.at_utc, device=word.device, by="guardian")
    connection.execute(row.values(proof=word.proof, attempts=word.attempts))
    return True


def _spans(row: Row[*tuple[Any, ...]]) -> list[DrivenSpan]:
    sides = [side for side in SIDES if side == row.side] or SIDES
    return [DrivenSpan(row.session, row.region, side, row.started_utc, row.driven_s) for side in sides]
