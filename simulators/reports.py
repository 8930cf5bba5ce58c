"""What a simulated device says in its reports, value by value; a profile's frame carries those that it has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from firmware_profiles.schema import Profile
from simulators.body import Body
from simulators.firmware import Firmware


class Words:
    """The values of every report of one device, as it is at the moment of asking."""

    def __init__(self, profile: Profile, body: Body, firmware: Firmware, version: str) -> None:
        self._profile = profile
        self._body = body
        self._firmware = firmware
        self._version = version
        self._levels = profile.level.levels() if profile.level is not None else None
        stop = profile.commands.stop
        # A device that is told a level says what its motor really does, not what was asked, because the report exists
        # to confirm a command: an echo would call a stalled motor healthy and a coasting one stopped. One that counts
        # presses can only say what it counted, and its next press goes from there.
        is_told_levels = profile.level is not None and profile.level.model == "absolute"
        self._echoes = not is_told_levels or (stop is not None and stop.when == "running")

    def of(self, report: str, heard: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The values of a report, the best first; the next ones are for frames that cannot carry those.

        ``heard`` is what the command said that the report answers.
        """
        match report:
            case "status":
                exact = self._blank("status") | self._status()
                yield exact
                # A timer that has only some times says the one that it is set to.
                timer = self._profile.timer
                shown_s = timer.at_least(exact["timer_s"]) if timer is not None and exact["timer_s"] else None
                if shown_s is not None:
                    yield exact | {"timer_s": shown_s}
            case "version":
                yield self._blank("version") | {"firmware": self._version}
            case _:
                yield self._example(report) | {"firmware": self._version} | dict(heard or {})

    def _status(self) -> dict[str, Any]:
        """What a status may say.

        ``running`` is the firmware's own view, so it also holds when a motor is asked to turn and does not, or coasts.
        Only together with ``level`` it means "at rest".
        """
        body, firmware = self._body, self._firmware
        levels = {name: self._level(name) for name in body.motors}
        is_asked = any(body.asked.values())
        is_running = is_asked if self._echoes else body.is_running
        interval_timer = firmware.interval_timer
        if not body.motors:
            is_running = interval_timer.is_running
        left_s = firmware.off_timer.left_s(body.now_s)
        if interval_timer.intervals:
            left_s = interval_timer.left_s(body.now_s)
        return {
            "running": is_running,
            "level": next(iter(levels.values()), 0),
            **{f"level.{name}": level for name, level in levels.items()},
            "temperature_c": round(body.hottest_c),
            # Rounded up: "0 %" means empty and nothing else does. Without a battery it is full.
            "battery_pct": 100 if body.battery is None else math.ceil(body.battery.charge_pct),
            "force_n": 0,
            "stalled": any(motor.is_stalled for motor in body.motors.values()),
            "timer_s": math.ceil(left_s),
        }

    def _level(self, name: str) -> int:
        motor, levels = self._body.motors[name], self._levels
        if self._echoes or levels is None:
            return self._body.asked[name]
        level = round(motor.actual_ppm * levels.full / motor.full_ppm)
        if levels.steps is None:
            return level
        return min((0, *levels.steps), key=lambda step: abs(step - level))

    def _blank(self, report: str) -> dict[str, Any]:
        """The values that percuss does not use: 0, or the word of the report's first vector."""
        table = self._profile.reports.get(report)
        example = self._example(report)
        names = table.also if table is not None else ()
        return {name: word if isinstance(word := example.get(name), str) else 0 for name in names}

    def _example(self, report: str) -> dict[str, Any]:
        """What the vectors show of a report, the first one first."""
        example: dict[str, Any] = {}
        for vector in self._profile.vectors:
            if vector.report == report:
                example = dict(vector.decoded) | example
        return example
