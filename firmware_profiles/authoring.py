"""The beginning of a profile, made from what a person knows of a device.

The example bytes are the person's, from a source; they are never computed from the frames. That is what makes them a
proof: where the two disagree, `write_draft` says so and writes nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_profiles.command_tables import COMMAND_NAMES
from firmware_profiles.errors import ProfileError
from firmware_profiles.links import hex_bytes
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile

_EXAMPLE = re.compile(r"^\s*(?P<name>[a-z][a-z0-9_]*)(?P<values>(?:\s+[a-z][a-z0-9_.]*=\S+)*)\s*:\s*(?P<bytes>.+)$")


@dataclass(frozen=True, slots=True)
class Example:
    """Bytes that a source gives for a command or a report: ``name``, its values, and its frames in hex."""

    name: str
    values: tuple[tuple[str, Any], ...]
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a device. A device has ``ble`` (service, write, notify or None) or a ``baud``.

    ``commands`` and ``reports`` are (name, frames), ``channels`` (name, number), ``sources`` (URL, what it says).
    """

    id: str
    name: str
    sources: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, tuple[str, ...]], ...]
    examples: tuple[Example, ...]
    example_source: str
    level_full: int
    level_lowest: int = 1
    level_unit: str = "level"
    channels: tuple[tuple[str, int], ...] = (("head", 0),)
    reports: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ble: tuple[str, str, str | None] | None = None
    baud: int | None = None
    match_name: str | None = None
    match_usb: str | None = None
    dead_man: str = "host only"


def parse_example(text: str) -> Example:
    """An example as a person writes it: ``set_level level=50: 32``, ``stop: 00, 01``. Raises ValueError."""
    found = _EXAMPLE.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no example such as 'set_level level=50: 32' or 'stop: AA 00, AA 01'.")
    values = tuple(_value(pair) for pair in found["values"].split())
    return Example(found["name"], values, tuple(hex_bytes(frame.strip()) for frame in found["bytes"].split(",")))


def write_draft(draft: Draft, path: Path) -> Profile:
    """Write a profile that loads, to a file that is not there yet.

    Raises ProfileError with what the profile would lack or where example and frame disagree, and when the file is
    there already or cannot be written. Nothing is written then.
    """
    _check_levels(draft, path)
    text = draft_toml(draft)
    with tempfile.TemporaryDirectory(prefix="percuss-") as folder:
        tried = Path(folder) / path.name
        tried.write_text(text, encoding="utf-8")
        try:
            profile = load_profile(tried)
        except ProfileError as problem:
            raise ProfileError(problem.what, path=path, key=problem.key, fix=problem.fix) from problem
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ProfileError("is there already and is left as it is.", path=path, fix="Name another file.") from None
    except OSError as problem:
        raise ProfileError(f"cannot be written ({problem.strerror}).", path=path) from problem
    return profile


def levels_to_show(lowest: int, full: int) -> tuple[int, ...]:
    """The levels whose bytes a source should give: the lowest, one in the middle, and the highest."""
    return tuple(dict.fromkeys((lowest, (lowest + full) // 2, full)))


def _check_levels(draft: Draft, path: Path) -> None:
    shown = {dict(example.values).get("level") for example in draft.examples if example.name == "set_level"}
    lowest, full = draft.level_lowest, draft.level_full
    between = [level for level in shown if isinstance(level, int) and lowest < level < full]
    if {lowest, full} <= shown and (between or full - lowest < 2):
        return
    wanted = ", ".join(str(level) for level in levels_to_show(lowest, full))
    what = f"set_level needs the bytes of its lowest level, one in the middle and its highest, such as {wanted}."
    raise ProfileError(what, path=path, key="vectors", fix="Look for them in the source, or in a capture.")


def draft_toml(draft: Draft) -> str:
    """The file as text: every part that the format asks for, and no comment that would grow old."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    yield from ("schema = 1", _pair("id", draft.id), _pair("name", draft.name), 'roles = ["massager"]')
    # Documents only, and nobody has seen it work: both are for the person to raise, in words of their own.
    yield from ('confidence = "C"', "verified_on_hardware = false", _pair("dead_man", draft.dead_man))
    for url, says in draft.sources:
        yield from ("", "[[sources]]", _pair("url", url), _pair("says", says))
    yield from _link(draft)
    yield from ("", "[level]", _pair("unit", draft.level_unit))
    yield from (_pair("lowest", draft.level_lowest), _pair("full", draft.level_full))
    for name, number in draft.channels:
        yield from ("", f"[channels.{name}]", _pair("number", number))
    for kind, tables in (("commands", draft.commands), ("reports", draft.reports)):
        for name, frames in tables:
            yield from ("", f"[{kind}.{name}]", _pair("frames", frames))
    for example in draft.examples:
        yield from _vector(example, draft)


def _link(draft: Draft) -> Iterator[str]:
    match: list[str] = []
    if draft.ble is not None:
        service, write, notify = draft.ble
        yield from ("", "[ble]", _pair("service", service), _pair("write", write))
        if notify:
            yield _pair("notify", notify)
        match.append(_pair("service", service))
    if draft.baud is not None:
        yield from ("", "[serial]", _pair("baud", draft.baud))
    if draft.match_name:
        match.append(_pair("name", (draft.match_name,)))
    if draft.match_usb:
        match.append(_pair("usb", (draft.match_usb,)))
    if match:
        yield from ("", "[[match]]", *match)


def _vector(example: Example, draft: Draft) -> Iterator[str]:
    yield from ("", "[[vectors]]", _pair("source", draft.example_source))
    reports = dict(draft.reports)
    if example.name in reports and example.name not in COMMAND_NAMES:
        yield from (_pair("report", example.name), _pair("frame", " ".join(example.frames)))
        yield f"decoded = {_table(example.values)}"
        return
    yield _pair("command", example.name)
    if example.values:
        yield f"values = {_table(example.values)}"
    yield _pair("writes", example.frames)


def _value(pair: str) -> tuple[str, Any]:
    name, _, text = pair.partition("=")
    if text in {"true", "false"}:
        return name, text == "true"
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return name, int(text)
    if re.fullmatch(r"-?[0-9]{1,9}\.[0-9]{1,9}", text):
        return name, float(text)
    return name, text


def _table(values: Sequence[tuple[str, Any]]) -> str:
    inside = ", ".join(f"{name if name.isidentifier() else _quoted(name)} = {_toml(value)}" for name, value in values)
    return f"{{ {inside} }}" if inside else "{}"


def _pair(name: str, value: object) -> str:
    return f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Iterable):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return str(value)


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() or c == " " else f"\\U{ord(c):08X}" for c in escaped) + '"'
