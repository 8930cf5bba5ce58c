"""What the campaign holds the product to: numbers of its own, worked out here and not by the code under test."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from firmware_profiles.capability_tables import LevelModel
from firmware_profiles.schema import Profile

Side = Literal["left", "right"]

PLACES: dict[str, tuple[int, int, int]] = {
    "piriformis": (1500, 2100, 90),
    "gluteus_medius": (1600, 2400, 120),
    "gluteus_minimus": (1500, 2100, 90),
    "gluteus_maximus": (1750, 2400, 120),
    "lumbar_paraspinal": (1400, 1800, 60),
    "hamstrings": (1750, 2400, 120),
    "calves": (1600, 2100, 120),
    "quadriceps": (1750, 2400, 120),
    "foot_arch": (1200, 1800, 90),
    "heel": (1200, 1600, 60),
    "upper_back": (1400, 1800, 90),
    "shoulders": (1400, 1800, 90),
}
"""What is driven: gentle and most in percussions per minute, and the seconds that one side bears in a session.

Copied by hand from the table of regions that the limits were decided in; whoever changes one changes both.
"""

FULL_PPM = 2400
UNVERIFIED_SHARE = 0.875
"""What a profile that nobody has seen work may do, as a share of its full scale."""

RISE_PPM = 250
SOFT_HOLD_S, HOLD_S = 1.0, 10.0
"""The least seconds between two rises, below gentle and from gentle on."""

HOLD_SLACK_S = 0.15
"""How much sooner a rise may arrive: the one before may have been late on its way."""

LEASE_S = 2.0
"""Seconds that a permission lasts when nobody renews it."""

AT_ONCE_S = 0.1
"""What "at once" may take. A stop is written at the instant at which it is asked for, past whatever is under way; a
tenth of a second covers the instant itself on a clock of floats."""

REPEAT_S = 3.0
"""When the line lost a stop while the device is being stopped: how soon the next one is due. One round of Stop on a
device that acknowledges nothing is half a second for each of two frames and for the question how it is, and three
tenths of listening; and one round may have to open the link anew first."""

NOTICE_S = 10.0
"""When the line lost an off in the middle of a session, and the device says what it does: how soon it must be noticed.
The motor gets four seconds to spin down before its word counts; the word is asked for once a second and may be lost
for four more before silence counts as a fault; then Stop is repeated."""

BACK_S = 7.5
"""How soon Stop is due on a link that works again: the longest pause between two attempts (5 s), and the opening."""

BLIND_STOPS = 3
"""How often an off must be written to a device that cannot say whether it worked. If the line lost them all, nobody on
this side of it could know."""

RETURN_S = 45.0
"""How long `Session.run` may take to return after the last word of the person, without what hangs in the scenario."""

AFTER_S = 15.0
"""How long the motor is watched after the session."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A bound of the day, as the scenario drew it: the most in percussions a minute, or "gentle", or nothing at all."""

    region: str | None
    side: Side | None
    most: float | Literal["gentle", "none"]

    def holds_at(self, region: str, sides: Iterable[Side]) -> bool:
        """Whether it concerns a place."""
        return self.region is None or (self.region == region and (self.side is None or self.side in set(sides)))


def levels_of(profile: Profile) -> LevelModel:
    """What its file says of its levels."""
    assert profile.level is not None
    return profile.level


def full_ppm(profile: Profile) -> float:
    """How many percussions a minute the highest level counts as."""
    level = levels_of(profile)
    return float(full_level(profile) if level.unit == "ppm" else level.full_ppm or FULL_PPM)


def full_level(profile: Profile) -> int:
    """The highest level."""
    level = levels_of(profile)
    return level.steps[-1] if level.steps else level.full or 1


def is_switch(profile: Profile) -> bool:
    """Whether it is just on or off."""
    return levels_of(profile).unit == "switch"


def ppm(profile: Profile, level: int) -> float:
    """How fast a level is."""
    return level * full_ppm(profile) / full_level(profile)


def cap_ppm(profile: Profile, region: str, sides: Iterable[Side], holds: Iterable[Hold]) -> float:
    """The most that a place may get: the least of the body's, the device's and the day's."""
    gentle, most, _ = PLACES[region]
    sides = tuple(sides)
    caps = [float(most), full_ppm(profile) * (1.0 if profile.verified_on_hardware else UNVERIFIED_SHARE)]
    for hold in holds:
        if not hold.holds_at(region, sides):
            continue
        if hold.most == "gentle":
            # The slowest that the device has, where even that is faster than gentle.
            lowest = (levels_of(profile).steps or (levels_of(profile).lowest,))[0]
            caps.append(max(float(gentle), ppm(profile, lowest)))
        else:
            caps.append(0.0 if hold.most == "none" else hold.most)
    return min(caps)


def cap_level(profile: Profile, region: str, sides: Iterable[Side], holds: Iterable[Hold]) -> int:
    """The highest level that a place may get. The strength of a switch is the person's business, not its being on."""
    most = cap_ppm(profile, region, sides, holds)
    if is_switch(profile):
        return 1 if most > 0 else 0
    return level_of(profile, most)


def gentle_level(profile: Profile, region: str, sides: Iterable[Side], holds: Iterable[Hold]) -> int:
    """From where on the climb is slow."""
    return level_of(profile, min(PLACES[region][0], cap_ppm(profile, region, sides, holds)))


def level_of(profile: Profile, most_ppm: float) -> int:
    """The highest level that is not faster."""
    level = math.floor(most_ppm * full_level(profile) / full_ppm(profile) + 1e-6)
    if (steps := levels_of(profile).steps) is not None:
        return max((step for step in steps if step <= level), default=0)
    return level if level >= levels_of(profile).lowest else 0


def is_one_step(profile: Profile, before: int, after: int) -> bool:
    """Whether a rise is no bigger than one step may be: 250 ppm, or one level."""
    if ppm(profile, after) - ppm(profile, before) <= RISE_PPM + 1e-6:
        return True
    steps = levels_of(profile).steps or (
        () if is_switch(profile) else range(levels_of(profile).lowest, full_level(profile) + 1)
    )
    return not any(before < step < after for step in steps)


def wrong_rise(profile: Profile, before: int, after: int, gentle: int, since_s: float) -> str:
    """What is wrong with a rise that came ``since_s`` after the one before, as words; empty when nothing is."""
    least_s = 0.0 if before == 0 else HOLD_S if before >= gentle else SOFT_HOLD_S
    if not is_one_step(profile, before, after):
        return f"rose from {before} to {after} in one step"
    if since_s < least_s - HOLD_SLACK_S:
        return f"rose from {before} to {after} after {since_s:.2f} s instead of {least_s:g} s"
    return ""


def has_checksum(profile: Profile) -> bool:
    """Whether a frame that sets a level is protected against flipped bits."""
    table = profile.commands.set_level
    return table is not None and all("sum" in frame or "crc" in frame for frame in table.frames)
