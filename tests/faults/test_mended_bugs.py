"""What the campaign found once, each with the least that showed it."""

from tests.faults.by_hand import blind, driven_s, fault, scenario, that_speaks
from tests.faults.scenarios import Act, Scenario
from tests.faults.world import play


def broken(played: Scenario) -> list[str]:
    return [f"{v.rule} at {v.at_s:.3f} s: {v.what}" for v in play(played).violations]


def test_an_off_that_the_line_lost_in_a_pause_is_written_again_to_a_device_that_says_nothing() -> None:
    assert broken(scenario(blind(), [fault("drop", 14.9, 0.2)], [Act(15.0, "pause")])) == []


def test_an_off_that_the_line_lost_at_the_end_of_a_place_is_written_again_to_a_device_that_says_nothing() -> None:
    _, ends_s = driven_s(scenario(blind()))
    assert broken(scenario(blind(), [fault("drop", ends_s - 0.1, 0.2)])) == []


def test_a_stop_that_the_line_lost_is_written_again_while_the_runner_hangs() -> None:
    hung = [fault("hang", 14.0, 20.0), fault("drop", 14.9, 0.2)]
    assert broken(scenario(that_speaks(), hung, [Act(15.0, "stop")])) == []


def test_a_stop_that_the_line_lost_is_written_again_while_a_command_hangs_in_the_driver() -> None:
    begins_s, _ = driven_s(scenario(that_speaks()))
    hung = [fault("wedge_write", begins_s + 0.5, 20.0), fault("drop", begins_s + 2.9, 0.2)]
    assert broken(scenario(that_speaks(), hung, [Act(begins_s + 3.0, "stop")])) == []


def test_a_session_returns_when_the_driver_swallowed_the_cancellation_of_a_question() -> None:
    assert broken(scenario(that_speaks(), [fault("wedge_write", 13.9, 1.2)], [Act(14.5, "stop")])) == []


def test_a_command_that_waited_for_another_one_does_not_shorten_the_hold_behind_it() -> None:
    assert broken(scenario(that_speaks(), [fault("wedge_write", 4.9, 0.9)])) == []


def test_stopping_while_a_lost_link_is_sought_leaves_no_error_that_nobody_looked_at() -> None:
    assert broken(scenario(blind(), [fault("disconnect", 15.0, 5.0)], [Act(17.0, "stop")])) == []


def test_only_stops_that_went_out_count_for_a_device_that_says_nothing() -> None:
    # The link is away for the first three; the one that goes out is lost.
    gone = [fault("disconnect", 15.0, 1.0), fault("drop", 16.0, 0.35)]
    assert broken(scenario(blind(), gone, [Act(15.2, "stop")])) == []


def test_nothing_is_at_work_any_more_when_the_driver_swallowed_the_cancellation_of_a_repeated_off() -> None:
    hung = [fault("wedge_write", 15.5, 4.0)]
    assert broken(scenario(blind(), hung, [Act(15.0, "pause"), Act(18.0, "stop")])) == []


def test_a_repeated_off_that_hung_does_not_undo_the_first_step_of_the_next_climb() -> None:
    assert broken(scenario(blind(), [fault("wedge_line", 14.9, 2.8)], [Act(15.0, "back")])) == []


def test_a_key_that_waited_while_the_computer_slept_does_not_let_the_session_go_on() -> None:
    assert broken(scenario(blind(), [fault("sleep", 15.0, 20.0)], [Act(16.0, "back")])) == []


def test_a_link_that_came_back_is_stopped_while_a_command_hangs_in_the_driver() -> None:
    begins_s, _ = driven_s(scenario(that_speaks()))
    hung = [fault("wedge_write", begins_s + 0.5, 20.0), fault("disconnect", begins_s + 1.5, 1.0)]
    assert broken(scenario(that_speaks(), hung, [Act(begins_s + 3.0, "stop")])) == []


def test_a_link_that_came_back_is_stopped_when_the_lease_runs_out_because_the_runner_hangs() -> None:
    begins_s, _ = driven_s(scenario(that_speaks()))
    hung = [fault("hang", begins_s + 0.5, 20.0), fault("disconnect", begins_s + 1.5, 1.0)]
    assert broken(scenario(that_speaks(), hung)) == []


def test_a_question_that_hung_beyond_the_end_of_its_session_begins_nothing_new() -> None:
    _, ends_s = driven_s(scenario(that_speaks()))
    assert broken(scenario(that_speaks(), [fault("wedge_write", ends_s + 8.5, 8.0)])) == []
