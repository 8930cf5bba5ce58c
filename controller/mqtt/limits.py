"""How strong a plain hold may be: what the region, the device and the day leave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller import api
from firmware_profiles.capabilities import Capabilities, Role
from firmware_profiles.errors import PercussError
from routines import planner
from routines.bounds import Bound
from routines.regions import Region, find_region, strictest_regions
from routines.timeline import Timeline


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """Percent of the device's full scale, whole ones inside what is allowed. ``reason`` says why ``most`` is no more.

    ``duration_s`` is how long a hold lasts when nobody says so: the region's default.
    """

    least_percent: int
    most_percent: int
    gentle_percent: int
    duration_s: float
    reason: str


def hold_limits(massager: str | None, region: str | None) -> HoldLimits | PercussError:
    """The limits for a paired massager at a place, or why there is nothing to do there now. Reads files."""
    if massager is None:
        return PercussError("no massager is chosen.", fix="Pair one, or choose one of several.")
    duration_s = default_s(region)

    def least(devices: Mapping[Role, Capabilities], bounds: Sequence[Bound]) -> Timeline:
        levels = next(iter(devices["massager"].channels.values())).levels
        lowest = levels.steps[0] if levels.steps else levels.lowest
        return planner.plan_hold(levels.percent(lowest), duration_s, devices, region=region, bounds=bounds)

    try:
        drives = api.plan(least, massager=massager).spans[0].drives
    except PercussError as problem:
        return problem
    if not drives:
        return PercussError("it has no motor that can be set.", where=massager)
    tightest = min(drives, key=lambda drive: drive.levels.percent(drive.cap_level))
    levels = tightest.levels
    least_percent = max(1, math.ceil(levels.percent(levels.steps[0] if levels.steps else levels.lowest)))
    most_percent = max(least_percent, math.floor(levels.percent(tightest.cap_level)))
    gentle = min(most_percent, max(least_percent, math.floor(levels.percent(tightest.gentle_level))))
    return HoldLimits(least_percent, most_percent, gentle, duration_s, tightest.cap_reason)


def default_s(region: str | None) -> float:
    """How long a place is worked when nobody says so, in seconds; without a place the shortest of all."""
    match None if region is None else find_region(region):
        case Region() as place:
            return place.default_s
        case _:
            return strictest_regions()[1].default_s
