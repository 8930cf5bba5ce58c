from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.capabilities import Capabilities, Levels
from firmware_profiles.commands import SetLevel, Stop
from firmware_profiles.units import Level, Ppm
from routines.errors import PlanRefusedError
from routines.planner import plan
from routines.timeline import Cue, Span, Timeline
from tests.routines.devices import gun, pad, routine, step, switch


def planned(*steps: str, massager: Capabilities | None = None, timer: Capabilities | None = None) -> Timeline:
    devices = {"massager": massager, "timer": timer}
    return plan(routine(*steps), {role: device for role, device in devices.items() if device})  # type: ignore[misc]


def shape(timeline: Timeline) -> list[tuple[str, float, str, bool]]:
    return [(span.kind, span.duration_s, span.place, bool(span.drives)) for span in timeline.spans]


def work(timeline: Timeline) -> list[Span]:
    return [span for span in timeline.spans if span.kind == "work"]


def refusal(*steps: str, massager: Capabilities | None = None) -> PlanRefusedError:
    with pytest.raises(PlanRefusedError) as caught:
        planned(*steps, massager=massager)
    return caught.value


def test_a_hand_held_massager_gets_time_to_move_before_each_place_with_the_motor_off() -> None:
    assert shape(planned(step(side="each"), massager=gun())) == [
        ("move", 8, "left piriformis", False),
        ("work", 45, "left piriformis", True),
        ("move", 8, "right piriformis", False),
        ("work", 45, "right piriformis", True),
    ]


def test_the_move_says_where_how_to_find_it_in_which_position_and_what_to_keep_off() -> None:
    move = planned(step(position="prone"), massager=gun()).spans[0]
    assert "left side, piriformis" in move.cue
    assert "Lie on your front." in move.cue
    assert "bony knob on the outside of your hip" in move.cue
    assert "sacrum" in move.note


def test_a_second_technique_at_the_same_place_needs_no_move() -> None:
    timeline = planned(step(technique="circles", duration=30), step(technique="hold", duration=30), massager=gun())
    assert [span.kind for span in timeline.spans] == ["move", "work", "work"]


def test_a_step_may_give_its_own_time_to_move_or_none() -> None:
    assert planned(step(move="20s"), massager=gun()).spans[0].duration_s == 20
    assert planned(step(move=0), massager=gun()).spans[0].kind == "work"


def test_without_devices_the_routine_is_a_complete_timer() -> None:
    timeline = planned(step(side="each", intensity="firm"))
    assert [span[:3] for span in shape(timeline)] == [
        span[:3] for span in shape(planned(step(side="each"), massager=gun()))
    ]
    assert timeline.cues() == []
    assert timeline.roles == ()
    assert "No massager is connected." in timeline.spans[1].note
    assert "not above 2100 percussions a minute" in timeline.spans[1].note


def test_a_zoned_device_works_both_sides_at_once_and_needs_no_move() -> None:
    timeline = planned(step("hamstrings", "both"), massager=pad())
    assert shape(timeline) == [("work", 60, "hamstrings", True)]
    assert [drive.channel for drive in timeline.spans[0].drives] == ["thigh_l", "thigh_r"]
    assert timeline.spans[0].side is None


def test_both_with_a_hand_held_massager_is_one_side_after_the_other_and_says_so() -> None:
    spans = work(planned(step("hamstrings", "both"), massager=gun()))
    assert [span.side for span in spans] == ["left", "right"]
    assert all("One side after the other." in span.note for span in spans)


def test_both_where_the_device_reaches_one_side_drives_that_and_leaves_the_other_to_the_hands() -> None:
    spans = work(planned(step("lumbar_paraspinal", "both"), massager=pad()))
    assert [(span.side, bool(span.drives)) for span in spans] == [("left", True), ("right", False)]
    assert "test-pad does not reach the right lumbar paraspinal" in spans[1].note


def test_a_place_that_the_device_does_not_reach_becomes_a_hand_step_with_time_to_move() -> None:
    timeline = planned(step("calves", "left"), massager=pad())
    assert shape(timeline) == [("move", 8, "left calves", False), ("work", 60, "left calves", False)]
    assert "does not reach" in timeline.spans[1].note


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (step("iliopsoas", technique="hold"), "vessels"),
        (step(technique="myofascial-release"), "not for a machine"),
        (step(technique="stretch"), "not for a machine"),
        (step(technique="nerve-glide"), "not for a machine"),
        (step(technique="hold", tool="tennis-ball"), "tennis ball"),
        (step(technique="hold", tool="fingers"), "fingers"),
        (step() + '\nroles = ["timer"]', "leaves the massager out"),
    ],
)
def test_what_is_for_the_hands_is_a_hand_step_and_says_why(lines: str, reason: str) -> None:
    span = work(planned(lines, massager=gun()))[0]
    assert span.drives == ()
    assert reason in span.note


def test_breathing_needs_no_place_and_no_move() -> None:
    timeline = planned('technique = "breathing"\nduration = 20', massager=gun())
    assert shape(timeline) == [("work", 20, "", False)]
    assert timeline.cues()[-1].command == Stop()


def test_rest_and_transition_are_steps_too() -> None:
    timeline = planned(
        'technique = "rest"\nduration = 20', 'technique = "transition"\nduration = 10\ncue = "Lie down."'
    )
    assert [(span.kind, span.note) for span in timeline.spans] == [("rest", ""), ("move", "")]
    assert timeline.spans[1].cue == "Lie down."


def test_a_step_is_repeated_on_one_side_before_the_other_with_a_rest_after_each() -> None:
    timeline = planned(step(side="each", duration=20, repeat=2, rest="5s"), massager=gun())
    kinds = [(span.kind, span.side) for span in timeline.spans]
    one_side = ["move", "work", "rest", "work", "rest"]
    assert kinds == [(kind, "left") for kind in one_side] + [(kind, "right") for kind in one_side]


def test_a_device_whose_lowest_level_is_too_strong_makes_a_hand_step_and_says_so() -> None:
    strong = gun(Levels(lowest=Level(1750), full=Level(2400), full_ppm=Ppm(2400)))
    span = work(planned(step(intensity="gentle"), massager=strong))[0]
    assert span.drives == ()
    assert "lowest setting of test-gun is 1750 ppm, and 1500 ppm is asked" in span.note
    assert work(planned(step(intensity="firm"), massager=strong))[0].drives


def test_a_switch_is_switched_on_and_its_person_sets_the_strength() -> None:
    span = work(planned(step(intensity="firm"), massager=switch()))[0]
    assert [(drive.channel, drive.targets) for drive in span.drives] == [("relay1", ((0.0, 1),))]
    assert "Set the strength on the device by hand: not above 2100 percussions a minute" in span.note


def test_calves_carry_the_clot_check_before_and_during_the_work() -> None:
    for massager in (None, gun()):
        move, span = planned(step("calves"), massager=massager).spans
        assert "Clot check first" in move.note
        assert "Clot check first" in span.note


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (step("heel", intensity="1601 ppm"), ["1601 ppm", "1600 ppm", "heel"]),
        (step("heel", intensity="67%"), ["67 %", "1608 ppm", "1600 ppm", "heel"]),
        (step("lumbar_paraspinal", intensity="100%"), ["100 %", "2400 ppm", "1800 ppm"]),
    ],
)
@pytest.mark.parametrize("massager", [None, gun(), switch(), pad()], ids=["none", "gun", "switch", "pad"])
def test_a_number_above_the_cap_is_refused_with_both_numbers_and_never_lowered(
    lines: str, numbers: list[str], massager: Capabilities | None
) -> None:
    problem = refusal(lines, massager=massager)
    assert (str(problem.path), problem.line, problem.key) == ("test.toml", 7, "steps.0.intensity")
    assert all(number in str(problem) for number in numbers)


def test_a_number_above_the_devices_own_cap_is_refused_with_its_reason() -> None:
    problem = refusal(step(intensity="1900 ppm"), massager=gun(cap_percent=75))
    assert "1800 ppm" in str(problem)
    assert "the test says so" in str(problem)


def test_a_step_longer_than_the_place_bears_is_refused() -> None:
    problem = refusal(step(duration="91s"))
    assert (problem.line, problem.key) == (7, "steps.0.duration")
    assert "90 s" in str(problem)


def test_steps_that_add_up_to_more_than_the_place_bears_are_refused_at_the_one_too_many() -> None:
    problem = refusal(
        step(duration=60), step(side="right", duration=60), step(side="each", duration=31), massager=gun()
    )
    assert problem.key == "steps.2.duration"
    assert "left piriformis gets 91 s" in str(problem)
    assert refusal(step(duration=50, repeat=2)).key == "steps.0.duration"


def test_both_sides_at_once_use_up_the_time_of_both() -> None:
    steps = (step("hamstrings", "both", duration=70), step("hamstrings", "right", duration=51))
    assert "right hamstrings gets 121 s" in str(refusal(*steps, massager=pad()))


def test_stretching_uses_up_none_of_the_time() -> None:
    assert planned(step(duration=90), step(technique="stretch", duration="3m"), massager=gun())


def test_a_driven_session_longer_than_a_quarter_of_an_hour_is_refused_and_a_hand_session_is_not() -> None:
    stretch = 'technique = "stretch"\nduration = "14m"'
    steps = (stretch, step(duration=52, move="8s"))
    assert planned(*steps, massager=gun()).duration_s == 900
    problem = refusal(*steps, 'technique = "breathing"\nduration = 1', massager=gun())
    assert problem.key == "steps.2"
    assert "901 s" in str(problem)
    assert planned(*steps, stretch).duration_s > 900


def test_extra_time_is_what_the_place_still_bears_after_all_planned_work() -> None:
    steps = (step(duration=45), step(technique="hold", duration=30), step("heel", duration=60))
    spans = work(planned(*steps, massager=gun()))
    assert [span.extra_max_s for span in spans] == [15, 15, 0]
    moves = [span for span in planned(*steps, massager=gun()).spans if span.kind == "move"]
    assert all(span.extra_max_s == 0 for span in moves)


def test_a_timer_sounds_at_the_start_half_way_three_two_one_and_done() -> None:
    timeline = planned(step(duration=20, rest="10s"), timer=switch())
    assert timeline.roles == ("timer",)
    on = [(c.at_s, c.command.level) for c in timeline.cues() if isinstance(c.command, SetLevel)]
    pulses = [(at_s, round(off_s - at_s, 6)) for (at_s, level), (off_s, _) in itertools.pairwise(on) if level]
    # The move takes 8 s. Then work from 8 to 28: start, half-way at 18, 25, 26, 27. Rest from 28 to 38: start, 35, 36,
    # and from 37 to the end the long one.
    assert pulses == [
        *((8, 0.5), (18, 0.5), (25, 0.2), (26, 0.2), (27, 0.2)),
        *((28, 0.5), (35, 0.2), (36, 0.2), (37, 1.0)),
    ]
    assert timeline.cues()[-1].command == Stop()


@given(duration_s=st.integers(1, 90))
def test_signals_never_meet_and_are_over_with_their_step(duration_s: int) -> None:
    timeline = planned(step(duration=duration_s, rest="5s"), timer=switch())
    for span in timeline.spans:
        levels = [cue.command.level for cue in span.signals if isinstance(cue.command, SetLevel)]
        times = [cue.at_s for cue in span.signals]
        assert levels == [1, 0] * (len(levels) // 2)
        assert times == sorted(times)
        assert all(before < after for before, after in zip(times[::2], times[1::2], strict=True))
        assert not times or times[-1] <= span.duration_s + 1e-9


def test_a_timer_that_is_left_out_of_a_step_is_silent() -> None:
    timeline = planned(step() + '\nroles = ["massager"]', massager=gun(), timer=switch())
    assert [cue.command for cue in timeline.cues() if cue.role == "timer"] == [Stop()]


def test_the_closing_note_and_the_lines_of_the_file_come_along() -> None:
    timeline = planned(step(), step("heel"))
    assert [span.line for span in timeline.spans] == [4, 4, 7, 7]
    assert [span.step for span in timeline.spans] == [1, 1, 2, 2]


@pytest.mark.parametrize("name", ["neck", "nonsense"])
def test_a_routine_that_was_not_loaded_is_still_refused_at_a_place_that_is_no_region(name: str) -> None:
    good = routine(step())
    bad_step = good.steps[0].model_copy(update={"region": name})
    bad = replace(good, file=good.file.model_copy(update={"steps": (bad_step,)}))
    with pytest.raises(PlanRefusedError, match=name):
        plan(bad, {})


def test_a_timer_without_channels_has_no_signals() -> None:
    deaf = replace(switch(), channels={})
    assert planned(step(), timer=deaf).cues() == [Cue(53, "timer", Stop())]
