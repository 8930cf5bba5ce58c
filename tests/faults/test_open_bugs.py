"""What the campaign found and nobody has mended yet, each with the least that shows it.

Each fails until its bug is gone. Then its mark must go (it is strict), and it moves to ``test_mended_bugs.py``.
"""

import pytest

from tests.faults.by_hand import blind, fault, scenario
from tests.faults.scenarios import Act
from tests.faults.test_mended_bugs import broken


@pytest.mark.xfail(strict=True, reason="the repeat of an off lives on when its cancellation is swallowed")
def test_nothing_is_at_work_any_more_when_the_driver_swallowed_the_cancellation_of_a_repeated_off() -> None:
    hung = [fault("wedge_write", 15.5, 4.0)]
    assert broken(scenario(blind(), hung, [Act(15.0, "pause"), Act(18.0, "stop")])) == []


@pytest.mark.xfail(strict=True, reason="the last frames of a repeated off follow the first step of a new climb")
def test_a_repeated_off_that_hung_does_not_undo_the_first_step_of_the_next_climb() -> None:
    assert broken(scenario(blind(), [fault("wedge_line", 14.9, 2.8)], [Act(15.0, "back")])) == []
