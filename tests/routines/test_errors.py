from __future__ import annotations

from pathlib import Path

from firmware_profiles.errors import FileError, PercussError
from routines.errors import PlanRefusedError, RoutineError


def test_a_refusal_in_a_file_names_file_line_key_reason_and_advice() -> None:
    problem = PlanRefusedError(
        "is too much.", path=Path("a.toml"), line=7, key="steps.0.intensity", fix="Ask for less."
    )
    assert str(problem) == "a.toml:7: steps.0.intensity: is too much. Ask for less."


def test_a_refusal_without_a_file_names_the_value() -> None:
    problem = PlanRefusedError("is too much.", key="intensity", fix="Ask for less.")
    assert str(problem) == "intensity: is too much. Ask for less."
    assert (problem.path, problem.line, problem.key) == (Path(), None, "intensity")


def test_refused_and_broken_can_be_told_apart_by_class() -> None:
    assert not issubclass(PlanRefusedError, RoutineError)
    assert not issubclass(RoutineError, PlanRefusedError)
    assert issubclass(RoutineError, FileError)
    assert issubclass(PlanRefusedError, PercussError)
