"""The simulator's time: seconds since its start, as fast as the world's, faster, or only when told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class SimClock(Protocol):
    """Where the time of a simulator comes from."""

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in one real second; 0 when it only moves when told."""
        ...

    def now(self) -> float:
        """The simulated seconds since the start. Never goes back."""
        ...

    def mono_at(self, t_s: float) -> float:
        """The machine's monotonic time, in seconds, at the simulated time ``t_s`` of the recent past."""
        ...


class RunningClock:
    """Time that runs by itself, ``speed`` times as fast as ``mono``. A change of speed makes no jump."""

    def __init__(self, speed: float = 1.0, *, mono: Callable[[], float] = time.monotonic) -> None:
        self._mono = mono
        self._anchor_mono_s = mono()
        self._anchor_s = 0.0
        self._speed = _checked(speed)

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in one real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        speed, mono_s = _checked(speed), self._mono()
        self._anchor_s += (mono_s - self._anchor_mono_s) * self._speed
        self._anchor_mono_s = mono_s
        self._speed = speed

    def now(self) -> float:
        """The simulated seconds since the start."""
        return self._anchor_s + (self._mono() - self._anchor_mono_s) * self._speed

    def mono_at(self, t_s: float) -> float:
        """The machine's monotonic time at ``t_s``; exact back to the last change of speed."""
        return self._anchor_mono_s + (t_s - self._anchor_s) / self._speed


class ManualClock:
    """Time that stands still until it is advanced."""

    speed = 0.0

    def __init__(self) -> None:
        self._now_s = 0.0

    def now(self) -> float:
        """The simulated seconds since the start."""
        return self._now_s

    def mono_at(self, t_s: float) -> float:
        """The machine's monotonic time now: simulated time that stands has no other."""
        return time.monotonic()

    def advance(self, by_s: float) -> None:
        """Let ``by_s`` seconds pass. Raises ValueError when they are negative."""
        if by_s < 0:
            raise ValueError("time does not go back.")
        self._now_s += by_s


MAX_SPEED = 1000.0
"""Physics goes in steps of a tenth of a second: beyond this, one core no longer keeps up with eight motors."""


def _checked(speed: float) -> float:
    if not 0 < speed <= MAX_SPEED:  # also false for NaN
        raise ValueError(f"the speed of time must be above 0 and at most {MAX_SPEED:g}.")
    return speed
