"""Every shipped routine, planned for every shipped profile and for no device, against the figures of the evidence."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from firmware_profiles.capabilities import Levels, Side
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import BUNDLED as PROFILES
from firmware_profiles.loader import read_profile
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.schema import NEEDS_NO_PLACE
from routines.timeline import Span, Timeline
from tests.routines.figures import FULL_PPM, PLACES, SESSION

ROUTINES = {path.stem: load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))}
DEVICES = [read_profile(path).capabilities() for path in sorted(PROFILES.glob("*.toml"))]
ROUNDING = 1e-6

every_routine = pytest.mark.parametrize("routine", ROUTINES.values(), ids=ROUTINES)


def plans(routine: Routine) -> Iterator[tuple[str, Timeline]]:
    """The routine for no device and for every bundled profile, in each role that it can have."""
    yield "no device", plan(routine, {})
    for device in DEVICES:
        for role in device.roles:
            yield f"{device.profile} as {role}", plan(routine, {role: device})


def ppm(levels: Levels, level: int) -> float:
    """How fast a level is, on a device that knows only levels as a share of its scale."""
    return level * (levels.full_ppm or FULL_PPM) / levels.full


def speeds(span: Span) -> Iterator[float]:
    """What a span drives at most, by what it aims at and by every command that it sends."""
    for drive in span.drives:
        if drive.levels.is_switch:
            continue
        yield from (ppm(drive.levels, level) for _, level in drive.targets)
        for cue in drive.cues(span.duration_s):
            if isinstance(cue.command, SetLevel):
                yield ppm(drive.levels, cue.command.level)


def hand_settings(span: Span) -> list[int]:
    """The speeds that a person is told not to set a device above."""
    return [int(found) for found in re.findall(r"not above (\d+) percussions", span.note)]


@every_routine
def test_no_plan_for_any_device_or_for_none_is_above_a_cap(routine: Routine) -> None:
    for device, timeline in plans(routine):
        for span in timeline.spans:
            if not span.drives and not hand_settings(span):
                continue
            assert span.region is not None, device
            cap_ppm = PLACES[span.region].cap_ppm
            assert cap_ppm is not None, f"{device}: {span.place} is never driven"
            assert max([*speeds(span), *hand_settings(span)], default=0) <= cap_ppm + ROUNDING, (device, span.place)


@every_routine
def test_no_plan_gives_a_side_of_a_place_more_time_than_it_bears(routine: Routine) -> None:
    for device, timeline in plans(routine):
        used_s: dict[tuple[str, Side], float] = defaultdict(float)
        for span in timeline.spans:
            if span.kind == "work" and span.technique not in NEEDS_NO_PLACE:
                for place in span.places:
                    for side in place.sides:
                        used_s[place.region, side] += span.duration_s
        for (region, side), total_s in used_s.items():
            assert total_s <= PLACES[region].max_s, (device, side, region)


@every_routine
def test_no_plan_is_longer_than_a_session(routine: Routine) -> None:
    for device, timeline in plans(routine):
        assert timeline.duration_s <= SESSION.max_s, device


def test_the_timelines_of_a_timer_and_of_no_device_drive_nothing() -> None:
    for routine in ROUTINES.values():
        for device in (device for device in DEVICES if "timer" in device.roles):
            assert not [span for span in plan(routine, {"timer": device}).spans if span.drives]
        assert not [span for span in plan(routine, {}).spans if span.drives]
