"""What drives a piece of a routine with the devices at hand, and what the person must know where nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firmware_profiles.capabilities import Capabilities, Channel, Place
from routines.bounds import Bound
from routines.draft import Draft, Piece
from routines.limits import (
    BY_HAND,
    HAND,
    Cap,
    Strength,
    above_cap,
    drive,
    hand_setting,
    lower_advice,
    strength,
    tightest_cap,
    too_strong,
)
from routines.reaching import Reach, reach
from routines.regions import Region, regions
from routines.schema import DRIVEN_TECHNIQUES, REST, parse_intensity
from routines.timeline import Drive


@dataclass(frozen=True, slots=True)
class Motors:
    """The drives of a piece, and its note.

    ``hands`` says which of two devices is held where, and ``are_there`` that nobody has to move anything to the place.
    """

    drives: tuple[Drive, ...] = ()
    note: str = ""
    hands: str = ""
    are_there: bool = False


def motors_of(draft: Draft, piece: Piece, duration_s: float) -> Motors:
    """What drives one piece. A number above the limit is refused whether or not a motor runs."""
    if piece.region is None or piece.step.technique in {"rest", "transition"}:
        return Motors()
    why = _why_by_hand(draft, piece, piece.region)
    if piece.step.technique not in DRIVEN_TECHNIQUES or not piece.region.drivable:
        return Motors(note=why)
    if why:
        hand = _strengths(draft, piece, piece.region, BY_HAND, HAND, Place(piece.region.id, piece.side))
        notes = [piece.region.check_first, why]
        if piece.step.tool in {None, "massage-gun"}:
            strongest = max(hand, key=lambda point: point[1].asked_ppm)[1]
            notes.append(f"If you use a device that you set yourself: {hand_setting(strongest)}.")
        return Motors(note=_joined(notes))
    reached = reach(draft.massagers, _places([piece]))
    return replace(_motors(draft, piece, piece.region, reached, reached, duration_s), hands=_hands(reached))


def motors_at_once(draft: Draft, pieces: Sequence[Piece], duration_s: float) -> Motors | None:
    """What drives several pieces at the same time; None where the devices at hand cannot."""
    if any(piece.region is None or _why_by_hand(draft, piece, piece.region) for piece in pieces):
        return None
    reached = reach(draft.massagers, _places(pieces))
    if not reached:
        return None
    made = []
    for piece in pieces:
        if piece.region is None:
            return None
        own = [each for each in reached if each.place.region == piece.region.id and each.place.sides[0] in piece.sides]
        made.append(_motors(draft, piece, piece.region, own, reached, duration_s))
    if not all(motors.drives for motors in made):
        return None
    drives = tuple(drive for motors in made for drive in motors.drives)
    note = _joined([motors.note for motors in made])
    return Motors(drives, note, _hands(reached), all(motors.are_there for motors in made))


def _hands(reached: Sequence[Reach]) -> str:
    """Which device works where, where there is more than one."""
    if len({each.role for each in reached}) < 2:
        return ""
    return f"{', '.join(f'{each.device.name or each.device.profile} on the {each.place}' for each in reached)}."


def _places(pieces: Sequence[Piece]) -> list[Place]:
    return [place for piece in pieces if (place := piece.place) is not None]


def _joined(notes: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(note for note in notes if note))


def _why_by_hand(draft: Draft, piece: Piece, region: Region) -> str:
    """Why no motor runs in a piece, as a sentence; empty when one does."""
    step = piece.step
    if step.technique not in DRIVEN_TECHNIQUES:
        return f"By hand: {step.technique.replace('-', ' ')} is not for a machine."
    if not region.drivable:
        return f"By hand: {region.why_not}."
    if step.tool not in {None, "massage-gun"}:
        return f"By hand, with the tool of the step: {str(step.tool).replace('-', ' ')}."
    if "massager" not in step.roles:
        return "By hand: the routine leaves the massager out here."
    if not draft.massagers:
        return "No massager is connected."
    if not reach(draft.massagers, _places([piece])):
        sides = [side for side in piece.sides if not reach(draft.massagers, [Place(region.id, side)])]
        place = f"{' and '.join(sides)} {region.id.replace('_', ' ')}".strip()
        names = " and ".join(device.profile for device in draft.massagers.values())
        return f"By hand: {names} {'does' if len(draft.massagers) == 1 else 'do'} not reach the {place}."
    return ""


def _motors(
    draft: Draft, piece: Piece, region: Region, own: Sequence[Reach], reached: Sequence[Reach], duration_s: float
) -> Motors:
    """What drives one piece with its ``own`` of all the motors that are ``reached`` at the same time."""
    drives: list[Drive] = []
    notes = [region.check_first]
    held = [each.place for each in reached if each.device.is_hand_held]
    for each in own:
        others = [place for place in held if place != each.place] if each.device.is_hand_held else []
        points = _strengths(draft, piece, region, each.device, each.channel, each.place, others)
        made = drive(
            each.role,
            each.channel,
            points,
            technique=piece.step.technique,
            duration_s=duration_s,
            ramp_s=piece.step.ramp,
        )
        strongest = max(points, key=lambda point: point[1].asked_ppm)[1]
        if made is None:
            return Motors(note=_joined([*notes, f"By hand: {too_strong(each.device, each.channel, strongest)}."]))
        drives.append(replace(made, place=each.place))
        if each.channel.levels.is_switch:
            notes.append(f"Set the strength on the device by hand: {hand_setting(strongest)}.")
    return Motors(tuple(drives), _joined(notes), are_there=not any(each.device.is_hand_held for each in own))


def _bounds(draft: Draft, device: Capabilities) -> list[Bound]:
    """What holds today on this device; all of it where nobody said what the device is called."""
    return [bound for bound in draft.bounds if not device.name or bound.device in {None, device.name}]


def _strengths(
    draft: Draft,
    piece: Piece,
    region: Region,
    device: Capabilities,
    channel: Channel,
    place: Place,
    others: Sequence[Place] = (),
) -> list[tuple[float, Strength]]:
    """How strong from which second on: the step's intensity, or its curve. Raises PlanRefusedError above the cap.

    ``others`` are places where something else is held at the same time: nobody sees which hand has which device, so it
    is held to what they bear too.
    """
    sides = (channel.side,) if channel.side is not None else place.sides
    bounds, levels = _bounds(draft, device), channel.levels
    caps = [tightest_cap(regions()[other.region], other.sides, device, levels, bounds) for other in others]
    asked = [(point.at, point.intensity, f"curve.{n}.intensity") for n, point in enumerate(piece.step.curve)]
    points = []
    for at_s, text, key in asked or [(0.0, piece.step.intensity, "intensity")]:
        intensity = parse_intensity("gentle" if text == REST else text)
        wanted = strength(intensity, region, sides, device, levels, bounds)
        for cap in caps:
            if cap.ppm < wanted.cap.ppm:
                why = f"{cap.reason}, and the two could be held the other way round"
                wanted = wanted.held_to(Cap(cap.ppm, why), is_lowered=intensity.word is not None)
        if wanted.is_above_cap:
            raise draft.refusal(piece.number, key, above_cap(intensity, wanted), lower_advice(wanted, channel))
        points.append((at_s, replace(wanted, asked_ppm=0.0) if text == REST else wanted))
    return points
