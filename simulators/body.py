"""The moving parts of a simulated device: its motors and its battery, what switches them off, and their record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from firmware_profiles.capabilities import Levels
from firmware_profiles.schema import Profile
from simulators.motor import AMBIENT_C, CUT_OUT_C, Battery, Motor

STEP_S = 0.1
"""The physics' step while something turns, in simulated seconds."""

RECORD_EVERY_S = 0.5
"""A motor that turns is recorded at least this often, in simulated seconds."""

Record = Callable[..., None]
"""Takes a kind and its values; stamps them with `Body.now_s`."""


class _Channel:
    """One motor with what was asked of it, and what of it was recorded last."""

    def __init__(self, motor: Motor, levels: Levels) -> None:
        self.motor = motor
        self.levels = levels
        self.level = 0
        self.recorded = (0, 0)
        self.recorded_at_s = -math.inf


class Body:
    """Motors by channel (none on a plain timer), and a battery where the profile gives one.

    ``now_s`` is how far its time has come.
    """

    def __init__(self, profile: Profile, now_s: float, record: Record) -> None:
        behaviour = profile.simulator
        self.now_s = now_s
        self.battery = Battery(behaviour.battery_life_s) if behaviour.battery_life_s else None
        self.stalled: set[str] = set()
        self._record = record
        self._channels: dict[str, _Channel] = {}
        if profile.level is not None:
            levels = profile.level.levels()
            motor_of = {name: Motor(behaviour.spin_up_s, float(levels.ppm(levels.full))) for name in profile.channels}
            self._channels = {name: _Channel(motor, levels) for name, motor in motor_of.items()}
        self._auto_off_s = behaviour.auto_off_s
        self._running_s = 0.0

    @property
    def motors(self) -> Mapping[str, Motor]:
        """The motors by channel."""
        return {name: channel.motor for name, channel in self._channels.items()}

    @property
    def is_running(self) -> bool:
        """Whether anything turns or is asked to."""
        return any(channel.motor.turns or channel.level for channel in self._channels.values())

    @property
    def asked(self) -> Mapping[str, int]:
        """What each motor was last asked for, in the device's unit."""
        return {name: channel.level for name, channel in self._channels.items()}

    @property
    def hottest_c(self) -> float:
        """The temperature of the hottest winding, or of the room."""
        return max((channel.motor.winding_c for channel in self._channels.values()), default=AMBIENT_C)

    def ask(self, name: str, level: int) -> str:
        """Aim a motor at a level. Gives back why it refuses, or nothing."""
        channel = self._channels[name]
        if level and self.battery is not None and self.battery.is_empty:
            return "the battery is empty."
        if not channel.motor.ask(float(channel.levels.ppm(level))):
            return "the thermal switch is open."
        channel.level = level
        self._record_motor(name, channel)
        return ""

    def switch_off(self) -> None:
        """Ask every motor for nothing."""
        self._release()
        self.step(0.0)

    def run_until(self, end_s: float) -> None:
        """Let time pass to ``end_s``, in steps that time the cut-out, the battery and the record finely enough."""
        while self.now_s < end_s:
            # At rest only slow exponentials go on, and those are exact in one step of any length.
            left_s = end_s - self.now_s
            step_s = min(STEP_S, left_s) if self.is_running else left_s
            self.now_s = end_s if step_s == left_s else self.now_s + step_s
            self.step(step_s)

    def step(self, dt_s: float) -> None:
        """One step of everything, then of the record. 0 lets what was changed from outside take effect."""
        if self.battery is not None:
            load = sum(channel.motor.load for channel in self._channels.values()) / max(1, len(self._channels))
            self.battery.process(dt_s, load)
        self._running_s = self._running_s + dt_s if self.is_running else 0.0
        self._switch_off_where_due()
        for name, channel in self._channels.items():
            motor = channel.motor
            motor.is_stalled = name in self.stalled
            was_cut_out = motor.is_cut_out
            motor.process(dt_s)
            if motor.is_cut_out and not was_cut_out:
                self._record("fault", fault="cut_out", channel=name, temperature_c=round(motor.winding_c, 1))
                channel.level = 0
            is_due = motor.turns and self.now_s - channel.recorded_at_s >= RECORD_EVERY_S - 1e-9
            if is_due or channel.recorded != (round(motor.actual_ppm), channel.level):
                self._record_motor(name, channel)

    def overheat(self) -> None:
        """Make every winding hot enough for its thermal switch."""
        for motor in self.motors.values():
            motor.winding_c = CUT_OUT_C + 1

    def recover(self) -> None:
        """Cool what is cut out, and put a full battery in."""
        for motor in self.motors.values():
            if motor.is_cut_out:
                motor.winding_c = AMBIENT_C
        if self.battery is not None:
            self.battery.charge_pct = 100.0

    def last(self) -> dict[str, dict[str, int]]:
        """What each motor does and was asked for, for the record."""
        return {
            name: {"ppm": round(channel.motor.actual_ppm), "level": channel.level}
            for name, channel in self._channels.items()
        }

    def state(self) -> dict[str, Any]:
        """Everything about it that can be seen, as JSON can say it."""
        channels = {
            name: {
                "level_asked": channel.level,
                "ppm": round(channel.motor.actual_ppm, 1),
                "temperature_c": round(channel.motor.winding_c, 1),
                "stalled": channel.motor.is_stalled,
                "cut_out": channel.motor.is_cut_out,
            }
            for name, channel in self._channels.items()
        }
        return {
            "running": self.is_running,
            "battery_pct": None if self.battery is None else round(self.battery.charge_pct, 2),
            "temperature_c": round(self.hottest_c, 1),
            "stalled": any(motor.is_stalled for motor in self.motors.values()),
            "channels": channels,
        }

    def record_motors(self) -> None:
        """Record every motor as it is."""
        for name, channel in self._channels.items():
            self._record_motor(name, channel)

    def _switch_off_where_due(self) -> None:
        reason = ""
        if self.battery is not None and self.battery.is_empty:
            reason = "battery_empty"
        elif self._auto_off_s is not None and self._running_s >= self._auto_off_s - 1e-9:
            reason = "auto_off"
        if reason and any(self.asked.values()):
            self._record("fault", fault=reason)
            self._release()

    def _release(self) -> None:
        for channel in self._channels.values():
            channel.motor.ask(0.0)
            channel.level = 0

    def _record_motor(self, name: str, channel: _Channel) -> None:
        ppm = round(channel.motor.actual_ppm)
        channel.recorded, channel.recorded_at_s = (ppm, channel.level), self.now_s
        self._record("motor", channel=name, ppm=ppm, level=channel.level)
