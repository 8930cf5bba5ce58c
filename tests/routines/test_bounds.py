from __future__ import annotations

import pytest

from firmware_profiles.capabilities import Capabilities, Role
from routines.bounds import Bound
from routines.errors import PlanRefusedError
from routines.holding import plan_hold
from routines.planner import plan
from routines.schema import Intensity
from tests.routines.devices import gun, routine, step

GUN: dict[Role, Capabilities] = {"massager": gun()}
CALVES = routine(step("calves", intensity="firm", duration="60s"))


@pytest.mark.parametrize("region", [None, "calves"])
@pytest.mark.parametrize("side", [None, "left"])
def test_a_place_left_alone_today_refuses_the_routine_and_says_why(region: str | None, side: str | None) -> None:
    bound = Bound("it hurt this morning", region=region, side=side, is_refused=True)  # type: ignore[arg-type]
    with pytest.raises(PlanRefusedError, match="left alone today: it hurt this morning") as refused:
        plan(CALVES, GUN, [bound])
    assert refused.value.key == "steps.0.region"


def test_another_place_left_alone_changes_nothing() -> None:
    others = [Bound("x", region="heel", is_refused=True), Bound("x", region="calves", side="right", is_refused=True)]
    assert plan(CALVES, GUN, others) == plan(CALVES, GUN)


def test_what_is_left_of_the_day_bounds_time_and_extra_time() -> None:
    with pytest.raises(PlanRefusedError, match="40 s are left today: 260 s were had"):
        plan(CALVES, GUN, [Bound("260 s were had", region="calves", side="left", left_s=40)])
    (work,) = [s for s in plan(CALVES, GUN, [Bound("x", left_s=75)]).spans if s.kind == "work"]
    assert work.extra_max_s == 15


def test_a_session_may_be_kept_shorter() -> None:
    with pytest.raises(PlanRefusedError, match=r"the most is 30 s \(your limits\.toml\)"):
        plan(CALVES, GUN, [Bound("your limits.toml", session_s=30)])


def test_a_hold_without_a_place_keeps_every_bound() -> None:
    held = [Bound("calves rest", region="calves", is_refused=True)]
    with pytest.raises(PlanRefusedError, match="calves rest"):
        plan_hold(40, 30, GUN, bounds=held)
    plan_hold(40, 30, GUN, region="hamstrings", bounds=held)
    with pytest.raises(PlanRefusedError, match="20 s that are left"):
        plan_hold(40, 30, GUN, bounds=[Bound("x", region="calves", side="left", left_s=20)])
    with pytest.raises(PlanRefusedError, match="quiet day"):
        plan_hold(60, 30, GUN, region="hamstrings", bounds=[Bound("quiet day", cap=Intensity(percent=50))])
