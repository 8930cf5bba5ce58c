"""Routines written down: as the TOML of a routine file, pleasant to edit, or as a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from routines.loader import Routine
from routines.schema import NEEDS_NO_PLACE, Step

WIDTH = 118
"""How long a line of the file may be. Longer texts go on in the next line."""

_KEYS = (
    *("region", "side", "technique", "intensity", "curve", "duration", "ramp", "rest", "repeat", "move"),
    *("position", "tool", "roles", "together", "cue", "source"),
)
_TIMES = frozenset({"duration", "ramp", "rest", "move"})
_SAID = frozenset({"technique", "intensity"})
"""Keys that are written when they were given, also where they say what holds without them."""


def to_toml(routine: Routine) -> str:
    """The routine as the text of a routine file: keys that say something, in the order of the reference."""
    file = routine.file
    lines = ["schema = 1", f"name = {_quoted(file.name)}", f"title = {_quoted(file.title)}"]
    if file.description:
        lines.append(f"description = {_text(file.description)}")
    if file.sources:
        lines += ["sources = [", *(f"    {_quoted(source)}," for source in file.sources), "]"]
    if file.closing_note:
        lines.append(f"closing_note = {_text(file.closing_note)}")
    for step in file.steps:
        lines += ["", "[[steps]]", *(f"{key} = {_value(step, key)}" for key in _given(step))]
    return "\n".join(lines) + "\n"


def to_script(routine: Routine) -> str:
    """The steps of a routine as a script on one line. Title, description, sources and closing note are left out."""
    said = ""
    for step, after in zip(routine.steps, (*routine.steps[1:], None), strict=True):
        goes_together = step.together or (after is not None and after.together)
        said += (" + " if step.together else "; ") + " ".join(
            _words(step, usual_side="both" if goes_together else "each")
        )
    return said.removeprefix("; ")


def duration_text(duration_s: float) -> str:
    """A time the way a routine says it, to the microsecond: ``45s``, ``1m30s``."""
    if duration_s < 90:
        return f"{_number(duration_s)}s"
    minutes, rest_s = divmod(round(duration_s, 6), 60)
    return f"{_number(minutes)}m" + (f"{_number(rest_s)}s" if rest_s else "")


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _given(step: Step) -> list[str]:
    """The keys of a step that say something, in order."""
    usual = Step.model_fields
    return [
        key
        for key in _KEYS
        if getattr(step, key) != usual[key].default or (key in _SAID and key in step.model_fields_set)
    ]


def _value(step: Step, key: str) -> str:
    value = getattr(step, key)
    if key in _TIMES:
        return f'"{duration_text(value)}"'
    if key == "curve":
        points = (f'{{at = "{duration_text(p.at)}", intensity = {_quoted(p.intensity)}}}' for p in value)
        return _row(list(points))
    if key == "roles":
        return _row([_quoted(role) for role in value])
    if isinstance(value, str):
        return _text(value) if key in {"cue", "source"} else _quoted(value)
    return "true" if value is True else str(value)


def _row(values: Sequence[str]) -> str:
    """An array, on one line where it fits."""
    row = f"[{', '.join(values)}]"
    return row if len(row) <= WIDTH - 10 else "\n".join(["[", *(f"    {value}," for value in values), "]"])


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _text(text: str) -> str:
    """A string for people, over several lines where it is long or has lines of its own."""
    if "\n" not in text and len(text) <= WIDTH - 10:
        return _quoted(text)
    lines = [_quoted(line)[1:-1] for line in text.split("\n")]
    return '"""\n' + "\n".join(" \\\n".join(_wrapped(line)) for line in lines) + '"""'


def _wrapped(line: str) -> Iterator[str]:
    """A line in pieces that fit, each cut at a single space: a backslash at the end swallows all space after it."""
    while len(line) > WIDTH:
        at = line.rfind(" ", 1, WIDTH - 2)
        while at > 0 and (line[at - 1] in " \\" or line[at + 1] in " \\"):
            at = line.rfind(" ", 1, at)
        if at <= 0:
            break
        yield line[:at]
        line = line[at + 1 :]
    yield line


def _words(step: Step, *, usual_side: str) -> Iterator[str]:
    """The words of one step of a script, in the order of docs/reference/script.md."""
    given = [key for key in _given(step) if key not in {"region", "side", "technique", "together"}]
    place: str
    if step.region is None:
        place = step.side or ""
    else:
        place = step.region if step.side == usual_side else f"{step.region}:{step.side}"
    technique = "" if step.technique == "percussion" else step.technique
    # "rest" is a technique only where a step begins with it.
    first = (technique, place) if step.technique in NEEDS_NO_PLACE else (place, technique)
    yield from (word for word in first if word)
    for key in given:
        yield _word(step, key)


def _word(step: Step, key: str) -> str:
    value = getattr(step, key)
    if key in _TIMES:
        return duration_text(value) if key == "duration" else f"{key} {duration_text(value)}"
    match key:
        case "intensity":
            return _plain(value)
        case "curve":
            return f"curve {','.join(f'{duration_text(p.at)}:{_plain(p.intensity)}' for p in value)}"
        case "repeat":
            return f"x{value}"
        case "tool":
            return f"with {value}"
        case "roles":
            return f"roles {','.join(value)}"
        case "cue":
            return _quoted(value)
        case "source":
            return f"source {_quoted(value)}"
        case _:
            return str(value)


def _plain(intensity: str) -> str:
    return "".join(intensity.lower().split())
