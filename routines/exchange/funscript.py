"""Funscripts as intensity curves: JSON with ``actions``, each ``at`` so many milliseconds at ``pos`` 0 to 100.

No standard exists; what the programs that write and play them agree on is told at
buttplug-spec.docs.buttplug.io (video encoding formats, funscript). ``pos`` is a place on a way there and a share of
full strength here; players go straight from one action to the next. ``inverted`` turns 0 and 100 around.

Thinning: a curve has at most one point a second, the lowest that the script has in that second. The highest would run
the motor longer at a peak than the script does, and a mean would stand above the script for part of the second; below
it nobody can be surprised. A script of strokes, which touches 0 every second, is therefore nothing but rest, and is
refused with that reason: it says how something moves, not how strong it is.
"""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from routines.errors import PlanRefusedError, RoutineError
from routines.exchange.strangers import (
    TEXT_MAX,
    TITLE_MAX,
    Found,
    Imported,
    Wanted,
    build,
    check_size,
    check_strength,
    name_of,
    plain,
    region_of,
)
from routines.regions import Region
from routines.schema import REST

WINDOW_S = 1.0
"""One point of the curve: the least that a curve allows between two."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]')
_IGNORED = ("range", "rawActions", "axes", "channels")
_FULL_POS = 100


@dataclass(frozen=True, slots=True)
class _Action:
    """One point of the script: when, what share of full strength (0 to 1), and which action it was, from 0."""

    at_s: float
    share: float
    number: int


def read_funscript(raw: bytes, path: Path, wanted: Wanted, name: str | None = None) -> Imported:
    """One step with a curve for the place in ``wanted``; before the first action the motor rests.

    ``name`` is what the routine is called, else it is made of the file's name. Raises RoutineError and
    PlanRefusedError, each with the line of the action.
    """
    check_size(raw, path)
    text, data = _load(raw, path)
    actions = _actions(text, data, path)
    strongest = max(actions, key=lambda action: action.share)
    line = find_action(text, strongest.number)
    region = region_of(path, line, wanted.region)
    if wanted.asked(strongest.share) != REST:
        check_strength(path, line, f"actions.{strongest.number}.pos", strongest.share, wanted)
    _check_length(text, path, actions, region)
    curve = _curve(actions, wanted)
    if all(point["intensity"] == REST for point in curve):
        what = "falls to nothing in every second, so nothing would run: it says how something moves, not how strong."
        raise RoutineError(what, path=path, line=line, fix="Take a script for vibration.")
    metadata = data.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    title = _text(told, "title", TITLE_MAX) or plain(path.stem, TITLE_MAX)
    head = {
        "name": name or name_of(title),
        "title": title,
        "description": _text(told, "description", TEXT_MAX),
        "sources": [plain(f"funscript {path.name}")],
    }
    step = {"region": wanted.region, "side": wanted.side, "curve": curve, "duration": actions[-1].at_s}
    ignored = [key for key in _IGNORED if data.get(key)]
    remarks = (f"Not taken over: {', '.join(ignored)}.",) if ignored else ()
    return Imported(build(path, head, [Found(step, line)]), remarks)


def _text(metadata: dict[str, Any], key: str, most: int) -> str:
    value = metadata.get(key)
    return plain(value, most) if isinstance(value, str) else ""


def _load(raw: bytes, path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise RoutineError("is not UTF-8 text.", path=path, line=line, fix="Save it as UTF-8.") from problem
    try:
        data = json.loads(text)
    except json.JSONDecodeError as problem:
        raise RoutineError(f"is not valid JSON: {problem.msg}.", path=path, line=problem.lineno) from problem
    except RecursionError as problem:
        raise RoutineError("is nested too deeply.", path=path, fix="Is it the right file?") from problem
    except ValueError as problem:  # numbers of thousands of digits
        raise RoutineError("has a number of absurd length.", path=path) from problem
    if not isinstance(data, dict) or not isinstance(data.get("actions"), list):
        raise RoutineError("is no funscript: it has no list of actions.", path=path, line=1)
    return text, data


def _actions(text: str, data: dict[str, Any], path: Path) -> list[_Action]:
    """The points in order of time. Raises RoutineError at the first that makes no sense."""
    inverted = data.get("inverted", False)
    if not isinstance(inverted, bool):
        raise RoutineError("must be true or false.", path=path, line=1, key="inverted")
    actions: list[_Action] = []
    for number, each in enumerate(data["actions"]):
        problem = _problem(each, actions[-1].at_s if actions else 0.0)
        if problem:
            raise RoutineError(problem, path=path, line=find_action(text, number), key=f"actions.{number}")
        share = each["pos"] / _FULL_POS
        actions.append(_Action(each["at"] / 1000, 1 - share if inverted else share, number))
    if not actions or actions[-1].at_s < WINDOW_S:
        what = "has no actions." if not actions else f"lasts {actions[-1].at_s:g} s, less than {WINDOW_S:g} s."
        raise RoutineError(what, path=path, line=1, key="actions")
    return actions


def _problem(action: object, before_s: float) -> str:
    """What is wrong with one action, as a phrase; empty when nothing is."""
    if not isinstance(action, dict):
        return 'must be an object such as {"at": 1000, "pos": 50}.'
    for key in ("at", "pos"):
        value = action.get(key)
        # Whole numbers of any length are JSON; what cannot be a float is no time.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
            return f"{key} must be a number."
    if not 0 <= action["pos"] <= _FULL_POS:
        return f"pos must be from 0 to {_FULL_POS}, not {action['pos']:g}."
    if action["at"] < 0:
        return f"at must not be negative, not {action['at']:g}."
    if action["at"] / 1000 < before_s:
        return f"at {action['at']:g} ms is before the action before it ({1000 * before_s:g} ms)."
    return ""


def _check_length(text: str, path: Path, actions: Sequence[_Action], region: Region) -> None:
    """Refuse a script that is longer than its place bears, at the first action after that."""
    if actions[-1].at_s <= region.max_s:
        return
    late = next(action for action in actions if action.at_s > region.max_s)
    most = f"{region.max_s:g} s, the most that one {region.id} bears in a session"
    what = f"lasts {actions[-1].at_s:g} s, longer than {most}."
    line = find_action(text, late.number)
    raise PlanRefusedError(
        what, path=path, line=line, key=f"actions.{late.number}.at", fix="Cut it, or name another place."
    )


def _curve(actions: Sequence[_Action], wanted: Wanted) -> list[dict[str, Any]]:
    """The lowest share of every second, equal neighbours as one; the last second lasts to the end."""
    windows = max(1, math.floor(actions[-1].at_s / WINDOW_S))
    times = [action.at_s for action in actions]
    curve: list[dict[str, Any]] = []
    for window in range(windows):
        start_s = window * WINDOW_S
        end_s = start_s + WINDOW_S if window < windows - 1 else times[-1]
        inside = actions[bisect.bisect_left(times, start_s) : bisect.bisect_right(times, end_s)]
        shares = [action.share for action in inside] + [_share_at(actions, at_s) for at_s in (start_s, end_s)]
        asked = wanted.asked(min(shares))
        if not curve or curve[-1]["intensity"] != asked:
            curve.append({"at": start_s, "intensity": asked})
    return curve


def _share_at(actions: Sequence[_Action], at_s: float) -> float:
    """The share at a moment, on the straight line between two actions; nothing before the first."""
    if at_s < actions[0].at_s:
        return 0.0
    for before, after in pairwise(actions):
        if before.at_s <= at_s < after.at_s:
            return before.share + (after.share - before.share) * (at_s - before.at_s) / (after.at_s - before.at_s)
    return actions[-1].share


def find_action(text: str, number: int) -> int:
    """The line, from 1, of an action (from 0) of a funscript that is good JSON; the last of several lists counts.

    `json` gives no positions, so this looks it up in the text, on the error path and for the strongest one.
    """
    depth, key, count, at, is_inside = 0, "", 0, 0, False
    for found in _TOKEN.finditer(text):
        token = found[0]
        if depth == 1 and token.startswith('"'):
            key = token
        if token in {"{", "["}:
            depth += 1
            if depth == 2:
                is_inside, count = token == "[" and key == '"actions"', 0
        elif token in {"}", "]"}:
            depth -= 1
        elif token == "," and depth == 2:
            count += 1
        if is_inside and depth == 2 and token in {"[", ","} and count == number:
            at = found.end()
    space = len(text[at:]) - len(text[at:].lstrip())
    return text.count("\n", 0, at + space) + 1
