from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routines.library import BUNDLED
from routines.loader import load_routine, parse_routine
from routines.schema import RoutineFile, Step
from routines.script import parse_script
from routines.writing import WIDTH, duration_text, to_script, to_toml
from tests.routines.written import files, routine_of


def closed_up(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps with `1500 ppm` spelt `1500ppm`, which is the same and one word."""
    return tuple(
        step.model_copy(
            update={
                "intensity": step.intensity.replace(" ", ""),
                "curve": tuple(
                    point.model_copy(update={"intensity": point.intensity.replace(" ", "")}) for point in step.curve
                ),
            }
        )
        for step in steps
    )


@given(files())
def test_a_routine_written_as_toml_is_read_as_the_same_routine(file: RoutineFile) -> None:
    text = to_toml(routine_of(file))
    assert parse_routine(text.encode(), Path("again.toml")).file == file


@given(files())
def test_the_steps_of_a_routine_written_as_a_script_are_read_as_the_same_steps(file: RoutineFile) -> None:
    script = to_script(routine_of(file))
    assert "\n" not in script
    assert parse_script(script).steps == closed_up(file.steps)


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_routine_goes_to_a_script_and_to_a_file_and_comes_back(path: Path) -> None:
    routine = load_routine(path)
    assert parse_script(to_script(routine)).steps == closed_up(routine.steps)
    assert parse_routine(to_toml(routine).encode(), path).file == routine.file


def test_a_script_becomes_a_file_with_the_keys_that_were_said_and_no_others() -> None:
    routine = parse_script('piriformis:left circles 40% 1m30s ramp 10s x2 "Slowly."; rest 10s', "mine")
    assert to_toml(routine) == (
        'schema = 1\nname = "mine"\ntitle = "Mine"\n\n'
        '[[steps]]\nregion = "piriformis"\nside = "left"\ntechnique = "circles"\nintensity = "40%"\n'
        'duration = "1m30s"\nramp = "10s"\nrepeat = 2\ncue = "Slowly."\n\n'
        '[[steps]]\ntechnique = "rest"\nduration = "10s"\n'
    )


def test_a_script_is_written_back_as_a_person_would() -> None:
    said = 'piriformis:left circles 40% 45s ramp 10s; rest 10s; hamstrings 60s + calves gentle; stretch 30s "Breathe."'
    assert to_script(parse_script(said)) == said


def test_long_texts_go_on_in_the_next_line_and_lines_of_their_own_stay() -> None:
    cue = "Slowly and softly. " * 20 + "\n  And then:\n\nrest."
    text = to_toml(parse_script(f"calves {cue!r}".replace("'", '"')))
    assert parse_routine(text.encode(), Path("x.toml")).steps[0].cue == cue
    assert max(len(line) for line in text.splitlines()) <= WIDTH + 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (45, "45s"), (89.5, "89.5s"), (90, "1m30s"), (600, "10m"), (61.25 * 2, "2m2.5s")]
)
def test_times_are_written_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.integers(0, 900_000_000))
def test_a_time_is_exact_to_the_microsecond(microseconds: int) -> None:
    from routines.schema import parse_duration

    assert parse_duration(duration_text(microseconds / 1e6)) == pytest.approx(microseconds / 1e6, abs=1e-7)
