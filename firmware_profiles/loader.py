"""Load a profile, with everything checked that can be checked without the device: shape, frames, vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware_profiles.codec import Codec
from firmware_profiles.command_tables import TIMER_COMMANDS
from firmware_profiles.dialect import Dialect
from firmware_profiles.errors import PercussError, ProfileError
from firmware_profiles.firmware import FirmwareCodec, Received, apply
from firmware_profiles.frames import parse_literal
from firmware_profiles.plain_values import command_from_values, report_name, report_values
from firmware_profiles.reports import STATUS_FIELDS, is_stream
from firmware_profiles.schema import TIMER_VALUES, Profile, Vector
from firmware_profiles.tomlfile import KeyPath, did_you_mean, dotted, find_line, load_toml

_TIMER_FIELDS = set(TIMER_VALUES)
_COMMAND_FIELDS = {"set_timer": _TIMER_FIELDS, "load_schedule": {"count", "intervals"}}


def load_profile(path: Path) -> Profile:
    """Read and check one profile. Raises ProfileError with file, line and key of the first thing that is wrong."""
    profile = read_profile(path)
    _check_frames(profile, path)
    codec = Codec(profile)
    _check_stop(profile, path)
    _check_levels_fit(profile, path)
    _check_others_move_nothing(profile, path)
    _check_streams(profile, path)
    _check_pinned(profile, path)
    for number, vector in enumerate(profile.vectors):
        _check_vector(codec, vector, number, path)
    return profile


def read_profile(path: Path) -> Profile:
    """Read one profile and check its shape, not its frames: enough for one that is known to be good.

    Raises ProfileError.
    """
    return load_toml(path, Profile, error=ProfileError)


def _check_frames(profile: Profile, path: Path) -> None:
    """Every frame parses, for every channel, and names only values that mean something."""
    dialect = Dialect(profile)
    _check_pieces(dialect, path)
    levels = {"level", *(f"level.{name}" for name in profile.channels)}
    for keys, texts, known in _rows(profile, levels):
        for text in texts:
            try:
                frames = [dialect.frame(text, channel) for channel in dialect.channels_of([text])]
            except ValueError as problem:
                raise _error(str(problem), path, keys) from problem
            if not frames:
                raise _error(
                    f"frame {text!r}: names a channel where there is none.", path, keys, "Add [channels.NAME]."
                )
            is_report = keys[0] == "reports"
            for frame in frames:
                is_streamed = is_stream(profile, None) or profile.serial is not None
                if frame.is_open_ended and (not is_report or is_streamed):
                    raise _error(f"frame {text!r}: '...' needs a report where messages are kept apart.", path, keys)
                if frame.has_options and (not is_report or is_streamed):
                    raise _error(f"frame {text!r}: '[ ]' needs a report where messages are kept apart.", path, keys)
                for field in frame.fields if known is not None else ():
                    if known is not None and field not in known:
                        advice = did_you_mean(field, known)
                        raise _error(f"frame {text!r}: {field!r} means nothing here.", path, keys, advice)
    _check_levels_said(profile, dialect, levels, path)


def _check_pieces(dialect: Dialect, path: Path) -> None:
    """Lookups and codes are bytes and text."""
    for table, values in dialect.profile.lookups.items():
        for key, text in values.items():
            try:
                parse_literal(text)
            except ValueError as problem:
                raise _error(str(problem), path, ("lookups", table, key)) from problem
    for name, channel in dialect.profile.channels.items():
        for code, text in channel.codes.items():
            try:
                parse_literal(text)
            except ValueError as problem:
                raise _error(str(problem), path, ("channels", name, "codes", code)) from problem


def _rows(profile: Profile, levels: set[str]) -> Iterator[tuple[KeyPath, tuple[str, ...], set[str] | None]]:
    """Where frames stand, the frames, and the values that they may name (None: any)."""
    parameters = set(profile.parameters)
    for name, command in profile.commands.given().items():
        known = levels | {"on"} if name == "set_level" else _COMMAND_FIELDS.get(name, set())
        yield ("commands", name, "frames"), command.frames, known | parameters
    for extra, table in profile.extra.items():
        yield ("extra", extra, "frames"), table.frames, None
    if profile.keepalive is not None:
        yield ("keepalive", "frames"), profile.keepalive.frames, parameters
    for number, step in enumerate(profile.init):
        yield ("init", number, "frame"), (step.frame,), parameters
    for kind, report in profile.reports.items():
        status_fields = levels | set(STATUS_FIELDS) | set(report.also) | parameters
        known_here = {"status": status_fields, "version": {"firmware", *report.also}}
        yield ("reports", kind, "frames"), report.frames, known_here.get(kind)


def _check_levels_said(profile: Profile, dialect: Dialect, levels: set[str], path: Path) -> None:
    """A set_level says the level, and a status whether the device moves."""
    table = profile.commands.set_level
    if table is not None and not any(
        (levels | {"on"}) & set(frame.fields)
        for channel in dialect.channels_of(table.frames)
        for frame in dialect.command(table, channel)
    ):
        raise _error("no frame of it carries the level.", path, ("commands", "set_level", "frames"))
    if profile.level is not None and "status" in profile.reports:
        for frame in dialect.report("status"):
            named = set(frame.fields)
            is_whole = {"running", "level"} & named or levels - {"level"} <= named
            if not is_whole or ("level" in named and "running" not in named and len(profile.channels) > 1):
                what = f"frame {frame.text!r} does not say whether the device moves: a stop is confirmed by that."
                advice = "Name running, or the level of every channel in it."
                raise _error(what, path, ("reports", "status", "frames"), advice)


def _check_stop(profile: Profile, path: Path) -> None:
    """Stop brings every channel from its highest level to rest, and sets no level above 0 on the way."""
    keys: KeyPath = ("commands", "stop", "frames")
    if profile.level is None:
        return
    full = profile.level.levels().full
    levels: dict[str, int] = dict.fromkeys(profile.channels, int(full))
    firmware = FirmwareCodec(profile)
    for write in Codec(profile).stop_writes():
        for heard in firmware.feed(write.data):
            if not isinstance(heard, Received):
                continue
            if any(heard.levels.values()) or heard.command in {"step_up", "start"}:
                what = f"{write.data.hex(' ').upper()} sets the level {max(heard.levels.values(), default=1)}"
                raise _error(f"{what}: that is no stop.", path, keys)
            apply(heard, levels, int(full))
    running = [name for name, level in levels.items() if level]
    if running:
        what = f"it leaves {', '.join(running)} at {max(levels.values())} of {full}: that is no stop."
        advice = "Say so for every channel; a device that only steps needs presses = its highest level."
        raise _error(what, path, keys, advice)


def _check_others_move_nothing(profile: Profile, path: Path) -> None:
    """What greets, keeps awake, asks or sets a timer is no frame that moves a motor: it would go past every limit."""
    codec, firmware = Codec(profile), FirmwareCodec(profile)
    frames: list[tuple[tuple[str, ...], bytes]] = [(("init",), step.write.data) for step in codec.init_steps()]
    frames += [(("keepalive",), write.data) for write in codec.keepalive_writes()]
    for name in (*TIMER_COMMANDS, "query_status", "query_version", "set_timer", "step_timer"):
        if name in profile.commands.given() and (values := _example(profile, name)) is not None:
            frames += [(("commands", name), write.data) for write in codec.raw_writes(name, values)]
    for keys, data in frames:
        for heard in firmware.feed(data):
            if isinstance(heard, Received) and (heard.command in _MOVING or any(heard.levels.values())):
                what = f"{data.hex(' ').upper()} is also {heard.command}, which moves the motor."
                raise _error(what, path, keys, "A device must be able to tell them apart.")
            if isinstance(heard, Received) and keys[-1].startswith("query") and heard.command != keys[-1]:
                what = f"{data.hex(' ').upper()} is also {heard.command}."
                raise _error(what, path, keys, "A device must be able to tell them apart.")


_MOVING = {"step_up", "toggle", "start"}


def _example(profile: Profile, name: str) -> dict[str, Any] | None:
    """Values that a command may carry."""
    if name == "load_schedule":
        return {"intervals": [{"seconds": 30, "rest": False}]}
    if name != "set_timer":
        return {}
    timer = profile.timer
    return None if timer is None or (time_s := timer.at_least(1)) is None else {"timer_s": time_s}


def _check_levels_fit(profile: Profile, path: Path) -> None:
    """The frames carry every level, or, of very many, the lowest, the highest and some between."""
    if profile.level is None or profile.commands.set_level is None:
        return
    codec, levels = Codec(profile), profile.levels
    every = levels.steps or range(levels.lowest, levels.full + 1, max(1, (levels.full - levels.lowest) // MANY_LEVELS))
    for channel in profile.channels:
        for level in (*every, levels.full):
            try:
                codec.raw_writes("set_level", {"channel": channel, "level": level})
            except PercussError as problem:
                what = f"level {level} of channel {channel} does not fit: {problem}"
                raise _error(what, path, ("commands", "set_level", "frames")) from problem


MANY_LEVELS = 100


def _check_streams(profile: Profile, path: Path) -> None:
    """In a stream every report must show where it ends."""
    if not is_stream(profile, None) and profile.serial is None:
        return
    dialect = Dialect(profile)
    frames = [(name, frame) for name in profile.reports for frame in dialect.report(name)]
    for name, frame in frames:
        keys: KeyPath = ("reports", name, "frames")
        if frame.ends_openly:
            what = f"frame {frame.text!r} may end anywhere: in a stream nobody knows when it is whole."
            raise _error(what, path, keys, "Let a terminator, a checksum or a fixed size end it.")
    for number, vector in enumerate(profile.vectors):
        data = bytes.fromhex(vector.frame) if vector.frame is not None and _is_hex(vector.frame) else b""
        for name, frame in frames:
            if data and name != vector.report and frame.may_grow(data) and frame.match(data) is None:
                what = f"it is also the beginning of {frame.text!r}: in a stream they cannot be told apart."
                raise _error(what, path, ("vectors", number, "frame"))


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


def _check_pinned(profile: Profile, path: Path) -> None:
    """Every command and report has a vector: a codec is not its own witness."""
    pinned = {vector.command for vector in profile.vectors} | {vector.report for vector in profile.vectors}
    rows: list[tuple[KeyPath, str]] = [(("commands", name), name) for name in profile.commands.given()]
    rows += [(("extra", name), name) for name in profile.extra]
    rows += [(("reports", name), name) for name in profile.reports]
    rows += [(("init", 0), "init")] if profile.init else []
    rows += [(("keepalive",), "keepalive")] if profile.keepalive is not None else []
    for keys, name in rows:
        if name not in pinned:
            raise _error("no vector pins it.", path, keys, "Add [[vectors]] with its bytes and their source.")


def _check_vector(codec: Codec, vector: Vector, number: int, path: Path) -> None:
    keys: KeyPath = ("vectors", number)
    try:
        if vector.command is not None:
            wanted = [bytes.fromhex(write) for write in vector.writes]
            if vector.command == "set_level":
                command_from_values(codec, "set_level", vector.values)
            got = [write.data for write in codec.raw_writes(vector.command, vector.values)]
            if got != wanted:
                shown = ", ".join(data.hex(" ").upper() for data in got)
                what = f"the profile makes {shown}, the vector says {', '.join(vector.writes)}."
                raise _error(what, path, (*keys, "writes"), "One of the two is wrong: look at the source.")
        elif vector.frame is not None:
            report = codec.decode(bytes.fromhex(vector.frame))
            decoded = report_values(report)
            if decoded != vector.decoded:
                what = f"the profile reads {decoded}, the vector says {vector.decoded}."
                raise _error(what, path, (*keys, "decoded"), "One of the two is wrong: look at the source.")
            if (name := report_name(report)) != vector.report:
                what = f"the profile reads it as {name}, the vector says {vector.report}."
                raise _error(what, path, (*keys, "report"), "One of the two is wrong: look at the source.")
    except ProfileError:
        raise
    except (PercussError, ValueError) as problem:
        raise _error(str(problem), path, keys) from problem


def _error(what: str, path: Path, keys: KeyPath, fix: str = "") -> ProfileError:
    line = find_line(path.read_text(encoding="utf-8"), keys)
    return ProfileError(what, path=path, line=line, key=dotted(keys), fix=fix)
