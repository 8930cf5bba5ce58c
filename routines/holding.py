"""Plan one strength for some seconds, at a named place or at none: what ``percuss set`` does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from firmware_profiles.capabilities import Capabilities, Channel, Role, Side
from routines.bounds import Bound, least_left_s, refusal
from routines.errors import PlanRefusedError
from routines.limits import above_cap, drive, hand_setting, lower_advice, strength, too_strong
from routines.regions import Refusal, Region, UnknownRegion, find_region, strictest_regions
from routines.schema import Intensity
from routines.timeline import Drive, Span, Timeline

_NAME_IT = "Name the region with --region: its own limits then hold."


def plan_hold(
    percent: float,
    duration_s: float,
    devices: Mapping[Role, Capabilities],
    *,
    region: str | None = None,
    side: Side | None = None,
    bounds: Sequence[Bound] = (),
) -> Timeline:
    """Lay out ``percent`` of the full scale for ``duration_s`` seconds.

    Without a region every region's limits hold: the lowest cap and the shortest time of all. On a device with zones all
    of them run then. ``bounds`` are what holds today on top. Raises PlanRefusedError, whose ``where`` names the value.
    """
    massager = devices.get("massager")
    if massager is None:
        raise _refusal("massager", "No massager is bound.", "Pair one, or name one.")
    if not (math.isfinite(percent) and 0 < percent <= 100):
        raise _refusal("intensity", f"{percent:g} % is not above 0 and up to 100 %.", "To switch off, use stop.")
    place = _place(region)
    _check_time(duration_s, place)
    left_s = _check_day(duration_s, place, side, bounds)
    drives: list[Drive] = []
    notes: list[str] = [place.check_first] if place and place.check_first else []
    for channel in _channels(massager, place, side):
        made, note = _drive(percent, duration_s, massager, channel, place, side, bounds)
        drives.append(made)
        if note and note not in notes:
            notes.append(note)
    span = Span(
        "work",
        duration_s,
        step=1,
        line=0,
        cue=place.how if place else "Keep to muscle; stay off bone, joints, the neck, the spine and the belly.",
        region=place.id if place else None,
        side=side,
        technique="percussion",
        note=" ".join(notes),
        drives=tuple(drives),
        extra_max_s=min((place or strictest_regions()[1]).max_s, left_s) - duration_s,
    )
    return Timeline("set", (span,), roles=("massager",))


def _place(name: str | None) -> Region | None:
    if name is None:
        return None
    match find_region(name):
        case Region(drivable=True) as region:
            return region
        case Region(why_not=why):
            raise _refusal("region", f"{name} is never driven. {why}.", "Work there by hand.")
        case Refusal(reason=why):
            raise _refusal("region", f"{name.replace('_', ' ')} is refused. {why}", "Name a muscle nearby.")
        case UnknownRegion(advice=advice):
            raise _refusal("region", f"{name!r} is no region.", advice)


def _check_time(duration_s: float, place: Region | None) -> None:
    limiting = place or strictest_regions()[1]
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise _refusal("duration", f"{duration_s:g} s is no time.", f"Ask for up to {limiting.max_s:g} s.")
    if duration_s <= limiting.max_s:
        return
    if place is None:
        shortest = f"{limiting.max_s:g} s, the shortest limit of any region ({limiting.id})"
        what = f"{duration_s:g} s is longer than {shortest}."
        raise _refusal("duration", what, _NAME_IT)
    what = f"{duration_s:g} s is longer than {place.max_s:g} s, the most that one {place.id} bears in a session."
    raise _refusal("duration", what, f"Ask for up to {place.max_s:g} s.")


def _check_day(duration_s: float, place: Region | None, side: Side | None, bounds: Sequence[Bound]) -> float:
    """How many seconds are left today. A place without a name may be any: every bound holds."""
    name = None if place is None else place.id
    if (bound := refusal(bounds, name, (side,))) is not None:
        where = (bound.region or "every place").replace("_", " ")
        raise _refusal("region", f"Left alone today: {where}: {bound.reason}.", _NAME_IT if place is None else "")
    left_s, why = least_left_s(bounds, name, side)
    if duration_s > left_s:
        what = f"{duration_s:g} s is longer than the {left_s:.0f} s that are left today: {why}."
        raise _refusal("duration", what, f"Ask for up to {left_s:.0f} s." if left_s >= 1 else "Leave it for tomorrow.")
    return left_s


def _channels(massager: Capabilities, place: Region | None, side: Side | None) -> tuple[Channel, ...]:
    if massager.is_hand_held:
        found = tuple(massager.channels.values())[:1]
    elif place is None:
        found = tuple(c for c in massager.channels.values() if side in {None, c.side})
    else:
        sides = (side,) if side else ("left", "right")
        found = massager.channels_at(place.id, sides)
    if not found:
        zones = sorted({f"{c.side or 'both'} {c.region}" for c in massager.channels.values() if c.region})
        where = f"{side or ''} {place.id if place else 'side'}".strip()
        fix = f"It reaches: {', '.join(zones) or 'nothing'}."
        raise _refusal("region", f"{massager.profile} does not reach: {where}.", fix)
    return found


def _drive(
    percent: float,
    duration_s: float,
    massager: Capabilities,
    channel: Channel,
    place: Region | None,
    side: Side | None,
    bounds: Sequence[Bound],
) -> tuple[Drive, str]:
    """The drive of one channel, and what the person must know."""
    intensity = Intensity(percent=percent)
    wanted = strength(intensity, place, (channel.side or side,), massager, channel.levels, bounds)
    # A switch has no share of its full scale: it runs as its person sets it, and the note says how far.
    is_switch = channel.levels.is_switch
    if wanted.is_above_cap and not is_switch:
        advice = lower_advice(wanted, channel)
        raise _refusal("intensity", above_cap(intensity, wanted), advice if place else f"{advice} {_NAME_IT}")
    made = drive("massager", channel, [(0.0, wanted)], technique="percussion", duration_s=duration_s)
    if made is None:
        raise _refusal("intensity", f"Too little: {too_strong(massager, channel, wanted)}.", "Ask for more.")
    return made, f"Set the strength on the device by hand: {hand_setting(wanted)}." if is_switch else ""


def _refusal(key: str, what: str, fix: str) -> PlanRefusedError:
    return PlanRefusedError(what, key=key, fix=fix)
