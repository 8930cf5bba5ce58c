"""What is chosen for the next start, out of what there is: a routine, a place, a massager, an intensity."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from controller.errors import RefusedError
from controller.mqtt.limits import HoldLimits, hold_limits
from controller.registry import Registry
from controller.service.binding import bind_paired
from firmware_profiles.capabilities import MASSAGERS, kind_of
from firmware_profiles.errors import PercussError
from firmware_profiles.tomlfile import did_you_mean
from routines.library import load_routines
from routines.regions import Region, find_region, regions

NONE = "none"
"""The word that chooses nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen."""

    routines: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    massagers: tuple[str, ...] = ()


class Choices:
    """They last as long as the service, and as there is what was chosen.

    ``limits`` are those of a hold with them, or why there can be none now.
    """

    def __init__(self) -> None:
        self.routine: str | None = None
        self.region: str | None = None
        self.percent: float | None = None
        self.options = Options()
        self.limits: HoldLimits | PercussError = PercussError("nothing was looked at yet.")
        self._massager: str | None = None

    @property
    def massager(self) -> str | None:
        """The chosen massager, or else the only one that is paired."""
        if self._massager in self.options.massagers:
            return self._massager
        return self.options.massagers[0] if len(self.options.massagers) == 1 else None

    async def look(self) -> None:
        """Look at what there is now and what it may do. In a thread: a disk that hangs must not keep a session up."""
        self.options = await asyncio.to_thread(_options)
        self.routine = self.routine if self.routine in self.options.routines else None
        self.region = self.region if self.region in self.options.regions else None
        self.limits = await asyncio.to_thread(hold_limits, self.massager, self.region)
        within = self.limits
        if isinstance(within, HoldLimits) and self.percent is not None:
            is_allowed = within.least_percent <= self.percent <= within.most_percent
            self.percent = self.percent if is_allowed else None  # what was right elsewhere is chosen anew here

    async def choose(self, *, routine: str | None, region: str | None, massager: str | None) -> None:
        """Change what is given. Raises RefusedError for what there is not; nothing changes then."""
        await self.look()
        place = find_region(region) if region not in {None, NONE} and region is not None else None
        if isinstance(place, Region):
            region = place.id
        for value, known, kind in (
            (routine, self.options.routines, "routine"),
            (region, self.options.regions, "region that is driven"),
            (massager, self.options.massagers, "paired massager"),
        ):
            if value is not None and value != NONE and value not in known:
                raise RefusedError(f"{value} is no {kind}.", fix=did_you_mean(value, known))
        self.routine = _changed(self.routine, routine)
        self.region = _changed(self.region, region)
        self._massager = _changed(self._massager, massager)
        await self.look()

    def choose_percent(self, percent: float) -> None:
        """Choose an intensity. Raises RefusedError as `check_percent`; nothing changes then."""
        self.check_percent(percent)
        self.percent = percent

    def check_percent(self, percent: float) -> None:
        """Raise RefusedError where an intensity is outside the limits; it is never clamped."""
        within = self.limits
        if isinstance(within, HoldLimits) and not within.least_percent <= percent <= within.most_percent:
            allowed = f"{within.least_percent} to {within.most_percent} %"
            raise RefusedError(f"{percent:g} % is outside of {allowed}: {within.reason}.", where=self.region or "")


def _changed(before: str | None, said: str | None) -> str | None:
    return before if said is None else None if said == NONE else said


def _options() -> Options:
    try:
        routines, _ = load_routines()
    except OSError:
        routines = {}
    driven = tuple(region.id for region in regions().values() if region.drivable)
    return Options(tuple(sorted(routines)), driven, _massagers())


def _massagers() -> tuple[str, ...]:
    registry = Registry()
    found = []
    try:
        names = sorted(registry.devices())
    except PercussError:
        return ()
    for name in names:
        try:
            roles = bind_paired(name, registry).profile.roles
        except PercussError:
            continue
        if kind_of(MASSAGERS[0]) in roles:
            found.append(name)
    return tuple(found)
