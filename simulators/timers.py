"""The clocks inside a device: the one that switches it off, and the one that runs a routine interval by interval.

All times are seconds of the simulator's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from firmware_profiles.capability_tables import TimerTable
from firmware_profiles.commands import Interval

TOLERANCE_S = 1e-6
"""Sums of floats are this near to what they should be, also after months of simulated time."""


@dataclass(slots=True)
class OffTimer:
    """A device's own timer. ``table`` None: it has none."""

    table: TimerTable | None
    ends_at_s: float | None = None
    _choice: int = 0

    def set(self, duration_s: float, now_s: float) -> str:
        """Switch off after ``duration_s``; 0 is never. Gives back why it refuses, or nothing."""
        table = self.table
        if table is None:
            return "it has no timer."
        choices_s = table.choices_s
        is_known = duration_s in choices_s if choices_s is not None else duration_s <= (table.highest_s or 0)
        if duration_s and not is_known:
            return f"{duration_s:g} s is no time of its timer."
        self.ends_at_s = now_s + duration_s if duration_s else None
        return ""

    def step(self, now_s: float) -> float:
        """Press the one key: the next choice, and off after the last. Gives back the seconds that were chosen."""
        choices = self.table.choices_s if self.table is not None and self.table.choices_s is not None else ()
        if self.ends_at_s is None:
            self._choice = 0
        chosen_s = choices[self._choice] if self._choice < len(choices) else 0
        self._choice = self._choice + 1 if chosen_s else 0
        self.ends_at_s = now_s + chosen_s if chosen_s else None
        return chosen_s

    def left_s(self, now_s: float) -> float:
        """The seconds that are left; 0 when it does not run."""
        return max(0.0, self.ends_at_s - now_s) if self.ends_at_s is not None else 0.0

    def ends(self, now_s: float) -> bool:
        """Whether it ends now; then it is off."""
        if self.ends_at_s is None or now_s < self.ends_at_s - TOLERANCE_S:
            return False
        self.ends_at_s = None
        return True


class IntervalTimer:
    """A timer that keeps a schedule and follows start, pause and reset; without a schedule it counts up."""

    def __init__(self) -> None:
        self.intervals: tuple[Interval, ...] = ()
        self._ends_s: tuple[float, ...] = ()
        self._counted_s = 0.0
        self._since_s: float | None = None
        self._told = 0

    @property
    def is_running(self) -> bool:
        """Whether it counts."""
        return self._since_s is not None

    def load(self, intervals: Iterable[Interval]) -> None:
        """Take a schedule in the place of the old one, and stand at its beginning."""
        self.intervals = tuple(intervals)
        self._ends_s = tuple(accumulate(float(interval.duration_s) for interval in self.intervals))
        self.reset()

    def start(self, now_s: float) -> None:
        """Begin, or go on; begin again when the schedule is over."""
        if self.is_running:
            return
        if self.is_over(now_s):
            self.reset()
        self._since_s = now_s

    def pause(self, now_s: float) -> None:
        """Hold."""
        self._counted_s, self._since_s = self.elapsed_s(now_s), None

    def reset(self) -> None:
        """Stand at the beginning."""
        self._counted_s, self._since_s, self._told = 0.0, None, 0

    def elapsed_s(self, now_s: float) -> float:
        """The seconds that it has counted."""
        return self._counted_s + (now_s - self._since_s if self._since_s is not None else 0.0)

    def left_s(self, now_s: float) -> float:
        """The seconds to the end of the schedule."""
        return max(0.0, self._total_s - self.elapsed_s(now_s))

    def is_over(self, now_s: float) -> bool:
        """Whether a schedule has come to its end."""
        return bool(self.intervals) and self.left_s(now_s) <= TOLERANCE_S

    def due_s(self) -> float | None:
        """When the interval that runs ends."""
        if self._since_s is None:
            return None
        return next((self._since_s + end_s - self._counted_s for end_s in self._ends_s[self._told :]), None)

    def changes(self, now_s: float) -> str:
        """What happens now: ``interval`` when another one begins, ``ended`` after the last, else nothing."""
        at = self._at(now_s)
        if not self.is_running or not self.intervals or at == self._told:
            return ""
        self._told = at
        if at < len(self.intervals):
            return "interval"
        self.pause(now_s)
        return "ended"

    def state(self, now_s: float) -> dict[str, Any]:
        """Where it is: ``state``, ``elapsed_s``, and with a schedule ``left_s``, ``interval`` (from 0) and more."""
        at = self._at(now_s)
        word = "running" if self.is_running else "paused" if self._counted_s else "ready"
        facts: dict[str, Any] = {"state": word, "elapsed_s": round(self.elapsed_s(now_s), 3)}
        if not self.intervals:
            return facts
        facts |= {"intervals": len(self.intervals), "left_s": round(self.left_s(now_s), 3)}
        if at == len(self.intervals):
            return facts | {"state": "ended"}
        interval_left_s = self._ends_s[at] - self.elapsed_s(now_s)
        return facts | {
            "interval": at,
            "rest": self.intervals[at].is_rest,
            "interval_left_s": round(interval_left_s, 3),
        }

    @property
    def _total_s(self) -> float:
        return self._ends_s[-1] if self._ends_s else 0.0

    def _at(self, now_s: float) -> int:
        """The number of the interval that runs; how many there are, when all are over."""
        elapsed_s = self.elapsed_s(now_s)
        return sum(end_s <= elapsed_s + TOLERANCE_S for end_s in self._ends_s)
