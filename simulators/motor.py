"""What the motor and the battery of a massager do: speed, heat and charge, in steps of simulated time.

Every constant is an assumption, chosen so that what a person notices of a hand-held massager has the right size. None
was measured on a device. Each process is a first-order lag solved exactly, so the length of a step changes only how
finely the cut-out and an empty battery are timed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_profiles.units import FULL_PPM

AMBIENT_C = 22.0
"""A heated room."""

FULL_SPEED_RISE_K = 35.0
"""Where the winding settles above the room at full speed: warm to the hand, far from the cut-out. Copper losses go
with the square of the current, and the current with the speed against the same tissue."""

STALL_RISE_K = 300.0
"""Where a stalled winding would settle, if the cut-out let it: a stalled motor has no back-EMF and draws several times
its running current."""

WINDING_TIME_CONSTANT_S = 300.0
"""How long a winding of some ten grams of copper in a metal can takes for 63 % of the way."""

CUT_OUT_C = 85.0
"""Where the thermal switch opens; small motors carry insulation for 105 °C or more."""

RESET_C = 60.0
"""Where it closes again; bimetal switches have some 25 K between the two."""

FRICTION_PPM = 60.0
"""Below one percussion a second without power, friction stops the head: it does not creep on for ever."""

STANDSTILL_PPM = 1.0
"""Below one stroke a minute friction holds the crank; without it the exponential would never arrive."""

IDLE_DRAIN = 0.02
"""What electronics and lamps draw, as a share of the drain at full speed."""


@dataclass(slots=True)
class Motor:
    """One motor and its winding. Speeds in percussions per minute.

    ``spin_up_s`` is the time constant of every change of speed: 63 % of the way after one, 99 % after five. Slowing
    down takes as long, which is on the long side for a motor that works against tissue.
    """

    spin_up_s: float
    full_ppm: float = float(FULL_PPM)
    asked_ppm: float = 0.0
    actual_ppm: float = 0.0
    winding_c: float = AMBIENT_C
    is_stalled: bool = False
    is_cut_out: bool = False

    @property
    def turns(self) -> bool:
        """Whether it moves."""
        return self.actual_ppm > 0

    @property
    def load(self) -> float:
        """What it draws, as a share of what it draws at full speed. A stalled one draws by what it is asked for."""
        return (self.asked_ppm if self.is_stalled else self.actual_ppm) / self.full_ppm

    def ask(self, ppm: float) -> bool:
        """Aim at a speed; False when the thermal switch is open and it is not off that is asked for."""
        if self.is_cut_out and ppm > 0:
            return False
        self.asked_ppm = ppm
        return True

    def process(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        # A stalled head is held: it stops at once, whatever was asked.
        target = 0.0 if self.is_stalled else self.asked_ppm
        if self.is_stalled:
            self.actual_ppm = 0.0
        else:
            self.actual_ppm = _approach(self.actual_ppm, target, dt_s, self.spin_up_s)
            if target == 0 and self.actual_ppm < FRICTION_PPM:
                self.actual_ppm = 0.0
            if abs(self.actual_ppm - target) < STANDSTILL_PPM:
                self.actual_ppm = target
        rise_k = (STALL_RISE_K if self.is_stalled else FULL_SPEED_RISE_K) * self.load**2
        self.winding_c = _approach(self.winding_c, AMBIENT_C + rise_k, dt_s, WINDING_TIME_CONSTANT_S)
        if self.winding_c >= CUT_OUT_C:
            # The firmware takes an open switch as "off": cooled down, it waits for a new command.
            self.is_cut_out = True
            self.asked_ppm = 0.0
        elif self.winding_c <= RESET_C:
            self.is_cut_out = False


@dataclass(slots=True)
class Battery:
    """A battery that lasts ``life_s`` seconds at full speed, and that much longer the slower the motor turns."""

    life_s: float
    charge_pct: float = 100.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing turns any more."""
        return self.charge_pct <= 0

    def process(self, dt_s: float, load: float) -> None:
        """Let ``dt_s`` seconds pass at ``load``, where 1 is what all motors draw at full speed."""
        drain_pct = 100 * dt_s / self.life_s * (IDLE_DRAIN + (1 - IDLE_DRAIN) * load)
        self.charge_pct = max(0.0, self.charge_pct - drain_pct)


def _approach(value: float, target: float, dt_s: float, time_constant_s: float) -> float:
    """A first-order lag after ``dt_s``."""
    return target + (value - target) * math.exp(-dt_s / time_constant_s)
