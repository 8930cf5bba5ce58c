"""The computer's side of a device's frames: commands to bytes and bytes to reports, without any I/O.

The other side is `firmware_profiles.firmware`. Because both come from one profile they prove nothing about each other,
which is why every frame is pinned by a vector with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from firmware_profiles.command_tables import CommandName, CommandTable
from firmware_profiles.commands import (
    Command,
    LoadSchedule,
    PauseTimer,
    QueryStatus,
    QueryVersion,
    Report,
    ResetTimer,
    SetLevel,
    SetTimer,
    StartTimer,
    Status,
    Stop,
    Write,
)
from firmware_profiles.dialect import Dialect
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.frames import Frame
from firmware_profiles.levels import LevelCounter, level_values
from firmware_profiles.links import Link
from firmware_profiles.reports import ReportReader
from firmware_profiles.schema import Profile
from firmware_profiles.timers import schedule_values, timer_values
from firmware_profiles.tomlfile import did_you_mean
from firmware_profiles.units import Level

_PLAIN_COMMANDS: dict[type[Command], CommandName] = {
    QueryStatus: "query_status",
    QueryVersion: "query_version",
    StartTimer: "start_timer",
    PauseTimer: "pause_timer",
    ResetTimer: "reset_timer",
}


@dataclass(frozen=True, slots=True)
class InitWrite:
    """One write before the first command: how long nothing follows it, and the report to wait for, if any."""

    write: Write
    wait_s: float
    expect: str | None
    timeout_s: float


class Codec:
    """One device's bytes, and where the computer believes its levels to be.

    `feed` keeps the beginning of a frame until its rest arrives; `reset` forgets it. What was really sent has to be
    told by `note_sent`, `note_stopped` and `note_lost`, because a frame may depend on what went before it.
    """

    def __init__(self, profile: Profile, over: Link | None = None) -> None:
        self.profile = profile
        self._dialect = Dialect(profile)
        self._given = profile.commands.given()
        self._levels = profile.level.levels() if profile.level is not None else None
        self._counter = LevelCounter(profile)
        self._only_channel = next(iter(profile.channels)) if len(profile.channels) == 1 else None
        self._reader = ReportReader(profile, self._dialect, over)
        self._timer_left_s: float | None = None
        self._simple: dict[CommandName, tuple[Write, ...]] = {}
        self._has_off = "off" in self._given
        self._direct_response = profile.commands.set_level is not None and profile.commands.set_level.response
        self._parameters = {name: parameter.default for name, parameter in profile.parameters.items()}
        self._stop = self._stop_writes()

    def encode(self, command: Command) -> tuple[Write, ...]:
        """The writes that carry a command, in order.

        Raises ValueRefusedError when the device has no such command, channel or level.
        """
        if isinstance(command, SetLevel):
            return self._level_writes(command)
        if isinstance(command, Stop):
            return self._stop
        if isinstance(command, SetTimer):
            return self._timer_writes(command.duration_s)
        if isinstance(command, LoadSchedule):
            return self._writes("load_schedule", None, schedule_values(command.intervals))
        name = _PLAIN_COMMANDS[type(command)]
        if name not in self._simple:
            self._simple[name] = self._writes(name, None, {})
        return self._simple[name]

    def stop_writes(self) -> tuple[Write, ...]:
        """The writes that stop everything, made once, so that stopping cannot fail to encode."""
        return self._stop

    @property
    def stops_only_when_running(self) -> bool:
        """Whether Stop is a toggle, to be written only to a device that says that it runs."""
        stop = self.profile.commands.stop
        return stop is not None and stop.when == "running"

    def status_writes(self) -> tuple[Write, ...]:
        """The writes that make the device say what it is doing; none for one that cannot say so."""
        return self.encode(QueryStatus()) if self.profile.reports_status and self.can(QueryStatus) else ()

    def init_steps(self) -> tuple[InitWrite, ...]:
        """What has to be written first after every connecting."""
        return tuple(
            InitWrite(
                Write(self._dialect.frame(step.frame).encode(self._parameters), step.response),
                step.wait_s,
                step.expect,
                step.timeout_s,
            )
            for step in self.profile.init
        )

    def keepalive_writes(self) -> tuple[Write, ...]:
        """What keeps the link awake; it carries no level."""
        table = self.profile.keepalive
        return () if table is None else self._as_writes(self._dialect.command(table, None), table, {})

    def can(self, command: type[Command]) -> bool:
        """Whether the device has a command (and, for its timer, a timer)."""
        if command is SetTimer:
            return self.profile.timer is not None
        return {**_PLAIN_COMMANDS, LoadSchedule: "load_schedule", Stop: "stop"}.get(command, "set_level") in self._given

    def note_sent(self, command: Command) -> None:
        """Take up that all writes of a command went out."""
        if isinstance(command, SetLevel):
            self._counter.set(command.channel, command.level)
        elif isinstance(command, Stop):
            self._counter.clear()
        elif isinstance(command, SetTimer) and self.profile.timer is not None:
            self._timer_left_s = self.profile.timer.at_least(command.duration_s)

    def note_stopped(self) -> None:
        """Take up that Stop went out."""
        self._counter.clear()

    def note_lost(self) -> None:
        """Take up that nobody knows how much of a command arrived, or that the link is new."""
        self._counter.forget()

    def feed(self, data: bytes) -> list[Report]:
        """The reports in what arrived. Never raises: bytes that are no frame come out as `BadFrame`, in their place."""
        reports = self._reader.feed(data)
        for report in reports:
            self._hear(report)
        return reports

    def decode(self, data: bytes) -> Report:
        """The one report that ``data`` is. Raises FrameError."""
        report = self._reader.decode(data)
        self._hear(report)
        return report

    def reset(self) -> None:
        """Forget a frame that has begun, and where the levels are (the link was opened anew)."""
        self._reader.reset()
        self._counter.forget()
        self._timer_left_s = None

    def describe_levels(self) -> str:
        """The levels in words."""
        if self._levels is None:
            return "none"
        if self._levels.steps is not None:
            return ", ".join(str(step) for step in (0, *self._levels.steps))
        return f"0, {self._levels.lowest} to {self._levels.full}"

    def raw_writes(self, name: str, values: Mapping[str, Any]) -> tuple[Write, ...]:
        """The writes of a command by its name in the profile, and nothing around them: what a vector pins.

        Raises ValueRefusedError.
        """
        if name == "init":
            known = {**self._parameters, **values}
            frames = [(self._dialect.frame(step.frame), step.response) for step in self.profile.init]
            return tuple(Write(frame.encode(known), response) for frame, response in frames)
        table = self._table(name)
        if table is None:
            raise self._unknown_command(name)
        if name == "stop":
            return self._stop
        given: dict[str, Any] = dict(values)
        channel = given.pop("channel", self._only_channel)
        if channel is not None and channel not in self.profile.channels:
            raise self._unknown_channel(str(channel))
        if name == "set_level" and isinstance(level := given.get("level"), int):
            others = {other: Level(int(given.get(f"level.{other}", 0))) for other in self.profile.channels}
            given = level_values({**others, str(channel): Level(level)}, level)
        frames_of_it = self._dialect.command(table, channel if isinstance(channel, str) else None)
        if name == "set_timer" and "timer_s" in given:
            given |= timer_values(int(given["timer_s"]), frames_of_it)
        if name == "load_schedule" and "intervals" in given:
            given["count"] = len(given["intervals"])
        return self._as_writes(frames_of_it, table, given)

    def _hear(self, report: Report) -> None:
        """Take up what the device says of its levels and its timer."""
        if isinstance(report, Status) and report.checksum_ok:
            self._counter.hear(report)
            self._timer_left_s = report.timer_s if self.profile.timer is not None else None

    def _level_writes(self, command: SetLevel) -> tuple[Write, ...]:
        channel, level = command.channel, command.level
        if channel not in self.profile.channels or self._levels is None:
            raise self._unknown_channel(channel)
        if self._levels.accepts(level):
            direct = self._direct.get(channel)
            if direct is not None and (level or not self._has_off):
                return (Write(direct.encode({"level": level}), self._direct_response),)
        else:
            raise ValueRefusedError(
                f"{level!r} is no level of this device.",
                where=self.profile.id,
                fix=f"Levels: {self.describe_levels()}.",
            )
        writes: tuple[Write, ...] = ()
        if level and "start" in self._given and self._counter.is_at_rest:
            writes = self._writes("start", None, {})
        for name, times in self._counter.commands(channel, level):
            writes += self._writes(name, channel, self._counter.values(channel, level)) * times
        return writes

    @cached_property
    def _direct(self) -> dict[str, Frame]:
        """For each channel the one frame that needs nothing but a level, as most devices have it."""
        table = self._given.get("set_level")
        if table is None or self.profile.level is None or self.profile.level.model != "absolute":
            return {}
        if "start" in self._given or self._parameters or len(table.frames) > 1:
            return {}
        frames = {channel: self._dialect.command(table, channel)[0] for channel in self.profile.channels}
        return {channel: frame for channel, frame in frames.items() if frame.fields == ("level",)}

    def _timer_writes(self, duration_s: int) -> tuple[Write, ...]:
        timer = self.profile.timer
        if timer is None or (time_s := timer.at_least(duration_s)) is None:
            raise ValueRefusedError(f"its own timer cannot run for {duration_s} s.", where=self.profile.id)
        if not timer.cycles:
            return self._writes("set_timer", None, {"timer_s": time_s})
        choices = timer.choices_s or ()
        if self._timer_left_s is None:
            raise ValueRefusedError("does not say where its timer is, whose key only cycles.", where=self.profile.id)
        # The key goes from off through the choices to off again.
        now = sum(choice < self._timer_left_s for choice in choices) + 1 if self._timer_left_s else 0
        presses = (choices.index(time_s) + 1 - now) % (len(choices) + 1)
        return self._writes("step_timer", None, {}) * presses

    def _stop_writes(self) -> tuple[Write, ...]:
        table = self.profile.commands.stop or self.profile.commands.reset_timer
        return () if table is None else self._as_writes(self._dialect.everywhere(table), table, {})

    def _table(self, name: str) -> CommandTable | None:
        if name == "keepalive":
            return self.profile.keepalive
        return next((table for given, table in self._given.items() if given == name), self.profile.extra.get(name))

    def _writes(self, name: CommandName, channel: str | None, values: Mapping[str, Any]) -> tuple[Write, ...]:
        table = self._given.get(name)
        if table is None:
            raise self._unknown_command(name)
        frames = self._dialect.command(table, channel)
        if name == "set_timer":
            values = {**values, **timer_values(int(values["timer_s"]), frames)}
        return self._as_writes(frames, table, values)

    def _as_writes(
        self, frames: tuple[Frame, ...], table: CommandTable, values: Mapping[str, Any]
    ) -> tuple[Write, ...]:
        if self._parameters:
            values = {**self._parameters, **values}
        if len(frames) == 1:
            return (Write(frames[0].encode(values), table.response, table.gap_s),)
        return tuple([Write(frame.encode(values), table.response, table.gap_s) for frame in frames])

    def _unknown_command(self, name: str) -> ValueRefusedError:
        fix = did_you_mean(name, self._given)
        return ValueRefusedError(f"has no command {name!r}.", where=self.profile.id, fix=fix)

    def _unknown_channel(self, channel: str) -> ValueRefusedError:
        known = ", ".join(self.profile.channels) or "none"
        return ValueRefusedError(f"{channel!r} is no channel.", where=self.profile.id, fix=f"Channels: {known}.")
