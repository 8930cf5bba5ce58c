"""How much a body gets over several sessions: what the journal says was done, as bounds on what may be done now.

Everything is counted over a rolling 24 hours, never over calendar days: then midnight gives nothing back at once, and
neither a journey nor a changed time zone makes a day shorter.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from firmware_profiles.capabilities import Side
from routines.bounds import Bound
from routines.schema import Intensity

DAY_S = 86_400.0
DAY_MAX_S = 300.0
"""The most that one side of a place is driven in 24 hours. Own choice."""

DAY_SESSIONS = 2
"""Sessions on one place in 24 hours. Own choice."""

BETWEEN_SESSIONS_S = 4 * 3600.0
"""From the end of one session on a place to the start of the next. Own choice."""

COUNTS_FROM_S = 10.0
"""A place that got less was no session of it, only a false start; its seconds count all the same."""

PAIN_STOP_SCORE = 7
"""From here on, of 10, pain ends a session, whatever it was before."""

PAIN_STOP_RISE = 2
"""So much more than before the session, of 10, ends it."""

GENTLE = Intensity(word="gentle")

Moment = Literal["before", "between", "after", "next_day"]


@dataclass(frozen=True, slots=True)
class DrivenSpan:
    """A motor that ran at one side of a place, in one session. ``started_utc`` is aware.

    Session numbers rise: a later session has a higher one, whatever the clock said.
    """

    session: int
    region: str
    side: Side
    started_utc: datetime
    driven_s: float


@dataclass(frozen=True, slots=True)
class PainAnswer:
    """What a person said about pain: ``score`` of 10, None when it was not given; a place, when it was about one."""

    session: int
    at_utc: datetime
    region: str | None
    side: Side | None
    moment: Moment
    score: int | None
    is_nerve_sign: bool


@dataclass(frozen=True, slots=True)
class _Visit:
    """One session's work on one place: how long, how long ago it ended, and whether its time lies in the future."""

    driven_s: float
    ended_ago_s: float
    is_ahead: bool


def bounds_today(
    driven: Sequence[DrivenSpan], pain: Sequence[PainAnswer], *, now_utc: datetime, has_driven_before: bool
) -> tuple[Bound, ...]:
    """What earlier sessions leave for one that starts at ``now_utc`` (aware), in any order.

    For the amounts, ``driven`` must hold the last 25 hours; for pain, it and ``pain`` must reach back to the last
    session that hurt. ``has_driven_before`` is whether any session ever drove a real device.
    """
    bounds = [] if has_driven_before else [Bound("your first session is gentle", cap=GENTLE)]
    return (*bounds, *_time_left(driven, now_utc), *_rests(driven, now_utc), *_held_by_pain(driven, pain))


def sessions_left(driven: Iterable[DrivenSpan], region: str, *, now_utc: datetime) -> int:
    """How many more sessions a place may have in these 24 hours; how long it has to rest between is apart from that."""
    visits = _visits((span for span in driven if span.region == region), now_utc)[region]
    counted = [visit for visit in visits if visit.driven_s >= COUNTS_FROM_S and visit.ended_ago_s < DAY_S]
    return max(0, DAY_SESSIONS - len(counted))


def pain_stops(before: int | None, score: int) -> str:
    """Why this much pain ends a session, as a sentence; empty when it does not. Scores are of 10."""
    if score >= PAIN_STOP_SCORE:
        return f"Pain of {score} of 10 ends the session: it does from {PAIN_STOP_SCORE} on."
    if before is not None and score - before >= PAIN_STOP_RISE:
        return f"Pain rose from {before} to {score} of 10; a rise of {PAIN_STOP_RISE} or more ends the session."
    return ""


def _time_left(driven: Iterable[DrivenSpan], now_utc: datetime) -> Iterator[Bound]:
    used_s: defaultdict[tuple[str, Side], float] = defaultdict(float)
    for span in driven:
        # One that only ended in the window counts in full, since pauses within it may have moved it further in.
        if _ended_ago_s(span, now_utc) < DAY_S:
            used_s[span.region, span.side] += _driven_s(span)
    for (region, side), seconds in sorted(used_s.items()):
        if seconds > 0:
            had = f"the {side} {_plain(region)} had {seconds:.0f} s of {DAY_MAX_S:g} s in the last 24 hours"
            yield Bound(had, region=region, side=side, left_s=max(0.0, DAY_MAX_S - seconds))


def _rests(driven: Iterable[DrivenSpan], now_utc: datetime) -> Iterator[Bound]:
    for region, visits in sorted(_visits(driven, now_utc).items()):
        latest = sorted((visit for visit in visits if visit.driven_s >= COUNTS_FROM_S), key=lambda v: v.ended_ago_s)
        if not latest:
            continue
        waits = [(BETWEEN_SESSIONS_S - latest[0].ended_ago_s, f"the last session with the {_plain(region)} ended")]
        if len(latest) >= DAY_SESSIONS:
            # Once this one is a day old, fewer than the most are left.
            freed_s = DAY_S - latest[DAY_SESSIONS - 1].ended_ago_s
            waits.append(
                (freed_s, f"{DAY_SESSIONS} sessions a day with the {_plain(region)} are the most, the last ended")
            )
        wait_s, why = max(waits)
        if wait_s <= 0:
            continue
        when = f"{_ago(latest[0].ended_ago_s)}, and the next may start in {_hours(wait_s)}"
        if any(visit.is_ahead for visit in latest):
            # Without this a person whose clock was wrong once would wait and never learn what for.
            when += " (one of them lies in the future: was this computer's clock set back?)"
        yield Bound(f"{why} {when}", region=region, is_refused=True)


def _visits(driven: Iterable[DrivenSpan], now_utc: datetime) -> defaultdict[str, list[_Visit]]:
    """Each place's sessions. Both sides count together: one session does both."""
    spans: defaultdict[tuple[str, int], list[DrivenSpan]] = defaultdict(list)
    for span in driven:
        spans[span.region, span.session].append(span)
    visits: defaultdict[str, list[_Visit]] = defaultdict(list)
    for (region, _), found in spans.items():
        driven_s = sum(_driven_s(span) for span in found)
        ended_ago_s = min(_ended_ago_s(span, now_utc) for span in found)
        visits[region].append(_Visit(driven_s, ended_ago_s, any(span.started_utc > now_utc for span in found)))
    return visits


def _held_by_pain(driven: Iterable[DrivenSpan], pain: Iterable[PainAnswer]) -> Iterator[Bound]:
    """Hold each place to gentle whose last telling session hurt. Sessions go by number: a clock may be set back."""
    answers: defaultdict[int, list[PainAnswer]] = defaultdict(list)
    for answer in pain:
        answers[answer.session].append(answer)
    seconds: defaultdict[tuple[int, str], float] = defaultdict(float)
    for span in driven:
        seconds[span.session, span.region] += _driven_s(span)
    held: dict[str, str] = {}
    for session in sorted(answers):
        worked = {region: s for (number, region), s in seconds.items() if number == session and s > 0}
        if what := _what_hurt(answers[session]):
            named = {answer.region for answer in answers[session] if answer.region is not None}
            held.update(dict.fromkeys(worked.keys() | named, what))
            continue
        # Silence is no sign that it went well, and a moment on a place shows nothing.
        if any(answer.moment == "after" and answer.score is not None for answer in answers[session]):
            for region in [region for region, s in worked.items() if s >= COUNTS_FROM_S]:
                held.pop(region, None)
    for region, what in sorted(held.items()):
        reason = f"{what} in a session with the {_plain(region)}, so it is gentle there until one ends well"
        yield Bound(reason, region=region, cap=GENTLE)


def _what_hurt(answers: Sequence[PainAnswer]) -> str:
    """What went wrong in one session, as a phrase; empty when nothing did."""
    if any(answer.is_nerve_sign for answer in answers):
        return "there was tingling, numbness or shooting pain"
    scores = [answer.score for answer in answers if answer.score is not None]
    if any(score >= PAIN_STOP_SCORE for score in scores):
        return f"pain was {max(scores)} of 10"
    # The lowest of several, because a rise must not hide behind another place that hurt more.
    before = min((a.score for a in answers if a.moment == "before" and a.score is not None), default=None)
    later = [answer.score for answer in answers if answer.moment != "before" and answer.score is not None]
    if later and pain_stops(before, max(later)):
        return f"pain rose from {before} to {max(later)} of 10"
    return ""


def _driven_s(span: DrivenSpan) -> float:
    """How long it ran; what cannot be a time counts as a whole day."""
    return min(max(span.driven_s, 0.0), DAY_S) if math.isfinite(span.driven_s) else DAY_S


def _ended_ago_s(span: DrivenSpan, now_utc: datetime) -> float:
    """How long ago it ended. What seems to lie ahead, because the clock was set back, counts as just now."""
    return max(0.0, (now_utc - span.started_utc).total_seconds() - _driven_s(span))


def _plain(region: str) -> str:
    return region.replace("_", " ")


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{_hours_of(minutes)} ago" if minutes else "just now"


def _hours(seconds: float) -> str:
    """A wait in words, rounded up so that it is over when it says so."""
    return _hours_of(math.ceil(seconds / 60))


def _hours_of(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]
    return " ".join(part for part in parts if part)
