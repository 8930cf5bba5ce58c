from __future__ import annotations

import re
from collections import defaultdict

import pytest

from firmware_profiles.capabilities import Levels
from firmware_profiles.library import find_profile
from routines.errors import PlanRefusedError
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.schema import NEEDS_NO_PLACE
from routines.timeline import Timeline
from tests.routines.devices import gun, pad, switch
from tests.routines.figures import FULL_PPM, HELD_S, HOLD_STAGES, PLACES, PRESSED_S, RISING_PPM

LIBRARY = {
    *("sciatica-relief", "piriformis-release", "trigger-points", "perfect-spots", "gluteal-points"),
    *("iliopsoas-release", "heel-and-arch", "lower-back-strokes", "hamstrings-and-calves", "deep-tissue"),
    *("pressure-and-release", "stretch-and-glide", "strengthen", "short-break", "rising-1", "rising-2", "rising-3"),
}
ROUTINES = {path.stem: load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))}
THERAGUN = find_profile("theragun-gen4").capabilities()
FLAGSHIP = ROUTINES["sciatica-relief"]
PIRIFORMIS = ROUTINES["piriformis-release"]

every_routine = pytest.mark.parametrize("routine", ROUTINES.values(), ids=ROUTINES)


def worked(routine: Routine) -> list[str]:
    """The pressed places in the order of the file, each once."""
    steps = (step for step in routine.steps if step.technique not in NEEDS_NO_PLACE)
    return list(dict.fromkeys(step.region for step in steps if step.region))


def ppm(levels: Levels, level: int) -> float:
    """How fast a level is, on a device that knows only levels as a share of its scale."""
    return level * (levels.full_ppm or FULL_PPM) / levels.full


def targets(timeline: Timeline) -> set[float]:
    """The speeds that the spans of a session aim at."""
    return {ppm(drive.levels, level) for span in timeline.spans for drive in span.drives for _, level in drive.targets}


def test_the_library_is_whole() -> None:
    assert set(ROUTINES) == LIBRARY


@every_routine
def test_every_step_says_what_to_do_where_it_comes_from_and_how_to_lie(routine: Routine) -> None:
    for step in routine.steps:
        assert step.cue
        assert step.source
        assert step.position
        assert step.tool or step.region is None
    assert routine.path.stem == routine.name
    assert routine.sources
    assert routine.description


@every_routine
def test_every_routine_closes_with_soreness_tingling_the_clinician_and_no_claim(routine: Routine) -> None:
    note = routine.closing_note
    assert all(word in note for word in ("soreness", "tingles", "clinician", "comfort tool", "diagnoses nothing"))


@every_routine
def test_every_routine_says_how_to_breathe(routine: Routine) -> None:
    assert any("breath" in step.cue.lower() for step in routine.steps)


@pytest.mark.parametrize("name", sorted(LIBRARY - {"rising-2", "rising-3"}))
def test_every_routine_but_the_later_ones_of_a_programme_begins_gently(name: str) -> None:
    for span in plan(ROUTINES[name], {"massager": gun()}).spans:
        if span.drives:
            assert span.drives[0].targets[0][1] == PLACES[span.region or ""].gentle_ppm
            break


@every_routine
def test_every_routine_can_be_planned_with_every_kind_of_device(routine: Routine) -> None:
    for massager in (gun(), pad(), switch(), THERAGUN):
        assert plan(routine, {"massager": massager, "timer": switch()}).spans


@pytest.mark.parametrize("name", sorted(LIBRARY - {"rising-2"}))
def test_every_routine_that_names_no_speed_can_be_planned_with_a_weak_device(name: str) -> None:
    timeline = plan(ROUTINES[name], {"massager": gun(cap_percent=40)})
    assert max(targets(timeline), default=0) <= 0.4 * FULL_PPM


@pytest.mark.parametrize("name", ["iliopsoas-release", "stretch-and-glide", "strengthen"])
def test_what_is_for_hands_and_timer_is_never_driven(name: str) -> None:
    assert all(step.roles == ("timer",) for step in ROUTINES[name].steps if step.technique != "breathing")
    for massager in (gun(), pad(), switch()):
        assert not [span for span in plan(ROUTINES[name], {"massager": massager}).spans if span.drives]


@every_routine
def test_holds_last_as_long_as_the_guides_say_and_rise_in_stages(routine: Routine) -> None:
    for step in routine.steps:
        if step.technique == "hold":
            assert HELD_S[0] <= (step.duration or 0) <= HELD_S[1]
        if step.technique == "pressure-and-release":
            assert PRESSED_S[0] <= (step.duration or 0) <= PRESSED_S[1]
    for span in plan(routine, {"massager": gun()}).spans:
        if span.technique in {"hold", "pressure-and-release"}:
            for drive in span.drives:
                levels = [level for _, level in drive.targets]
                assert HOLD_STAGES[0] <= len(levels) <= HOLD_STAGES[1]
                assert levels == sorted(set(levels))


@every_routine
def test_both_sides_get_the_same(routine: Routine) -> None:
    given_s: dict[tuple[str, str | None], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for span in plan(routine, {}).spans:
        if span.kind == "work" and span.side is not None:
            given_s[span.region or "", span.technique][span.side == "right"] += span.duration_s
    assert [place for place, (left_s, right_s) in given_s.items() if left_s != right_s] == []


@every_routine
def test_the_way_to_a_place_on_the_side_says_which_side_is_up(routine: Routine) -> None:
    for span in plan(routine, {}).spans:
        if span.kind == "move" and span.position == "side-lying":
            other = {"left": "right", "right": "left"}[span.side or ""]
            assert f"Lie on your {other} side, with the {span.side} one up." in span.cue


@every_routine
def test_without_a_device_every_step_is_there_as_long_as_with_one(routine: Routine) -> None:
    by_hand, driven = plan(routine, {}), plan(routine, {"massager": gun()})
    assert {span.step for span in by_hand.spans} == set(range(1, len(routine.steps) + 1))
    assert [(s.step, s.duration_s, s.cue) for s in by_hand.spans] == [
        (s.step, s.duration_s, s.cue) for s in driven.spans
    ]


@pytest.mark.parametrize(
    ("name", "region", "tool"),
    [
        ("trigger-points", "piriformis", "a ball"),  # a ball for points
        ("pressure-and-release", "hamstrings", "a ball"),
        ("rising-1", "quadriceps", "a foam roller"),  # a roller for big muscles
        ("deep-tissue", "calves", "a foam roller or a stick"),  # a stick for deep tissue
        ("heel-and-arch", "foot_arch", "a tennis ball"),
    ],
)
def test_a_person_without_a_massager_is_told_what_to_take_instead(name: str, region: str, tool: str) -> None:
    ways = [span.cue for span in plan(ROUTINES[name], {}).spans if span.kind == "move" and span.region == region]
    assert any(cue.endswith(f"Use: massage gun, or {tool}.") for cue in ways)


@every_routine
def test_calves_are_pressed_only_after_the_clot_check(routine: Routine) -> None:
    for span in plan(routine, {}).spans:
        if span.region == "calves" and span.technique not in NEEDS_NO_PLACE and span.kind != "rest":
            assert "Clot check first" in span.note


def test_the_flagship_goes_from_the_lower_back_to_the_feet_and_ends_in_stretches() -> None:
    order = ["lumbar_paraspinal", "gluteus_maximus", "piriformis", "hamstrings", "calves", "foot_arch"]
    assert worked(FLAGSHIP) == order
    assert FLAGSHIP.steps[-1].technique == "stretch"


def test_the_flagship_takes_twelve_to_fifteen_minutes_with_a_hand_held_massager_and_drives_both_sides() -> None:
    timeline = plan(FLAGSHIP, {"massager": THERAGUN})
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


def test_trigger_points_are_found_by_hand_then_held_then_circled_the_piriformis_first() -> None:
    routine = ROUTINES["trigger-points"]
    assert worked(routine) == ["piriformis", "gluteus_medius", "hamstrings", "lumbar_paraspinal"]
    for region in worked(routine):
        for side in ("left", "right"):
            steps = [step for step in routine.steps if (step.region, step.side) == (region, side)]
            assert [step.technique for step in steps] == ["kneading", "hold", "circles"]
            assert (steps[0].tool, steps[0].roles) == ("fingers", ("timer",))


def test_the_perfect_spots_are_6_12_and_13() -> None:
    spots = ["gluteus_medius", "gluteus_minimus", "gluteus_maximus", "lumbar_paraspinal"]
    assert worked(ROUTINES["perfect-spots"]) == spots
    cues = " ".join(step.cue for step in ROUTINES["perfect-spots"].steps)
    assert set(re.findall(r"Spot (\d+)", cues)) == {"6", "12", "13"}


def test_gluteal_points_are_looked_for_and_pressed_lying_on_the_side() -> None:
    routine = ROUTINES["gluteal-points"]
    assert {step.position for step in routine.steps} == {"side-lying"}
    assert worked(routine) == ["gluteus_medius", "gluteus_maximus"]


def test_the_front_of_the_hip_is_pressed_with_the_fingers_alone() -> None:
    pressed = [step for step in ROUTINES["iliopsoas-release"].steps if step.technique not in NEEDS_NO_PLACE]
    assert {step.tool for step in pressed} == {"fingers"}
    assert worked(ROUTINES["iliopsoas-release"]) == ["iliopsoas", "quadriceps"]


def test_heel_and_arch_names_the_centre_of_the_arch_and_the_inside_edge_behind_the_ankle_bone() -> None:
    cues = {step.region: step.cue for step in reversed(ROUTINES["heel-and-arch"].steps) if step.side == "left"}
    assert "centre of the arch" in cues["foot_arch"]
    assert "ankle bone" in cues["heel"]
    assert "inside edge" in cues["heel"]


def test_the_strokes_of_the_lower_back_are_long_and_rise_beside_the_spine() -> None:
    routine = ROUTINES["lower-back-strokes"]
    assert worked(routine) == ["lumbar_paraspinal"]
    timeline = plan(routine, {"massager": gun()})
    # gentle 1400, half way to 1800 is 1600.
    found = [[level for _, level in span.drives[0].targets] for span in timeline.spans if span.drives]
    assert found == [[1400, 1600]] * 2
    assert {span.technique for span in timeline.spans if span.drives} == {"effleurage"}


def test_hamstrings_and_calves_are_worked_with_the_leg_stretched_out() -> None:
    pressed = [step for step in ROUTINES["hamstrings-and-calves"].steps if step.technique not in NEEDS_NO_PLACE]
    assert {step.position for step in pressed} == {"seated-leg-extended"}
    assert worked(ROUTINES["hamstrings-and-calves"]) == ["hamstrings", "calves"]


def test_deep_tissue_goes_from_the_lower_back_to_the_calves_rises_to_firm_and_ends_in_stretches() -> None:
    routine = ROUTINES["deep-tissue"]
    assert worked(routine) == ["lumbar_paraspinal", "gluteus_maximus", "piriformis", "hamstrings", "calves"]
    for span in plan(routine, {"massager": gun()}).spans:
        for drive in span.drives:
            place = PLACES[span.region or ""]
            levels = [level for _, level in drive.targets]
            assert (levels[0], levels[-1]) == (place.gentle_ppm, place.cap_ppm)
            assert levels == sorted(levels)
    assert routine.steps[-1].technique == "stretch"
    assert "professional" in next(s.cue for s in routine.steps if s.technique == "myofascial-release")


def test_the_short_break_is_five_gentle_minutes() -> None:
    routine = ROUTINES["short-break"]
    assert plan(routine, {}).duration_s == 300
    assert {step.intensity for step in routine.steps} == {"gentle"}


def test_the_rising_sessions_are_the_studied_speeds_where_the_device_may_go_so_far() -> None:
    rising = [ROUTINES[f"rising-{number}"] for number in (1, 2, 3)]
    found = [targets(plan(routine, {"massager": gun()})) for routine in rising]
    assert found == [{float(speed)} for speed in RISING_PPM]
    # 87.5 % of 2400 is 2100: all that an unverified device may do.
    assert THERAGUN.cap_percent == 87.5
    assert [targets(plan(routine, {"massager": THERAGUN})) for routine in rising] == [{1750.0}, {2100.0}, {2100.0}]
    for routine in rising:
        assert {step.duration for step in routine.steps if step.region} == {60}
        assert all((PLACES[region].cap_ppm or 0) >= max(RISING_PPM) for region in worked(routine))


def test_the_second_rising_session_is_refused_and_not_lowered_where_less_is_allowed() -> None:
    with pytest.raises(PlanRefusedError, match="2100 ppm is above 1920 ppm"):
        plan(ROUTINES["rising-2"], {"massager": gun(cap_percent=80)})
