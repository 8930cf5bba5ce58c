"""What the state topic says: the snapshot of the service, and next to it what MQTT adds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.errors import JournalError
from controller.happenings import Happening
from controller.mqtt.choices import Choices
from controller.mqtt.limits import HoldLimits
from controller.service import history
from controller.snapshot import Snapshot

EVENT_TYPES = {
    "session_started": "session_started",
    "span_started": "step_started",
    "session_paused": "session_paused",
    "session_resumed": "session_resumed",
    "session_ended": "session_ended",
    "link_lost": "link_lost",
    "link_restored": "link_restored",
    "request_refused": "request_refused",
    "emergency_stop": "emergency_stop",
    "emergency_cleared": "emergency_cleared",
}
"""The happenings that are told on the event topic, by kind, and what they are called there."""


def state_json(snapshot: Snapshot, choices: Choices, dose_today_s: float | None) -> dict[str, Any]:
    """Everything as plain values. ``dose_today_s`` is what `look_up_dose_today_s` gave.

    Seconds are whole, so that it changes once a second at most while time passes.
    """
    session = snapshot.session
    span = None if session is None else session.span
    driven = None if session is None or not session.devices else session.devices[0]
    limits = choices.limits
    percent = choices.percent
    if percent is None and isinstance(limits, HoldLimits):
        percent = limits.gentle_percent
    return {
        "status": _status(snapshot),
        "version": snapshot.version,
        "number": None if session is None else session.number,
        "by": None if session is None else session.by,
        "routine": None if session is None else session.routine,
        "step": None if span is None else f"{span.kind} {span.place}".strip(),
        "cue": None if span is None else span.cue,
        "region": None if span is None else span.region,
        "side": None if span is None else span.side,
        "step_left_s": None if span is None else round(span.left_s),
        "left_s": None if session is None else round(session.total_left_s),
        "asked_ppm": None if driven is None else driven.asked_ppm,
        "asked_percent": None if driven is None else round(driven.asked_percent),
        "reported_ppm": None if driven is None else driven.reported_ppm,
        "battery_pct": None if driven is None else driven.battery_pct,
        "pain_question": None if session is None else session.pain_question,
        "dose_today_s": None if dose_today_s is None else round(dose_today_s),
        "problem": _problem(snapshot),
        "emergency_stop": snapshot.emergency_stop.is_engaged,
        "screening": snapshot.screening.state,
        "choice": {
            "routine": choices.routine,
            "region": choices.region,
            "massager": choices.massager,
            "percent": None if percent is None else round(percent),
        },
        "limits": {
            "least_percent": limits.least_percent if isinstance(limits, HoldLimits) else None,
            "most_percent": limits.most_percent if isinstance(limits, HoldLimits) else None,
            "reason": limits.reason if isinstance(limits, HoldLimits) else str(limits),
        },
    }


def event_json(happening: Happening) -> dict[str, Any] | None:
    """A happening as the event topic tells it; None for what is not told there."""
    if (event_type := EVENT_TYPES.get(happening.kind)) is None:
        return None
    at_utc = happening.at_utc.isoformat(timespec="milliseconds")
    return {"event_type": event_type, "session": happening.session, "at_utc": at_utc, **happening.data}


def _status(snapshot: Snapshot) -> str:
    session = snapshot.session
    if session is None:
        return "idle" if snapshot.starting_by is None else "starting"
    if session.is_paused:
        return "paused"
    return "waiting" if session.is_waiting else "running"


def _problem(snapshot: Snapshot) -> str:
    if snapshot.emergency_stop.is_engaged:
        return f"the emergency stop is in since {snapshot.emergency_stop.since_utc}; `percuss clear` lifts it"
    return snapshot.problem


def look_up_dose_today_s() -> float | None:
    """Seconds that real devices drove today, by the journal; None when it cannot be read."""
    try:
        sessions = history.sessions_since(history.start_of(history.local_day(datetime.now(UTC))))
    except JournalError:
        return None
    return sum(session.driven_s for session in sessions if not session.is_simulated)
