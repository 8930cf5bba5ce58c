"""Write SUPPORTED_DEVICES.md: ``python -m tests.docs.supported``.

It is made from the bundled profiles and docs/unsupported.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_profiles.capability_tables import LevelModel, TimerTable
from firmware_profiles.dialect import Dialect
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import read_profile
from firmware_profiles.schema import Profile

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/unsupported.toml"
TARGET = ROOT / "SUPPORTED_DEVICES.md"

INTRODUCTION = """\
# Supported devices

Made from the profiles in `firmware_profiles/bundled/` and from `docs/unsupported.toml`. A device that is not here is
[one TOML file](docs/reference/profile-format.md) away, if somebody knows what its bytes mean.

**Nobody has run percuss on any of these devices yet.** A profile says what public sources say; "verified on hardware"
becomes "yes" when a person has seen this profile start, change and stop the real thing. Until then percuss holds it to
87.5 % of its scale and says so. `percuss profiles show ID` prints what else is known of one.

- **zones**: the motors that percuss drives one by one, and where they are; a device in the hand is moved by you.
- **levels**: in the device's own unit. The highest is the marketed maximum, which 100 % means.
- **timer**: the device's own. A *switch-off timer* is set before a motor runs: one more thing that stops it.
- **status**: what the device reports. Without one a stop cannot be confirmed, and you are told to look.
- **dead-man**: what stops the motor when the computer is gone. "host only" means nothing does, but its own button.
- **confidence**: A, in code that ships and is reported to work; B, in code that ships, not confirmed on hardware;
  C, documents only, or sources that disagree."""

_COLUMNS = (
    *("device", "transport", "zones", "levels", "timer", "status", "dead-man", "confidence", "source"),
    "verified on hardware",
)
_SAID = (
    *(("running", "running"), ("level", "level"), ("stalled", "stalled"), ("battery_pct", "battery")),
    *(("temperature_c", "temperature"), ("force_n", "force"), ("timer_s", "time left")),
)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A device that percuss cannot drive."""

    name: str
    kind: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """What the owner of such a device can do, and what is dangerous about it."""

    title: str
    text: str
    risk: str = ""


@dataclass(frozen=True, slots=True)
class Never:
    """What percuss does not drive on purpose."""

    what: str
    why: str


def bundled_profiles() -> list[Profile]:
    """The profiles that percuss ships, by name; not those of the person who runs this."""
    return sorted((read_profile(path) for path in BUNDLED.glob("*.toml")), key=lambda profile: profile.name.casefold())


def page() -> str:
    """The whole page. Raises TypeError for a key of the table that is missing or unknown."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    devices = [Unsupported(**row) for row in table.pop("devices")]
    ways = [Way(**row) for row in table.pop("ways")]
    never = [Never(**row) for row in table.pop("never")]
    lines = [INTRODUCTION, "", _line(_COLUMNS), "|---" * len(_COLUMNS) + "|"]
    lines += [_line(cells(profile)) for profile in bundled_profiles()]
    lines += [
        "",
        "## Known by name, and not supported",
        "",
        f"As of {table.pop('looked')} nothing public says what these speak, if they have a radio at all. percuss",
        "guesses no bytes, so it cannot drive them.",
        "",
        _line(("device", "what it is", "note")),
        "|---" * 3 + "|",
        *(_line((device.name, device.kind, device.notes)) for device in devices),
        "",
        "What you can do with one:",
    ]
    for number, way in enumerate(ways, start=1):
        lines += ["", f"{number}. **{way.title}.** {way.text}"]
        lines += ["", f"   *The risk:* {way.risk}"] if way.risk else []
    lines += ["", "## Out of scope on purpose", "", *(f"- **{row.what}.** {row.why}" for row in never)]
    if table:
        raise TypeError(f"{TABLE.name} has the unknown keys {', '.join(table)}.")
    return "\n".join(lines) + "\n"


def cells(profile: Profile) -> tuple[str, ...]:
    """One row, in the order of the columns."""
    links = (("Bluetooth LE", profile.ble), ("serial", profile.serial))
    return (
        f"{profile.name} (`{profile.id}`)",
        ", ".join(name for name, table in links if table is not None),
        zones(profile),
        levels(profile.level) if profile.level is not None else "–",
        ", ".join(timers(profile)) or "–",
        status(profile),
        profile.dead_man,
        profile.confidence,
        "; ".join(link(source.url) for source in profile.sources),
        "yes" if profile.verified_on_hardware else "no",
    )


def zones(profile: Profile) -> str:
    """The places that the motors reach; motors without one are counted."""
    if not profile.channels:
        return "–"
    if profile.level is not None and profile.level.unit == "switch" and profile.capabilities().is_hand_held:
        return _counted(len(profile.channels), "switch", "switches")
    if profile.capabilities().is_hand_held:
        return f"{_counted(len(profile.channels), 'motor', 'motors')}, in the hand"
    places: dict[str, list[str]] = {}
    for name, channel in profile.channels.items():
        side = channel.side or "both sides"
        places.setdefault(channel.region or name, []).append(side if channel.region else "in the hand")
    return "; ".join(f"{place.replace('_', ' ')} ({', '.join(sides)})" for place, sides in places.items())


def levels(model: LevelModel) -> str:
    """The levels in words."""
    known = model.levels()
    if known.is_switch:
        return "on, off" if model.model == "absolute" else "on, off (one key for both)"
    unit = " ppm" if model.unit == "ppm" else ""
    if known.steps is not None:
        return ", ".join(str(step) for step in known.steps) + unit
    if model.model == "relative":
        return f"{known.lowest}–{known.full}, a key press each"
    return f"{known.lowest}–{known.full}{unit}"


def timers(profile: Profile) -> Iterator[str]:
    """What the device's own timers can do."""
    if profile.timer is not None:
        yield switch_off(profile.timer)
    commands = profile.commands
    if commands.load_schedule is not None:
        yield "keeps a routine"
    keys = {"start": commands.start_timer, "pause": commands.pause_timer, "reset": commands.reset_timer}
    if given := [name for name, table in keys.items() if table is not None]:
        yield ", ".join(given)


def switch_off(timer: TimerTable) -> str:
    """The times of a switch-off timer."""
    if timer.choices_s is None:
        return f"switch-off, up to {duration(timer.highest_s or 0)}"
    choices = ", ".join(duration(choice) for choice in timer.choices_s)
    return f"switch-off, {choices}" + (" (one key)" if timer.cycles else "")


def duration(time_s: int) -> str:
    """A time in the largest unit that says it whole."""
    for unit_s, name in ((3600, "h"), (60, "min")):
        if time_s >= unit_s and time_s % unit_s == 0:
            return f"{time_s // unit_s} {name}"
    return f"{time_s} s"


def status(profile: Profile) -> str:
    """What the device reports, over all frames of its status."""
    if not profile.reports_status:
        return "none"
    fields = {field.partition(".")[0] for frame in Dialect(profile).report("status") for field in frame.fields}
    return ", ".join(word for field, word in _SAID if field in fields)


def link(source: str) -> str:
    """A source as a link, a long address in short; it may be followed by where in it to look."""
    address = re.split(r"[\s,;]", source, maxsplit=1)[0]
    where = source.removeprefix(address)
    if "://" in address:
        parts = address.partition("://")[2].rstrip("/").split("/")
        label = "/".join(parts[:3]) + (f" … {parts[-1]}" if len(parts) > 3 else "")
        return f"[{label}]({address}){where}"
    return f"[{address}]({address}){where}" if (ROOT / address).is_file() else source


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _line(row: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
