"""The person's own limits, ``limits.toml`` in the settings folder: they tighten and never loosen.

::

    schema = 1
    cap = "70%"                   # everywhere: a percentage, a speed ("1500 ppm") or "gentle"
    session = "10m"               # the longest session

    [regions.calves]
    cap = "gentle"
    time = "30s"                  # a side and session
    [regions.heel]
    leave_alone = "it is bruised"

    [devices.elite]               # a paired device's name
    cap = "50%"
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from firmware_profiles.folders import config_folder
from firmware_profiles.links import Table
from firmware_profiles.tomlfile import load_toml
from routines.bounds import Bound
from routines.errors import RoutineError
from routines.regions import Region, find_region
from routines.schema import Intensity, parse_duration, parse_intensity

FILE_NAME = "limits.toml"


def _region_id(name: str) -> str:
    found = find_region(name)
    if not isinstance(found, Region):
        raise ValueError(f"{name!r} is no region that is driven.")
    return found.id


def _cap(text: object) -> Intensity:
    intensity = parse_intensity(text)
    if intensity.word not in {None, "gentle"}:
        raise ValueError(f'{intensity.word!r} is no limit. Write "60%", "1500 ppm" or "gentle".')
    return intensity


Cap = Annotated[Intensity, BeforeValidator(_cap)]
Time = Annotated[float, BeforeValidator(parse_duration)]


class RegionLimits(Table):
    """What holds at one region."""

    cap: Cap | None = None
    time: Time | None = None
    leave_alone: str = ""


class DeviceLimits(Table):
    """What holds on one device."""

    cap: Cap


class OwnLimits(Table):
    """The whole file."""

    schema_: Literal[1] = Field(alias="schema")
    cap: Cap | None = None
    session: Time | None = None
    regions: dict[Annotated[str, AfterValidator(_region_id)], RegionLimits] = Field(default_factory=dict)
    devices: dict[str, DeviceLimits] = Field(default_factory=dict)


def own_bounds(path: Path | None = None) -> tuple[Bound, ...]:
    """The person's own limits as bounds; none without a file. Raises RoutineError with file, line and key."""
    path = path or config_folder() / FILE_NAME
    if not path.exists():
        return ()
    return tuple(_bounds(load_toml(path, OwnLimits, error=RoutineError)))


def _bounds(limits: OwnLimits) -> Iterator[Bound]:
    own = f"your own limit ({FILE_NAME})"
    if limits.cap is not None:
        yield Bound(f"{limits.cap} is {own}", cap=limits.cap)
    if limits.session is not None:
        yield Bound(f"{limits.session:g} s is {own} for a session", session_s=limits.session)
    for region, limit in limits.regions.items():
        place = region.replace("_", " ")
        if limit.cap is not None:
            yield Bound(f"{limit.cap} is {own} for the {place}", region=region, cap=limit.cap)
        if limit.time is not None:
            yield Bound(f"{limit.time:g} s is {own} for the {place}", region=region, left_s=limit.time)
        if limit.leave_alone:
            yield Bound(f"{limit.leave_alone} ({FILE_NAME})", region=region, is_refused=True)
    for device, device_limits in limits.devices.items():
        yield Bound(f"{device_limits.cap} is {own} for {device}", device=device, cap=device_limits.cap)
