"""Write docs/reference/routines.md: ``python -m tests.docs.routines``.

It is made from the bundled routines and programmes and docs/guides.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from firmware_profiles.library import BUNDLED as PROFILES
from firmware_profiles.loader import read_profile
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.programme import BUNDLED as PROGRAMMES
from routines.programme import Programme, load_programme
from routines.regions import regions
from routines.schema import DRIVEN_TECHNIQUES, NEEDS_NO_PLACE, Step, parse_intensity

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/guides.toml"
TARGET = ROOT / "docs/reference/routines.md"

INTRODUCTION = """\
# The routines

Made from `routines/bundled/`, `routines/programmes/` and `docs/guides.toml`. `percuss routines show NAME` prints the
plan of one, `percuss run NAME` runs it; all of them are complete without a device too, with the timer alone.

Sides: *each* is the left and then the right one. Strengths are those of [the place](regions.md): *gentle* its gentle
speed, *firm* its cap, *moderate* half way, in percussions a minute; a device that is held lower gets less. "by hand" is
never driven. Where a routine names a massage gun, the way to the place says what to take instead.

They come from five self-massage guides for sciatica, G1 to G5, and from published evidence;
[the last table](#what-the-guides-say) says where each thing that the guides prescribe is found. percuss is a comfort
tool: it diagnoses nothing and treats nothing."""


@dataclass(frozen=True, slots=True)
class StepReference:
    """A step of a routine: the one that has all of these. ``words`` stand in its cue."""

    routine: str
    region: str | None = None
    technique: str | None = None
    tool: str | None = None
    position: str | None = None
    words: str = ""

    def fits(self, step: Step) -> bool:
        """Whether it means this step."""
        wanted = (self.region, self.technique, self.tool, self.position)
        has = (step.region, step.technique, step.tool, step.position)
        return all(want in {None, one} for want, one in zip(wanted, has, strict=True)) and self.words in step.cue


@dataclass(frozen=True, slots=True)
class Note:
    """Words of a routine's closing note."""

    routine: str
    words: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of percuss, and the test that proves it, as ``path::name``."""

    rule: str
    test: str


@dataclass(frozen=True, slots=True)
class Row:
    """What a guide says, and everything here that comes of it."""

    id: str
    guide: str
    says: str
    routines: list[str] = field(default_factory=list)
    steps: list[StepReference] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    techniques: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    screening: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, kind in (("steps", StepReference), ("notes", Note), ("rules", Rule)):
            object.__setattr__(self, name, [kind(**each) for each in getattr(self, name)])


@cache
def guide_rows() -> tuple[Row, ...]:
    """Every row, in the order of the file. Raises TypeError for a key that is missing or unknown."""
    return tuple(Row(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["rows"])


@cache
def bundled_routines() -> dict[str, Routine]:
    """The routines that percuss ships, by name; not those of the person who runs this."""
    return {path.stem: load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))}


def bundled_programmes() -> list[Programme]:
    """The programmes that percuss ships."""
    return [load_programme(path, bundled_routines()) for path in sorted(PROGRAMMES.glob("*.toml"))]


def page() -> str:
    """The whole page."""
    known = bundled_routines()
    lines = [INTRODUCTION, "", *_table(("routine", "what", "time"), (_summary(each) for each in known.values()))]
    lines += ["", "## Programmes", "", "[How to follow one](../how-to/follow-a-programme.md)."]
    for programme in bundled_programmes():
        lines += ["", f"### {programme.name}: {programme.title}", "", programme.description.strip(), ""]
        days = (f"day {session.day}: [{session.routine}](#{session.routine})" for session in programme.sessions)
        lines += [f"{', '.join(days)}.", "", *(f"- {source}" for source in programme.sources)]
    for routine in known.values():
        lines += ["", *_routine(routine)]
    lines += ["", "## What the guides say", ""]
    lines += _table(("guide", "says", "here"), ((row.guide, row.says, "; ".join(_found(row))) for row in guide_rows()))
    return "\n".join(lines) + "\n"


def times(routine: Routine) -> str:
    """How long the whole lasts, by hand and, where a step is driven, with a massage gun."""
    gun = read_profile(PROFILES / "theragun-gen4.toml").capabilities()
    held_plan = plan(routine, {"massager": gun})
    by_hand, held = (clock(each.duration_s) for each in (plan(routine, {}), held_plan))
    if not any(span.drives for span in held_plan.spans):
        return f"{by_hand}, by hand"
    return f"{by_hand}, by hand or with a massage gun" if by_hand == held else f"{by_hand} by hand, {held} with a gun"


def clock(time_s: float) -> str:
    """Seconds as ``m:ss``."""
    return f"{round(time_s) // 60}:{round(time_s) % 60:02d}"


def strength(step: Step) -> str:
    """How strong a step is, in words and figures."""
    region = regions().get(step.region or "")
    if step.technique in NEEDS_NO_PLACE or region is None:
        return "–"
    is_driven = step.technique in DRIVEN_TECHNIQUES and region.drivable and "massager" in step.roles
    if not is_driven or step.tool not in {None, "massage-gun"}:
        return "by hand"
    gentle, cap = region.gentle_ppm or 0, region.cap_ppm or 0
    words = {"gentle": gentle, "moderate": (gentle + cap) / 2, "firm": cap}
    asked = [point.intensity for point in step.curve] or [step.intensity]
    said = []
    for intensity in asked:
        word = parse_intensity(intensity).word
        said.append(f"{word} ({words[word]:g})" if word else intensity)
    return ", ".join(said)


def _summary(routine: Routine) -> tuple[str, ...]:
    return f"[{routine.name}](#{routine.name})", routine.title, clock(plan(routine, {}).duration_s)


def _routine(routine: Routine) -> Iterator[str]:
    yield f"## {routine.name}"
    yield ""
    yield f"**{routine.title}.** {routine.description.strip()}"
    yield ""
    yield f"Time: {times(routine)}."
    yield ""
    headings = ("", "where", "how", "for", "how strong", "position", "tool", "what to do", "source")
    yield from _table(headings, (_step(number, step) for number, step in enumerate(routine.steps, start=1)))
    yield ""
    yield from (f"- {source}" for source in routine.sources)
    yield ""
    yield f"> {' '.join(routine.closing_note.split())}"


def _step(number: int, step: Step) -> tuple[str, ...]:
    region = regions().get(step.region or "")
    duration_s = step.duration if step.duration is not None else (region.default_s if region else 0)
    return (
        str(number),
        f"{step.side or ''} {(step.region or '').replace('_', ' ')}".strip() or "–",
        step.technique.replace("-", " "),
        f"{duration_s:g} s" + (f", rest {step.rest:g} s" if step.rest else ""),
        strength(step),
        (step.position or "–").replace("-", " "),
        (step.tool or "–").replace("-", " "),
        step.cue,
        step.source,
    )


def _found(row: Row) -> Iterator[str]:
    yield from (f"routine [{name}](#{name})" for name in row.routines)
    for step in row.steps:
        words = [step.region and step.region.replace("_", " "), step.technique and step.technique.replace("-", " ")]
        with_tool = f" with {step.tool.replace('-', ' ')}" if step.tool else ""
        yield f"[{step.routine}](#{step.routine}): {', '.join(word for word in words if word)}{with_tool}"
    for kind, names in (("region", row.regions), ("technique", row.techniques), ("tool", row.tools)):
        yield from (f"{kind} `{name}`" for name in names)
    yield from (f"[{note.routine}](#{note.routine}) closes with “{note.words}”" for note in row.notes)
    yield from (f"question [`{name}`](screening.md)" for name in row.screening)
    yield from (f"rule: {rule.rule}" for rule in row.rules)


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
