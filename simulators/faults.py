"""What can be made to go wrong, repeatably: the same seed spoils the same bits.

All durations are seconds of the simulator's clock. `FAULTS` says what each does, and is what the control
socket accepts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_profiles.errors import PercussError
from firmware_profiles.tomlfile import did_you_mean

MAX_SECONDS = 86_400.0
MAX_REPORTS = 1_000_000


class FaultRefusedError(PercussError):
    """A fault that does not exist, or that this device cannot have."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One number that a fault may be given: 0 < value ≤ ``highest`` (0 is allowed where ``may_be_zero``)."""

    highest: float
    default: float
    may_be_zero: bool = False
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does, in words, and what it can be given."""

    says: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    takes_channel: bool = False


FAULTS: Mapping[str, FaultKind] = {
    "drop_link": FaultKind("the link breaks and stays broken for a while", {"for_s": Setting(MAX_SECONDS, 3.0)}),
    "delay": FaultKind("every report comes late", {"by_s": Setting(MAX_SECONDS, 1.0, may_be_zero=True)}),
    "corrupt": FaultKind(
        "the next reports arrive with flipped bits",
        {"reports": Setting(MAX_REPORTS, 1, may_be_zero=True, is_whole=True)},
    ),
    "silence": FaultKind("nothing is answered"),
    "refuse": FaultKind("commands are ignored, and writes refused where the link can"),
    "low_battery": FaultKind("the battery is nearly empty", {"charge_pct": Setting(100.0, 3.0, may_be_zero=True)}),
    "overheat": FaultKind("the winding is hot and the thermal switch opens"),
    "stall": FaultKind("the head is held fast", takes_channel=True),
    "clear": FaultKind("all of these end: the link is there, the winding cool, the battery full"),
}


@dataclass(slots=True)
class Faults:
    """What is wrong now. The device and the adapters look here."""

    seed: int = 0
    is_silent: bool = False
    refuses: bool = False
    delay_s: float = 0.0
    corrupt_left: int = 0
    stalled: set[str] = field(default_factory=set)
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def spoil(self, report: bytes) -> bytes:
        """Flip one to three bits of a report while there are reports left to corrupt."""
        if self.corrupt_left <= 0 or not report:
            return report
        self.corrupt_left -= 1
        spoilt = bytearray(report)
        # Different bits, so that no flip undoes another and the report is certainly wrong.
        for bit in self._random.sample(range(8 * len(report)), k=self._random.randint(1, 3)):
            spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)

    def clear(self) -> None:
        """Let everything be well again."""
        self.is_silent = self.refuses = False
        self.delay_s, self.corrupt_left = 0.0, 0
        self.stalled.clear()

    def as_dict(self) -> dict[str, Any]:
        """What is wrong, for the control socket."""
        return {
            "silence": self.is_silent,
            "refuse": self.refuses,
            "delay_s": self.delay_s,
            "corrupt_left": self.corrupt_left,
            "stalled": sorted(self.stalled),
        }


@dataclass(frozen=True, slots=True)
class Injection:
    """A checked request for a fault: every setting is there, in its range. ``channel`` None means every channel."""

    fault: str
    settings: Mapping[str, float]
    channel: str | None = None


def check_injection(values: Mapping[str, Any], channels: list[str]) -> Injection:
    """Make an injection of ``{"fault": …, …}``. Raises FaultRefusedError with what is wrong with it."""
    name = values.get("fault")
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or kind is None:
        raise FaultRefusedError(f"{_brief(name)} is no fault.", fix=did_you_mean(str(name)[:40], FAULTS))
    known = {"fault", *kind.settings, *(["channel"] if kind.takes_channel else [])}
    if unknown := sorted(set(values) - known):
        raise FaultRefusedError(f"{_brief(unknown[0])} is no setting of {name}.", fix=did_you_mean(unknown[0], known))
    settings = {key: _number(name, key, values.get(key, one.default), one) for key, one in kind.settings.items()}
    channel = values.get("channel")
    if channel is not None and channel not in channels:
        raise FaultRefusedError(f"{_brief(channel)} is no channel.", fix=f"Channels: {', '.join(channels)}.")
    return Injection(name, settings, channel)


def finite(value: object) -> float | None:
    """The number that a JSON value is; None for true, NaN, what floats cannot hold, and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _number(fault: str, key: str, value: object, setting: Setting) -> float:
    number = finite(value)
    if (
        number is None
        or not 0 <= number <= setting.highest
        or (number == 0 and not setting.may_be_zero)
        or (setting.is_whole and number != int(number))
    ):
        whole = "whole " if setting.is_whole else ""
        lowest = "from 0" if setting.may_be_zero else "above 0"
        what = f"{_brief(value)} is not a {whole}number {lowest} to {setting.highest:g}."
        raise FaultRefusedError(what, where=f"{fault}.{key}")
    return number


def _brief(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # a whole number too long for Python to write out
        shown = "that"
    return shown if len(shown) <= 60 else shown[:57] + "…"
