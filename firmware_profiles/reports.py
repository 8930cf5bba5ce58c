"""Reports out of the bytes that a device sends, as they arrive or one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from firmware_profiles.commands import BadFrame, Report, Said, Status, Value, Version
from firmware_profiles.dialect import Dialect
from firmware_profiles.errors import FrameError
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile
from firmware_profiles.stream import NO_FRAME, Candidate, Piece, Stream, find_whole
from firmware_profiles.units import Level

STATUS_NUMBERS = ("battery_pct", "temperature_c", "force_n", "timer_s")
_YES_OR_NO = ("running", "stalled")
STATUS_FIELDS = ("running", "level", *STATUS_NUMBERS, "stalled")


def is_stream(profile: Profile, over: Link | None) -> bool:
    """Whether reports arrive as a stream of bytes over this link (None: the profile's only one, or Bluetooth)."""
    if profile.ble is None or (over == "serial" and profile.serial is not None):
        return True
    return profile.ble.framing == "stream"


class ReportReader:
    """Reads the reports of one device. `feed` keeps the beginning of a frame until its rest arrives."""

    def __init__(self, profile: Profile, dialect: Dialect, over: Link | None = None) -> None:
        self._profile = profile
        self._dialect = dialect
        self._only_channel = next(iter(profile.channels)) if len(profile.channels) == 1 else None
        self._stream = Stream(self._reports) if is_stream(profile, over) else None
        self._parameters = {name: parameter.default for name, parameter in profile.parameters.items()}
        self._level_keys = {f"level.{name}": name for name in profile.channels}

    def feed(self, data: bytes) -> list[Report]:
        """The reports in what arrived. Never raises: bytes that are no frame come out as `BadFrame`, in their place."""
        if self._stream is None:
            piece = find_whole(self._reports, data)
            return [BadFrame(NO_FRAME, data) if piece is None else self._report(piece)]
        return [self._report(piece) for piece in self._stream.feed(data)]

    def decode(self, data: bytes) -> Report:
        """The one report that ``data`` is. Raises FrameError."""
        piece = find_whole(self._reports, data)
        if piece is None:
            raise FrameError(NO_FRAME, data=data, where=self._profile.id)
        return self._report(piece)

    def reset(self) -> None:
        """Forget a frame that has begun."""
        if self._stream is not None:
            self._stream.take_rest()

    @cached_property
    def _reports(self) -> tuple[Candidate[str], ...]:
        return tuple(
            Candidate(name, frame, table.checksum == "required")
            for name, table in self._profile.reports.items()
            for frame in self._dialect.report(name)
        )

    def _report(self, piece: Piece[str]) -> Report:
        name, values = piece.key, piece.values
        if name is None:
            return BadFrame(NO_FRAME, piece.data)
        if name == "version" and piece.checksum_ok:
            return Version(str(values.get("firmware", "")))
        if name != "status":
            return Said(name, values, piece.checksum_ok)
        for parameter in self._parameters.keys() & values.keys() if self._parameters else ():
            if str(values.pop(parameter)) != self._parameters[parameter]:
                return BadFrame("is from another device on the same line.", piece.data)
        try:
            return self._status(values, piece.checksum_ok)
        except (ValueError, TypeError):
            return BadFrame("says something that is no number.", piece.data)

    def _status(self, values: Mapping[str, Any], checksum_ok: bool) -> Status:
        levels: dict[str, Level] = {}
        numbers: dict[str, float] = {}
        others: dict[str, Value] = {}
        for name, value in values.items():
            if name in _YES_OR_NO:
                continue
            if name in STATUS_NUMBERS:
                numbers[name] = float(value)
            elif name == "level" and self._only_channel is not None:
                levels[self._only_channel] = Level(math.ceil(float(value)))
            elif (channel := self._level_keys.get(name)) is not None:
                levels[channel] = Level(math.ceil(float(value)))
            else:
                others[name] = value
        running, stalled = values.get("running"), values.get("stalled")
        return Status(
            running=None if running is None else bool(running),
            levels=levels,
            stalled=None if stalled is None else bool(stalled),
            others=others,
            checksum_ok=checksum_ok,
            **numbers,
        )
