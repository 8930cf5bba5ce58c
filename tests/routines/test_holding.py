from __future__ import annotations

import math

import pytest

from firmware_profiles.capabilities import Capabilities, Levels, Side
from firmware_profiles.commands import Stop
from firmware_profiles.units import Level, Ppm
from routines.errors import PlanRefusedError
from routines.planner import plan_hold
from routines.timeline import Span
from tests.routines.devices import gun, pad, switch


def hold(
    percent: float,
    duration_s: float = 30,
    massager: Capabilities | None = None,
    *,
    region: str | None = None,
    side: Side | None = None,
) -> Span:
    (span,) = plan_hold(percent, duration_s, {"massager": massager or gun()}, region=region, side=side).spans
    return span


def refusal(
    percent: float, duration_s: float = 30, massager: Capabilities | None = None, region: str | None = None
) -> str:
    with pytest.raises(PlanRefusedError) as caught:
        hold(percent, duration_s, massager, region=region)
    return str(caught.value)


def test_forty_percent_is_driven_at_forty_percent_and_ends_in_stop() -> None:
    assert hold(40).drives[0].targets == ((0.0, 960),)
    assert plan_hold(40, 30, {"massager": gun()}).cues()[-1].command == Stop()


def test_without_a_region_the_strictest_cap_and_time_of_all_hold() -> None:
    # The heel bears 1600 ppm, which is 66.7 % of 2400, and 60 s.
    assert hold(66.6, 60).extra_max_s == 0
    text = refusal(67)
    assert "heel" in text
    assert "1600 ppm" in text
    assert "Name the region" in text
    text = refusal(40, 61)
    assert "60 s" in text
    assert "Name the region" in text


def test_with_a_region_its_own_limits_hold() -> None:
    span = hold(87.5, 120, region="calf", side="left")
    assert (span.drives[0].cap_level, span.place, span.extra_max_s) == (2100, "left calves", 0)
    assert "Clot check first" in span.note
    assert "2100 ppm" in refusal(88, region="calves")
    assert "120 s" in refusal(40, 121, region="calves")


@pytest.mark.parametrize("percent", [0, -1, 100.1, math.nan, math.inf])
def test_a_percent_out_of_range_is_refused(percent: float) -> None:
    assert "not above 0 and up to 100 %" in refusal(percent)


@pytest.mark.parametrize("duration_s", [0, -1, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(duration_s: float) -> None:
    assert "is no time" in refusal(40, duration_s)


@pytest.mark.parametrize(("region", "what"), [("neck", "refused"), ("psoas", "never driven"), ("calfs", "no region")])
def test_a_region_that_cannot_be_driven_is_refused(region: str, what: str) -> None:
    assert what in refusal(40, region=region)


def test_a_zoned_device_runs_the_zones_of_the_region_or_all_of_them() -> None:
    assert len(hold(40, massager=pad()).drives) == 3
    assert [d.channel for d in hold(40, massager=pad(), side="right").drives] == ["thigh_r"]
    assert [d.channel for d in hold(40, massager=pad(), region="hamstrings").drives] == ["thigh_l", "thigh_r"]
    assert "does not reach" in refusal(40, 30, pad(), region="calves")


def test_a_device_that_cannot_go_so_slow_is_refused() -> None:
    strong = gun(Levels(lowest=Level(1400), full=Level(2400), full_ppm=Ppm(2400)))
    assert "lowest setting of test-gun is 1400 ppm, and 960 ppm is asked" in refusal(40, 30, strong)


def test_a_switch_is_switched_on_and_its_person_is_told_the_most() -> None:
    span = hold(100, massager=switch())
    assert span.drives[0].targets == ((0.0, 1),)
    assert "not above 1600 percussions a minute" in span.note


def test_without_a_massager_it_is_refused() -> None:
    with pytest.raises(PlanRefusedError, match="No massager is bound"):
        plan_hold(40, 30, {})
