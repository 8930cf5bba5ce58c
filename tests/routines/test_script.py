from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import FileError
from routines.errors import PlanRefusedError, RoutineError
from routines.planner import plan
from routines.schema import Step
from routines.script import MOST_STEPS, parse_routine_text, parse_script


def step(**keys: object) -> Step:
    return Step.model_validate(keys)


def mistake(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        parse_script(text)
    return caught.value


def test_a_script_says_what_a_file_says() -> None:
    routine = parse_script("piriformis:each 40% 45s ramp 10s; rest 10s; calves:each gentle 60s")
    assert routine.steps == (
        step(region="piriformis", side="each", intensity="40%", duration=45, ramp=10),
        step(technique="rest", duration=10),
        step(region="calves", side="each", intensity="gentle", duration=60),
    )
    assert (routine.name, routine.title, routine.path) == ("script", "Script", Path("script"))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("calves", {"region": "calves", "side": "each"}),
        ("Calves:LEFT Circles", {"region": "calves", "side": "left", "technique": "circles"}),
        ("calves left", {"region": "calves", "side": "left"}),
        ("lower-back:both 1500 ppm", {"region": "lower_back", "side": "both", "intensity": "1500ppm"}),
        ("calves 1500PPM", {"region": "calves", "side": "each", "intensity": "1500ppm"}),
        ("calves 40 % 45 s", {"region": "calves", "side": "each", "intensity": "40%", "duration": 45}),
        ("calves 1m30s", {"region": "calves", "side": "each", "duration": 90}),
        (
            "45s firm hold calves:left",
            {"region": "calves", "side": "left", "technique": "hold", "intensity": "firm", "duration": 45},
        ),
        ("calves rest 5s move 0s x3", {"region": "calves", "side": "each", "rest": 5, "move": 0, "repeat": 3}),
        (
            "calves prone with foam_roller",
            {"region": "calves", "side": "each", "position": "prone", "tool": "foam-roller"},
        ),
        ("calves tapotement", {"region": "calves", "side": "each", "technique": "percussion"}),
        ("rest 10s", {"technique": "rest", "duration": 10}),
        (
            "rest hamstrings:left 10s rest 5s",
            {"technique": "rest", "region": "hamstrings", "side": "left", "duration": 10, "rest": 5},
        ),
        ("nerve_glide left 20s", {"technique": "nerve-glide", "side": "left", "duration": 20}),
        (
            r'stretch 30s "Say \"ah\"; then\nbreathe # out + in."',
            {"technique": "stretch", "duration": 30, "cue": 'Say "ah"; then\nbreathe # out + in.'},
        ),
        (
            'calves roles timer source "my own"',
            {"region": "calves", "side": "each", "roles": ("timer",), "source": "my own"},
        ),
        (
            "calves 40s curve 0s:20%,10s:0%,30s:500ppm",
            {
                "region": "calves",
                "side": "each",
                "duration": 40,
                "curve": (
                    {"at": 0, "intensity": "20%"},
                    {"at": 10, "intensity": "0%"},
                    {"at": 30, "intensity": "500ppm"},
                ),
            },
        ),
    ],
)
def test_each_word_says_its_key(text: str, keys: dict[str, object]) -> None:
    assert parse_script(text).steps == (step(**keys),)


def test_plus_joins_places_that_are_worked_at_the_same_time() -> None:
    assert parse_script("hamstrings 40% 45s + lower_back:left gentle+calves; rest 5s").steps == (
        step(region="hamstrings", side="both", intensity="40%", duration=45),
        step(region="lower_back", side="left", intensity="gentle", together=True),
        step(region="calves", side="both", together=True),
        step(technique="rest", duration=5),
    )


def test_lines_and_comments_make_a_script_that_reads_well() -> None:
    text = '# For the evening\n\ncalves 30s  # gently\r\n\n  ; ;rest 5s;\nhamstrings "a # is no comment here"\n'
    routine = parse_script(text)
    assert [one.technique for one in routine.steps] == ["percussion", "rest", "percussion"]
    assert [routine.line(n) for n in range(3)] == [3, 5, 6]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("calvs 40%", "script:1: column 1, 'calvs'", "Did you mean 'calves'?"),
        ("rest 5s\n calvs:left", "script:2: column 2, 'calvs:left'", "Did you mean 'calves'?"),
        ("calves:lft", "script:1: column 1, 'calves:lft'", "Did you mean 'left'?"),
        ("calves:", "column 1, 'calves:'", "needs a side"),
        ("calves kneeding", "column 8, 'kneeding'", "Did you mean 'kneading'?"),
        ("calves gentel", "column 8, 'gentel'", "Did you mean 'gentle'?"),
        ("calves ramb 10s", "column 8, 'ramb'", "Did you mean 'ramp'?"),
        ("calves 40rpm", "column 8, '40rpm'", "Did you mean 'ppm'?"),
        ("calves 10 secs", "column 8, '10'", "has no unit"),
        ("calves 40", "column 8, '40'", "40s for a time, or 40% for an intensity"),
        ("calves 140%", "column 8, '140%'", "must not be above 100 %"),
        ("calves 0%", "column 8, '0%'", "above 0"),
        ("calves -5s", "column 8, '-5s'", "must not be negative"),
        ("calves 16m", "column 8, '16m'", "15 minutes"),
        ("calves 30s ramp 40s", "column 1, 'calves'", "ramp (40 s) is longer than duration (30 s)"),
        ("calves ramp", "column 8, 'ramp'", "needs a time"),
        ("calves ramp gentle", "column 13, 'gentle'", "is no duration"),
        ("calves with bal", "column 13, 'bal'", "Did you mean 'ball'?"),
        ("calves roles masager", "column 14, 'masager'", "'massager'"),
        ("calves curve 20%", "column 14, '20%'", "is no curve"),
        ("calves curve 5s:20%", "column 1, 'calves'", "begin at 0s"),
        ("calves x21", "column 8, 'x21'", "20"),
        ("calves 40% gentle", "column 12, 'gentle'", "a second intensity in this step, after '40%'"),
        ("calves hamstrings", "column 8, 'hamstrings'", "a second region"),
        ("calves hold circles", "column 13, 'circles'", "a second technique"),
        ("stretch", "column 1, 'stretch'", "needs a duration"),
        ("40% 30s", "column 1, '40%'", "needs a region"),
        ("calves + ", "column 8, '+'", "one of them is missing"),
        ("+ calves", "column 1, '+'", "one of them is missing"),
        ("calves + + heel", "column 8, '+'", "one of them is missing"),
        ("calves + heel 20s", "column 10, 'heel'", "duration belongs to the first"),
        ("rest 5s + heel", "column 11, 'heel'", "a step before it that a massager can do"),
        ("rest 1s; calves + heel; calves:each + heel", "column 39, 'heel'", 'in both steps, not "each"'),
        ('calves "slowly', "column 8, '\"'", "does not end on its line"),
        (r'calves "a\qb"', "column 8", "backslash"),
        ("calves\x1b[2J", "column 1, 'calves\\x1b[2J'", "control character '\\x1b'"),
        ("# \x1b[2J", "column 1, '# \\x1b[2J'", "control character '\\x1b'"),
        (r'calves "\ud800" 20s', "column 8", "'\\ud800', which is only half of a character"),
        (r'calves "\u001b[2J"', "column 8", "control character '\\x1b'"),
        ("", "script", "has no step"),
        (" # only this\n;", "script", "has no step"),
        ("; ".join(["rest 1s"] * (MOST_STEPS + 1)), f"column {9 * MOST_STEPS + 1}, 'rest'", "there may be 100"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_write(text: str, place: str, what: str) -> None:
    problem = mistake(text)
    assert isinstance(problem, RoutineError)
    assert place in problem.where
    assert what in f"{problem.what} {problem.fix}"
    assert str(problem).isprintable()


def test_a_refused_place_is_refused_with_its_reason() -> None:
    problem = mistake("calves; neck:left gentle")
    assert isinstance(problem, PlanRefusedError)
    assert "column 9, 'neck:left'" in problem.where
    assert "carotid" in problem.what


def test_the_limits_of_the_body_hold_and_name_the_line() -> None:
    routine = parse_script("rest 5s\ncalves 30s\ncalves 2400ppm 30s")
    with pytest.raises(PlanRefusedError, match="above 2100 ppm") as caught:
        plan(routine, {})
    assert (caught.value.line, caught.value.key) == (3, "steps.2.intensity")


def test_standard_input_may_be_a_file_or_a_script() -> None:
    file = b'# mine\n\n  schema = 1\nname = "mine"\ntitle = "Mine"\n[[steps]]\nregion = "calves"\nside = "each"\n'
    assert parse_routine_text(file).name == "mine"
    assert parse_routine_text(b"calves").name == "script"
    assert parse_routine_text(b'\xef\xbb\xbfcalves "a = b"', "stdin").steps[0].cue == "a = b"
    # A file without its schema is a broken file, and no broken script.
    with pytest.raises(RoutineError, match="schema: is missing"):
        parse_routine_text(file.replace(b"schema = 1", b""))


@pytest.mark.parametrize(("raw", "what"), [(b"rest 5s\n\xff", "stdin:2: is not UTF-8"), (b"#" * 1_000_001, "larger")])
def test_what_is_no_text_or_too_much_is_told(raw: bytes, what: str) -> None:
    with pytest.raises(RoutineError, match=what):
        parse_routine_text(raw, "stdin")


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_gives_a_routine_or_a_documented_error(text: str | bytes) -> None:
    with suppress(RoutineError, PlanRefusedError):
        if isinstance(text, str):
            parse_script(text)
        else:
            parse_routine_text(text)


WORDS = st.sampled_from(
    [
        *(
            "calves",
            "calves:left",
            "neck",
            "heel:",
            ":left",
            "rest",
            "hold",
            "40%",
            "1500 ppm",
            "-3%",
            "1e9s",
            "9e9ppm",
        ),
        *("45s", "20m", "ramp", "with", "ball", "curve", "0s:20%,5s:x", "0s:0%", ",", "roles", "timer", "source", "x3"),
        *(
            "both",
            "each",
            '"a"',
            '"',
            "\\",
            "+",
            ";",
            "\n",
            "#",
            "=",
            "[",
            "prone",
            "gentle",
            "move",
            "nan",
            "٤٥s",
            "x0",
        ),
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_words_in_any_order_give_a_plan_or_a_documented_error(text: str) -> None:
    with suppress(RoutineError, PlanRefusedError):
        plan(parse_script(text), {})
