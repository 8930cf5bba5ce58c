"""What will happen when: the plan that a session follows.

A timeline is a row of spans. Whatever runs is off at the end of its span, so the whole ends in Stop by construction,
and a session may pause, skip, repeat or lengthen any span without losing that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from firmware_profiles.capabilities import Levels, Place, Role, Side
from firmware_profiles.commands import SetLevel, Stop
from firmware_profiles.units import Level

OFF = Level(0)
SpanKind = Literal["move", "work", "rest"]

RISE_PPM = 250
"""The most that one step may rise (or one level, where a level is more)."""

SOFT_START_HOLD_S = 1.0
"""The least between two steps below gentle: the soft start, 250 ppm a second."""

RISE_HOLD_S = 10.0
"""The least between two steps from gentle on. docs/decisions/0004 says why the two differ."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One command at one moment, in seconds from the start of its span (or, in `Timeline.cues`, of the session)."""

    at_s: float
    role: Role
    command: SetLevel | Stop


@dataclass(frozen=True, slots=True)
class Drive:
    """What one channel should do during a span.

    ``targets`` are (seconds from the start of the span, level): the first is at 0 and times rise. The level climbs to
    each as the rise limits allow; ``ramp_s`` makes the climb up to gentle last longer. ``cap_level`` is the highest
    level allowed here and ``cap_reason`` says why. ``place`` is where it works, None for the span's own place.
    """

    role: Role
    channel: str
    levels: Levels
    targets: tuple[tuple[float, Level], ...]
    gentle_level: Level
    cap_level: Level
    cap_reason: str
    ramp_s: float = 0.0
    place: Place | None = None

    def cues(
        self,
        duration_s: float,
        *,
        from_s: float = 0.0,
        level: Level = OFF,
        next_rise_s: float = 0.0,
        change_percent: float = 0.0,
        at_most: Level | None = None,
    ) -> Iterator[Cue]:
        """The commands from ``from_s``, where the channel runs at ``level``, to the end, where it is off.

        ``next_rise_s`` is when it may rise again. ``change_percent`` of the full scale is added to every target, and
        nothing goes above ``at_most``, as the person asked. A level is held before a rise however it was reached. All
        times are seconds from the start of the span.
        """
        ends = [at_s for at_s, _ in self.targets[1:]] + [duration_s]
        for (start_s, target), end_s in zip(self.targets, ends, strict=True):
            at_s = max(start_s, from_s)
            goal = self.goal(target, change_percent)
            if at_most is not None:
                goal = min(goal, at_most)
            if goal < level and at_s < end_s:
                level = goal
                yield Cue(at_s, self.role, SetLevel(self.channel, level))
                next_rise_s = at_s + self.hold_s(level)
            while level < goal and (at_s := max(at_s, next_rise_s)) < end_s:
                level = self.step_up(level, goal)
                yield Cue(at_s, self.role, SetLevel(self.channel, level))
                next_rise_s = at_s + self.hold_s(level)
        yield Cue(duration_s, self.role, SetLevel(self.channel, OFF))

    def goal(self, target: Level, change_percent: float) -> Level:
        """A target with the person's change: never off unless the plan says off, never above the cap."""
        if target == 0:
            return target
        changed = self.levels.not_above(self.levels.percent(target) + change_percent)
        return min(max(changed, self.levels.lowest), self.cap_level)

    def hold_s(self, level: Level) -> float:
        """How long a level is held before the next step up."""
        if level >= self.gentle_level:
            return RISE_HOLD_S
        steps = math.ceil(self.gentle_level / max(self._step(), 1))
        return max(SOFT_START_HOLD_S, self.ramp_s / max(steps - 1, 1))

    def _step(self) -> float:
        """The most that one step may rise, in levels."""
        return self.levels.percent_of_ppm(RISE_PPM) * self.levels.full / 100

    def step_up(self, level: Level, goal: Level) -> Level:
        """The next level on the way up: one step of `RISE_PPM`, or the next level where levels are further apart."""
        if level < self.gentle_level:
            goal = min(goal, self.gentle_level)
        reachable = self.levels.not_above(self.levels.percent(level) + self.levels.percent_of_ppm(RISE_PPM))
        if reachable <= level:
            reachable = next(step for step in self._all_levels() if step > level)
        return min(reachable, goal)

    def _all_levels(self) -> tuple[Level, ...]:
        return self.levels.steps or tuple(Level(n) for n in range(self.levels.lowest, self.levels.full + 1))


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that the person does: move to a place, work on it, or rest.

    ``drives`` is empty when it is done by hand; ``note`` says why, or what else to know. ``signals`` are for timers.
    ``also`` are the places that are worked at the same time as the one of ``region`` and ``side``.
    ``extra_max_s`` is how much longer the place bears. ``step`` counts the routine's steps from 1; ``line`` is where
    it stands in the routine's file.
    """

    kind: SpanKind
    duration_s: float
    step: int
    line: int
    cue: str
    region: str | None = None
    side: Side | None = None
    technique: str | None = None
    position: str | None = None
    tool: str | None = None
    note: str = ""
    drives: tuple[Drive, ...] = ()
    signals: tuple[Cue, ...] = ()
    extra_max_s: float = 0.0
    also: tuple[Place, ...] = ()

    def cues(self) -> list[Cue]:
        """The commands of the span, in order."""
        drives = [cue for drive in self.drives for cue in drive.cues(self.duration_s)]
        return sorted([*drives, *self.signals], key=lambda cue: cue.at_s)

    @property
    def places(self) -> tuple[Place, ...]:
        """All places that it is about; none for what has no place."""
        own = (Place(self.region, self.side),) if self.region is not None else ()
        return own + self.also

    @property
    def place(self) -> str:
        """The places in words, for messages: ``left piriformis``."""
        return " and ".join(str(place) for place in self.places) or (self.side or "")


@dataclass(frozen=True, slots=True)
class Timeline:
    """A planned session. ``roles`` are those that a device was bound to when it was planned."""

    routine: str
    spans: tuple[Span, ...]
    roles: tuple[Role, ...]
    closing_note: str = ""

    @property
    def duration_s(self) -> float:
        """How long the whole lasts."""
        return sum(span.duration_s for span in self.spans)

    def cues(self) -> list[Cue]:
        """All commands in order, in seconds from the start of the session; the last one of each role is Stop."""
        start_s = 0.0
        found: list[Cue] = []
        for span in self.spans:
            found += [Cue(start_s + cue.at_s, cue.role, cue.command) for cue in span.cues()]
            start_s += span.duration_s
        return found + [Cue(start_s, role, Stop()) for role in self.roles]
