"""What the campaign found and nobody has mended yet, each with the least that shows it.

Each fails until its bug is gone. Then its mark must go (it is strict), and it moves to ``test_mended_bugs.py``.
"""

import pytest

from tests.faults.by_hand import driven_s, fault, scenario, that_speaks
from tests.faults.scenarios import Act
from tests.faults.test_mended_bugs import broken


@pytest.mark.xfail(strict=True, reason="a link is opened anew by the runner only, and the runner waits for the driver")
def test_a_link_that_came_back_is_stopped_while_a_command_hangs_in_the_driver() -> None:
    begins_s, _ = driven_s(scenario(that_speaks()))
    hung = [fault("wedge_write", begins_s + 0.5, 20.0), fault("disconnect", begins_s + 1.5, 1.0)]
    assert broken(scenario(that_speaks(), hung, [Act(begins_s + 3.0, "stop")])) == []


@pytest.mark.xfail(strict=True, reason="a link is opened anew by the runner only, and the runner hangs")
def test_a_link_that_came_back_is_stopped_when_the_lease_runs_out_because_the_runner_hangs() -> None:
    begins_s, _ = driven_s(scenario(that_speaks()))
    hung = [fault("hang", begins_s + 0.5, 20.0), fault("disconnect", begins_s + 1.5, 1.0)]
    assert broken(scenario(that_speaks(), hung)) == []


@pytest.mark.xfail(
    strict=True, reason="a question that outlived its session tells of a fault, which begins a new repeat"
)
def test_a_question_that_hung_beyond_the_end_of_its_session_begins_nothing_new() -> None:
    _, ends_s = driven_s(scenario(that_speaks()))
    assert broken(scenario(that_speaks(), [fault("wedge_write", ends_s + 8.5, 8.0)])) == []
