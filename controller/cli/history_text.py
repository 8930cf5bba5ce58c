"""Past sessions in words: rows of tables and lines, in this computer's time zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from controller.cli.durations import clock_text
from controller.journal.reading import Happenings, LevelRow, PastAnswer, PastSession, PastStep, ReportRow
from controller.service.history import Totals, state_of
from firmware_profiles.plain_text import plain

STEP_HEADINGS = ("step", "what", "where", "planned", "took", "driven", "asked", "reported")

NOTE_SHOWN = 24
"""Characters of a note in the list; `show` has all."""

_PROOFS = {
    "confirmed": "confirmed by its status",
    "cannot_report": "it cannot report it",
    "unconfirmed": "NOT CONFIRMED",
}
_STATES = {"cut_off": "cut off: its end was never written", "running": "it still runs"}


def session_table(sessions: Sequence[PastSession], running: set[int]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headings and rows of a list of sessions. The zone stands in the heading where it is the same for all."""
    zones = {f"{session.started_utc.astimezone():%Z}" for session in sessions}
    when = "when" if len(zones) > 1 else f"when ({zones.pop()})"
    headings = ["id", when, "what", "ended", "driven", "pain", "next day"]
    return headings, [_session_row(session, running, names_zone=when == "when") for session in sessions]


def totals_table(totals: Totals, *, is_simulated: bool) -> tuple[list[str], list[tuple[object, ...]]]:
    """Headings and rows of what each place got; what is left only where a body was driven."""
    headings = ["place", "side", "driven", "sessions", "days"] + ([] if is_simulated else ["left", "sessions left"])
    rows: list[tuple[object, ...]] = []
    for each in totals.places:
        got = (place_text(each.region), each.side, clock_text(each.driven_s), each.sessions, each.days)
        rows.append(got if is_simulated else (*got, clock_text(each.left_s), each.sessions_left))
    return headings, rows


def session_text(session: PastSession) -> str:
    """One session in a few words."""
    return f"{plain(session.routine)}, {session.started_utc.astimezone():%Y-%m-%d %H:%M %Z}"


def _session_row(session: PastSession, running: set[int], *, names_zone: bool) -> tuple[str, ...]:
    devices = ", ".join(plain(device.name) for device in session.devices.values())
    simulated = " (simulated)" if session.is_simulated else ""
    return (
        str(session.id),
        f"{session.started_utc.astimezone():{'%Y-%m-%d %H:%M %Z' if names_zone else '%Y-%m-%d %H:%M'}}",
        f"{plain(session.routine)} on {devices}{simulated}" if devices else plain(session.routine),
        state_of(session, running).replace("_", " "),
        clock_text(session.driven_s),
        _pain_text(session),
        "" if session.next_day is None else _next_day_text(session.next_day, NOTE_SHOWN),
    )


def heading_lines(session: PastSession) -> list[str]:
    """What a session was."""
    profiles = ", ".join(
        f"{role}: {plain(device.name)} ({plain(device.profile)})" for role, device in session.devices.items()
    )
    speed = f", time running {session.speed:g} times faster" if session.speed != 1 else ""
    simulated = f"On simulators: no body felt it{speed}." if session.is_simulated else ""
    until = "" if session.ended_utc is None else f" to {session.ended_utc.astimezone():%H:%M:%S}"
    took = "" if session.elapsed_s is None else f", took {clock_text(session.elapsed_s)}"
    times = f"planned {clock_text(session.planned_s)}{took}, driven {clock_text(session.driven_s)}"
    lines = [
        f"Session {session.id}: {plain(session.routine)}",
        f"{session.started_utc.astimezone():%Y-%m-%d %H:%M:%S}{until} {session.started_utc.astimezone():%Z}, {times}",
        profiles or "no device",
        simulated,
    ]
    return [line for line in lines if line]


def step_rows(session: PastSession, happened: Happenings) -> Iterator[tuple[str, ...]]:
    """The steps of a session, with the most that was asked and reported while each of them lasted."""
    starts = sorted({step.started_utc for step in session.steps})
    ends = dict(zip(starts, [*starts[1:], datetime.max.replace(tzinfo=UTC)], strict=True))
    for step in session.steps:
        yield (
            str(step.index + 1),
            step.kind,
            _where(step),
            clock_text(step.planned_s),
            "?" if step.elapsed_s is None else clock_text(step.elapsed_s),
            clock_text(step.driven_s) if step.is_driven else "",
            _peak_asked(happened.levels, step.started_utc, ends[step.started_utc]) if step.is_driven else "",
            _peak_reported(happened.reports, step.started_utc, ends[step.started_utc]) if step.is_driven else "",
        )


def ending_lines(session: PastSession, happened: Happenings, running: set[int]) -> list[str]:
    """What was said and refused in a session, how it was stopped, and how it ended."""
    lines = [f"{_clock(answer.at_utc)} {_answer_text(answer)}" for answer in session.answers]
    lines += [f"{_clock(each.at_utc)} refused: {plain(each.reason)}" for each in happened.refusals]
    for stop in happened.stops:
        by = "" if stop.by == "session" else f", by the {stop.by}"
        times = "once" if stop.attempts == 1 else f"{stop.attempts} times"
        proof = _PROOFS.get(stop.proof, stop.proof)
        lines.append(f"{_clock(stop.at_utc)} {plain(stop.device)}: stop sent {times}{by}; {proof}")
    state = state_of(session, running)
    reason = f": {plain(session.reason)}" if session.reason else ""
    return [*lines, f"How it ended: {_STATES.get(state, state.replace('_', ' '))}{reason}"]


def place_text(region: str) -> str:
    """A region's id in words."""
    return plain(region.replace("_", " "))


def _pain_text(session: PastSession) -> str:
    before, after = session.pain_before, session.pain_after
    if session.has_nerve_sign:
        after_text = "nerve sign"
    elif before is None and after is None:
        return ""
    else:
        after_text = "?" if after is None else str(after)
    return f"{'?' if before is None else before} -> {after_text}"


def _next_day_text(answer: PastAnswer, most: int | None = None) -> str:
    note = plain(answer.note or "")
    short = note if most is None or len(note) <= most else f"{note[: most - 1]}…"
    return ", ".join(part for part in ("" if answer.score is None else str(answer.score), short) if part)


def _answer_text(answer: PastAnswer) -> str:
    if answer.moment == "next_day":
        return f"the next day: {_next_day_text(answer)}"
    what = "tingling, numbness or shooting pain" if answer.is_nerve_sign else f"pain {answer.score} of 10"
    moment = {"before": "before", "between": "during", "after": "after"}[answer.moment]
    return f"{moment}{_at_place(answer.region, answer.side)}: {what}"


def _at_place(region: str | None, side: str | None) -> str:
    return "" if region is None else f" ({' '.join(part for part in (side, place_text(region)) if part)})"


def _where(step: PastStep) -> str:
    return "" if step.region is None else f"{step.side or 'both'} {place_text(step.region)}"


def _peak_asked(levels: Sequence[LevelRow], start: datetime, end: datetime) -> str:
    asked = [each for each in levels if start <= each.at_utc < end]
    if not asked:
        return ""
    most = max(asked, key=lambda each: (each.ppm, each.percent))
    return f"{most.ppm} ppm" if most.ppm else f"{most.percent:.0f} %"


def _peak_reported(reports: Iterable[ReportRow], start: datetime, end: datetime) -> str:
    said = [each.ppm for each in reports if start <= each.at_utc < end and each.ppm is not None]
    return f"{max(said)} ppm" if said else ""


def _clock(at_utc: datetime) -> str:
    return f"{at_utc.astimezone():%Y-%m-%d %H:%M:%S}"
