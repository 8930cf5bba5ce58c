"""What the firmware of a simulated device does with commands and with time: its habits, not its bytes.

Where the protocol leaves something open, ``[simulator]`` of the profile says it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firmware_profiles.commands import Interval
from firmware_profiles.firmware import Received
from firmware_profiles.schema import Profile
from simulators.body import Body, Record
from simulators.clock import SimClock
from simulators.timers import TOLERANCE_S, IntervalTimer, OffTimer

Say = Callable[[str], None]
"""Sends the report of this name."""

_LEVEL_COMMANDS = frozenset({"set_level", "step_up", "step_down", "toggle"})


class Firmware:
    """Obeys commands by asking ``body``, and switches off by itself where this kind of device does.

    `due_s` says when it next has something to do by itself, and `act` does it.
    """

    def __init__(self, profile: Profile, body: Body, clock: SimClock, record: Record, say: Say) -> None:
        self.off_timer = OffTimer(profile.timer)
        self.interval_timer = IntervalTimer()
        self._body = body
        self._clock = clock
        self._record = record
        self._say = say
        self._behaviour = profile.simulator
        self._levels = profile.level.levels() if profile.level is not None else None
        self._highest = (profile.level.protocol_max if profile.level is not None else None) or 0
        commands = profile.commands
        self._has_start = commands.start is not None
        self._stop_toggles = commands.stop is not None and commands.stop.when == "running"
        self._is_started = not self._has_start
        self._held: dict[str, int] = {}
        lowest = int(self._levels.lowest) if self._levels is not None else 0
        self._last: dict[str, int] = dict.fromkeys(profile.channels, lowest)
        self._heard_at_s = self._leveled_at_s = body.now_s
        self._push_at_s: float | None = None

    def greet(self) -> None:
        """Take up that a host is there: from now on its status is pushed, where the device does that. Idempotent."""
        if self._push_at_s is None:
            self._push_at_s = self._body.now_s
            self._plan_push()

    def say_goodbye(self) -> None:
        """Take up that no host is there."""
        self._push_at_s = None

    def obey(self, heard: Received) -> None:
        """Do what a command says."""
        now_s = self._body.now_s
        self._heard_at_s = now_s
        if heard.command in _LEVEL_COMMANDS:
            self._leveled_at_s = now_s
        match heard.command:
            case "set_level" | "off":
                # Frames without a level mean off.
                levels: dict[str, int] = dict(heard.levels) or dict.fromkeys(self._whose(heard), 0)
                for name, level in levels.items():
                    self._aim(name, level)
            case "step_up" | "step_down":
                self._step(heard, 1 if heard.command == "step_up" else -1)
            case "toggle":
                for name in self._whose(heard):
                    self._aim(name, 0 if self._body.asked[name] else self._full)
            case "start":
                self._is_started = True
                held, self._held = self._held, {}
                for name, level in held.items():
                    self._aim(name, level)
            case "stop":
                self._stop()
            case "query_status":
                self._say("status")
            case "query_version":
                self._say("version")
            case _:
                self._obey_timers(heard, now_s)

    def due_s(self) -> float | None:
        """When `act` is due next; None when only the host can change anything."""
        times = [self._push_at_s, self.off_timer.ends_at_s, self.interval_timer.due_s()]
        if any(self._body.asked.values()):
            times += [at_s for at_s, _ in self._watches()]
        return min((at_s for at_s in times if at_s is not None), default=None)

    def act(self) -> None:
        """Do what is due now."""
        now_s = self._body.now_s
        if any(self._body.asked.values()):
            for at_s, fault in self._watches():
                if now_s >= at_s - TOLERANCE_S:
                    self._record("fault", fault=fault)
                    self._switch_off()
                    break
        if self.off_timer.ends(now_s):
            self._record("timer", timer="off", state="ended", left_s=0.0)
            self._switch_off()
        if change := self.interval_timer.changes(now_s):
            self._record_schedule(change)
        if self._push_at_s is not None and now_s >= self._push_at_s - TOLERANCE_S:
            self._plan_push()
            self._say("status")

    def timers(self) -> dict[str, Any]:
        """Where its timers are, for its state: ``off_timer_s`` (left) and ``timer``."""
        now_s = self._body.now_s
        return {"off_timer_s": round(self.off_timer.left_s(now_s), 3), "timer": self.interval_timer.state(now_s)}

    @property
    def _full(self) -> int:
        return int(self._levels.full) if self._levels is not None else 0

    def _whose(self, heard: Received) -> list[str]:
        """The channels that a command is for: the one it names, else all."""
        return [heard.channel] if heard.channel is not None else list(self._body.motors)

    def _watches(self) -> list[tuple[float, str]]:
        """When the device gives up on its host, and what it calls that."""
        rows = (
            (self._heard_at_s, self._behaviour.heartbeat_s, "heartbeat_missed"),
            (self._leveled_at_s, self._behaviour.lease_s, "lease_expired"),
        )
        return [(since_s + self._link_s(period_s), fault) for since_s, period_s, fault in rows if period_s is not None]

    def _plan_push(self) -> None:
        period_s = self._behaviour.pushes_status_s
        if period_s is None or self._push_at_s is None:
            self._push_at_s = None
        else:
            self._push_at_s += self._link_s(period_s)

    def _link_s(self, duration_s: float) -> float:
        """The simulated seconds of what passes between host and device.

        A link does not get faster when time does: who writes every second does so in seconds of the world.
        """
        return duration_s * (self._clock.speed or 1.0)

    def _step(self, heard: Received, step: int) -> None:
        for name in self._whose(heard):
            level = self._body.asked[name] + step
            # At either end a press does nothing.
            if 0 <= level <= self._full:
                self._aim(name, level)

    def _stop(self) -> None:
        if self._stop_toggles and not any(self._body.asked.values()):
            for name, level in self._last.items():
                self._aim(name, level)
            return
        self._switch_off()
        if self.interval_timer.is_running:
            self.interval_timer.reset()
            self._record_schedule("reset")

    def _switch_off(self) -> None:
        self._held = {}
        self._is_started = not self._has_start
        self._body.switch_off()

    def _aim(self, name: str, level: int) -> None:
        reason = self._refusal(name, level)
        if not reason and level and not self._is_started:
            self._held[name] = level
            return
        if not reason:
            self._held.pop(name, None)
            reason = self._body.ask(name, level)
        if reason:
            self._record("bad", hex="", reason=reason)
            return
        if level:
            self._last[name] = level
        elif not any(self._body.asked.values()):
            self._is_started = not self._has_start

    def _refusal(self, name: str, level: int) -> str:
        # The firmware takes whatever its protocol allows; holding it to the marketed range is the host's business.
        levels = self._levels
        if levels is None or name not in self._body.motors:
            return "names no channel of this device."
        highest = max(self._highest, self._full)
        if level < 0 or level > highest or (levels.steps is not None and not levels.accepts(level)):
            return f"{level} is no level of this device."
        return ""

    def _obey_timers(self, heard: Received, now_s: float) -> None:
        timer = self.interval_timer
        match heard.command:
            case "set_timer":
                duration_s = float(heard.values["timer_s"])
                if reason := self.off_timer.set(duration_s, now_s):
                    self._record("bad", hex="", reason=reason)
                else:
                    self._record_off_timer()
            case "step_timer":
                self.off_timer.step(now_s)
                self._record_off_timer()
            case "load_schedule" if "intervals" in heard.values:
                timer.load(_interval(row) for row in heard.values["intervals"])
                self._record_schedule("loaded")
            case "start_timer":
                timer.start(now_s)
                self._record_schedule("started")
            case "pause_timer":
                timer.pause(now_s)
                self._record_schedule("paused")
            case "reset_timer":
                timer.reset()
                self._record_schedule("reset")

    def _record_off_timer(self) -> None:
        left_s = self.off_timer.left_s(self._body.now_s)
        self._record("timer", timer="off", state="set" if left_s else "cleared", left_s=round(left_s, 3))

    def _record_schedule(self, state: str) -> None:
        self._record("timer", timer="schedule", **{**self.interval_timer.state(self._body.now_s), "state": state})


def _interval(row: Mapping[str, Any]) -> Interval:
    return Interval(int(row.get("seconds", 0)), bool(row.get("rest", False)))
