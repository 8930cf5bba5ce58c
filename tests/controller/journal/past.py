"""Sessions of long ago, written straight into the tables: what they add up to is known without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert

from controller.journal import open_journal, tables
from controller.journal.places import find_place, make_engine

Place = tuple[str | None, str | None, float]
"""A region, a side and the seconds that it was driven."""


def write_session(
    *places: Place,
    started_utc: datetime,
    url: str | None = None,
    routine: str = "evening-legs",
    device: str = "elite",
    is_simulated: bool = False,
    outcome: str | None = "done",
    pid: int = 1,
    pain: Sequence[tuple[str, int | None]] = (),
) -> int:
    """Write a session with one driven step after the other, and answers about pain (None: a nerve sign); its number."""
    open_journal(url).close()
    engine = make_engine(find_place(url))
    total_s = sum(seconds for _, _, seconds in places)
    with engine.begin() as connection:
        key = connection.execute(
            insert(tables.sessions).values(
                started_utc=started_utc,
                ended_utc=None if outcome is None else started_utc + timedelta(seconds=total_s),
                routine=routine,
                outcome=outcome,
                reason="",
                pid=pid,
                is_simulated=is_simulated,
                planned_s=total_s,
                elapsed_s=None if outcome is None else total_s,
                speed=1.0,
                percuss_version="0.1.0",
            )
        ).inserted_primary_key
        assert key is not None
        number = int(key[0])
        device_row = {"session": number, "role": "massager", "name": device, "profile": "theragun-gen4"}
        connection.execute(insert(tables.session_devices).values(device_row))
        at_utc = started_utc
        for index, (region, side, seconds) in enumerate(places):
            step = {"session": number, "index": index, "kind": "work", "region": region, "side": side}
            times = {"planned_s": seconds, "elapsed_s": seconds, "started_utc": at_utc}
            connection.execute(insert(tables.steps).values({**step, **times, "is_driven": True}))
            at_utc += timedelta(seconds=seconds)
        for moment, score in pain:
            answer = {"session": number, "at_utc": at_utc, "moment": moment, "score": score}
            connection.execute(insert(tables.pain_answers).values({**answer, "is_nerve_sign": score is None}))
    engine.dispose()
    return number
