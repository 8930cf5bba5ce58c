from pathlib import Path

import pytest

from routines.errors import PlanRefusedError, RoutineError
from routines.library import BUNDLED
from routines.review import review
from tests.routines.devices import gun

HEAD = 'schema = 1\nname = "mine"\ntitle = "Mine"\nsources = ["my own"]\nclosing_note = "Rest."\n'


def step(region: str, *more: str, side: str = "left") -> str:
    return "\n".join(["[[steps]]", f'region = "{region}"', f'side = "{side}"', *more]) + "\n"


def written(folder: Path, *steps: str, head: str = HEAD) -> Path:
    path = folder / "mine.toml"
    path.write_text(head + "".join(steps), encoding="utf-8")
    return path


def found(path: Path) -> list[tuple[int | None, str, type]]:
    return [(problem.line, problem.key, type(problem)) for problem in review(path).errors]


def test_a_good_routine_has_no_errors(tmp_path: Path) -> None:
    assert review(written(tmp_path, step("calves"))).errors == ()
    assert review(written(tmp_path, step("calves"))).remarks == ()


def test_everything_that_the_format_does_not_know_is_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        step("calves", "durration = 3", side="lft"),
        step("neck", 'intensity = "200%"', "repeat = 0"),
        head='schema = 1\nname = "Mine!"\n',
    )
    assert [(problem.line, problem.key) for problem in review(path).errors] == [
        (1, "title"),
        (2, "name"),
        (5, "steps.0.side"),
        (6, "steps.0.durration"),
        (10, "steps.1.intensity"),
        (11, "steps.1.repeat"),
    ]


def test_every_limit_that_a_step_breaks_is_told_with_both_numbers(tmp_path: Path) -> None:
    # 120 s and 2100 ppm are what calves bear, 120 s what hamstrings bear (massage.md, section 2).
    path = written(
        tmp_path,
        step("calvs"),
        step("neck"),
        step("calves", 'intensity = "2400 ppm"', 'duration = "100s"'),
        step("calves", 'duration = "100s"'),
        step("hamstrings", 'duration = "300s"'),
        step("hamstrings", 'duration = "100s"'),
    )
    errors = review(path).errors
    assert [(problem.line, problem.key, type(problem)) for problem in errors] == [
        (7, "steps.0.region", RoutineError),
        (10, "steps.1.region", PlanRefusedError),
        (15, "steps.2.intensity", PlanRefusedError),
        (20, "steps.3.duration", PlanRefusedError),
        (24, "steps.4.duration", PlanRefusedError),
    ]
    for problem, numbers in zip(
        errors[2:], (("2400 ppm", "2100 ppm"), ("200 s", "120 s"), ("300 s", "120 s")), strict=True
    ):
        assert all(number in problem.what for number in numbers)
    assert "Did you mean 'calves'?" in errors[0].fix


def test_a_step_that_is_too_long_and_too_strong_is_told_both(tmp_path: Path) -> None:
    path = written(
        tmp_path, step("heel", 'duration = "3m"', 'intensity = "100%"'), step("heel", 'duration = "2m"', "repeat = 9")
    )
    assert [key for _, key, _ in found(path)] == ["steps.0.duration", "steps.0.intensity", "steps.1.duration"]


def test_a_curve_is_looked_at_point_by_point_of_the_file(tmp_path: Path) -> None:
    curve = 'curve = [{at = "0s", intensity = "1500 ppm"}, {at = "20s", intensity = "2400 ppm"}]'
    path = written(tmp_path, step("calves", curve), step("heel", 'intensity = "100%"'))
    assert found(path) == [
        (9, "steps.0.curve.1.intensity", PlanRefusedError),
        (13, "steps.1.intensity", PlanRefusedError),
    ]


def test_steps_that_go_together_are_left_out_together(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        step("calves", 'duration = "30s"'),
        step("spine", "together = true"),
        step("hamstrings", 'duration = "30s"', 'intensity = "100%"'),
        step("heel", "together = true", 'intensity = "100%"'),
    )
    assert [key for _, key, _ in found(path)] == ["steps.1.region", "steps.3.intensity"]


def test_a_session_that_is_too_long_is_told_at_the_step_that_passes_a_quarter_of_an_hour(tmp_path: Path) -> None:
    rests = '[[steps]]\ntechnique = "rest"\nduration = "10m"\n'
    path = written(tmp_path, step("calves", 'duration = "30s"'), rests, rests)
    (problem,) = review(path).errors
    assert problem.key == "steps.2"
    assert "900 s" in problem.what


def test_a_device_has_limits_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, step("calves", 'intensity = "1700 ppm"'))
    assert review(path).errors == ()
    (problem,) = review(path, {"massager": gun(cap_percent=60)}).errors
    assert "60 % (1440 ppm) is the limit of test-gun" in problem.what


def test_what_a_routine_could_do_better_is_remarked(tmp_path: Path) -> None:
    # From gentle (1600 ppm) on it rises 250 ppm in 10 s at most: 10 s are over before 2100.
    path = written(
        tmp_path,
        step("calves", 'intensity = "2100 ppm"', 'duration = "10s"'),
        head='schema = 1\nname = "mine"\ntitle = "Mine"\n',
    )
    remarks = review(path).remarks
    assert [(remark.line, remark.key) for remark in remarks] == [(2, "sources"), (2, "closing_note"), (4, "steps.0")]
    assert "of 2100 ppm in 10 s" in remarks[2].what


@pytest.mark.parametrize("text", ["schema = ", "", "\x00", "steps = 3", HEAD])
def test_a_file_that_says_nothing_is_told_and_nothing_is_raised(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert review(path).errors
    assert review(tmp_path / "missing.toml").errors


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.toml")), ids=lambda path: path.stem)
def test_nothing_is_wrong_with_what_is_shipped_and_nothing_to_remark(path: Path) -> None:
    assert review(path).errors == ()
    assert review(path).remarks == ()
