"""Commands to bytes and bytes to reports, without any I/O.

`Codec` is the computer's side. `FirmwareCodec` is the other side of the same frames, for simulators: because both come
from one profile they prove nothing about each other, which is why every frame is pinned by a vector with its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from firmware_profiles.commands import (
    BadFrame,
    Command,
    QueryStatus,
    QueryVersion,
    Report,
    SetLevel,
    Status,
    Stop,
    Version,
    Write,
)
from firmware_profiles.errors import FrameError, ValueRefusedError
from firmware_profiles.frames import Frame, Value
from firmware_profiles.schema import CommandName, Profile, ReportName
from firmware_profiles.units import Level

STATUS_FIELDS = ("running", "level", "battery_pct", "temperature_c", "force_n", "stalled")


@dataclass(frozen=True, slots=True)
class Received:
    """A command as a device understands it."""

    command: CommandName
    values: Mapping[str, Value]


class Codec:
    """One device's bytes. `feed` keeps the beginning of a frame until its rest arrives; `reset` forgets it."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._levels = profile.level.levels()
        self._numbers = {name: table.number for name, table in profile.channels.items()}
        self._only_channel = next(iter(profile.channels)) if len(profile.channels) == 1 else None
        self._commands = {
            name: (tuple(Frame(text) for text in table.frames), table.response)
            for name, table in profile.commands.items()
        }
        self._reports: dict[ReportName, Frame] = {name: Frame(table.frame) for name, table in profile.reports.items()}
        self._stream = _Stream(self._reports.items()) if profile.serial is not None else None
        self._stop = self._writes("stop", {})

    def encode(self, command: Command) -> tuple[Write, ...]:
        """The writes that carry a command, in order.

        Raises ValueRefusedError when the device has no such command, channel or level.
        """
        if isinstance(command, SetLevel):
            channel, level = command.channel, command.level
            if channel not in self._numbers:
                known = ", ".join(self._numbers)
                raise ValueRefusedError(f"{channel!r} is no channel.", where=self.profile.id, fix=f"Channels: {known}.")
            if not self._levels.accepts(level):
                raise ValueRefusedError(
                    f"{level!r} is no level of this device.",
                    where=self.profile.id,
                    fix=f"Levels: {self.describe_levels()}.",
                )
            return self._writes("set_level", {"channel": self._numbers[channel], "level": level})
        if isinstance(command, Stop):
            return self._stop
        return self._writes("query_status" if isinstance(command, QueryStatus) else "query_version", {})

    def stop_writes(self) -> tuple[Write, ...]:
        """The writes that stop everything, made once, so that stopping cannot fail to encode."""
        return self._stop

    def status_writes(self) -> tuple[Write, ...]:
        """The writes that make the device say what it is doing; none for one that cannot say so."""
        return self.encode(QueryStatus()) if self.profile.reports_status and self.can(QueryStatus) else ()

    def can(self, command: type[QueryStatus | QueryVersion]) -> bool:
        """Whether the device can be asked."""
        return ("query_status" if command is QueryStatus else "query_version") in self._commands

    def feed(self, data: bytes) -> list[Report]:
        """The reports in what arrived. Never raises: bytes that are no frame come out as `BadFrame`, in their place."""
        if self._stream is None:
            try:
                return [self.decode(data)]
            except FrameError as problem:
                return [BadFrame(problem.what, data)]
        return [
            self._report(name, values) if name is not None else BadFrame(_NO_FRAME, raw)
            for name, values, raw in self._stream.feed(data)
        ]

    def decode(self, data: bytes) -> Report:
        """The one report that ``data`` is. Raises FrameError."""
        for name, frame in self._reports.items():
            found = frame.match(data)
            if found is not None and found[1] == len(data):
                return self._report(name, found[0])
        raise FrameError(_NO_FRAME, data=data, where=self.profile.id)

    def reset(self) -> None:
        """Forget a frame that has begun (the link was opened anew)."""
        if self._stream is not None:
            self._stream.take_rest()

    def describe_levels(self) -> str:
        """The levels in words."""
        if self._levels.steps is not None:
            return ", ".join(str(step) for step in (0, *self._levels.steps))
        return f"0, {self._levels.lowest} to {self._levels.full}"

    def _writes(self, name: CommandName, values: Mapping[str, Value]) -> tuple[Write, ...]:
        try:
            frames, response = self._commands[name]
        except KeyError:
            known = ", ".join(self._commands)
            raise ValueRefusedError(
                f"has no command {name!r}.", where=self.profile.id, fix=f"Commands: {known}."
            ) from None
        return tuple([Write(frame.encode(values), response) for frame in frames])

    def _report(self, name: ReportName, values: Mapping[str, Value]) -> Report:
        if name == "version":
            return Version(str(values.get("firmware", "")))
        level = values.get("level")
        levels = {self._only_channel: Level(int(level))} if level is not None and self._only_channel is not None else {}
        running, stalled = values.get("running"), values.get("stalled")
        numbers = {
            name: float(number)
            for name in ("battery_pct", "temperature_c", "force_n")
            if (number := values.get(name)) is not None
        }
        return Status(
            running=None if running is None else bool(running),
            levels=levels,
            stalled=None if stalled is None else bool(stalled),
            **numbers,
        )


class FirmwareCodec:
    """The device's side: what the host's bytes ask for, and the bytes of the device's own reports."""

    def __init__(self, profile: Profile) -> None:
        self._is_stream = profile.serial is not None
        self._names = {table.number: name for name, table in profile.channels.items()}
        self._first = next(iter(profile.channels))
        # A stop is often written as "level 0" of one channel after the other, and that is how a device takes it: one
        # channel. So set_level is tried first, and only a frame of its own means stop.
        pairs = [(name, Frame(text)) for name, table in profile.commands.items() for text in table.frames]
        self._frames = sorted(pairs, key=lambda pair: pair[0] != "set_level")
        self._stream = _Stream(self._frames)
        self._reports = {name: Frame(table.frame) for name, table in profile.reports.items()}

    def feed(self, data: bytes) -> list[Received | BadFrame]:
        """What the host asks for, in order. Bytes that are no command come out as `BadFrame`."""
        found = self._stream.feed(data)
        if not self._is_stream and (rest := self._stream.take_rest()):
            found.append((None, {}, rest))
        return [
            Received(name, self._named(values)) if name is not None else BadFrame(_NO_FRAME, raw)
            for name, values, raw in found
        ]

    def encode(self, report: ReportName, values: Mapping[str, Value]) -> bytes | None:
        """The bytes of a report; None when the device has no such report."""
        frame = self._reports.get(report)
        return frame.encode(values) if frame is not None else None

    def _named(self, values: Mapping[str, Value]) -> dict[str, Value]:
        named = dict(values)
        if "channel" in named:
            named["channel"] = self._names.get(int(named["channel"]), "")
        elif "level" in named:
            named["channel"] = self._first
        return named


_NO_FRAME = "is no frame of this device, or its checksum is wrong."

Name = TypeVar("Name", bound=str)


class _Stream(Generic[Name]):
    """Finds frames in a stream. Memory is bounded: only the beginning of one frame is ever kept."""

    def __init__(self, frames: Iterable[tuple[Name, Frame]]) -> None:
        self._frames = tuple(frames)
        self._pending = b""

    def feed(self, data: bytes) -> list[tuple[Name | None, dict[str, Value], bytes]]:
        """What is complete: a name with its values, or None with a run of bytes that belong to no frame."""
        buffer, self._pending = self._pending + data, b""
        found: list[tuple[Name | None, dict[str, Value], bytes]] = []
        at = bad_from = 0
        while at < len(buffer):
            hit = self._match(buffer, at)
            if hit is None:
                if any(frame.may_grow(buffer, at) for _, frame in self._frames):
                    self._pending = buffer[at:]
                    break
                at += 1
                continue
            if bad_from < at:
                found.append((None, {}, buffer[bad_from:at]))
            name, values, end = hit
            found.append((name, values, buffer[at:end]))
            at = bad_from = end
        if bad_from < at:
            found.append((None, {}, buffer[bad_from:at]))
        return found

    def take_rest(self) -> bytes:
        """The beginning of a frame that is still waiting for its rest, which is then forgotten."""
        rest, self._pending = self._pending, b""
        return rest

    def _match(self, buffer: bytes, at: int) -> tuple[Name, dict[str, Value], int] | None:
        for name, frame in self._frames:
            if (hit := frame.match(buffer, at)) is not None:
                return name, *hit
        return None
