"""Zwift workouts, ``.zwo``: write a routine as one, and read one back, or a stranger's.

Zwift publishes no specification; the names are those of the workouts that come with it, as collected in
github.com/h4l/zwift-workout-file-reference. Power 1 is the device's full scale in what is written.

What a workout cannot say (place, side, technique, sources and so on) stands in an element of our own at the end,
``<percuss:routine>``, as the routine's own TOML. Zwift looks elements up by name and passes over those it does not
know. The TOML is the routine; the blocks before it are what Zwift shows. So a file comes back as the same routine,
whatever the format can say later, and its errors name lines of the ``.zwo``. Should somebody change the blocks, the two
no longer agree: then the TOML is not trusted and the file is read like any stranger's.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from routines.errors import RoutineError
from routines.exchange.markup import Element, parse_markup
from routines.exchange.strangers import TITLE_MAX, Found, Imported, Wanted, build, check_size, name_of, plain
from routines.exchange.zwo_blocks import Blocks
from routines.limits import BY_HAND
from routines.loader import Routine, parse_routine
from routines.planner import plan
from routines.timeline import Span
from routines.writing import to_toml

NAMESPACE = "urn:percuss:routine:1"
OWN = "percuss:routine"


def write_zwo(routine: Routine) -> bytes:
    """A routine as a Zwift workout, as planned for a massager that a person holds.

    What a motor does is a block with the power of each level that is aimed at, a rest is power 0, and a way or what
    is done by hand is free riding. Raises PlanRefusedError for a routine outside the limits.
    """
    root = ET.Element("workout_file", {"xmlns:percuss": NAMESPACE})
    for name, text in (
        ("author", "percuss"),
        ("name", routine.title),
        ("description", routine.description),
        ("sportType", "bike"),
    ):
        ET.SubElement(root, name).text = text
    workout = ET.SubElement(root, "workout")
    for span, blocks in _whole_seconds(plan(routine, {"massager": BY_HAND}).spans):
        for number, (tag, attributes) in enumerate(blocks):
            block = ET.SubElement(workout, tag, attributes)
            if number == 0 and span.cue:
                ET.SubElement(block, "textevent", {"timeoffset": "0", "message": plain(span.cue)})
    ET.SubElement(root, OWN).text = f"\n{to_toml(routine)}"
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _whole_seconds(spans: tuple[Span, ...]) -> Iterator[tuple[Span, list[tuple[str, dict[str, str]]]]]:
    """Each span with its blocks, in whole seconds that add up; what is shorter than half a second is left out."""
    start_s, shown_s = 0.0, 0
    for span in spans:
        blocks = []
        for at_s, tag, power in _pieces(span):
            duration_s = round(start_s + at_s) - shown_s
            if duration_s > 0:
                attributes = {"Duration": str(duration_s)}
                blocks.append((tag, attributes if power is None else {**attributes, "Power": power}))
                shown_s += duration_s
        start_s += span.duration_s
        yield span, blocks


def _pieces(span: Span) -> Iterator[tuple[float, str, str | None]]:
    """The blocks of a span: when each ends in seconds from the span's start, its tag, and its power."""
    if span.kind == "rest":
        yield span.duration_s, "SteadyState", "0"
        return
    if not span.drives:
        yield span.duration_s, "FreeRide", None
        return
    drive = span.drives[0]
    ends = [at_s for at_s, _ in drive.targets[1:]] + [span.duration_s]
    for (_, level), end_s in zip(drive.targets, ends, strict=True):
        # Rounded down, so that nobody reads more than is planned.
        yield end_s, "SteadyState", f"{math.floor(100 * drive.levels.percent(level) + 1e-6) / 10_000:g}"


def read_zwo(raw: bytes, path: Path, wanted: Wanted | None = None, name: str | None = None) -> Imported:
    """The routine of a workout. ``wanted`` is where and how strong a stranger's is; one of percuss says so itself.

    ``name`` is what a stranger's is called, else it is made of the title. Raises RoutineError and PlanRefusedError,
    each with the line of the file.
    """
    check_size(raw, path)
    root = parse_markup(raw, path)
    workout = root.child("workout")
    if root.name != "workout_file" or workout is None:
        what = f"is no Zwift workout: it is <{plain(root.name, 40)}>, not <workout_file> with a <workout>."
        raise RoutineError(what, path=path, line=root.line, fix="Is it the right file?")
    remarks: list[str] = []
    if (own := root.child(OWN)) is not None:
        routine = _own(own, path)
        changed = _first_change(workout, routine)
        if changed is None and wanted is not None:
            what = "says itself where and how strong."
            raise RoutineError(what, path=path, line=own.line, fix="Leave out --region, --side and --full.")
        if changed is None:
            return Imported(routine)
        what = "was changed after percuss wrote it, so what it says about places no longer fits"
        if wanted is None:
            fix = "Change the routine instead, or read the blocks alone with --region and --side."
            raise RoutineError(f"{what}.", path=path, line=changed, fix=fix)
        remarks.append(f"The file {what} (line {changed}): only its blocks are taken over.")
    if wanted is None:
        fix = "Say it: --region hamstrings --side left (or right, both, each)."
        raise RoutineError("does not say where on the body.", path=path, line=workout.line, fix=fix)
    return _stranger(root, workout, path, wanted, name, remarks)


def _own(own: Element, path: Path) -> Routine:
    """The routine that percuss wrote into the file, with empty lines before it so that errors name the file's lines."""
    return parse_routine(("\n" * (own.line - 1) + own.text).encode(), path)


def _first_change(workout: Element, routine: Routine) -> int | None:
    """The line where the blocks are no longer those of the routine; None where they all are."""
    written = parse_markup(write_zwo(routine), Path("written")).child("workout")
    blocks = [] if written is None else written.children
    for here, there in zip(workout.children, blocks, strict=False):
        if not here.is_same(there):
            return here.line
    return None if len(workout.children) == len(blocks) else workout.line


def _stranger(
    root: Element, workout: Element, path: Path, wanted: Wanted, name: str | None, remarks: list[str]
) -> Imported:
    texts = {child.name: plain(child.text) for child in root.children}
    blocks = Blocks(path, wanted)
    found = blocks.read(workout)
    if not found:
        raise RoutineError("has no block in its <workout>.", path=path, line=workout.line)
    title = plain(texts.get("name", ""), TITLE_MAX) or path.stem
    head = {
        "name": name or name_of(title),
        "title": title,
        "description": texts.get("description", ""),
        "sources": [plain(f"Zwift workout {path.name}{_by(texts.get('author', ''))}")],
    }
    if "ftpOverride" in texts:
        remarks.append("ftpOverride is not used: power 1 is what --full says.")
    return Imported(build(path, head, _each_side(found, wanted)), (*remarks, *blocks.remarks()))


def _by(author: str) -> str:
    return f", by {author}" if author else ""


def _each_side(found: list[Found], wanted: Wanted) -> list[Found]:
    """The whole for the left side and then for the right, so that nobody changes sides at every block."""
    if wanted.side != "each" or len(found) == 1:
        return found
    return [
        replace(each, values={**each.values, "side": side} if "side" in each.values else each.values)
        for side in wanted.sides
        for each in found
    ]
