"""Past sessions as data for other programs: one shape for JSON, and a table with one row for each step."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from controller.journal.reading import Happenings, PastAnswer, PastSession, PastStep
from controller.service.history import state_of

Format = Literal["csv", "json"]

COLUMNS = (
    *("session", "session_started_utc", "session_ended_utc", "routine", "outcome", "is_simulated"),
    *("devices", "profiles", "pain_before", "pain_after", "pain_next_day"),
    *("step", "kind", "region", "side", "is_driven", "step_started_utc", "planned_s", "elapsed_s", "driven_s"),
)
"""The columns of the table; docs/how-to/look-back.md says what they mean."""


def session_json(session: PastSession, running: set[int], happened: Happenings | None = None) -> dict[str, Any]:
    """A session as JSON has it, without its steps; with them and everything else when ``happened`` is given."""
    told = {
        "id": session.id,
        "started_utc": _utc(session.started_utc),
        "ended_utc": _utc(session.ended_utc),
        "routine": session.routine,
        "outcome": state_of(session, running),
        "reason": session.reason,
        "is_simulated": session.is_simulated,
        "devices": {role: asdict(device) for role, device in session.devices.items()},
        "planned_s": session.planned_s,
        "elapsed_s": session.elapsed_s,
        "driven_s": session.driven_s,
        "speed": session.speed,
        "percuss_version": session.percuss_version,
        "pain_before": session.pain_before,
        "pain_after": session.pain_after,
        "has_nerve_sign": session.has_nerve_sign,
        "next_day": None if session.next_day is None else _next_day_json(session.next_day),
    }
    if happened is None:
        return told
    return {
        **told,
        "steps": steps_json(session),
        "answers": [_with_time(answer) for answer in session.answers],
        **{
            name: [_with_time(each) for each in getattr(happened, name)]
            for name in ("levels", "reports", "stops", "refusals")
        },
    }


def steps_json(session: PastSession) -> list[dict[str, Any]]:
    """The steps of a session as JSON has them."""
    return [
        {**asdict(step), "started_utc": _utc(step.started_utc), "driven_s": step.driven_s} for step in session.steps
    ]


def export_text(sessions: Sequence[PastSession], running: set[int], kind: Format) -> str:
    """All of these sessions with their steps, as one text; it ends with a line end."""
    if kind == "json":
        told = [{**session_json(session, running), "steps": steps_json(session)} for session in sessions]
        return json.dumps({"sessions": told}, ensure_ascii=False, indent=1) + "\n"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for session in sessions:
        table.writerows(_row(session, step, running) for step in session.steps)
    return text.getvalue()


def _row(session: PastSession, step: PastStep, running: set[int]) -> Iterable[object]:
    next_day = session.next_day
    return (
        session.id,
        _utc(session.started_utc),
        _utc(session.ended_utc),
        session.routine,
        state_of(session, running),
        _truth(session.is_simulated),
        ";".join(f"{role}={device.name}" for role, device in session.devices.items()),
        ";".join(f"{role}={device.profile}" for role, device in session.devices.items()),
        session.pain_before,
        session.pain_after,
        None if next_day is None else next_day.score,
        step.index,
        step.kind,
        step.region,
        step.side,
        _truth(step.is_driven),
        _utc(step.started_utc),
        step.planned_s,
        step.elapsed_s,
        step.driven_s,
    )


def _truth(fact: bool) -> str:
    """As JSON writes it."""
    return "true" if fact else "false"


def _next_day_json(answer: PastAnswer) -> dict[str, Any]:
    return {"at_utc": _utc(answer.at_utc), "score": answer.score, "note": answer.note}


def _with_time(row: Any) -> dict[str, Any]:
    return {**asdict(row), "at_utc": _utc(row.at_utc)}


def _utc(at_utc: datetime | None) -> str | None:
    return None if at_utc is None else at_utc.isoformat(timespec="milliseconds")
