"""How strong a place may be worked: the tighter of what the body and the device bear, and levels that keep to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firmware_profiles.capabilities import Capabilities, Channel, Levels, Role, Side
from firmware_profiles.units import FULL_PPM, Level, Percent
from routines.bounds import Bound
from routines.regions import Region, strictest_regions
from routines.schema import GROWING_TECHNIQUES, Intensity
from routines.timeline import OFF, Drive

_ROUNDING_PPM = 1e-6

HAND = Channel(name="hand", levels=Levels(lowest=Level(1), full=Level(FULL_PPM), full_ppm=FULL_PPM))
"""Stands for whatever a person holds when no device is bound, so that the limits are the same without one."""

BY_HAND = Capabilities(
    profile="hand", roles=("massager",), channels={HAND.name: HAND}, cap_percent=Percent(100.0), cap_reason="no device"
)


@dataclass(frozen=True, slots=True)
class Cap:
    """The highest speed that is allowed, and a phrase that says why."""

    ppm: float
    reason: str


@dataclass(frozen=True, slots=True)
class Strength:
    """What is asked of one channel at one place, in percussions per minute."""

    asked_ppm: float
    gentle_ppm: float
    cap: Cap

    @property
    def is_above_cap(self) -> bool:
        """Whether more is asked than allowed; no word can, only numbers."""
        return self.asked_ppm > self.cap.ppm + _ROUNDING_PPM

    def held_to(self, cap: Cap, *, is_lowered: bool) -> Strength:
        """The same under a lower cap; what is asked is lowered with it where it is a word, and kept where a number."""
        asked_ppm = min(self.asked_ppm, cap.ppm) if is_lowered else self.asked_ppm
        return Strength(asked_ppm, min(self.gentle_ppm, cap.ppm), cap)


def full_ppm(levels: Levels) -> float:
    """What 100 % is in percussions per minute; devices that know only levels count as `FULL_PPM`."""
    return levels.full_ppm or FULL_PPM


def region_cap(region: Region | None) -> Cap:
    """What the place bears, whatever the device could do. Without a place, what the most delicate one bears."""
    if region is None:
        slowest = strictest_regions()[0]
        limit = f"({slowest.id}, {slowest.cap_ppm} ppm)"
        return Cap(slowest.cap_ppm or 0, f"without a region the strictest limit of all holds {limit}")
    return Cap(region.cap_ppm or 0, f"{region.cap_ppm} ppm is the limit of the {region.id.replace('_', ' ')}")


def tightest_cap(
    region: Region | None,
    sides: Iterable[Side | None],
    device: Capabilities,
    levels: Levels,
    bounds: Sequence[Bound] = (),
) -> Cap:
    """The lowest of what the place, the device and today's bounds allow, with its reason.

    The planner plans by it and the supervisor checks every command against it.
    """
    cap = _body_or_device_cap(region, device, levels)
    return min([cap, *_held_caps(region, sides, levels, bounds)], key=lambda each: each.ppm)


def strength(
    intensity: Intensity,
    region: Region | None,
    sides: Iterable[Side | None],
    device: Capabilities,
    levels: Levels,
    bounds: Sequence[Bound] = (),
) -> Strength:
    """What an intensity means here. ``gentle`` is the place's, ``firm`` is the cap, ``moderate`` is half way.

    A word means the same every day; today's bounds lower it where they are tighter. A number is never lowered.
    """
    usual = _body_or_device_cap(region, device, levels)
    cap = tightest_cap(region, sides, device, levels, bounds)
    gentle_ppm = min(_gentle_ppm(region), usual.ppm)
    if intensity.percent is not None:
        asked_ppm = intensity.percent * full_ppm(levels) / 100
    elif intensity.ppm is not None:
        asked_ppm = intensity.ppm
    else:
        words = {"gentle": gentle_ppm, "moderate": (gentle_ppm + usual.ppm) / 2}
        asked_ppm = min(words.get(str(intensity.word), usual.ppm), cap.ppm)
    return Strength(asked_ppm=asked_ppm, gentle_ppm=min(gentle_ppm, cap.ppm), cap=cap)


def _gentle_ppm(region: Region | None) -> float:
    if region is None:
        return min(driven.gentle_ppm or 0 for driven in strictest_regions())
    return region.gentle_ppm or 0


def _body_or_device_cap(region: Region | None, device: Capabilities, levels: Levels) -> Cap:
    place = region_cap(region)
    # A switch has no strength that could be held below anything: the person is told instead.
    device_ppm = full_ppm(levels) * (100.0 if levels.is_switch else device.cap_percent) / 100
    if levels.is_switch or place.ppm <= device_ppm:
        return place
    reason = f"{device.cap_percent:g} % ({device_ppm:g} ppm) is the limit of {device.profile}: {device.cap_reason}"
    return Cap(device_ppm, reason)


def _held_caps(
    region: Region | None, sides: Iterable[Side | None], levels: Levels, bounds: Sequence[Bound]
) -> list[Cap]:
    """What today's bounds allow. Held to gentle means the slowest speed that the device has, where that is faster."""
    place = None if region is None else region.id
    wanted = list(sides) or [None]
    slowest_ppm = levels.percent(levels.lowest) * full_ppm(levels) / 100
    caps = []
    for bound in bounds:
        if bound.cap is None or not any(bound.holds_at(place, side) for side in wanted):
            continue
        if bound.cap.percent is not None:
            caps.append(Cap(bound.cap.percent * full_ppm(levels) / 100, bound.reason))
        elif bound.cap.ppm is not None:
            caps.append(Cap(bound.cap.ppm, bound.reason))
        elif bound.cap.word == "gentle":
            caps.append(Cap(max(_gentle_ppm(region), 0.0 if levels.is_switch else slowest_ppm), bound.reason))
    return caps


def drive(
    role: Role,
    channel: Channel,
    points: Sequence[tuple[float, Strength]],
    *,
    technique: str,
    duration_s: float,
    ramp_s: float = 0.0,
) -> Drive | None:
    """The drive that keeps a channel at or below what is asked; None when even its lowest level is above all of it.

    ``points`` are (seconds from the start, what is asked from then on); the first is at 0.
    """
    levels = channel.levels
    wanted = points[0][1]
    if levels.is_switch:
        on = levels.lowest
        switched = tuple((at_s, on if point.asked_ppm else OFF) for at_s, point in points)
        return Drive(role, channel.name, levels, switched, on, on, wanted.cap.reason, ramp_s)
    gentle, cap = (levels.not_above(levels.percent_of_ppm(ppm)) for ppm in (wanted.gentle_ppm, wanted.cap.ppm))
    targets = tuple((at_s, levels.not_above(levels.percent_of_ppm(point.asked_ppm))) for at_s, point in points)
    if not any(level for _, level in targets):
        return None
    if technique in GROWING_TECHNIQUES:
        targets = _stages(levels, max(gentle, levels.lowest), targets[0][1], duration_s)
    return Drive(role, channel.name, levels, targets, gentle, cap, wanted.cap.reason, ramp_s)


def _stages(levels: Levels, first: Level, last: Level, duration_s: float) -> tuple[tuple[float, Level], ...]:
    """Up to three targets of equal time that rise from ``first`` to ``last``; just ``last`` when it is not higher."""
    if last <= first:
        return ((0.0, last),)
    middle = levels.not_above((levels.percent(first) + levels.percent(last)) / 2)
    stages = sorted({first, middle, last})
    return tuple((duration_s * number / len(stages), level) for number, level in enumerate(stages))


def above_cap(intensity: Intensity, wanted: Strength) -> str:
    """Say that more is asked than allowed: both numbers and the reason."""
    asked = f"{intensity} ({wanted.asked_ppm:g} ppm)" if intensity.percent is not None else str(intensity)
    return f"{asked} is above {wanted.cap.ppm:g} ppm: {wanted.cap.reason}."


def lower_advice(wanted: Strength, channel: Channel) -> str:
    """Say what to ask for instead."""
    # Rounded down, so that what the advice says is never refused again.
    percent = math.floor(10 * channel.levels.percent_of_ppm(wanted.cap.ppm)) / 10
    return f"Ask for at most {percent:g} % ({math.floor(wanted.cap.ppm)} ppm)."


def hand_setting(wanted: Strength) -> str:
    """Say how strong the person may set a device that the program cannot set."""
    return f"not above {math.floor(min(wanted.asked_ppm, wanted.cap.ppm))} percussions a minute"


def too_strong(device: Capabilities, channel: Channel, wanted: Strength) -> str:
    """Say that even the lowest level is more than asked."""
    lowest_ppm = channel.levels.percent(channel.levels.lowest) * full_ppm(channel.levels) / 100
    return f"the lowest setting of {device.profile} is {lowest_ppm:.0f} ppm, and {wanted.asked_ppm:.0f} ppm is asked"
