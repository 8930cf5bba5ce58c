"""Devices and routines for the tests of planning."""

from __future__ import annotations

from pathlib import Path

from firmware_profiles.capabilities import Capabilities, Channel, Levels
from firmware_profiles.units import Level, Percent, Ppm
from routines.loader import Routine, parse_routine

GUN_LEVELS = Levels(lowest=Level(1), full=Level(2400), full_ppm=Ppm(2400))
PAD_LEVELS = Levels(lowest=Level(1), full=Level(240))
SWITCH_LEVELS = Levels(lowest=Level(1), full=Level(1), steps=(Level(1),))


def gun(levels: Levels = GUN_LEVELS, cap_percent: float = 100.0) -> Capabilities:
    """A massager that a person moves."""
    head = Channel(name="head", levels=levels)
    return Capabilities("test-gun", ("massager",), {"head": head}, Percent(cap_percent), "the test says so")


def pad(levels: Levels = PAD_LEVELS) -> Capabilities:
    """A seat pad that reaches both hamstrings and the left half of the lower back."""
    channels = {
        "thigh_l": Channel("thigh_l", levels, "hamstrings", "left"),
        "thigh_r": Channel("thigh_r", levels, "hamstrings", "right"),
        "back_l": Channel("back_l", levels, "lumbar_paraspinal", "left"),
    }
    return Capabilities("test-pad", ("massager",), channels, Percent(100.0), "the test says so")


def switch() -> Capabilities:
    """A relay: on or off."""
    relay = Channel(name="relay1", levels=SWITCH_LEVELS)
    return Capabilities("test-relay", ("timer", "massager"), {"relay1": relay}, Percent(100.0), "a switch")


def routine(*steps: str) -> Routine:
    """A routine of steps, each given as the lines of its table."""
    text = 'schema = 1\nname = "test"\ntitle = "Test"\n' + "".join(f"[[steps]]\n{step}\n" for step in steps)
    return parse_routine(text.encode(), Path("test.toml"))


def step(region: str = "piriformis", side: str = "left", **keys: str | float) -> str:
    """The lines of one step."""
    values: dict[str, str | float] = {"region": region, "side": side, **keys}
    return "\n".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in values.items())
