"""Load a routine, with everything checked that can be checked without a device: shape, words, units, regions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from firmware_profiles.tomlfile import MAX_BYTES, dotted, find_line, parse_toml
from routines.errors import PlanRefusedError, RoutineError
from routines.regions import Refusal, Region, UnknownRegion, find_region
from routines.schema import RoutineFile, Step

_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Routine:
    """A routine that was read and checked. ``text`` is the file's, kept so that errors can name its lines.

    ``step_lines`` says in which line each step stands, where the text is no TOML.
    """

    path: Path
    file: RoutineFile
    text: str = field(repr=False)
    step_lines: tuple[int, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.file.name

    @property
    def title(self) -> str:
        """What it is called for people."""
        return self.file.title

    @property
    def description(self) -> str:
        """What it is for."""
        return self.file.description

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its content comes from."""
        return self.file.sources

    @property
    def closing_note(self) -> str:
        """What to tell the person at the end."""
        return self.file.closing_note

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        return self.file.steps

    def line(self, step: int, key: str = "") -> int:
        """The line in the file, from 1, of a step (from 0) or of one of its keys."""
        if self.step_lines:
            return self.step_lines[step]
        return find_line(self.text, ("steps", step, *key.split(".")) if key else ("steps", step))


def load_routine(path: Path) -> Routine:
    """Read and check one routine.

    Raises RoutineError for a broken file and PlanRefusedError for a region that is refused, each with file, line, key.
    """
    try:
        with path.open("rb") as file:
            # A routine is small; room for the largest is not taken for each.
            raw = file.read(_PIECE)
            raw += file.read(MAX_BYTES + 1 - _PIECE) if len(raw) == _PIECE else b""
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise RoutineError(f"cannot be read ({reason}).", path=path) from problem
    return parse_routine(raw, path)


def parse_routine(raw: bytes, path: Path) -> Routine:
    """Check the bytes of a routine's file; ``path`` is what errors call it. Raises as `load_routine` does."""
    if len(raw) > MAX_BYTES:
        raise RoutineError(f"is larger than {MAX_BYTES} bytes.", path=path, fix="Is it the right file?")
    file = parse_toml(raw, RoutineFile, path=path, error=RoutineError)
    routine = Routine(path=path, file=file, text=raw.decode("utf-8"))
    for number, step in enumerate(file.steps):
        if step.region is not None:
            check_region(routine, number, step.region)
    return routine


def check_region(routine: Routine, number: int, name: str) -> None:
    """Refuse a step (from 0) whose region is none or is refused. Raises RoutineError or PlanRefusedError."""
    key = dotted(("steps", number, "region"))
    match find_region(name):
        case Region():
            return
        case Refusal(reason=reason):
            what = f"{name.replace('_', ' ')} is refused. {reason}"
            fix = "Take the step out, or name a muscle nearby."
            raise PlanRefusedError(what, path=routine.path, line=routine.line(number, "region"), key=key, fix=fix)
        case UnknownRegion(advice=advice):
            what = f"{name!r} is no region."
            raise RoutineError(what, path=routine.path, line=routine.line(number, "region"), key=key, fix=advice)
