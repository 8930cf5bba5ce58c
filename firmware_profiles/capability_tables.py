"""What a profile says that a device can be set to: ``[level]``, ``[channels]`` and ``[timer]``."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from firmware_profiles.capabilities import Levels
from firmware_profiles.links import Identifier, Table
from firmware_profiles.units import Level, Ppm


class LevelModel(Table):
    """The levels of a channel, in its own unit. 0 is always off."""

    unit: Literal["ppm", "level", "switch"]
    model: Literal["absolute", "relative", "toggle"] = "absolute"
    lowest: int = Field(default=1, ge=1)
    full: int | None = Field(default=None, ge=1)
    steps: tuple[int, ...] | None = None
    protocol_max: int | None = None
    full_ppm: int | None = Field(default=None, ge=1)
    resend_s: float | None = Field(default=None, ge=0.05, le=60)

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        steps = self.steps
        if self.unit != "switch" and self.full is None and steps is None:
            raise ValueError("needs full (the marketed maximum, which 100 % means) or steps.")
        if steps is not None and (not steps or steps[0] < 1 or list(steps) != sorted(set(steps))):
            raise ValueError("steps must rise from at least 1.")
        full = self.full if self.full is not None else (steps[-1] if steps else 1)
        if steps is not None and full != steps[-1]:
            raise ValueError(f"full ({full}) is not the last of steps ({steps[-1]}): leave full out.")
        if self.lowest > full:
            raise ValueError(f"lowest ({self.lowest}) is above full ({full}).")
        if self.protocol_max is not None and full > self.protocol_max:
            raise ValueError(f"full ({full}) is above protocol_max ({self.protocol_max}).")
        if self.model == "relative" and (self.unit != "level" or steps is not None or self.lowest != 1 or full > 100):
            raise ValueError("relative levels are 1 to full (at most 100), one press each: unit level, no steps.")
        return self

    def levels(self) -> Levels:
        """The levels as driving needs them."""
        if self.unit == "switch":
            return Levels(lowest=Level(1), full=Level(1), steps=(Level(1),))
        steps = tuple(Level(step) for step in self.steps) if self.steps else None
        full = Level(self.full if self.full is not None else (steps or (Level(1),))[-1])
        full_ppm = Ppm(full) if self.unit == "ppm" else (Ppm(self.full_ppm) if self.full_ppm else None)
        return Levels(lowest=steps[0] if steps else Level(self.lowest), full=full, steps=steps, full_ppm=full_ppm)


class TimerTable(Table):
    """The device's own timer, which switches it off: any time up to ``highest_s``, or only ``choices_s``."""

    highest_s: int | None = Field(default=None, ge=1)
    unit_s: int = Field(default=1, ge=1, le=3600)
    choices_s: tuple[int, ...] | None = None
    cycles: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.highest_s is None) == (self.choices_s is None):
            raise ValueError("needs either highest_s or choices_s.")
        if self.choices_s is not None and (not self.choices_s or list(self.choices_s) != sorted(set(self.choices_s))):
            raise ValueError("choices_s must rise.")
        if self.cycles and self.choices_s is None:
            raise ValueError("a key that cycles needs choices_s.")
        return self

    def at_least(self, duration_s: float) -> int | None:
        """The shortest time of this timer that is not below ``duration_s``; None when it has none that long."""
        if self.choices_s is not None:
            return next((choice for choice in self.choices_s if choice >= duration_s), None)
        rounded_s = math.ceil(duration_s / self.unit_s) * self.unit_s
        return rounded_s if rounded_s <= (self.highest_s or 0) else None


class ChannelTable(Table):
    """One motor: its number on the wire, the place it reaches, and bytes that belong to it.

    A place without a side is reached on both sides at once.
    """

    number: int = Field(default=0, ge=0, le=0xFFFFFFFF)
    region: str | None = None
    side: Literal["left", "right"] | None = None
    codes: dict[Identifier, str] = Field(default_factory=dict)
