"""What a device can do, as far as planning and driving need to know."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from firmware_profiles.units import FULL_PPM, Level, Percent, Ppm

Kind = Literal["massager", "timer"]
"""What a device can be."""

Role = Literal["massager", "massager2", "timer"]
"""The part that a device has in a session: there may be a second massager."""

MASSAGERS: tuple[Role, Role] = ("massager", "massager2")


def kind_of(role: Role) -> Kind:
    """What a device must be for a role."""
    return "timer" if role == "timer" else "massager"


Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Place:
    """One region of the body; ``side`` is None for both sides at once."""

    region: str
    side: Side | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that it is about."""
        return (self.side,) if self.side is not None else ("left", "right")

    def __str__(self) -> str:
        return f"{self.side or ''} {self.region.replace('_', ' ')}".strip()


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a channel: 0 (off), then either all of ``lowest``…``full`` or just ``steps``.

    ``full`` is what 100 % means: the marketed maximum. ``full_ppm`` is how fast that is (None: the device knows only
    levels, and 100 % counts as `FULL_PPM` for every limit). A switch has the one step 1.
    """

    lowest: Level
    full: Level
    steps: tuple[Level, ...] | None = None
    full_ppm: Ppm | None = None

    @property
    def is_switch(self) -> bool:
        """Whether it is just on or off, so that a person sets the strength by hand."""
        return self.steps is not None and len(self.steps) == 1

    def not_above(self, percent: float) -> Level:
        """The highest level that is not above ``percent``; 0 when even the lowest is."""
        # A hair of tolerance: 1750 ppm of 2400 must not become 1749 on its way through a fraction.
        wanted = math.floor(percent * self.full / 100 + 1e-6)
        if self.steps is not None:
            at = bisect.bisect_right(self.steps, wanted)
            return self.steps[at - 1] if at else Level(0)
        return Level(min(wanted, self.full)) if wanted >= self.lowest else Level(0)

    def percent(self, level: int) -> Percent:
        """How much of the full scale a level is."""
        return Percent(100 * level / self.full)

    def ppm(self, level: int) -> Ppm:
        """How fast a level is; for a device that knows only levels, what it counts as for the limits."""
        return Ppm(round(level * (self.full_ppm or FULL_PPM) / self.full))

    def percent_of_ppm(self, ppm: float) -> Percent:
        """How much of the full scale a speed is."""
        return Percent(100 * ppm / (self.full_ppm or FULL_PPM))

    def accepts(self, level: int) -> bool:
        """Whether the channel can be set to this level."""
        if level == 0:
            return True
        return level in self.steps if self.steps is not None else self.lowest <= level <= self.full


@dataclass(frozen=True, slots=True)
class Channel:
    """One motor. ``region`` and ``side`` are None on a hand-held device, which a person moves anywhere.

    One with a region and no side reaches both sides at once.
    """

    name: str
    levels: Levels
    region: str | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one device offers. ``channels`` is in the profile's order; ``cap`` holds it below its full scale.

    ``name`` is what its person calls it, empty where nobody does.
    """

    profile: str
    roles: tuple[Kind, ...]
    channels: Mapping[str, Channel]
    cap_percent: Percent
    cap_reason: str
    name: str = ""

    @property
    def is_hand_held(self) -> bool:
        """Whether a person moves it from place to place."""
        return all(channel.region is None for channel in self.channels.values())

    def channels_at(self, region: str, sides: Collection[str]) -> tuple[Channel, ...]:
        """The channels that reach a place on all of ``sides`` and nowhere else; none where that cannot be.

        Of a hand-held device it is the first one.
        """
        if self.is_hand_held:
            return tuple(self.channels.values())[:1]
        here = [channel for channel in self.channels.values() if channel.region == region]
        if len(sides) > 1 and (both := tuple(channel for channel in here if channel.side is None)):
            return both
        found = {side: [channel for channel in here if channel.side == side] for side in sides}
        return tuple(c for side in sides for c in found[side]) if all(found.values()) else ()
