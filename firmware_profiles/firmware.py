"""The device's side of its frames, for simulators: what the host's bytes ask for, and the bytes of its own reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_profiles.command_tables import CommandName, CommandTable
from firmware_profiles.commands import BadFrame
from firmware_profiles.dialect import Dialect
from firmware_profiles.frames import Frame
from firmware_profiles.levels import levels_on
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile
from firmware_profiles.stream import NO_FRAME, Candidate, Piece, Stream, find_whole
from firmware_profiles.timers import timer_s
from firmware_profiles.units import Level


@dataclass(frozen=True, slots=True)
class Received:
    """A command as a device understands it.

    ``command`` is one of the format's, or "init", "keepalive", "extra", or "part": a frame that only goes with one
    that said it all. ``channel`` is whose it is; ``levels`` are those that it sets, by channel.
    """

    command: str
    channel: str | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


# What moves a motor comes first. A stop is often "level 0" of one channel after the other, and that is how a device
# takes it: one channel. So only a frame of its own means stop.
_MOVING: tuple[CommandName, ...] = ("set_level", "off", "step_up", "step_down", "toggle", "start")
_OTHERS: tuple[CommandName, ...] = (
    "stop", "set_timer", "step_timer", "load_schedule", "start_timer", "pause_timer", "reset_timer",
    "query_status", "query_version",
)  # fmt: skip


class FirmwareCodec:
    """Understands what the host writes and makes reports. Over Bluetooth every write is whole, unless it is chunked."""

    def __init__(self, profile: Profile, over: Link | None = None) -> None:
        self._profile = profile
        self._dialect = Dialect(profile)
        is_serial = profile.ble is None or (over == "serial" and profile.serial is not None)
        self._is_stream = is_serial or (profile.ble is not None and profile.ble.chunk_bytes is not None)
        self._frames = tuple(self._candidates())
        self._stream = Stream(self._frames)

    def feed(self, data: bytes) -> list[Received | BadFrame]:
        """What the host asks for, in order. Bytes that are no command come out as `BadFrame`."""
        if not self._is_stream and (whole := find_whole(self._frames, data)) is not None and whole.key is not None:
            return [self._completed(whole.key, whole.values)]
        found = self._stream.feed(data)
        if not self._is_stream and (rest := self._stream.take_rest()):
            found.append(Piece(None, {}, rest))
        return [
            self._completed(piece.key, piece.values) if piece.key is not None else BadFrame(NO_FRAME, piece.data)
            for piece in found
        ]

    def encode(self, report: str, values: Mapping[str, Any], variant: int = 0) -> bytes | None:
        """The bytes of a report in its frame number ``variant``; None when the device has no such report.

        Raises ValueRefusedError when a value is missing or does not fit.
        """
        if report not in self._profile.reports:
            return None
        frames = self._dialect.report(report)
        parameters = {name: parameter.default for name, parameter in self._profile.parameters.items()}
        return frames[variant % len(frames)].encode({**parameters, **values})

    def _completed(self, kind: Received, found: Mapping[str, Any]) -> Received:
        """What was received, with the values of its frame."""
        levels: dict[str, Level] = {}
        if kind.command == "set_level":
            named = {name.removeprefix("level."): value for name, value in found.items() if name.startswith("level.")}
            levels = {name: Level(int(value)) for name, value in named.items()}
            if "level" in found and kind.channel is not None:
                levels[kind.channel] = Level(int(found["level"]))
            if "on" in found:
                levels = levels_on(str(found["on"]), self._profile.channels, self._profile.levels.full)
        elif kind.command == "off" and kind.channel is not None:
            levels = {kind.channel: Level(0)}
        values = {**kind.values, **found}
        if kind.command == "set_timer":
            values["timer_s"] = timer_s(found)
        return Received(kind.command, kind.channel, levels, values)

    def _candidates(self) -> Iterator[Candidate[Received]]:
        """The frames to look for, in the order in which they count."""
        given = self._profile.commands.given()
        moving = [one for name in _MOVING if name in given for one in self._moving(name, given[name])]
        yield from (one for one in moving if one.key.command != "part")
        yield from (one for one in moving if one.key.command == "part")
        for name in _OTHERS:
            if name in given:
                frames = self._dialect.everywhere(given[name])
                yield from (Candidate(Received(name), frame) for frame in dict.fromkeys(frames))
        yield from self._around()

    def _moving(self, name: CommandName, table: CommandTable) -> Iterator[Candidate[Received]]:
        """The frames of a command that moves a motor, for each channel where they name one."""
        only_channel = next(iter(self._profile.channels)) if len(self._profile.channels) == 1 else None
        for channel in self._dialect.channels_of(table.frames):
            frames = self._dialect.command(table, channel)
            acting = _acting(name, frames)
            for number, frame in enumerate(frames):
                yield Candidate(
                    Received(name, channel or only_channel) if number in acting else Received("part"), frame
                )

    def _around(self) -> Iterator[Candidate[Received]]:
        """What goes around the commands: what comes first, what keeps awake, and what only captures have."""
        for index, step in enumerate(self._profile.init):
            yield Candidate(Received("init", values={"index": index}), self._dialect.frame(step.frame))
        if self._profile.keepalive is not None:
            for frame in self._dialect.command(self._profile.keepalive, None):
                yield Candidate(Received("keepalive"), frame)
        for extra, table in self._profile.extra.items():
            for channel in self._dialect.channels_of(table.frames):
                for frame in self._dialect.command(table, channel):
                    yield Candidate(Received("extra", channel, values={"name": extra}), frame)


def _acting(name: CommandName, frames: Sequence[Frame]) -> set[int]:
    """Which frames of a command do what it says; the others only go with them, as the release of a button does."""
    if name != "set_level":
        return {0}
    carrying = {
        number for number, frame in enumerate(frames) if any(f == "on" or f.startswith("level") for f in frame.fields)
    }
    return carrying or {0}


def apply(heard: Received, levels: dict[str, int], full: int) -> None:
    """Do to ``levels`` what a command does to those of a device."""
    whose = [heard.channel] if heard.channel is not None else list(levels)
    match heard.command:
        case "set_level" | "off":
            levels |= {name: int(level) for name, level in heard.levels.items()} or dict.fromkeys(whose, 0)
        case "step_up" | "step_down":
            step = 1 if heard.command == "step_up" else -1
            levels |= {name: min(max(levels[name] + step, 0), full) for name in whose}
        case "toggle":
            levels |= {name: 0 if levels[name] else full for name in whose}
        case "stop":
            levels |= dict.fromkeys(levels, 0)
