"""Load a profile, with everything checked that can be checked without the device: shape, frames, vectors."""

from __future__ import annotations

from pathlib import Path

from firmware_profiles.codec import STATUS_FIELDS, Codec, FirmwareCodec, Received
from firmware_profiles.commands import BadFrame, QueryStatus, QueryVersion, Report, SetLevel, Stop, Version
from firmware_profiles.errors import PercussError, ProfileError
from firmware_profiles.frames import Frame
from firmware_profiles.schema import Profile, Vector
from firmware_profiles.tomlfile import KeyPath, did_you_mean, dotted, find_line, load_toml
from firmware_profiles.units import Level

_COMMAND_FIELDS = {"set_level": {"channel", "level"}, "stop": set(), "query_status": set(), "query_version": set()}
_REPORT_FIELDS = {"status": set(STATUS_FIELDS), "version": {"firmware"}}


def load_profile(path: Path) -> Profile:
    """Read and check one profile. Raises ProfileError with file, line and key of the first thing that is wrong."""
    profile = load_toml(path, Profile, error=ProfileError)
    _check_frames(profile, path)
    codec = Codec(profile)
    _check_stop(profile, path)
    _check_pinned(profile, path)
    for number, vector in enumerate(profile.vectors):
        _check_vector(codec, vector, number, path)
    return profile


def _check_frames(profile: Profile, path: Path) -> None:
    """Every frame parses and names only values that mean something."""
    rows: list[tuple[KeyPath, str, set[str]]] = []
    for name, command in profile.commands.items():
        rows += [(("commands", name, "frames"), text, _COMMAND_FIELDS[name]) for text in command.frames]
    for report_name, report in profile.reports.items():
        rows.append((("reports", report_name, "frame"), report.frame, _REPORT_FIELDS[report_name]))
    for keys, text, known in rows:
        try:
            frame = Frame(text)
        except ValueError as problem:
            raise _error(str(problem), path, keys) from problem
        if frame.is_open_ended and (keys[0] == "commands" or profile.serial is not None):
            raise _error(f"frame {text!r}: '...' needs a report over Bluetooth.", path, keys)
        for field in frame.fields:
            if field not in known:
                advice = did_you_mean(field, known)
                raise _error(f"frame {text!r}: {field!r} means nothing here.", path, keys, advice)


def _check_stop(profile: Profile, path: Path) -> None:
    """No frame of the stop sets a level above 0."""
    for write in Codec(profile).stop_writes():
        for heard in FirmwareCodec(profile).feed(write.data):
            if isinstance(heard, Received) and heard.command == "set_level" and heard.values.get("level") != 0:
                what = f"{write.data.hex(' ').upper()} sets the level {heard.values.get('level')}: that is no stop."
                raise _error(what, path, ("commands", "stop", "frames"))


def _check_pinned(profile: Profile, path: Path) -> None:
    """Every command and report has a vector: a codec is not its own witness."""
    pinned = {vector.command for vector in profile.vectors} | {vector.report for vector in profile.vectors}
    for kind, names in (("commands", profile.commands), ("reports", profile.reports)):
        for name in names:
            if name not in pinned:
                advice = "Add [[vectors]] with its bytes and their source."
                raise _error("no vector pins it.", path, (kind, name), advice)


def _check_vector(codec: Codec, vector: Vector, number: int, path: Path) -> None:
    keys: KeyPath = ("vectors", number)
    try:
        if vector.command is not None:
            wanted = [bytes.fromhex(write) for write in vector.writes]
            got = [write.data for write in codec.encode(command_from_values(codec, vector.command, vector.values))]
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
    except ProfileError:
        raise
    except (PercussError, ValueError) as problem:
        raise _error(str(problem), path, keys) from problem


def command_from_values(
    codec: Codec, name: str, values: dict[str, int | str]
) -> SetLevel | Stop | QueryStatus | QueryVersion:
    """A command from its name and its values as a file or a command line gives them.

    Raises ValueError with a sentence for an unknown name or value.
    """
    simple: dict[str, type[Stop | QueryStatus | QueryVersion]] = {
        "stop": Stop,
        "query_status": QueryStatus,
        "query_version": QueryVersion,
    }
    if name in simple:
        if values:
            raise ValueError(f"{name} takes no values, not {', '.join(values)}.")
        return simple[name]()
    if name != "set_level":
        raise ValueError(f"{name!r} is no command. {did_you_mean(name, codec.profile.commands)}")
    channels = list(codec.profile.channels)
    if unknown := set(values) - {"channel", "level"}:
        raise ValueError(f"set_level takes no {', '.join(sorted(unknown))}: it takes level and channel.")
    if "level" not in values:
        raise ValueError(f"set_level needs level=…: {codec.describe_levels()}.")
    if "channel" not in values and len(channels) > 1:
        raise ValueError(f"set_level needs channel=…: {', '.join(channels)}.")
    level = values["level"]
    if not isinstance(level, int):
        raise ValueError(f"level must be a whole number, not {level!r}.")
    return SetLevel(channel=str(values.get("channel", channels[0])), level=Level(level))


def report_values(report: Report) -> dict[str, object]:
    """What a report says, as plain values: only what the device said, and ``level`` or ``levels`` by channel."""
    if isinstance(report, Version):
        return {"firmware": report.firmware}
    if isinstance(report, BadFrame):
        return {"reason": report.reason, "data": report.data.hex(" ").upper()}
    values: dict[str, object] = {}
    if report.running is not None:
        values["running"] = report.running
    if len(report.levels) == 1:
        values["level"] = next(iter(report.levels.values()))
    elif report.levels:
        values["levels"] = dict(report.levels)
    for name in ("battery_pct", "temperature_c", "force_n", "stalled"):
        if (value := getattr(report, name)) is not None:
            values[name] = value
    return values


def _error(what: str, path: Path, keys: KeyPath, fix: str = "") -> ProfileError:
    line = find_line(path.read_text(encoding="utf-8"), keys)
    return ProfileError(what, path=path, line=line, key=dotted(keys), fix=fix)
