from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import FileError
from routines.errors import PlanRefusedError, RoutineError
from routines.library import BUNDLED
from routines.loader import load_routine, parse_routine

GOOD = """schema = 1
name = "evening"
title = "Evening"

[[steps]]
region = "calves"
side = "left"

[[steps]]
region = "hamstrings"
side = "each"
duration = "1m30s"
intensity = "40%"
"""


def load(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        parse_routine(text.encode(), Path("mine.toml"))
    return caught.value


def test_a_good_file_is_read_with_the_line_of_each_step(tmp_path: Path) -> None:
    path = tmp_path / "evening.toml"
    path.write_text(GOOD)
    routine = load_routine(path)
    assert (routine.name, routine.title, routine.path) == ("evening", "Evening", path)
    assert [routine.line(0), routine.line(1), routine.line(1, "intensity")] == [5, 9, 13]
    assert [step.duration for step in routine.steps] == [None, 90]


def test_everyday_spellings_of_words_and_regions_are_accepted() -> None:
    text = GOOD.replace('"calves"', '"Lower Back"').replace('"left"', '"Left"\ntechnique = "Long slow stroke"')
    step = parse_routine(text.encode(), Path("mine.toml")).steps[0]
    assert (step.region, step.side, step.technique) == ("lower_back", "left", "effleurage")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "what"),
    [
        ('"40%"', '"140%"', 13, "steps.1.intensity", "must not be above 100 %"),
        ('"40%"', '"40 rpm"', 13, "steps.1.intensity", "Did you mean 'ppm'?"),
        ('"40%"', '"gentel"', 13, "steps.1.intensity", "Did you mean 'gentle'?"),
        ('"40%"', "40", 13, "steps.1.intensity", "must be text"),
        ('"40%"', "nan", 13, "steps.1.intensity", "must be text"),
        ('"1m30s"', "-5", 12, "steps.1.duration", "must not be negative"),
        ('"1m30s"', '"16m"', 12, "steps.1.duration", "must not be longer than 15 minutes"),
        ('"1m30s"', "0", 12, "steps.1.duration", "must be at least 1 s"),
        ('"1m30s"', "nan", 12, "steps.1.duration", "finite"),
        ('"1m30s"', "inf", 12, "steps.1.duration", "finite"),
        ('"1m30s"', '"45 min utes"', 12, "steps.1.duration", "no unit of time"),
        ('"1m30s"', "true", 12, "steps.1.duration", "must be"),
        ('"each"', '"lefft"', 11, "steps.1.side", "Did you mean 'left'?"),
        ('side = "each"', "", 9, "steps.1", "needs a side"),
        ('"each"', '"each"\ntechnique = "kneeding"', 12, "steps.1.technique", "Did you mean 'kneading'?"),
        ('"each"', '"each"\nposition = "pron"', 12, "steps.1.position", "Did you mean 'prone'?"),
        ('"each"', '"each"\ntool = "bal"', 12, "steps.1.tool", "Did you mean 'ball'?"),
        ('"each"', '"each"\nroles = ["masager"]', 12, "steps.1.roles.0", "massager"),
        ('"each"', '"each"\nroles = []', 12, "steps.1.roles", "at least 1"),
        ('"each"', '"each"\nrepeat = 0', 12, "steps.1.repeat", "greater than or equal to 1"),
        ('"each"', '"each"\nrepeat = 21', 12, "steps.1.repeat", "less than or equal to 20"),
        ('"each"', '"each"\nramp = "2m"', 9, "steps.1", "longer than duration"),
        ('"each"', '"each"\ncue = "a\\u001b[2J"', 12, "steps.1.cue", "control character"),
        ("duration =", "durration =", 12, "steps.1.durration", "Did you mean 'duration'?"),
        ('region = "hamstrings"', "", 9, "steps.1", "needs a region"),
        ('region = "calves"\nside = "left"', 'technique = "stretch"', 5, "steps.0", "needs a duration"),
        ('"hamstrings"', '"hamstrngs"', 10, "steps.1.region", "Did you mean 'hamstrings'?"),
        ("schema = 1", "schema = 2", 1, "schema", "should be 1"),
        ("schema = 1\n", "", 1, "schema", "is missing"),
        ('"evening"', '"Good evening"', 2, "name", "pattern"),
        ('title = "Evening"', 'title = ""', 3, "title", "at least 1"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_a_near_word(
    old: str, new: str, line: int, key: str, what: str
) -> None:
    problem = load(GOOD.replace(old, new))
    assert isinstance(problem, RoutineError)
    assert (problem.path, problem.line, problem.key) == (Path("mine.toml"), line, key)
    assert what in str(problem)


def test_a_misspelt_table_is_told_with_a_near_word() -> None:
    problem = load(GOOD.replace("[[steps]]", "[[stepps]]"))
    assert problem.key == "stepps"
    assert "Did you mean 'steps'?" in str(problem)


@pytest.mark.parametrize("name", ["neck", "knee", "left eye", "back_of_knee", "pacemaker"])
def test_a_refused_region_is_refused_with_its_reason_and_not_called_a_bad_file(name: str) -> None:
    problem = load(GOOD.replace('"hamstrings"', f'"{name}"'))
    assert isinstance(problem, PlanRefusedError)
    assert (problem.line, problem.key) == (10, "steps.1.region")
    assert "is refused." in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema = ",
        "[[steps]",
        '"' * 5,
        "steps = []\nschema = 1\nname = 'x'\ntitle = 'X'",
        "schema = 1\nsteps = 3",
        GOOD + "repeat = " + "9" * 6000,
        GOOD + "repeat = 0x" + "f" * 6000,
        GOOD + "rest = 0x" + "f" * 500,
        GOOD + "a." * 5000 + "b = 1",
        GOOD + "rest = " + "[" * 5000 + "]" * 5000,
        GOOD + "rest = 1979-05-27",
    ],
)
def test_broken_files_are_told_and_nothing_else_is_raised(text: str) -> None:
    assert isinstance(load(text), RoutineError)


def test_a_file_that_is_no_text_or_too_large_is_told() -> None:
    for raw, what in ((b"name = '\xff'", "UTF-8"), (b"#" * 1_000_001, "larger")):
        with pytest.raises(RoutineError, match=what):
            parse_routine(raw, Path("mine.toml"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.toml", Path("a\0b.toml")):
        with pytest.raises(RoutineError, match="cannot be read"):
            load_routine(path)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_give_a_routine_or_a_documented_error(raw: bytes) -> None:
    with suppress(RoutineError, PlanRefusedError):
        parse_routine(raw, Path("mine.toml"))


SHIPPED = (BUNDLED / "sciatica-relief.toml").read_text(encoding="utf-8")


@given(st.integers(0, len(SHIPPED)), st.integers(0, 40), st.text(max_size=20))
def test_any_damage_to_a_good_file_gives_a_routine_or_a_documented_error(at: int, gone: int, put: str) -> None:
    with suppress(RoutineError, PlanRefusedError):
        parse_routine((SHIPPED[:at] + put + SHIPPED[at + gone :]).encode(), Path("mine.toml"))


WILD = st.none() | st.sampled_from(
    ['"140%"', '"firm"', "nan", "-inf", "[]", "{}", "[1]", '""', "true", "1e400", "1979-05-27", '"neck"', '"1m"', "-1"]
)

KEYS = ["region", "side", "intensity", "duration", "ramp", "rest", "move", "repeat", "tool", "cue", "roles"]


@given(st.dictionaries(st.sampled_from(KEYS), WILD))
def test_any_wrong_types_give_a_routine_or_a_documented_error(values: dict[str, str | None]) -> None:
    lines = "\n".join(f"{key} = {value}" for key, value in values.items() if value is not None)
    with suppress(RoutineError, PlanRefusedError):
        parse_routine(f'schema = 1\nname = "x"\ntitle = "X"\n[[steps]]\n{lines}\n'.encode(), Path("mine.toml"))
