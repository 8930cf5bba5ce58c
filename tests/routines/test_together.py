"""Steps that are worked at the same time, and steps whose intensity follows a curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from firmware_profiles.capabilities import Capabilities, Place, Role
from firmware_profiles.commands import SetLevel
from routines.bounds import Bound
from routines.errors import PlanRefusedError, RoutineError
from routines.planner import plan
from routines.schema import Intensity
from routines.timeline import Span
from tests.routines.devices import gun, pad, routine, step, switch

TWO_GUNS: Mapping[Role, Capabilities] = {"massager": gun(), "massager2": gun()}
PAD: Mapping[Role, Capabilities] = {"massager": pad()}


def beside(region: str, side: str, **keys: str | float) -> str:
    return step(region, side, **keys) + "\ntogether = true"


def spans(devices: Mapping[Role, Capabilities], *steps: str) -> list[tuple[str, float, str, int]]:
    return [(s.kind, s.duration_s, s.place, len(s.drives)) for s in plan(routine(*steps), devices).spans]


def refused(*steps: str, devices: Mapping[Role, Capabilities] = PAD) -> PlanRefusedError:
    with pytest.raises(PlanRefusedError) as caught:
        plan(routine(*steps), devices)
    return caught.value


def test_a_zoned_massager_works_two_regions_at_once_each_as_strong_as_asked() -> None:
    back = step("lumbar_paraspinal", "left", duration=30, intensity="1500 ppm")
    made = plan(routine(back, beside("hamstrings", "right", intensity="2000 ppm")), PAD).spans
    assert [(span.kind, span.duration_s) for span in made] == [("work", 30)]
    assert made[0].places == (Place("lumbar_paraspinal", "left"), Place("hamstrings", "right"))
    # 240 levels are 2400 ppm.
    assert [(d.channel, d.place, d.targets) for d in made[0].drives] == [
        ("back_l", Place("lumbar_paraspinal", "left"), ((0.0, 150),)),
        ("thigh_r", Place("hamstrings", "right"), ((0.0, 200),)),
    ]
    assert made[0].place == "left lumbar paraspinal and right hamstrings"


def test_two_massagers_in_two_hands_work_both_sides_at_once() -> None:
    both = step("calves", "both")
    assert spans(TWO_GUNS, both) == [("move", 8, "calves", 0), ("work", 60, "calves", 2)]
    drives = plan(routine(both), TWO_GUNS).spans[1].drives
    assert [(drive.role, drive.place) for drive in drives] == [
        ("massager", Place("calves", "left")),
        ("massager2", Place("calves", "right")),
    ]


def test_the_second_massager_rests_where_one_is_enough_and_both_end_in_stop() -> None:
    timeline = plan(routine(step("calves", "each")), TWO_GUNS)
    assert [drive.role for span in timeline.spans for drive in span.drives] == ["massager", "massager"]
    assert timeline.roles == ("massager", "massager2")
    assert {cue.role for cue in timeline.cues() if not isinstance(cue.command, SetLevel)} == {"massager", "massager2"}


def test_what_cannot_be_done_at_once_is_done_one_after_the_other_and_says_so() -> None:
    steps = (step("calves", "left", duration=40, rest=5), beside("heel", "left"))
    for devices in ({"massager": gun()}, {}):
        made = plan(routine(*steps), devices).spans  # type: ignore[arg-type]  # no literal in a loop
        shown = [(span.kind, span.duration_s, span.place) for span in made]
        assert shown == [
            *[("move", 8, "left calves"), ("work", 40, "left calves"), ("rest", 5, "left calves")],
            *[("move", 8, "left heel"), ("work", 40, "left heel"), ("rest", 5, "left heel")],
        ]
        assert "One after the other" in made[1].note
        assert "One after the other" in made[4].note


def test_without_a_duration_they_take_the_shortest_of_their_regions_usual_times() -> None:
    # hamstrings 60 s, lower back 45 s
    assert spans(PAD, step("hamstrings", "left"), beside("lumbar_paraspinal", "left"))[0][1] == 45


def test_a_duration_that_one_of_the_places_does_not_bear_is_refused_at_that_place() -> None:
    problem = refused(step("hamstrings", "left", duration=90), beside("lumbar_paraspinal", "left"))
    assert "90 s is longer than 60 s" in str(problem)
    assert problem.key == "steps.1.duration"


def test_what_goes_together_uses_up_the_time_of_every_place() -> None:
    problem = refused(
        step("hamstrings", "left", duration=40),
        beside("lumbar_paraspinal", "left"),
        step("lumbar_paraspinal", "left", duration=30),
    )
    assert "The left lumbar_paraspinal gets 70 s" in str(problem)


def test_extra_time_is_what_every_one_of_the_places_bears() -> None:
    work: Span = plan(routine(step("hamstrings", "left", duration=40), beside("lumbar_paraspinal", "left")), PAD).spans[
        0
    ]
    assert work.extra_max_s == 20  # 60 s less 40 s of the lower back; the hamstrings would bear 80 s more


def test_a_number_above_the_cap_is_refused_at_the_step_that_asks_for_it() -> None:
    problem = refused(
        step("hamstrings", "left", duration=40), beside("lumbar_paraspinal", "left", intensity="1900 ppm")
    )
    assert problem.key == "steps.1.intensity"
    assert "1800 ppm is the limit of the lumbar paraspinal" in str(problem)


def test_two_massagers_in_two_hands_are_held_to_what_both_places_bear() -> None:
    """Nobody sees which hand holds which: the heel bears 1600 ppm, so the one on the calf asks no more."""
    named = {"massager": replace(gun(), name="elite"), "massager2": replace(gun(), name="mini")}
    steps = (step("calves", "left", duration=20, intensity="firm"), beside("heel", "right"))
    move, work = plan(routine(*steps), named).spans  # type: ignore[arg-type]  # a literal of roles
    assert [(drive.role, drive.targets, drive.cap_level) for drive in work.drives] == [
        ("massager", ((0.0, 1600),), 1600),
        ("massager2", ((0.0, 1200),), 1600),
    ]
    assert "elite on the left calves, mini on the right heel." in move.cue
    assert work.cue.startswith("elite on the left calves, mini on the right heel.")
    too_strong = (step("calves", "left", duration=20, intensity="1700 ppm"), beside("heel", "right"))
    problem = refused(*too_strong, devices=named)  # type: ignore[arg-type]  # a literal of roles
    assert problem.key == "steps.0.intensity"
    assert "1700 ppm is above 1600 ppm" in str(problem)
    assert "the other way round" in str(problem)


def test_a_limit_of_one_device_is_none_of_the_other() -> None:
    named = {"massager": replace(gun(), name="elite"), "massager2": replace(pad(), name="pad")}
    bound = Bound("40 % is your own limit", device="elite", cap=Intensity(percent=40))
    thigh, calf = step("hamstrings", "left", intensity="2000 ppm"), step("calves", "left", intensity="2000 ppm")
    (work,) = plan(routine(thigh), named, (bound,)).spans  # type: ignore[arg-type]  # a literal of roles
    assert work.drives[0].targets == ((0.0, 200),)
    with pytest.raises(PlanRefusedError, match="your own limit"):
        plan(routine(calf), named, (bound,))  # type: ignore[arg-type]  # a literal of roles


def test_one_place_twice_at_the_same_time_is_refused() -> None:
    problem = refused(step("hamstrings", "both"), beside("hamstrings", "left"))
    assert "is worked already" in str(problem)
    assert problem.key == "steps.1.region"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((beside("calves", "left"),), "needs a step before it"),
        ((step("calves", "each"), beside("heel", "left")), 'not "each"'),
        ((step("calves", "left"), beside("heel", "each")), "each is one after the other"),
        ((step("calves", "left"), beside("heel", "left", duration=30)), "duration belongs to the first"),
        ((step("calves", "left"), beside("heel", "left", technique="stretch")), "only what a massager does"),
        ((step("calves", "left", technique="stretch"), beside("heel", "left")), "that a massager can do"),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_reason(steps: tuple[str, ...], why: str) -> None:
    with pytest.raises(RoutineError, match=why):
        routine(*steps)


CURVE = (
    'curve = [{ at = "0s", intensity = "40%" }, { at = "10s", intensity = "0%" }, { at = "20s", intensity = "60%" }]'
)


def curved(curve: str = CURVE, **keys: str | float) -> str:
    return f"{step('calves', 'left', **{'duration': 60, **keys})}\n{curve}"


def test_a_curve_gives_each_moment_its_own_level_and_may_rest() -> None:
    work = plan(routine(curved()), {"massager": gun()}).spans[1]
    assert work.drives[0].targets == ((0.0, 960), (10.0, 0), (20.0, 1440))
    levels = [[cue.at_s, int(cue.command.level)] for cue in work.cues() if isinstance(cue.command, SetLevel)]
    assert [10.0, 0] in levels
    assert levels[-1] == [60, 0]
    # The soft start holds each time: 250 ppm a second.
    assert levels[:4] == [[0.0, 250], [1.0, 500], [2.0, 750], [3.0, 960]]
    assert [level for at_s, level in levels if 20 <= at_s < 23] == [250, 500, 750]


def test_a_curve_above_the_cap_is_refused_at_its_point() -> None:
    problem = refused(
        curved('curve = [{ at = 0, intensity = "40%" }, { at = 9, intensity = "95%" }]'), devices=TWO_GUNS
    )
    assert problem.key == "steps.0.curve.1.intensity"
    assert "95 % (2280 ppm) is above 2100 ppm" in str(problem)


def test_a_curve_on_a_switch_is_on_and_off_and_by_hand_tells_the_most() -> None:
    assert plan(routine(curved()), {"massager": switch()}).spans[1].drives[0].targets == (
        (0.0, 1),
        (10.0, 0),
        (20.0, 1),
    )
    assert "not above 1440 percussions a minute" in plan(routine(curved()), {}).spans[1].note


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (curved('curve = [{ at = 1, intensity = "40%" }]'), "must begin at 0s"),
        (curved('curve = [{ at = 0, intensity = "40%" }, { at = 0.5, intensity = "50%" }]'), "must rise"),
        (curved('curve = [{ at = 0, intensity = "40%" }, { at = 60, intensity = "50%" }]'), "not before the step does"),
        (curved(intensity="gentle"), "an intensity and a curve"),
        (curved('curve = [{ at = 0, intensity = "0%" }, { at = 5, intensity = "0.0 %" }]'), "only rests"),
        (curved(technique="hold"), "its own rising stages"),
        (curved(technique="stretch"), "needs something driven"),
        (curved('curve = [{ at = 0, intensity = "140%" }]'), "must not be above 100 %"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused_with_the_reason(lines: str, why: str) -> None:
    with pytest.raises(RoutineError, match=why):
        routine(lines)


def test_a_curve_longer_than_the_usual_time_of_its_place_is_refused() -> None:
    lines = f'{step("calves", "left")}\ncurve = [{{ at = 0, intensity = "40%" }}, {{ at = 70, intensity = "50%" }}]'
    assert "the curve goes on to 70 s" in str(refused(lines, devices={"massager": gun()}))
