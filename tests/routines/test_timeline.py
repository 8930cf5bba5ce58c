from __future__ import annotations

from firmware_profiles.capabilities import Levels, Place
from firmware_profiles.commands import SetLevel, Stop
from firmware_profiles.units import Level
from routines.timeline import Cue, Drive, Span, Timeline
from tests.routines.devices import GUN_LEVELS


def drive(
    *targets: tuple[float, int], levels: Levels = GUN_LEVELS, gentle: int = 500, cap: int = 2100, ramp_s: float = 0.0
) -> Drive:
    rows = tuple((at_s, Level(level)) for at_s, level in targets)
    return Drive("massager", "head", levels, rows, Level(gentle), Level(cap), "the test", ramp_s)


def steps(cues: list[Cue]) -> list[tuple[float, int]]:
    return [(cue.at_s, cue.command.level) for cue in cues if isinstance(cue.command, SetLevel)]


def test_a_drive_climbs_a_step_a_second_to_gentle_and_then_a_step_every_ten_seconds() -> None:
    made = drive((0, 1000), gentle=600)
    assert steps(list(made.cues(40))) == [(0, 250), (1, 500), (2, 600), (12, 850), (22, 1000), (40, 0)]


def test_a_ramp_makes_the_climb_to_gentle_last_longer() -> None:
    # Three steps to 600: the two waits between them share the ramp.
    made = drive((0, 600), gentle=600, ramp_s=8)
    assert steps(list(made.cues(40))) == [(0, 250), (4, 500), (8, 600), (40, 0)]


def test_where_levels_are_far_apart_a_step_is_one_level() -> None:
    made = drive((0, 3), levels=Levels(lowest=Level(1), full=Level(4)), gentle=2, cap=3)
    assert steps(list(made.cues(40))) == [(0, 1), (1, 2), (11, 3), (40, 0)]


def test_a_drive_that_cannot_finish_its_climb_ends_off_in_time() -> None:
    assert steps(list(drive((0, 2100), gentle=1500).cues(2.5))) == [(0, 250), (1, 500), (2, 750), (2.5, 0)]


def test_a_lower_target_is_reached_at_once_and_a_higher_one_by_steps() -> None:
    made = drive((0, 500), (20, 250), (30, 500))
    assert steps(list(made.cues(40))) == [(0, 250), (1, 500), (20, 250), (30, 500), (40, 0)]


def test_a_person_may_turn_up_to_the_cap_and_down_to_the_lowest_level_but_not_off() -> None:
    made = drive((0, 2000), cap=2100)
    assert made.goal(Level(2000), 50) == 2100
    assert made.goal(Level(2000), -100) == 1
    assert made.goal(Level(0), 50) == 0


def test_a_drive_can_be_taken_up_in_the_middle() -> None:
    made = drive((0, 500), gentle=500)
    assert steps(list(made.cues(40, from_s=10))) == [(10, 250), (11, 500), (40, 0)]
    assert steps(list(made.cues(40, from_s=10, level=Level(250), next_rise_s=15))) == [(15, 500), (40, 0)]


def test_the_commands_of_a_timeline_are_in_session_time_and_end_in_stop_for_each_role() -> None:
    signals = (Cue(0, "timer", SetLevel("bell", Level(1))), Cue(0.5, "timer", SetLevel("bell", Level(0))))
    move = Span("move", 8, 1, 4, "there")
    work = Span("work", 10, 1, 4, "work", drives=(drive((0, 250)),), signals=signals)
    timeline = Timeline("test", (move, work), ("massager", "timer"))
    assert timeline.duration_s == 18
    assert timeline.cues() == [
        Cue(8, "massager", SetLevel("head", Level(250))),
        Cue(8, "timer", SetLevel("bell", Level(1))),
        Cue(8.5, "timer", SetLevel("bell", Level(0))),
        Cue(18, "massager", SetLevel("head", Level(0))),
        Cue(18, "massager", Stop()),
        Cue(18, "timer", Stop()),
    ]


def test_a_place_reads_as_words() -> None:
    assert Span("work", 1, 1, 1, "", region="lumbar_paraspinal", side="left").place == "left lumbar paraspinal"
    assert Span("work", 1, 1, 1, "", region="calves").place == "calves"
    assert Span("work", 1, 1, 1, "", side="left").place == "left"
    assert Span("work", 1, 1, 1, "").place == ""


def test_a_place_without_a_side_is_both_sides() -> None:
    assert Place("calves", "left").sides == ("left",)
    assert Place("calves").sides == ("left", "right")
    assert Span("work", 1, 1, 1, "", region="calves").places == (Place("calves"),)
    assert Span("work", 1, 1, 1, "").places == ()
