"""TOML files checked against a pydantic model, with errors that name file, line, table and key.

The parser gives no positions, so `find_line` looks a key path up in the text. It is `tomli`, which is `tomllib` made
faster by compiling.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import tomli
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from firmware_profiles.errors import FileError

Model = TypeVar("Model", bound=BaseModel)
KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
"""No profile or routine comes near this; a file above it is a mistake."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")
_QUOTES = re.compile(r'"""|' + r"'''")


def load_toml(path: Path, model: type[Model], *, error: type[FileError]) -> Model:
    """Read ``path`` and check it against ``model``.

    Raises ``error`` with the file, the line and the key of the first thing that is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"cannot be read ({problem.strerror}).", path=path) from problem
    if len(raw) > MAX_BYTES:
        raise error(f"is larger than {MAX_BYTES} bytes.", path=path, fix="Is it the right file?")
    return parse_toml(raw, model, path=path, error=error)


def parse_toml(raw: bytes, model: type[Model], *, path: Path, error: type[FileError]) -> Model:
    """Check the bytes of a TOML file against ``model``; ``path`` is what errors call it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise error("is not UTF-8 text.", path=path, line=line, fix="Save it as UTF-8.") from problem
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as problem:
        found = re.search(r"\(at line (\d+), column \d+\)", str(problem))
        line_of_problem = int(found.group(1)) if found else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", str(problem))
        raise error(f"is not valid TOML: {what}.", path=path, line=line_of_problem) from problem
    except (ValueError, RecursionError) as problem:  # numbers of thousands of digits, keys of thousands of parts
        raise error("has a number or a key of absurd length.", path=path) from problem
    try:
        # By way of JSON, because there pydantic's strict mode takes an array for a tuple.
        return model.model_validate_json(json.dumps(data, default=str))
    except RecursionError as problem:
        raise error("is nested too deeply.", path=path) from problem
    except ValidationError as problem:
        what, keys, fix = problems_of(problem, model)[0]
        raise error(what, path=path, line=find_line(text, keys), key=dotted(keys), fix=fix) from problem
    except ValueError as problem:  # json refuses to write a number of thousands of digits
        raise error("has a number of absurd length.", path=path) from problem


def find_line(text: str, keys: KeyPath) -> int:
    """The line (from 1) where a key path such as ``("steps", 2, "region")`` stands.

    When the key itself is missing, or inside an inline value, it is the line of its table.
    """
    wanted = tuple(str(key) for key in keys)
    best_depth, best_line = -1, 1
    for here, number in _key_lines(text):
        depth = min(len(here), len(wanted))
        # A header of an array of tables is longer by its index than the key that names the array.
        if depth > best_depth and here[:depth] == wanted[:depth]:
            best_depth, best_line = depth, number
    return best_line


@lru_cache(maxsize=2)
def _key_lines(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Every key and table of a file with its line. A plan asks for the lines of one file again and again."""
    found: list[tuple[tuple[str, ...], int]] = []
    table: list[str] = []
    counts: dict[tuple[str, ...], int] = {}
    open_quote = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if open_quote:
            if line.count(open_quote) % 2:
                open_quote = ""
            continue
        for quote in _QUOTES.findall(line):
            if line.count(quote) % 2:
                open_quote = quote
        if header := _HEADER.match(line):
            table = _indexed(_split(header.group(2)), counts, is_array=header.group(1) == "[[")
            found.append((tuple(table), number))
        elif key := _KEY.match(line):
            found.append((tuple(table + _split(key.group(1))), number))
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice that names the nearest known word, or all of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}." if known else ""


def _split(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _indexed(names: list[str], counts: dict[tuple[str, ...], int], *, is_array: bool) -> list[str]:
    """The full path of a table header, with the index of each array of tables that it passes through."""
    path: list[str] = []
    for depth, name in enumerate(names):
        path.append(name)
        key = tuple(path)
        if depth == len(names) - 1 and is_array:
            counts[key] = counts.get(key, -1) + 1
        if key in counts:
            path.append(str(counts[key]))
    return path


def dotted(keys: KeyPath) -> str:
    """A key path as a person writes it."""
    return ".".join(str(key) for key in keys)


def problems_of(problem: ValidationError, model: type[BaseModel]) -> list[tuple[str, KeyPath, str]]:
    """What pydantic found, each as a sentence, the key path, and advice; the most telling first."""
    # An unknown key explains a missing one, so it is told first.
    found = sorted(problem.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    return [_told(each, model) for each in found]


def _told(one: ErrorDetails, model: type[BaseModel]) -> tuple[str, KeyPath, str]:
    keys: KeyPath = tuple(key for key in one["loc"] if not (isinstance(key, str) and "[" in key))
    match one["type"]:
        case "extra_forbidden":
            return "is not a key here.", keys, did_you_mean(str(keys[-1]), _known_keys(model, keys[:-1]))
        case "missing":
            return "is missing.", keys, "Add it."
        case "value_error":
            return str(one["ctx"]["error"]), keys, ""
        case _:
            return f"{one['msg'][0].lower()}{one['msg'][1:]}, not {_brief(one['input'])}.", keys, ""


def _known_keys(model: type[BaseModel], keys: KeyPath) -> list[str]:
    """The keys that the model allows at a path, read from its JSON Schema so that it works for every nesting."""
    schema = model.model_json_schema()
    nodes: list[dict[str, Any]] = [schema]
    for key in keys:
        nodes = [child for node in nodes for child in _children(_resolved(node, schema), key)]
    known: list[str] = []
    for node in nodes:
        for resolved in _resolved(node, schema):
            known += resolved.get("properties", {})
    return known


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _resolved(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    options = node.get("anyOf", []) + node.get("oneOf", [])
    return [r for option in options for r in _resolved(option, schema)] or [node]


def _children(nodes: list[dict[str, Any]], key: str | int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in nodes:
        if isinstance(key, int):
            found += [node["items"]] if isinstance(node.get("items"), dict) else []
        elif key in node.get("properties", {}):
            found.append(node["properties"][key])
        elif isinstance(node.get("additionalProperties"), dict):
            found.append(node["additionalProperties"])
    return found


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
