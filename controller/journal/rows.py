"""What each event of a session becomes in the tables."""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy import Connection, insert, update

from controller.events import (
    DeviceReported,
    DeviceStopped,
    Event,
    LevelAsked,
    PainTold,
    RequestRefused,
    SessionEnded,
    SpanEnded,
    SpanExtended,
    SpanStarted,
)
from controller.journal import tables


class SessionRows:
    """Writes one session's events as rows. It remembers which step is under way: each start is rows of its own.

    A step that works several places at once is a row for each of them.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._step: tuple[int, list[int]] | None = None

    def write(self, connection: Connection, at_utc: datetime, event: Event) -> None:
        """Write one event; nothing for events that are not kept. Raises what SQLAlchemy raises."""
        match event:
            case SpanStarted():
                self._start_step(connection, at_utc, event)
            case SpanExtended():
                self._extend_step(connection, event)
            case SpanEnded():
                self._end_step(connection, event)
            case SessionEnded():
                self._end(connection, at_utc, event)
            case _:
                self._add(connection, at_utc, event)

    def _start_step(self, connection: Connection, at_utc: datetime, event: SpanStarted) -> None:
        keys = []
        for region, side in _places(event):
            row = insert(tables.steps).values(
                session=self._session,
                index=event.index,
                kind=event.kind,
                region=region,
                side=side,
                is_driven=event.is_driven,
                planned_s=event.duration_s,
                started_utc=at_utc,
            )
            key = connection.execute(row).inserted_primary_key
            keys += [] if key is None else [int(key[0])]
        self._step = (event.index, keys)

    def _extend_step(self, connection: Connection, event: SpanExtended) -> None:
        """Plan the added time too: a step whose end is never written counts with all that it was allowed."""
        if self._step is not None:
            steps = tables.steps
            longer = update(steps).where(steps.c.id.in_(self._step[1]))
            connection.execute(longer.values(planned_s=steps.c.planned_s + event.extra_s))

    def _end_step(self, connection: Connection, event: SpanEnded) -> None:
        if self._step is None or self._step[0] != event.index:
            return  # its start is not here, so there is nothing to end
        ended = update(tables.steps).where(tables.steps.c.id.in_(self._step[1]))
        connection.execute(ended.values(elapsed_s=event.elapsed_s))
        self._step = None

    def _end(self, connection: Connection, at_utc: datetime, event: SessionEnded) -> None:
        ended = update(tables.sessions).where(tables.sessions.c.id == self._session)
        connection.execute(
            ended.values(
                ended_utc=at_utc, outcome=event.outcome, reason=event.reason, elapsed_s=_finite(event.elapsed_s)
            )
        )

    def _add(self, connection: Connection, at_utc: datetime, event: Event) -> None:
        """Write an event that changes no row that is there."""
        match event:
            case PainTold(moment, score):
                for region, side in _places(event):
                    answer = insert(tables.pain_answers).values(
                        moment=moment, score=score, is_nerve_sign=score is None, region=region, side=side
                    )
                    connection.execute(answer.values(session=self._session, at_utc=at_utc))
                return
            case LevelAsked(device, channel, level, percent, ppm):
                row = insert(tables.commands).values(
                    device=device, channel=channel, level=level, percent=percent, ppm=ppm
                )
            case DeviceReported(device, running, ppm, battery_pct, temperature_c):
                row = insert(tables.reports).values(
                    device=device,
                    running=running,
                    ppm=ppm,
                    battery_pct=_finite(battery_pct),
                    temperature_c=_finite(temperature_c),
                )
            case DeviceStopped(device, proof, attempts):
                row = insert(tables.stops).values(device=device, proof=proof, attempts=attempts, by="session")
            case RequestRefused(reason):
                row = insert(tables.refusals).values(reason=reason)
            case _:
                return
        connection.execute(row.values(session=self._session, at_utc=at_utc))


def _places(event: SpanStarted | PainTold) -> list[tuple[str | None, str | None]]:
    return [(event.region, event.side), *((place.region, place.side) for place in event.also)]


def _finite(value: float | None) -> float | None:
    """A number, or None for what a broken sensor may give: databases disagree on it."""
    return value if value is not None and math.isfinite(value) else None
