"""What passed over a link, read from a file: percuss's own captures (JSON lines), and HCI logs (btsnoop).

A capture of percuss begins, for each link, with a line ``{"schema": 1, "link", "profile", "over"}``; every other line
is ``{"t_s", "dir": "tx" or "rx", "hex", "with_response", "link"}``. Of these only ``dir`` and ``hex`` are needed, so
that a capture from elsewhere is quickly brought into the form. A frame that held a secret has ``left_out_bytes`` in the
place of ``hex``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from firmware_profiles.btsnoop import MAGIC, Broken, read_btsnoop
from firmware_profiles.errors import FileError

SCHEMA = 1
MAX_LINE = 100_000
"""Bytes of one line. The longest frame of a profile takes 1024 of them."""

Direction = Literal["tx", "rx"]
Over = Literal["ble", "serial"]


class CaptureError(FileError):
    """A capture that cannot be used, or not any further."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The beginning of a link in a capture of percuss: the profile it had, and whether it was radio or wire."""

    link: str
    profile: str | None
    over: Over | None


@dataclass(frozen=True, slots=True)
class Passed:
    """Bytes that passed: ``tx`` to the device, ``rx`` from it. ``link`` and ``handle`` tell streams apart.

    ``t_s`` counts from the beginning of the capture. ``uuid`` is the characteristic of the handle, where the log shows
    how the host learned it. ``left_out`` counts bytes that were not written down because they held a secret.
    """

    direction: Direction
    data: bytes
    link: str = ""
    t_s: float | None = None
    with_response: bool | None = None
    handle: int | None = None
    uuid: str | None = None
    left_out: int = 0


def read_capture(path: Path) -> Iterator[Opened | Passed]:
    """What a capture holds, in order, read as it is taken; memory does not grow with the file.

    Raises CaptureError with the line or the byte where it stops making sense, after everything before that.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(len(MAGIC))
            file.seek(0)
            if beginning == MAGIC:
                yield from _btsnoop(file, path)
            else:
                yield from _json_lines(file, path)
    except OSError as problem:
        what = f"cannot be read ({problem.strerror})."
        raise CaptureError(what, path=path, fix="Is it there, and is it a file?") from problem


def _btsnoop(file: BinaryIO, path: Path) -> Iterator[Passed]:
    try:
        for value in read_btsnoop(file):
            yield Passed(
                "tx" if value.is_sent else "rx",
                value.data,
                link=value.connection,
                t_s=value.t_s,
                with_response=value.is_acknowledged,
                handle=value.handle,
                uuid=value.uuid,
            )
    except Broken as problem:
        raise CaptureError(f"{problem.what}.", path=path, key=f"byte {problem.offset}", fix=problem.fix) from problem


def _json_lines(file: BinaryIO, path: Path) -> Iterator[Opened | Passed]:
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            what = f"the line is longer than {MAX_LINE} bytes."
            raise CaptureError(what, path=path, line=number, fix="Is it a capture?")
        if not raw.strip():
            continue
        try:
            yield _entry(_object(raw))
        except ValueError as problem:
            if not raw.endswith(b"\n"):
                what = "the last line is cut off."
                raise CaptureError(what, path=path, line=number, fix="Everything before it was read.") from problem
            fix = 'A line is, for example, {"dir": "tx", "hex": "AA 01"}.'
            raise CaptureError(str(problem), path=path, line=number, fix=fix) from problem


def _object(raw: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("is no line of JSON.") from None
    if not isinstance(entry, dict):
        raise ValueError("is JSON, but no object.")
    return entry


def _entry(entry: dict[str, Any]) -> Opened | Passed:
    link = _text(entry, "link") or ""
    if "schema" in entry:
        if entry["schema"] != SCHEMA or isinstance(entry["schema"], bool):
            raise ValueError(f"has the schema {_brief(entry['schema'])}; this percuss reads {SCHEMA}.")
        over = _text(entry, "over")
        if over not in {"ble", "serial", None}:
            raise ValueError(f"over is {_brief(over)}, not ble or serial.")
        return Opened(link, _text(entry, "profile"), over)  # type: ignore[arg-type]
    direction = entry.get("dir")
    if direction not in ("tx", "rx"):
        raise ValueError(f"dir is {_brief(direction)}, not tx or rx.")
    acknowledged, left_out = entry.get("with_response"), entry.get("left_out_bytes", 0)
    if acknowledged is not None and not isinstance(acknowledged, bool):
        raise ValueError("with_response is not true or false.")
    if isinstance(left_out, bool) or not isinstance(left_out, int) or not 0 <= left_out <= MAX_LINE:
        raise ValueError("left_out_bytes is no number of bytes.")
    data = b"" if left_out and "hex" not in entry else _hex(entry.get("hex"))
    return Passed(direction, data, link, _time(entry.get("t_s")), acknowledged, left_out=left_out)


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"hex is {_brief(value)}, not bytes such as AA 01.") from None


def _time(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:  # NaN is not less
        raise ValueError(f"t_s is {_brief(value)}, not seconds.")
    return float(value) if math.isfinite(value) else None


def _text(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and abs(value) < 2**53:  # a link may be numbered
        return str(value)
    raise ValueError(f"{key} is {_brief(value)}, not a word.")


def _brief(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # a number of thousands of digits
        return "absurd"
    return shown if len(shown) <= 40 else shown[:37] + "…"
