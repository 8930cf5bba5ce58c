"""The places on the body that routines may name: their limits, how to find them, and what is refused.

The table is ``regions.toml``; every row has its sources. Limits are per side and session; speeds are percussions per
minute of the device's marketed range.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from firmware_profiles.links import Identifier, Table
from firmware_profiles.tomlfile import did_you_mean, load_toml
from firmware_profiles.units import FULL_PPM
from routines.errors import RoutineError

TABLE_PATH = Path(__file__).with_name("regions.toml")

Sentence = Annotated[str, Field(min_length=1)]


class Region(Table):
    """One place, the same on both sides. A place that is never driven has no speeds and says why."""

    id: Identifier
    name: Sentence
    aliases: tuple[Identifier, ...] = ()
    landmark: Sentence
    how: Sentence
    avoid: tuple[Sentence, ...] = Field(min_length=1)
    head: Sentence
    default_s: float = Field(gt=0)
    max_s: float = Field(gt=0)
    gentle_ppm: int | None = Field(default=None, gt=0)
    cap_ppm: int | None = Field(default=None, gt=0, le=FULL_PPM)
    drivable: bool = True
    why_not: str = ""
    check_first: str = ""
    sources: tuple[Sentence, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.default_s > self.max_s:
            raise ValueError("default_s is above max_s.")
        if self.drivable:
            if self.gentle_ppm is None or self.cap_ppm is None or self.gentle_ppm > self.cap_ppm:
                raise ValueError("needs gentle_ppm and, not below it, cap_ppm.")
        elif self.cap_ppm is not None or self.gentle_ppm is not None or not self.why_not:
            raise ValueError("is never driven: give why_not, and no speeds.")
        return self


class Refusal(Table):
    """Places that no routine may name, and why. The first of ``names`` is the plainest."""

    names: tuple[Identifier, ...] = Field(min_length=1)
    reason: Sentence
    sources: tuple[Sentence, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class UnknownRegion:
    """A name that is neither a region nor refused. ``advice`` names the nearest region."""

    name: str
    advice: str


class RegionTable(Table):
    """The whole file."""

    schema_: Literal[1] = Field(alias="schema")
    regions: tuple[Region, ...] = Field(min_length=1)
    refused: tuple[Refusal, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [name for region in self.regions for name in (region.id, *region.aliases)]
        names += [name for refusal in self.refused for name in refusal.names]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"has these names twice: {', '.join(sorted(doubled))}.")
        return self


def load_regions(path: Path = TABLE_PATH) -> RegionTable:
    """Read the table. Raises RoutineError with file, line and key."""
    return load_toml(path, RegionTable, error=RoutineError)


@cache
def region_table() -> RegionTable:
    """The table that ships with percuss, read once."""
    return load_regions()


@cache
def regions() -> dict[str, Region]:
    """Every region by its id, in the order of the table."""
    return {region.id: region for region in region_table().regions}


@cache
def strictest_regions() -> tuple[Region, Region]:
    """The driven regions with the lowest cap and with the shortest longest time: what holds for an unnamed place."""
    driven = [region for region in regions().values() if region.drivable]
    slowest = min(driven, key=lambda region: region.cap_ppm or 0)
    # Of equal ones the place with the lowest cap, so that one name explains both limits.
    return slowest, min(driven, key=lambda region: (region.max_s, region.cap_ppm or 0))


def find_region(name: str) -> Region | Refusal | UnknownRegion:
    """The region with this name or alias, or why there is none.

    A name that is not in the table but has a refused word in it (``left_knee``, ``neck_muscles``) is refused too.
    """
    plain = plain_name(name)
    if region := _regions_by_name().get(plain):
        return region
    refused = _refusals_by_name()
    for candidate in _readings(plain):
        if candidate in refused:
            return refused[candidate]
    return UnknownRegion(name=name, advice=did_you_mean(plain, _regions_by_name()))


def plain_name(name: str) -> str:
    """A name the way the table writes it: ``Lower Back`` is ``lower_back``."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _readings(plain: str) -> Iterator[str]:
    """The name itself and then the words in it, each also as a singular."""
    words = plain.split("_")
    for candidate in (plain, *words):
        yield candidate
        yield candidate.removesuffix("s")
    for first, second in itertools.pairwise(words):
        yield f"{first}_{second}"


@cache
def _regions_by_name() -> dict[str, Region]:
    return {name: region for region in regions().values() for name in (region.id, *region.aliases)}


@cache
def _refusals_by_name() -> dict[str, Refusal]:
    return {name: refusal for refusal in region_table().refused for name in refusal.names}
