"""Make a timeline of a routine for the devices at hand: pure, total, never above a limit.

The only error is PlanRefusedError. What a device cannot do becomes a step by hand with the timer, and its note says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from firmware_profiles.capabilities import MASSAGERS, Capabilities, Role, Side
from routines.bounds import Bound, least_session_s
from routines.draft import ROUNDING_S, Draft, Piece
from routines.holding import plan_hold
from routines.loader import Routine
from routines.motors import Motors, motors_at_once, motors_of
from routines.schema import NEEDS_NO_PLACE, SESSION_MAX_S, Step
from routines.signals import with_signals
from routines.timeline import Span, SpanKind, Timeline
from routines.wording import at_once_cue, move_cue, move_note, rest_cue, work_cue

__all__ = ["MOVE_S", "plan", "plan_hold"]

MOVE_S = 8.0
"""How long a person gets to find the next place, unless the step says otherwise. Own choice."""

FREE_EXTRA_S = 60.0
"""How much longer a stretch or a breath may be made: nothing presses on anything there. Own choice."""

SIDES: tuple[Side, Side] = ("left", "right")
_KINDS: dict[str, SpanKind] = {"rest": "rest", "transition": "move"}
_ROLES: tuple[Role, ...] = (*MASSAGERS, "timer")


def plan(routine: Routine, devices: Mapping[Role, Capabilities], bounds: Sequence[Bound] = ()) -> Timeline:
    """Lay out a routine for the devices that are bound to its roles; with none it is a complete guided timer.

    ``bounds`` are what holds today on top. Raises PlanRefusedError, with file, line and key, for what is outside the
    limits of the body, the device or the day.
    """
    massagers = {role: devices[role] for role in MASSAGERS if role in devices}
    draft = Draft(routine, massagers, tuple(bounds))
    for numbers in _groups(routine.steps):
        _add_group(draft, numbers)
    _check_session(draft)
    spans = [replace(span, extra_max_s=_extra_max_s(draft, span)) for span in draft.spans]
    if (timer := devices.get("timer")) is not None:
        spans = with_signals(spans, routine.steps, timer)
    return Timeline(routine.name, tuple(spans), tuple(r for r in _ROLES if r in devices), routine.closing_note)


def _groups(steps: Sequence[Step]) -> list[list[int]]:
    """The numbers of the steps, those together that are worked at the same time."""
    groups: list[list[int]] = []
    for number, step in enumerate(steps):
        if step.together:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _add_group(draft: Draft, numbers: Sequence[int]) -> None:
    """Add steps that are worked at the same time, or one after the other where the devices cannot."""
    first = draft.routine.steps[numbers[0]]
    if len(numbers) == 1:
        _add_step(draft, numbers[0], first)
        return
    pieces = [Piece(n, draft.routine.steps[n], draft.region(n, draft.routine.steps[n]), ()) for n in numbers]
    pieces = [replace(piece, sides=_sides(piece.step)) for piece in pieces]
    _check_apart(draft, pieces)
    defaults = [piece.region.default_s for piece in pieces if piece.region is not None]
    duration_s = first.duration if first.duration is not None else min(defaults)
    motors = motors_at_once(draft, pieces, duration_s)
    if motors is not None:
        _add_pieces(draft, pieces, duration_s, motors)
        return
    of_the_first = {key: getattr(first, key) for key in ("rest", "move", "repeat", "position")}
    for piece in pieces:
        step = piece.step.model_copy(update={**of_the_first, "duration": duration_s})
        _add_step(draft, piece.number, step, "One after the other: what is at hand cannot do both at once.")


def _sides(step: Step) -> tuple[Side, ...]:
    """The sides of a step that goes together with another."""
    return tuple(side for side in SIDES if step.side in {side, "both"})


def _check_apart(draft: Draft, pieces: Sequence[Piece]) -> None:
    taken: set[tuple[str, Side]] = set()
    for piece in pieces:
        here = {(piece.region.id, side) for side in piece.sides if piece.region is not None}
        if taken & here:
            what = f"The {piece.place} is worked already, by a step that goes together with this one."
            raise draft.refusal(piece.number, "region", what, "Name another place, or leave out together.")
        taken |= here


def _add_step(draft: Draft, number: int, step: Step, note: str = "") -> None:
    region = draft.region(number, step)
    duration_s = step.duration if step.duration is not None else (region.default_s if region else 0.0)
    draft.check_duration(Piece(number, step, region, ()), duration_s)
    whole = Piece(number, step, region, SIDES)
    if step.side == "both" and (motors := motors_of(draft, whole, duration_s)).drives:
        _add_pieces(draft, [whole], duration_s, motors, note)
        return
    if step.side == "both":
        note = f"{note} One side after the other.".strip()
    sides = [side for side in SIDES if step.side in {side, "each", "both"}]
    for piece in [Piece(number, step, region, (side,)) for side in sides] or [Piece(number, step, region, ())]:
        _add_pieces(draft, [piece], duration_s, motors_of(draft, piece, duration_s), note)


def _add_pieces(draft: Draft, pieces: Sequence[Piece], duration_s: float, motors: Motors, note: str = "") -> None:
    """Add what is worked at the same time: the way there, then each repetition with its rest."""
    first, others = pieces[0], pieces[1:]
    for piece in pieces:
        draft.check_day(piece)
        draft.check_duration(piece, duration_s)
    span = Span(
        _KINDS.get(first.step.technique, "work"),
        duration_s,
        first.number + 1,
        draft.routine.line(first.number),
        at_once_cue([(piece.place, work_cue(piece.step, piece.region)) for piece in pieces], motors.hands),
        region=first.region.id if first.region else None,
        side=first.side,
        technique=first.step.technique,
        position=first.step.position,
        tool=first.step.tool,
        note=f"{note} {motors.note}".strip(),
        drives=motors.drives,
        also=tuple(place for piece in others if (place := piece.place) is not None),
    )
    if not motors.are_there:
        _add_move(draft, pieces, span, motors.hands)
    else:
        draft.last_place = _where(pieces)
    for _ in range(first.step.repeat):
        for piece in pieces:
            draft.use(piece, duration_s)
        draft.spans.append(span)
        if first.step.rest > 0:
            draft.spans.append(
                replace(
                    span, kind="rest", duration_s=first.step.rest, cue=rest_cue(), technique="rest", note="", drives=()
                )
            )


def _where(pieces: Sequence[Piece]) -> tuple[object, ...]:
    return tuple((piece.region, piece.side, pieces[0].step.position, piece.step.tool) for piece in pieces)


def _add_move(draft: Draft, pieces: Sequence[Piece], work: Span, hands: str) -> None:
    """Give the person time to get there, motor off."""
    first = pieces[0].step
    if first.technique in _KINDS:
        return
    place = _where(pieces)
    is_same, draft.last_place = place == draft.last_place, place
    move_s = MOVE_S if first.move is None else first.move
    has_nowhere_to_go = work.region is None and first.position is None and work.side is None
    if is_same or has_nowhere_to_go or move_s == 0:
        return
    cues = [move_cue(piece.step, piece.region, piece.side) for piece in pieces]
    notes = dict.fromkeys(move_note(piece.step, piece.region) for piece in pieces)
    draft.spans.append(
        replace(
            work,
            kind="move",
            duration_s=move_s,
            cue=" ".join([*cues, hands]).strip(),
            technique="transition",
            note=" ".join(note for note in notes if note),
            drives=(),
        )
    )


def _check_session(draft: Draft) -> None:
    """Refuse a driven session that is too long, at the step that makes it so."""
    if not any(span.drives for span in draft.spans):
        return
    most_s, why = least_session_s(draft.bounds, SESSION_MAX_S, "")
    total_s = sum(span.duration_s for span in draft.spans)
    end_s = 0.0
    for span in draft.spans:
        end_s += span.duration_s
        if end_s > most_s + ROUNDING_S:
            because = f" ({why})" if why else ""
            what = f"The session lasts {total_s:.0f} s; the most is {most_s:.0f} s{because}, which this step passes."
            raise draft.refusal(span.step - 1, "", what, "Shorten or leave out steps.")


def _extra_max_s(draft: Draft, span: Span) -> float:
    if span.kind != "work":
        return 0.0
    if not span.places or span.technique in NEEDS_NO_PLACE:
        return FREE_EXTRA_S
    return max(0.0, min(draft.left_s(place) for place in span.places))
