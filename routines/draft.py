"""A plan in the making: the routine, the devices at hand, and what each place has got so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_profiles.capabilities import Capabilities, Place, Role, Side
from routines.bounds import Bound, least_left_s, refusal
from routines.errors import PlanRefusedError
from routines.loader import Routine
from routines.regions import Refusal, Region, UnknownRegion, find_region, regions
from routines.schema import NEEDS_NO_PLACE, Step
from routines.timeline import Span

ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Piece:
    """One step at the sides that are worked at the same time; ``number`` counts the steps from 0."""

    number: int
    step: Step
    region: Region | None
    sides: tuple[Side, ...]

    @property
    def side(self) -> Side | None:
        """The one side; None for both, or where there are no sides."""
        return self.sides[0] if len(self.sides) == 1 else None

    @property
    def place(self) -> Place | None:
        """Where it is; None where the step has no region."""
        return Place(self.region.id, self.side) if self.region is not None else None

    @property
    def presses_on(self) -> Region | None:
        """The region whose time it uses up: none for a stretch or a breath."""
        return None if self.step.technique in NEEDS_NO_PLACE else self.region


@dataclass(slots=True)
class Draft:
    """A plan in the making. ``used_s`` is the time that each place has got so far."""

    routine: Routine
    massagers: Mapping[Role, Capabilities]
    bounds: tuple[Bound, ...] = ()
    spans: list[Span] = field(default_factory=list)
    used_s: dict[tuple[str, Side], float] = field(default_factory=dict)
    last_place: tuple[object, ...] | None = None

    def refusal(self, number: int, key: str, what: str, fix: str) -> PlanRefusedError:
        """The error about a key of a step (from 0), or about the whole step."""
        line = self.routine.line(number, key)
        where = f"steps.{number}.{key}" if key else f"steps.{number}"
        return PlanRefusedError(what, path=self.routine.path, line=line, key=where, fix=fix)

    def region(self, number: int, step: Step) -> Region | None:
        """The region that a step names. Raises PlanRefusedError."""
        if step.region is None:
            return None
        match find_region(step.region):
            case Region() as region:
                return region
            case Refusal(reason=why):
                raise self.refusal(number, "region", f"{step.region} is refused. {why}", "Name a muscle nearby.")
            case UnknownRegion(advice=advice):
                raise self.refusal(number, "region", f"{step.region!r} is no region.", advice)

    def check_day(self, piece: Piece) -> None:
        """Refuse pressure on a place that gets none today, whether or not a motor makes it."""
        region = piece.presses_on
        if region is not None and (bound := refusal(self.bounds, region.id, piece.sides)) is not None:
            place = f"{bound.side or ''} {region.id.replace('_', ' ')}".strip()
            what = f"The {place} is left alone today: {bound.reason}."
            raise self.refusal(piece.number, "region", what, "Run a routine without this place.")

    def check_duration(self, piece: Piece, duration_s: float) -> None:
        """Refuse a single piece that is longer than its place bears, or shorter than its curve."""
        region = piece.presses_on
        if region is not None and duration_s > region.max_s:
            most = f"{region.max_s:g} s, the most that one {region.id} bears in a session."
            what = f"{duration_s:g} s is longer than {most}"
            raise self.refusal(piece.number, "duration", what, f"Write at most {region.max_s:g} s.")
        if piece.step.curve and (end_s := piece.step.curve[-1].at) >= duration_s:
            what = f"the curve goes on to {end_s:g} s; the step ends at {duration_s:g} s."
            raise self.refusal(piece.number, "curve", what, "Give the step a longer duration, or shorten the curve.")

    def use(self, piece: Piece, duration_s: float) -> None:
        """Count the time of a place, and refuse what it does not bear."""
        region = piece.presses_on
        if region is None:
            return
        fix = "Shorten or leave out a step for this place."
        for side in piece.sides:
            used_s = self.used_s.get((region.id, side), 0.0) + duration_s
            gets = f"The {side} {region.id} gets {used_s:g} s;"
            if used_s > region.max_s + ROUNDING_S:
                what = f"{gets} the most it bears in a session is {region.max_s:g} s."
                raise self.refusal(piece.number, "duration", what, fix)
            left_s, why = least_left_s(self.bounds, region.id, side)
            if used_s > left_s + ROUNDING_S:
                what = f"{gets} {left_s:.0f} s are left today: {why}."
                raise self.refusal(piece.number, "duration", what, fix)
            self.used_s[region.id, side] = used_s

    def left_s(self, place: Place) -> float:
        """How much longer a place bears it, over all its sides."""
        max_s = regions()[place.region].max_s
        return min(
            min(max_s, least_left_s(self.bounds, place.region, side)[0]) - self.used_s[place.region, side]
            for side in place.sides
        )
