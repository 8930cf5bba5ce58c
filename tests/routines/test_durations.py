from hypothesis import assume, given

from routines.durations import by_hand_s
from routines.errors import PlanRefusedError
from routines.library import load_routines
from routines.planner import plan
from routines.schema import RoutineFile
from tests.routines.written import files, routine_of


@given(files())
def test_the_duration_in_a_list_is_that_of_the_plan(file: RoutineFile) -> None:
    routine = routine_of(file)
    try:
        planned_s = plan(routine, {}).duration_s
    except PlanRefusedError:
        assume(False)
    assert abs(by_hand_s(file.steps) - planned_s) < 1e-6


def test_every_shipped_routine_lasts_as_long_as_its_plan() -> None:
    for routine in load_routines()[0].values():
        assert abs(by_hand_s(routine.steps) - plan(routine, {}).duration_s) < 1e-6, routine.name
