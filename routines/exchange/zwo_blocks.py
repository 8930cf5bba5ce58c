"""The blocks of a stranger's Zwift workout, as steps of a routine.

Tags and attributes are compared without case: the workouts that come with Zwift write both ``FreeRide`` and
``Freeride``, both ``textevent`` and ``TextEvent``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from routines.errors import RoutineError
from routines.exchange.markup import Element
from routines.exchange.strangers import MOST_STEPS, Found, Wanted, check_strength, number, plain
from routines.schema import REST
from routines.timeline import RISE_HOLD_S

_RAMPS = frozenset({"warmup", "cooldown", "ramp"})
_FREE = frozenset({"freeride", "maxeffort"})
_MOST_REPEATS = 1000
_MOST_IN_ONE_STEP = 20
"""As often as one step of a routine may be repeated."""


class Blocks:
    """Reads the blocks of one workout, and keeps what could not be taken over."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        self._unused: dict[str, int] = {}
        self._free_line: int | None = None
        self._late_message_line: int | None = None

    def read(self, workout: Element) -> list[Found]:
        """The steps, each with its line. Raises RoutineError and PlanRefusedError."""
        found = (Found(values, block.line) for block in workout.children for values in self._steps(block))
        # One more than a routine may have says enough.
        return list(itertools.islice(found, MOST_STEPS + 1))

    def remarks(self) -> Iterator[str]:
        """What was not taken over, in sentences."""
        if self._free_line is not None:
            yield f"Free riding and maximum effort (first in line {self._free_line}) say no power: they became rests."
        if self._late_message_line is not None:
            yield f"Messages come at the start of their block (first in line {self._late_message_line})."
        if self._unused:
            names = ", ".join(f"{plain(name, 40)} (line {line})" for name, line in self._unused.items())
            yield f"Not taken over: {names}."

    def _steps(self, block: Element) -> list[dict[str, Any]]:
        tag = block.name.lower()
        values = _Values(self._path, block)
        if tag == "steadystate":
            steps = [self._steady(values, values.number("duration"), ("power", "powerlow"))]
        elif tag in _RAMPS:
            steps = [self._ramp(values)]
        elif tag == "intervalst":
            steps = self._intervals(values)
        elif tag in _FREE:
            self._free_line = self._free_line or block.line
            steps = [_rest(values.number("duration"))]
        else:
            self._unused.setdefault(f"<{block.name}>", block.line)
            return []
        if cue := self._cue(block):
            steps[0]["cue"] = cue
        for name in values.unused():
            self._unused.setdefault(name, block.line)
        return steps

    def _steady(self, values: _Values, duration_s: float, keys: tuple[str, ...]) -> dict[str, Any]:
        """One strength. Where a block gives a zone, its lower end: nothing is stronger than the file says."""
        key = next((key for key in keys if values.has(key)), keys[0])
        share = values.number(key)
        # The upper end of a zone is not asked for.
        values.has(key.replace("low", "high"))
        asked = self._asked(values, key, share)
        if asked == REST:
            return _rest(duration_s)
        return {**self._place(), "intensity": asked, "duration": duration_s}

    def _ramp(self, values: _Values) -> dict[str, Any]:
        """From PowerLow to PowerHigh, in stairs of ten seconds that never stand above the slope."""
        duration_s = values.number("duration")
        start, end = values.number("powerlow"), values.number("powerhigh")
        for key, share in (("powerlow", start), ("powerhigh", end)):
            self._asked(values, key, share)
        stairs = max(2, min(math.floor(duration_s / RISE_HOLD_S), MOST_STEPS)) if duration_s >= 2 else 1
        points = []
        for stair in range(stairs):
            before, after = (start + (end - start) * at / stairs for at in (stair, stair + 1))
            at_s = round(duration_s * stair / stairs, 3)
            points.append({"at": at_s, "intensity": self._wanted.asked(min(before, after))})
        if all(point["intensity"] == REST for point in points):
            return _rest(duration_s)
        return {**self._place(), "curve": points, "duration": duration_s}

    def _intervals(self, values: _Values) -> list[dict[str, Any]]:
        repeat = values.number("repeat")
        if repeat != math.floor(repeat) or not 1 <= repeat <= _MOST_REPEATS:
            raise values.wrong("repeat", f"must be a whole number from 1 to {_MOST_REPEATS}, not {repeat:g}.")
        off_s = values.number("offduration")
        on = self._steady(values, values.number("onduration"), ("onpower", "poweronlow"))
        off = self._steady(values, off_s, ("offpower", "powerofflow"))
        if "region" in on and "region" not in off and repeat <= _MOST_IN_ONE_STEP:
            return [{**on, "rest": off_s, "repeat": int(repeat)}]
        return [dict(step) for _ in range(int(repeat)) for step in (on, off)]

    def _asked(self, values: _Values, key: str, share: float) -> str:
        """How strong a share is, as a routine writes it. Raises PlanRefusedError above what the place bears."""
        asked = self._wanted.asked(share)
        if asked != REST:
            check_strength(self._path, values.block.line, values.written(key), share, self._wanted)
        return asked

    def _place(self) -> dict[str, Any]:
        return {"region": self._wanted.region, "side": self._wanted.side}

    def _cue(self, block: Element) -> str:
        """The messages of a block in the order of their times."""
        messages = []
        for event in block.children:
            values = _Values(self._path, event)
            message = plain(values.text("message"))
            if event.name.lower() != "textevent" or not message:
                self._unused.setdefault(f"<{event.name}>", event.line)
                continue
            at_s = values.number("timeoffset") if values.has("timeoffset") else 0.0
            if at_s > 0:
                self._late_message_line = self._late_message_line or event.line
            messages.append((at_s, message))
        return plain(" ".join(message for _, message in sorted(messages, key=lambda each: each[0])))


class _Values:
    """The attributes of one element without case; those that nobody asked for are left over."""

    def __init__(self, path: Path, block: Element) -> None:
        self.block = block
        self._path = path
        self._names = {name.lower(): name for name in block.attributes}
        self._left = dict.fromkeys(block.attributes)

    def has(self, key: str) -> bool:
        """Whether it is there; it counts as used then."""
        self._left.pop(self.written(key), None)
        return key in self._names

    def written(self, key: str) -> str:
        """The name as the file writes it."""
        return self._names.get(key, key.capitalize())

    def text(self, key: str) -> str:
        """The value as text; empty where there is none."""
        return self.block.attributes[self._names[key]] if self.has(key) else ""

    def number(self, key: str) -> float:
        """The value as a number from 0. Raises RoutineError."""
        if not self.has(key):
            raise self.wrong(key, "is missing.")
        try:
            return number(self.text(key))
        except ValueError as problem:
            raise self.wrong(key, str(problem)) from problem

    def wrong(self, key: str, what: str) -> RoutineError:
        """The error about one attribute."""
        where = f"<{plain(self.block.name, 40)}> {self.written(key)}"
        return RoutineError(what, path=self._path, line=self.block.line, key=where)

    def unused(self) -> list[str]:
        """The attributes that nobody asked for."""
        return list(self._left)


def _rest(duration_s: float) -> dict[str, Any]:
    return {"technique": "rest", "duration": duration_s}
