"""Make a timeline of a routine for the devices at hand: pure, total, never above a limit.

The only error is PlanRefusedError. What a device cannot do becomes a step by hand with the timer, and its note says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from firmware_profiles.capabilities import Capabilities, Channel, Role
from firmware_profiles.commands import SetLevel
from routines.bounds import Bound, least_left_s, least_session_s, refusal
from routines.errors import PlanRefusedError
from routines.holding import plan_hold
from routines.limits import (
    BY_HAND,
    HAND,
    Strength,
    above_cap,
    drive,
    hand_setting,
    lower_advice,
    strength,
    too_strong,
)
from routines.loader import Routine
from routines.regions import Refusal, Region, UnknownRegion, find_region, regions
from routines.schema import DRIVEN_TECHNIQUES, NEEDS_NO_PLACE, SESSION_MAX_S, Step, parse_intensity
from routines.timeline import OFF, Cue, Drive, Side, Span, SpanKind, Timeline
from routines.wording import move_cue, move_note, rest_cue, work_cue

__all__ = ["MOVE_S", "plan", "plan_hold"]

MOVE_S = 8.0
"""How long a person gets to find the next place, unless the step says otherwise. Own choice."""

FREE_EXTRA_S = 60.0
"""How much longer a stretch or a breath may be made: nothing presses on anything there. Own choice."""

PULSE_S, TICK_S, DONE_S = 0.5, 0.2, 1.0
"""How long a lamp or buzzer is on at the start and half-way, in the last three seconds, and at the very end. Own
choices: told apart by the ear, and over before the next."""

COUNTDOWN_S = (3.0, 2.0, 1.0)
"""Three, two, one: how long before the end of a piece of work or rest it ticks."""

HALFWAY_FROM_S = 20.0
"""A piece that is shorter has no sign half-way. Own choice."""

SIDES: tuple[Side, Side] = ("left", "right")
_ROUNDING_S = 1e-6
_KINDS: dict[str, SpanKind] = {"rest": "rest", "transition": "move"}


def plan(routine: Routine, devices: Mapping[Role, Capabilities], bounds: Sequence[Bound] = ()) -> Timeline:
    """Lay out a routine for the devices that are bound to its roles; with none it is a complete guided timer.

    ``bounds`` are what holds today on top. Raises PlanRefusedError, with file, line and key, for what is outside the
    limits of the body, the device or the day.
    """
    draft = _Draft(routine, devices.get("massager"), tuple(bounds))
    for number, step in enumerate(routine.steps):
        _add_step(draft, number, step)
    _check_session(draft)
    spans = [replace(span, extra_max_s=_extra_max_s(draft, span)) for span in draft.spans]
    if (timer := devices.get("timer")) is not None:
        spans = _with_signals(spans, routine, timer)
    return Timeline(routine.name, tuple(spans), _bound_roles(devices), routine.closing_note)


@dataclass(slots=True)
class _Draft:
    """A plan in the making. ``used_s`` is the time that each place has got so far."""

    routine: Routine
    massager: Capabilities | None
    bounds: tuple[Bound, ...] = ()
    spans: list[Span] = field(default_factory=list)
    used_s: dict[tuple[str, Side], float] = field(default_factory=dict)
    last_place: tuple[object, ...] | None = None

    def refusal(self, number: int, key: str, what: str, fix: str) -> PlanRefusedError:
        """The error about a key of a step (from 0), or about the whole step."""
        line = self.routine.line(number, key)
        where = f"steps.{number}.{key}" if key else f"steps.{number}"
        return PlanRefusedError(what, path=self.routine.path, line=line, key=where, fix=fix)


def _add_step(draft: _Draft, number: int, step: Step) -> None:
    region = _region_of(draft, number, step)
    duration_s = step.duration if step.duration is not None else (region.default_s if region else 0.0)
    if region and step.technique not in NEEDS_NO_PLACE and duration_s > region.max_s:
        what = f"{duration_s:g} s is longer than {region.max_s:g} s, the most that one {region.id} bears in a session."
        raise draft.refusal(number, "duration", what, f"Write at most {region.max_s:g} s.")
    line = draft.routine.line(number)
    groups = _side_groups(draft, number, step, region, duration_s)
    for sides in groups:
        _check_day(draft, number, step, region, sides)
        drives, note = _drives(draft, number, step, region, sides, duration_s)
        if step.side == "both" and len(groups) == 2:
            note = f"One side after the other. {note}".strip()
        side = sides[0] if len(sides) == 1 else None
        _add_move(draft, number, line, step, region, side, is_driven=bool(drives))
        for _ in range(step.repeat):
            _use(draft, number, step, region, sides, duration_s)
            work = Span(
                _KINDS.get(step.technique, "work"),
                duration_s,
                number + 1,
                line,
                work_cue(step, region),
                region=region.id if region else None,
                side=side,
                technique=step.technique,
                position=step.position,
                tool=step.tool,
                note=note,
                drives=drives,
            )
            draft.spans.append(work)
            if step.rest > 0:
                pause = replace(work, kind="rest", duration_s=step.rest, cue=rest_cue(), technique="rest")
                draft.spans.append(replace(pause, note="", drives=()))


def _region_of(draft: _Draft, number: int, step: Step) -> Region | None:
    if step.region is None:
        return None
    match find_region(step.region):
        case Region() as region:
            return region
        case Refusal(reason=why):
            raise draft.refusal(number, "region", f"{step.region} is refused. {why}", "Name a muscle nearby.")
        case UnknownRegion(advice=advice):
            raise draft.refusal(number, "region", f"{step.region!r} is no region.", advice)


def _side_groups(
    draft: _Draft, number: int, step: Step, region: Region | None, duration_s: float
) -> list[tuple[Side, ...]]:
    """The sides of a step, grouped by what happens at the same time, left first."""
    match step.side:
        case None:
            return [()]
        case "left" | "right":
            return [(step.side,)]
        case "both" if not _is_moved_by_hand(draft) and _drives(draft, number, step, region, SIDES, duration_s)[0]:
            return [SIDES]
        case _:
            return [(side,) for side in SIDES]


def _is_moved_by_hand(draft: _Draft) -> bool:
    return draft.massager is None or draft.massager.is_hand_held


def _why_by_hand(draft: _Draft, step: Step, region: Region, sides: tuple[Side, ...]) -> str:
    """Why no motor runs in a step, as a sentence; empty when one does."""
    if step.technique not in DRIVEN_TECHNIQUES:
        return f"By hand: {step.technique.replace('-', ' ')} is not for a machine."
    if not region.drivable:
        return f"By hand: {region.why_not}."
    if step.tool not in {None, "massage-gun"}:
        return f"By hand, with the tool of the step: {str(step.tool).replace('-', ' ')}."
    if "massager" not in step.roles:
        return "By hand: the routine leaves the massager out here."
    if draft.massager is None:
        return "No massager is bound."
    if not draft.massager.channels_at(region.id, sides):
        sides_alone = [side for side in sides if not draft.massager.channels_at(region.id, (side,))]
        place = f"{' and '.join(sides_alone)} {region.id.replace('_', ' ')}"
        return f"By hand: {draft.massager.profile} does not reach the {place}."
    return ""


def _drives(
    draft: _Draft, number: int, step: Step, region: Region | None, sides: tuple[Side, ...], duration_s: float
) -> tuple[tuple[Drive, ...], str]:
    """The drives of one span and its note. A number above the limit is refused whether or not a motor runs."""
    if region is None or step.technique in _KINDS:
        return (), ""
    why = _why_by_hand(draft, step, region, sides)
    if step.technique not in DRIVEN_TECHNIQUES or not region.drivable:
        return (), why
    device = draft.massager if draft.massager is not None and not why else BY_HAND
    channels = (HAND,) if why else device.channels_at(region.id, sides)
    drives: list[Drive] = []
    notes = [note for note in (region.check_first, why) if note]
    for channel in channels:
        wanted = _strength(draft, number, step, region, sides, device, channel)
        if why:
            if step.tool in {None, "massage-gun"}:
                notes.append(f"If you use a device that you set yourself: {hand_setting(wanted)}.")
            continue
        made = drive("massager", channel, wanted, technique=step.technique, duration_s=duration_s, ramp_s=step.ramp)
        if made is None:
            return (), " ".join([*notes, f"By hand: {too_strong(device, channel, wanted)}."])
        drives.append(made)
        if channel.levels.is_switch:
            notes.append(f"Set the strength on the device by hand: {hand_setting(wanted)}.")
    return tuple(drives), " ".join(dict.fromkeys(notes))


def _check_day(draft: _Draft, number: int, step: Step, region: Region | None, sides: tuple[Side, ...]) -> None:
    """Refuse pressure on a place that gets none today, whether or not a motor makes it."""
    if region is None or step.technique in NEEDS_NO_PLACE:
        return
    if (bound := refusal(draft.bounds, region.id, sides)) is not None:
        place = f"{bound.side or ''} {region.id.replace('_', ' ')}".strip()
        what = f"The {place} is left alone today: {bound.reason}."
        raise draft.refusal(number, "region", what, "Run a routine without this place.")


def _strength(
    draft: _Draft,
    number: int,
    step: Step,
    region: Region,
    sides: tuple[Side, ...],
    device: Capabilities,
    channel: Channel,
) -> Strength:
    intensity = parse_intensity(step.intensity)
    reached = (channel.side,) if channel.side is not None else sides
    wanted = strength(intensity, region, reached, device, channel.levels, draft.bounds)
    if wanted.is_above_cap:
        raise draft.refusal(number, "intensity", above_cap(intensity, wanted), lower_advice(wanted, channel))
    return wanted


def _use(
    draft: _Draft, number: int, step: Step, region: Region | None, sides: tuple[Side, ...], duration_s: float
) -> None:
    """Count the time of a place, and refuse what it does not bear."""
    if region is None or step.technique in NEEDS_NO_PLACE:
        return
    for side in sides:
        used_s = draft.used_s.get((region.id, side), 0.0) + duration_s
        if used_s > region.max_s + _ROUNDING_S:
            what = f"The {side} {region.id} gets {used_s:g} s; the most it bears in a session is {region.max_s:g} s."
            raise draft.refusal(number, "duration", what, "Shorten or leave out a step for this place.")
        left_s, why = least_left_s(draft.bounds, region.id, side)
        if used_s > left_s + _ROUNDING_S:
            what = f"The {side} {region.id} gets {used_s:g} s; {left_s:.0f} s are left today: {why}."
            raise draft.refusal(number, "duration", what, "Shorten or leave out a step for this place.")
        draft.used_s[region.id, side] = used_s


def _add_move(
    draft: _Draft, number: int, line: int, step: Step, region: Region | None, side: Side | None, *, is_driven: bool
) -> None:
    """Give the person time to get there, motor off; a zoned device that drives the place is there already."""
    if step.technique in _KINDS:
        return
    place = (region, side, step.position, step.tool)
    is_same, draft.last_place = place == draft.last_place, place
    move_s = MOVE_S if step.move is None else step.move
    has_nowhere_to_go = region is None and step.position is None and side is None
    if is_same or has_nowhere_to_go or move_s == 0 or (is_driven and not _is_moved_by_hand(draft)):
        return
    span = Span(
        "move",
        move_s,
        number + 1,
        line,
        move_cue(step, region, side),
        region=region.id if region else None,
        side=side,
        technique="transition",
        position=step.position,
        tool=step.tool,
        note=move_note(step, region),
    )
    draft.spans.append(span)


def _check_session(draft: _Draft) -> None:
    """Refuse a driven session that is too long, at the step that makes it so."""
    if not any(span.drives for span in draft.spans):
        return
    most_s, why = least_session_s(draft.bounds, SESSION_MAX_S, "")
    total_s = sum(span.duration_s for span in draft.spans)
    end_s = 0.0
    for span in draft.spans:
        end_s += span.duration_s
        if end_s > most_s + _ROUNDING_S:
            because = f" ({why})" if why else ""
            what = f"The session lasts {total_s:.0f} s; the most is {most_s:.0f} s{because}, which this step passes."
            raise draft.refusal(span.step - 1, "", what, "Shorten or leave out steps.")


def _extra_max_s(draft: _Draft, span: Span) -> float:
    if span.kind != "work":
        return 0.0
    if span.region is None or span.technique in NEEDS_NO_PLACE:
        return FREE_EXTRA_S
    max_s = regions()[span.region].max_s
    left_s = (
        min(max_s, least_left_s(draft.bounds, span.region, side)[0]) - draft.used_s[span.region, side]
        for side in span.sides
    )
    return max(0.0, min(left_s))


def _bound_roles(devices: Mapping[Role, Capabilities]) -> tuple[Role, ...]:
    both: tuple[Role, Role] = ("massager", "timer")
    return tuple(role for role in both if role in devices)


def _with_signals(spans: list[Span], routine: Routine, timer: Capabilities) -> list[Span]:
    """What a lamp or buzzer does: at the start of each piece of work or rest, half-way, three-two-one, and done."""
    channel = next(iter(timer.channels.values()), None)
    if channel is None:
        return spans
    signalled: list[Span] = []
    for number, span in enumerate(spans):
        pulses = _pulses(span.duration_s, is_last=number == len(spans) - 1)
        if span.kind == "move" or "timer" not in routine.steps[span.step - 1].roles:
            pulses = []
        signals = tuple(cue for at_s, for_s in pulses for cue in _pulse(channel, at_s, for_s))
        signalled.append(replace(span, signals=signals))
    return signalled


def _pulses(duration_s: float, *, is_last: bool) -> list[tuple[float, float]]:
    """When it is on, and for how long; each is over before the next, and before the span is."""
    pulses = [(0.0, min(PULSE_S, duration_s))]
    if duration_s >= HALFWAY_FROM_S:
        pulses.append((duration_s / 2, PULSE_S))
    if duration_s >= PULSE_S + max(COUNTDOWN_S):
        ticks = [(duration_s - before_s, TICK_S) for before_s in COUNTDOWN_S]
        pulses += [*ticks[:-1], (duration_s - DONE_S, DONE_S)] if is_last else ticks
    return pulses


def _pulse(channel: Channel, at_s: float, for_s: float) -> tuple[Cue, Cue]:
    on = Cue(at_s, "timer", SetLevel(channel.name, channel.levels.lowest))
    return on, Cue(at_s + for_s, "timer", SetLevel(channel.name, OFF))
