"""What files of other programs have in common: shares of a full scale, for a place that the person names.

A stranger's file says how strong and how long, never where. The person says the place and what full means; then the
same model, the same caps and the same planner hold as for every other routine, and refusals name the file's line.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from firmware_profiles.capabilities import Side
from firmware_profiles.tomlfile import MAX_BYTES, dotted, problems_of
from routines.errors import PlanRefusedError, RoutineError
from routines.limits import BY_HAND, HAND, above_cap, strength
from routines.loader import Routine
from routines.planner import plan
from routines.regions import Refusal, Region, UnknownRegion, find_region
from routines.schema import REST, Intensity, RoutineFile, RoutineSide

MOST_STEPS = 100
"""As many as a routine may have."""

TEXT_MAX, TITLE_MAX = 2000, 200
"""As long as a text and a title of a routine may be."""

FULL_SCALE = Intensity(percent=100.0)
"""What full means where nobody says otherwise: the device's full scale."""

_NUMBER = re.compile(r"[+-]?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_HAIR = 1e-6
"""A hair of tolerance: 0.29 of 100 % must not become 28.99 % on its way through a fraction."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stranger's file does not say: where, and what its full strength shall mean (a percentage or a speed)."""

    region: str
    side: RoutineSide
    full: Intensity = FULL_SCALE

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides, one after the other where it is each."""
        return (self.side,) if self.side in {"left", "right"} else ("left", "right")

    def asked(self, share: float) -> str:
        """How strong a share of full is, as a routine writes it: rounded down, ``0%`` where nothing is left."""
        if self.full.ppm is not None:
            ppm = math.floor(self.full.ppm * share + _HAIR)
            return f"{ppm} ppm" if ppm else REST
        percent = math.floor(100 * (self.full.percent or 0) * share + _HAIR) / 100
        return f"{percent:.2f}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True, slots=True)
class Imported:
    """A routine from another program's file, and what could not be taken over, in sentences."""

    routine: Routine
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The values of one step, and the line of the file that it comes from."""

    values: dict[str, Any]
    line: int


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that is not absurdly large. Raises RoutineError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise RoutineError(f"cannot be read ({reason}).", path=path) from problem
    check_size(raw, path)
    return raw


def check_size(raw: bytes, path: Path) -> None:
    """Refuse what is too large to be a session."""
    if len(raw) > MAX_BYTES:
        raise RoutineError(f"is larger than {MAX_BYTES} bytes.", path=path, fix="Is it the right file?")


def number(text: str) -> float:
    """Read a plain decimal number that is not negative. Raises ValueError with a phrase."""
    if not _NUMBER.fullmatch(text.strip()):
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        raise ValueError(f"must be a number, not {shown!r}.")
    if (value := float(text)) < 0:
        raise ValueError(f"must not be negative, not {value:g}.")
    return value


def plain(text: str, most: int = TEXT_MAX) -> str:
    """A stranger's text on one line, without what cannot be printed, and not longer than a routine's may be."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def name_of(title: str) -> str:
    """A name for a routine, from its title: lower-case letters, digits and dashes."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-") or "imported"


def check_strength(path: Path, line: int, key: str, share: float, wanted: Wanted) -> None:
    """Refuse a share of full that is more than the place bears, and a place that bears none."""
    region = region_of(path, line, wanted.region)
    if not region.drivable:
        what = f"The {region.name} is never driven. {region.why_not}."
        raise PlanRefusedError(what, path=path, line=line, key=key, fix="Name another place with --region.")
    intensity = _scaled(wanted.full, share)
    if (intensity.percent or 0) > 100:
        what = f"{share:g} of {wanted.full} is {intensity}, above all that a device can do."
        fix = "Say with --full what 1.0 shall mean, for example --full 40%."
        raise PlanRefusedError(what, path=path, line=line, key=key, fix=fix)
    asked = strength(intensity, region, wanted.sides, BY_HAND, HAND.levels)
    if asked.is_above_cap:
        fix = f"With --full {_most(wanted.full, asked.cap.ppm / asked.asked_ppm)} it is not."
        raise PlanRefusedError(above_cap(intensity, asked), path=path, line=line, key=key, fix=fix)


def region_of(path: Path, line: int, name: str) -> Region:
    """The region with this name. Raises PlanRefusedError and RoutineError with the line that asks for it."""
    match find_region(name):
        case Region() as region:
            return region
        case Refusal(reason=why):
            what = f"{name.replace('_', ' ')} is refused. {why}"
            raise PlanRefusedError(what, path=path, line=line, key="--region", fix="Name a muscle nearby.")
        case UnknownRegion(advice=advice):
            raise RoutineError(f"{name!r} is no region.", path=path, line=line, key="--region", fix=advice)


def _scaled(full: Intensity, share: float) -> Intensity:
    if full.ppm is not None:
        return Intensity(ppm=full.ppm * share)
    return Intensity(percent=round((full.percent or 0) * share, 6))


def _most(full: Intensity, factor: float) -> str:
    """The highest full that would do, rounded down."""
    if full.ppm is not None:
        return f"'{math.floor(full.ppm * factor + _HAIR)} ppm'"
    return f"{math.floor((full.percent or 0) * factor + _HAIR)}%"


def build(path: Path, head: dict[str, Any], found: Sequence[Found]) -> Routine:
    """Make a routine of the keys of the file and the steps, checked by the same model and planner as any other.

    Raises RoutineError and PlanRefusedError, each with the line of the step.
    """
    if len(found) > MOST_STEPS:
        what = f"makes more than {MOST_STEPS} steps, the most that a routine has."
        raise RoutineError(what, path=path, line=found[MOST_STEPS].line, fix="Cut it into several files.")
    data = {"schema": 1, **head, "steps": [each.values for each in found]}
    try:
        file = RoutineFile.model_validate_json(json.dumps(data))
    except ValidationError as problem:
        _refuse(path, problem, found)
    routine = Routine(path=path, file=file, text="", step_lines=tuple(each.line for each in found))
    plan(routine, {"massager": BY_HAND})
    return routine


def _refuse(path: Path, problem: ValidationError, found: Sequence[Found]) -> NoReturn:
    what, keys, fix = problems_of(problem, RoutineFile)[0]
    line = found[int(keys[1])].line if len(keys) > 1 and keys[0] == "steps" else None
    raise RoutineError(what, path=path, line=line, key=dotted(keys), fix=fix) from problem
