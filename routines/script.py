"""One-line scripts: a session in a few words, such as ``piriformis:each 40% 45s ramp 10s; rest 10s; calves 60s``.

A script becomes a `RoutineFile` and is checked by the same model, so every limit of the file format holds for it.
docs/reference/script.md has the grammar.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from firmware_profiles.tomlfile import MAX_BYTES, did_you_mean, problems_of
from routines.errors import PlanRefusedError, RoutineError
from routines.loader import Routine, parse_routine
from routines.regions import Refusal, UnknownRegion, find_region, regions
from routines.schema import (
    DRIVEN_TECHNIQUES,
    OTHER_WORDS,
    DrivenTechnique,
    HandTechnique,
    Position,
    RoutineFile,
    RoutineSide,
    Word,
)

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+) | (?P<comment>\#[^\n]*) | (?P<end>[;\n]) | (?P<plus>\+)
    | (?P<text>"(?:[^"\\\n]|\\.)*") | (?P<open>")
    | (?P<word>-?\d+(?:\.\d+)?[ \t]+(?:%|ppm|s|sec|seconds?|min|minutes?)(?![^\s;+"\#]) | [^\s;+"\#]+)""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_IS_TOML = re.compile(r"^\s*(\[|[A-Za-z0-9_.\"'-]+\s*=)", re.MULTILINE)
"""A line that only a TOML file has: a table, or a key with a value."""

_TIME = re.compile(r"-?[\d.]+(m|min|minutes?|s|sec|seconds?)([\d.]+(s|sec|seconds?))?", re.ASCII)
_UNITS = ("%", "ppm", "s", "sec", "seconds", "min", "minutes")

MOST_STEPS = 100
"""As many as a routine file may have."""

_AFTER = {
    "ramp": "a time, such as 10s",
    "rest": "a time, such as 10s",
    "move": "a time, such as 5s",
    "with": "a tool, such as foam-roller",
    "curve": "times and intensities, such as 0s:20%,15s:40%",
    "roles": "massager or timer",
    "source": "a text in quotes",
}
"""What has to follow the words that announce a value."""

_KEY_OF_WORD: dict[str, str] = {
    **dict.fromkeys((*get_args(DrivenTechnique), *get_args(HandTechnique), *OTHER_WORDS), "technique"),
    **dict.fromkeys(get_args(Position), "position"),
    **dict.fromkeys(get_args(Word), "intensity"),
    **dict.fromkeys(get_args(RoutineSide), "side"),
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """One word or quoted text of a script, and where it begins; both count from 1."""

    text: str
    line: int
    column: int
    is_quoted: bool = False


@dataclass(slots=True)
class _Draft:
    """One step in the making: the values of its keys, and the piece that each was said with."""

    first: _Piece
    values: dict[str, Any] = field(default_factory=dict)
    pieces: dict[str, _Piece] = field(default_factory=dict)


def parse_routine_text(raw: bytes, name: str = "script") -> Routine:
    """Read what came without a file: a routine file, or a script. ``name`` is what errors call it.

    Raises RoutineError and PlanRefusedError.
    """
    path = Path(name)
    if len(raw) > MAX_BYTES:
        raise RoutineError(f"is larger than {MAX_BYTES} bytes.", path=path, fix="Is it the right text?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise RoutineError("is not UTF-8 text.", path=path, line=raw.count(b"\n", 0, problem.start) + 1) from problem
    return parse_routine(raw, path) if _IS_TOML.search(text) else parse_script(text, name)


def parse_script(text: str, name: str = "script") -> Routine:
    """The routine that a script says; ``name`` becomes its name, and is what errors call it.

    Raises RoutineError for what makes no sense and PlanRefusedError for a region that is refused, each with the line,
    the column and the piece.
    """
    path = Path(name)
    if len(text) > MAX_BYTES:
        raise RoutineError(f"is longer than {MAX_BYTES} characters.", path=path, fix="Is it the right text?")
    drafts = [draft for group in _groups(path, text) for draft in _read_group(path, group)]
    if not drafts:
        fix = 'Write, for example, "calves:each gentle 60s".'
        raise RoutineError("has no step.", path=path, fix=fix)
    if len(drafts) > MOST_STEPS:
        raise _mistake(path, drafts[MOST_STEPS].first, f"begins step {MOST_STEPS + 1}; there may be {MOST_STEPS}.")
    title = name.replace("-", " ").capitalize()
    data = {"schema": 1, "name": name, "title": title, "steps": [draft.values for draft in drafts]}
    try:
        file = RoutineFile.model_validate_json(json.dumps(data))
    except ValidationError as problem:
        what, keys, fix = problems_of(problem, RoutineFile)[0]
        if keys and keys[0] != "steps":
            raise RoutineError(what, path=path, key=str(keys[0]), fix=fix) from problem
        draft = drafts[int(keys[1])] if len(keys) > 1 else _unpaired(drafts)
        piece = draft.pieces.get(str(keys[2]) if len(keys) > 2 else "", draft.first)
        raise _mistake(path, piece, what, fix) from problem
    return Routine(path=path, file=file, text=text, step_lines=tuple(draft.first.line for draft in drafts))


def _unpaired(drafts: list[_Draft]) -> _Draft:
    """The step that goes together with one that it cannot go together with: all that is wrong with a whole script."""
    for before, draft in itertools.pairwise(drafts):
        technique = before.values.get("technique", "percussion")
        is_driven = OTHER_WORDS.get(technique, technique) in DRIVEN_TECHNIQUES
        if "together" in draft.values and (not is_driven or before.values.get("side") == "each"):
            return draft
    return drafts[0]


def _mistake(path: Path, piece: _Piece, what: str, fix: str = "") -> RoutineError:
    return RoutineError(what, path=path, line=piece.line, key=_place(piece), fix=fix)


def _place(piece: _Piece) -> str:
    shown = piece.text if len(piece.text) <= 40 else f"{piece.text[:39]}…"
    return f"column {piece.column}, {shown!r}"


def _groups(path: Path, text: str) -> Iterator[list[list[_Piece]]]:
    """The steps of a script: each the parts that go together, each part its pieces."""
    group: list[list[_Piece]] = [[]]
    plus: _Piece | None = None
    for kind, piece in (*_pieces(path, text), ("end", _Piece("", text.count("\n") + 1, 1))):
        if kind in {"end", "plus"} and not group[-1] and (kind == "plus" or plus is not None):
            raise _mistake(path, plus or piece, "joins two places, and one of them is missing.", "Take the + away.")
        if kind == "end":
            if group[-1]:
                yield group
            group, plus = [[]], None
        elif kind == "plus":
            group.append([])
            plus = piece
        else:
            group[-1].append(piece)


def _pieces(path: Path, text: str) -> Iterator[tuple[str, _Piece]]:
    """The words, texts and separators of a script in order; a number and its unit are one word."""
    at, line, line_start = 0, 1, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        piece = _Piece(found[0] if found else text[at], line, at - line_start + 1)
        if bad := next((c for c in piece.text if not c.isprintable() and c not in "\n\t\r"), None):
            raise _mistake(path, piece, f"has the control character {bad!r}.", "Remove it.")
        if found is None:
            raise _mistake(path, piece, "cannot stand here.", "Take it away.")
        at = found.end()
        match found.lastgroup:
            case "open":
                raise _mistake(path, piece, "begins a text that does not end on its line.", 'Close it with ".')
            case "text":
                yield "text", _Piece(_unquoted(path, piece), line, piece.column, is_quoted=True)
            case "word":
                yield "word", _Piece("".join(piece.text.split()), line, piece.column)
            case "end" | "plus" as kind:
                yield kind, piece
        if piece.text == "\n":
            line, line_start = line + 1, at


def _unquoted(path: Path, piece: _Piece) -> str:
    try:
        text = str(json.loads(piece.text.replace("\t", "\\t")))
    except ValueError as problem:
        fix = r"Inside quotes write \" for a quote, \\ for a backslash and \n for a new line."
        raise _mistake(path, piece, "has a backslash that says nothing.", fix) from problem
    if half := re.search("[\ud800-\udfff]", text):
        what = f"has {half[0]!r}, which is only half of a character."
        raise _mistake(path, piece, what, "Write the character itself.")
    return text


def _read_group(path: Path, group: list[list[_Piece]]) -> Iterator[_Draft]:
    """The steps of one group: the first, and those that are together with it."""
    for number, pieces in enumerate(group):
        if not pieces:
            continue
        draft = _Draft(pieces[0])
        waiting = deque(pieces)
        while waiting:
            _read_piece(path, draft, waiting)
        if "region" in draft.values:
            # Two things at the same time cannot be one side after the other.
            draft.values.setdefault("side", "each" if len(group) == 1 else "both")
        if number > 0:
            draft.values["together"] = True
        yield draft


def _read_piece(path: Path, draft: _Draft, waiting: deque[_Piece]) -> None:
    piece = waiting.popleft()
    word = piece.text.lower().replace("_", "-")
    if piece.is_quoted:
        _put(path, draft, "cue", piece, piece.text)
    elif word in _AFTER and not (word == "rest" and piece is draft.first):
        if not waiting:
            raise _mistake(path, piece, f"needs {_AFTER[word]} after it.")
        value = waiting.popleft()
        _put(path, draft, {"with": "tool"}.get(word, word), value, _value(path, word, value))
    elif re.fullmatch(r"x\d{1,4}", word, re.ASCII):
        _put(path, draft, "repeat", piece, int(word[1:]))
    elif re.match(r"[-.%\d]", word, re.ASCII):
        _put(path, draft, _kind_of_quantity(path, piece, word), piece, word)
    elif word in _KEY_OF_WORD:
        _put(path, draft, _KEY_OF_WORD[word], piece, word)
    else:
        _put_place(path, draft, piece)


def _put(path: Path, draft: _Draft, key: str, piece: _Piece, value: object) -> None:
    if (before := draft.pieces.get(key)) is not None:
        what = f"is a second {key} in this step, after {before.text!r}."
        raise _mistake(path, piece, what, "A new step begins after ; or on a new line.")
    draft.values[key] = value
    draft.pieces[key] = piece


def _value(path: Path, word: str, piece: _Piece) -> object:
    """The value that follows a word such as ``ramp``."""
    if word == "roles":
        return piece.text.lower().split(",")
    if word != "curve":
        return piece.text
    points = [point.partition(":") for point in piece.text.lower().split(",")]
    if not all(colon for _, colon, _ in points):
        raise _mistake(path, piece, "is no curve.", f"Write {_AFTER['curve']}.")
    return [{"at": at, "intensity": intensity} for at, _, intensity in points]


def _kind_of_quantity(path: Path, piece: _Piece, word: str) -> str:
    if word.endswith(("%", "ppm")):
        return "intensity"
    if _TIME.fullmatch(word):
        return "duration"
    unit = re.sub(r"^[-.\d]+", "", word, flags=re.ASCII)
    if not unit:
        raise _mistake(path, piece, "has no unit.", f"Write {word}s for a time, or {word}% for an intensity.")
    raise _mistake(path, piece, f"has an unknown unit, {unit!r}.", did_you_mean(unit, _UNITS))


def _put_place(path: Path, draft: _Draft, piece: _Piece) -> None:
    """Take a piece for ``place`` or ``place:side``."""
    name, colon, side = piece.text.partition(":")
    match find_region(name):
        case Refusal(reason=reason):
            what = f"{name.replace('_', ' ')} is refused. {reason}"
            fix = "Take the step out, or name a muscle nearby."
            raise PlanRefusedError(what, path=path, line=piece.line, key=_place(piece), fix=fix)
        case UnknownRegion(advice=known_regions):
            words = () if colon else (*_KEY_OF_WORD, *_AFTER)
            near = did_you_mean(name.lower(), (*regions(), *words))
            what = "is no region." if colon else "is not known here."
            raise _mistake(path, piece, what, near if near.startswith("Did") else known_regions)
    if colon and side.lower() not in get_args(RoutineSide):
        what = f"names the side {side!r}." if side else "needs a side after the colon."
        raise _mistake(path, piece, what, did_you_mean(side.lower(), get_args(RoutineSide)))
    _put(path, draft, "region", piece, name)
    if colon:
        _put(path, draft, "side", piece, side.lower())
