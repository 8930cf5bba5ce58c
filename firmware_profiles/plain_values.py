"""Commands and reports as the plain values that files and command lines carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_profiles.codec import Codec
from firmware_profiles.commands import (
    BadFrame,
    Command,
    PauseTimer,
    QueryStatus,
    QueryVersion,
    Report,
    ResetTimer,
    Said,
    SetLevel,
    SetTimer,
    StartTimer,
    Status,
    Stop,
    Version,
)
from firmware_profiles.reports import STATUS_NUMBERS
from firmware_profiles.tomlfile import did_you_mean
from firmware_profiles.units import Level


def command_from_values(codec: Codec, name: str, values: Mapping[str, Any]) -> Command:
    """A command from its name and its values as a file or a command line gives them.

    Raises ValueError with a sentence for an unknown name or value.
    """
    if name == "set_level":
        return _set_level(codec, values)
    if name == "set_timer":
        if set(values) != {"timer_s"} or not isinstance(values["timer_s"], int):
            raise ValueError("set_timer takes timer_s=…, a whole number of seconds, and nothing else.")
        return SetTimer(values["timer_s"])
    if name not in _SIMPLE:
        raise ValueError(f"{name!r} is no command. {did_you_mean(name, codec.profile.commands.given())}")
    if values:
        raise ValueError(f"{name} takes no values, not {', '.join(values)}.")
    return _SIMPLE[name]()


_SIMPLE: dict[str, type[Stop | QueryStatus | QueryVersion | StartTimer | PauseTimer | ResetTimer]] = {
    "stop": Stop,
    "query_status": QueryStatus,
    "query_version": QueryVersion,
    "start_timer": StartTimer,
    "pause_timer": PauseTimer,
    "reset_timer": ResetTimer,
}


def _set_level(codec: Codec, values: Mapping[str, Any]) -> SetLevel:
    channels = list(codec.profile.channels)
    others = {f"level.{name}" for name in channels}
    if unknown := set(values) - {"channel", "level"} - others:
        raise ValueError(f"set_level takes no {', '.join(sorted(unknown))}: it takes level and channel.")
    if "level" not in values:
        raise ValueError(f"set_level needs level=…: {codec.describe_levels()}.")
    if "channel" not in values and len(channels) > 1:
        raise ValueError(f"set_level needs channel=…: {', '.join(channels)}.")
    level = values["level"]
    if not isinstance(level, int):
        raise ValueError(f"level must be a whole number, not {level!r}.")
    return SetLevel(channel=str(values.get("channel", channels[0])), level=Level(level))


def report_name(report: Report) -> str:
    """What the profile calls a report; "bad" for bytes that are none."""
    if isinstance(report, Said):
        return report.name
    return {Status: "status", Version: "version"}.get(type(report), "bad")


def report_values(report: Report) -> dict[str, Any]:
    """What a report says, as plain values: only what the device said, and ``level`` or ``levels`` by channel.

    One with a wrong checksum has ``checksum_ok`` false.
    """
    flag = {} if isinstance(report, Version | BadFrame) or report.checksum_ok else {"checksum_ok": False}
    if isinstance(report, Version):
        return {"firmware": report.firmware}
    if isinstance(report, BadFrame):
        return {"reason": report.reason, "data": report.data.hex(" ").upper()}
    if isinstance(report, Said):
        return {**report.values, **flag}
    values: dict[str, Any] = {}
    if report.running is not None:
        values["running"] = report.running
    if len(report.levels) == 1:
        values["level"] = next(iter(report.levels.values()))
    elif report.levels:
        values["levels"] = dict(report.levels)
    for name in (*STATUS_NUMBERS, "stalled"):
        if (value := getattr(report, name)) is not None:
            values[name] = value
    return {**values, **report.others, **flag}
