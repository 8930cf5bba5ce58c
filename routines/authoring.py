"""New routine files: a commented beginning, a copy of another routine, or what a script says."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

from firmware_profiles.plain_text import plain
from firmware_profiles.tomlfile import find_line
from routines.errors import RoutineError
from routines.library import load_routines
from routines.loader import Routine, parse_routine
from routines.planner import plan
from routines.regions import regions
from routines.review import ANY_MASSAGER
from routines.schema import DrivenTechnique, HandTechnique, Position, Tool, json_schema
from routines.writing import to_toml

SCHEMA_NAME = "percuss-routine.schema.json"
"""The JSON Schema that is put beside a new routine, for editors."""

DIRECTIVE = f"#:schema ./{SCHEMA_NAME}\n"
"""What tells taplo, and editors that use it, where the schema is."""

_NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")

_BEGINNING = """{directive}\
# A routine of your own. Every key: docs/reference/routine-format.md.
# What is wrong with it, with line and key:  percuss routines check {file}
# What will happen when:                     percuss routines show {file}

schema = 1
name = "{name}"
title = "{title}"
# description = "What it is for."
sources = ["my own"]
closing_note = \"\"\"
Some soreness today and tomorrow is normal. Stop at once, now or next time, when anything tingles, goes numb or \\
shoots. This is a comfort tool: it diagnoses nothing and treats nothing.\"\"\"

# Steps are done in this order.
[[steps]]
technique = "breathing"
duration = "15s"
position = "seated"
cue = "Sit down comfortably. Breathe in through the nose, and out slowly."

[[steps]]
# Where, one of: {regions}.
region = "calves"
# left, right, both (at once, where the device reaches both), each (left, then right).
side = "each"
# For a massager: {driven}.
# By hand: {by_hand}.
technique = "effleurage"
# gentle, moderate, firm, "40%" of the device's full scale, or "1500 ppm".
intensity = "gentle"
# "45s", "1m30s"; the region's own default when left out.
duration = "45s"
# ramp = "10s"     # how long the climb up to gentle takes, at least
# rest = "10s"     # a rest afterwards
# repeat = 2
# One of: {positions}.
position = "seated-leg-extended"
# One of: {tools}.
tool = "massage-gun"
cue = "Glide slowly up each half of the muscle, from the ankle to below the back of the knee."

[[steps]]
technique = "stretch"
duration = "30s"
cue = "Bend forward slowly until you feel the back of the leg, only as far as it feels good, and breathe."
"""


def new_text(name: str, path: Path) -> str:
    """A commented routine to begin with, that can be run as it is."""
    return _BEGINNING.format(
        directive=DIRECTIVE,
        file=plain(path.name),
        name=name,
        title=name.replace("-", " ").capitalize(),
        regions=_wrapped(tuple(regions())),
        driven=", ".join(get_args(DrivenTechnique)),
        by_hand=", ".join(get_args(HandTechnique)),
        positions=", ".join(get_args(Position)),
        tools=", ".join(get_args(Tool)),
    )


def _wrapped(words: tuple[str, ...]) -> str:
    half = len(words) // 2
    return ", ".join(words[:half]) + ",\n# " + ", ".join(words[half:])


def copy_text(routine: Routine, name: str) -> str:
    """The text of a routine under another name; its comments and its order stay where its file is TOML."""
    lines = routine.text.split("\n")
    if not routine.step_lines:
        lines[find_line(routine.text, ("name",)) - 1] = f'name = "{name}"'
        text = "\n".join(line for line in lines if not line.startswith("#:schema"))
        try:
            if parse_routine(text.encode(), routine.path).name == name:
                return DIRECTIVE + text
        except RoutineError:
            pass  # its name is written in another way: on several lines, or beside others
    return DIRECTIVE + to_toml(replace(routine, file=routine.file.model_copy(update={"name": name})))


def write_new(text: str, path: Path) -> None:
    """Write a routine that can be run to a file that is not there yet, and the schema beside it.

    Raises RoutineError and PlanRefusedError with what is wrong with it, and RoutineError when the file is there
    already or cannot be written. Nothing is written then.
    """
    plan(parse_routine(text.encode(), path), ANY_MASSAGER)
    schema = path.with_name(SCHEMA_NAME)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        schema.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    except FileExistsError:
        raise RoutineError("is there already and is left as it is.", path=path, fix="Name another file.") from None
    except OSError as problem:
        raise RoutineError(f"cannot be written ({problem.strerror}).", path=path) from problem


def is_name(text: str) -> bool:
    """Whether this can be the name of a routine."""
    return len(text) <= 60 and _NAME.match(text) is not None


def known_path(name: str) -> Path | None:
    """The file of the routine of this name, None without one: two of a name could not both be found."""
    known, _ = load_routines()
    return known[name].path if name in known else None
