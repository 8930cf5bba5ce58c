"""Everything that is wrong with a routine file at once, and what it could do better.

Loading and planning stop at the first problem; here the rest is looked at without what was found already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from firmware_profiles.capabilities import Capabilities, Role
from firmware_profiles.errors import FileError
from firmware_profiles.tomlfile import dotted, find_line, load_toml, problems_of
from routines.errors import PlanRefusedError, RoutineError
from routines.limits import BY_HAND, full_ppm
from routines.loader import Routine, check_region, load_routine
from routines.planner import plan
from routines.schema import SHORTEST_S, RoutineFile, Step
from routines.timeline import Drive, Timeline

ANY_MASSAGER: Mapping[Role, Capabilities] = {"massager": BY_HAND}
"""A massager that a person moves everywhere, as strong as any: what holds for it holds for each."""


NEARLY = 0.9
"""Who feels what is missing to this share of the intensity? Own choice."""


_HARMLESS: dict[str, dict[str, object]] = {
    "intensity": {"intensity": "gentle", "curve": ()},
    "curve": {"intensity": "gentle", "curve": ()},
    "duration": {"duration": SHORTEST_S, "repeat": 1},
}
"""What to put for a key that is refused, so that the other keys of its step are looked at too."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to think about: where it is, what it is, and what to do."""

    line: int
    key: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Review:
    """What was found in one file. It can be run when there are no errors."""

    path: Path
    errors: tuple[FileError, ...]
    remarks: tuple[Remark, ...] = ()


def review(path: Path, devices: Mapping[Role, Capabilities] = ANY_MASSAGER) -> Review:
    """Look at one file as it would be planned for these devices; errors in the order of the file."""
    try:
        routine = load_routine(path)
    except FileError as problem:
        return Review(path, _all_problems(path, problem, devices))
    if errors := _refusals(routine, devices, {}):
        return Review(path, _in_order(errors))
    return Review(path, (), tuple(_remarks(routine, plan(routine, devices))))


def _in_order(errors: Sequence[FileError]) -> tuple[FileError, ...]:
    return tuple(sorted(errors, key=lambda problem: problem.line or 0))


def _all_problems(path: Path, first: FileError, devices: Mapping[Role, Capabilities]) -> tuple[FileError, ...]:
    """The first problem and all others that can be seen in spite of it."""
    if isinstance(first.__cause__, ValidationError):
        text = path.read_text(encoding="utf-8")
        told = problems_of(first.__cause__, RoutineFile)
        # What is wrong inside a list makes the list too short; only the first is worth telling.
        inner = {keys[:depth] for _, keys, _ in told for depth in range(len(keys))}
        found = {(keys, what): fix for what, keys, fix in told if keys not in inner}
        problems = [
            RoutineError(what, path=path, line=find_line(text, keys), key=dotted(keys), fix=fix)
            for (keys, what), fix in found.items()
        ]
        return _in_order(problems)
    if not first.key.endswith(".region"):
        return (first,)
    file = load_toml(path, RoutineFile, error=RoutineError)
    routine = Routine(path=path, file=file, text=path.read_text(encoding="utf-8"))
    unusable = {}
    for number, step in enumerate(file.steps):
        try:
            if step.region is not None:
                check_region(routine, number, step.region)
        except FileError as problem:
            unusable[number] = problem
    return _in_order([*unusable.values(), *_refusals(routine, devices, unusable)])


def _refusals(
    routine: Routine, devices: Mapping[Role, Capabilities], unusable: Mapping[int, FileError]
) -> list[FileError]:
    """Every refusal of a plan. What is refused is made harmless or left out, and the rest is planned again."""
    steps = dict(enumerate(routine.steps))
    for number in unusable:
        _leave_out(steps, routine, number)
    found: list[FileError] = []
    while steps:
        numbers = list(steps)
        rest = replace(
            routine,
            file=routine.file.model_copy(update={"steps": tuple(steps.values())}),
            step_lines=tuple(routine.line(number) for number in numbers),
        )
        try:
            plan(rest, devices)
        except PlanRefusedError as refused:
            _, place, *keys = refused.key.split(".")
            number, key = numbers[int(place)], ".".join(keys)
            where = ".".join(("steps", str(number), *keys))
            line = routine.line(number, key)
            found.append(PlanRefusedError(refused.what, path=routine.path, line=line, key=where, fix=refused.fix))
            if not key:
                break  # the session is too long: nothing else is wrong with any step
            harmless = _HARMLESS.get(keys[0], {})
            if harmless and any(getattr(steps[number], name) != value for name, value in harmless.items()):
                steps[number] = steps[number].model_copy(update=harmless)
            else:
                _leave_out(steps, routine, number)
        else:
            break
    return found


def _leave_out(steps: dict[int, Step], routine: Routine, number: int) -> None:
    """Take a step away, and all that go together with it."""
    first = number
    while routine.steps[first].together and first > 0:
        first -= 1
    steps.pop(first, None)
    for other in range(first + 1, len(routine.steps)):
        if not routine.steps[other].together:
            break
        steps.pop(other, None)


def _remarks(routine: Routine, timeline: Timeline) -> Iterator[Remark]:
    top = find_line(routine.text, ("name",))
    if not routine.sources:
        fix = 'Write sources = ["my own"], or where it is from.'
        yield Remark(top, "sources", "says not where its content comes from.", fix)
    if not routine.closing_note:
        fix = "Say what the person may feel afterwards, and when to stop for good."
        yield Remark(top, "closing_note", "is missing.", fix)
    told: set[int] = set()
    for span in timeline.spans:
        number = span.step - 1
        slow = next((d for d in span.drives if _highest(d, span.duration_s) < NEARLY * _asked(d)), None)
        if slow is None or number in told:
            continue
        told.add(number)
        reached, asked = (_ppm(slow, level) for level in (_highest(slow, span.duration_s), _asked(slow)))
        what = f"the motor gets to {reached:.0f} of {asked:.0f} ppm in {span.duration_s:g} s: it rises in small steps."
        yield Remark(routine.line(number), f"steps.{number}", what, "Give it more time, or ask for less.")


def _asked(drive: Drive) -> int:
    return max(level for _, level in drive.targets)


def _highest(drive: Drive, duration_s: float) -> int:
    return max(getattr(cue.command, "level", 0) for cue in drive.cues(duration_s))


def _ppm(drive: Drive, level: int) -> float:
    return drive.levels.percent(level) * full_ppm(drive.levels) / 100
