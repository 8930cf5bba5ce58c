from __future__ import annotations

import pytest

from firmware_profiles.library import find_profile
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from tests.routines.devices import gun, pad, switch

ROUTINES = [load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))]
FLAGSHIP = load_routine(BUNDLED / "sciatica-relief.toml")
PIRIFORMIS = load_routine(BUNDLED / "piriformis-release.toml")


def worked(routine: Routine) -> list[str]:
    """The pressed places in the order of the file, each once."""
    return list(dict.fromkeys(step.region for step in routine.steps if step.region and step.technique != "stretch"))


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.name)
def test_every_step_says_what_to_do_where_it_comes_from_and_how_to_lie(routine: Routine) -> None:
    for step in routine.steps:
        assert step.cue
        assert step.source
        assert step.position
    assert routine.path.stem == routine.name
    assert routine.sources
    assert routine.description


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.name)
def test_every_routine_closes_with_soreness_tingling_the_clinician_and_no_claim(routine: Routine) -> None:
    note = routine.closing_note
    assert all(word in note for word in ("soreness", "tingles", "clinician", "comfort tool", "diagnoses nothing"))


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.name)
def test_every_routine_can_be_planned_with_every_kind_of_device_and_with_none(routine: Routine) -> None:
    for massager in (gun(), gun(cap_percent=40), pad(), switch(), find_profile("theragun-gen4").capabilities()):
        assert plan(routine, {"massager": massager, "timer": switch()}).spans
    assert plan(routine, {}).spans


def test_the_flagship_goes_from_the_lower_back_to_the_feet_and_ends_in_stretches() -> None:
    order = ["lumbar_paraspinal", "gluteus_maximus", "piriformis", "hamstrings", "calves", "foot_arch"]
    assert worked(FLAGSHIP) == order
    assert FLAGSHIP.steps[-1].technique == "stretch"


def test_the_flagship_takes_twelve_to_fifteen_minutes_with_a_hand_held_massager_and_drives_both_sides() -> None:
    timeline = plan(FLAGSHIP, {"massager": find_profile("theragun-gen4").capabilities()})
    assert 720 <= timeline.duration_s <= 900
    driven = {(span.region, span.side) for span in timeline.spans if span.drives}
    assert driven == {(region, side) for region in worked(FLAGSHIP) for side in ("left", "right")}


def test_the_flagship_starts_gentle_and_checks_for_clots_before_the_calves() -> None:
    first = next(step for step in FLAGSHIP.steps if step.region)
    assert first.intensity == "gentle"
    calves = next(step for step in FLAGSHIP.steps if step.region == "calves")
    assert calves.cue.startswith("Clot check first")


def test_piriformis_release_is_circles_then_half_a_minute_of_holding_on_each_side_knees_bent() -> None:
    pressed = [(s.side, s.technique, s.duration) for s in PIRIFORMIS.steps if s.region]
    assert pressed == [("left", "circles", 45), ("left", "hold", 30), ("right", "circles", 45), ("right", "hold", 30)]
    assert {step.position for step in PIRIFORMIS.steps} == {"supine-knees-bent"}
    holds = [span for span in plan(PIRIFORMIS, {"massager": gun()}).spans if span.technique == "hold"]
    # gentle 1500, half way to 2100 is 1800: three stages of 10 s.
    assert [span.drives[0].targets for span in holds] == [((0.0, 1500), (10.0, 1650), (20.0, 1800))] * 2
