from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_profiles.errors import FileError
from routines.errors import PlanRefusedError, RoutineError
from routines.exchange.funscript import find_action, read_funscript
from routines.exchange.strangers import Wanted
from routines.limits import BY_HAND
from routines.planner import plan
from routines.schema import Intensity

WAVE = Path("wave.funscript")
CALVES = Wanted("calves", "left")


def script(*actions: tuple[float, float], **more: Any) -> bytes:
    """A funscript with one action a line; the first is in line 3."""
    lines = ",\n".join(f'  {{"at": {at}, "pos": {pos}}}' for at, pos in actions)
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)}, " for key, value in {"version": "1.0", **more}.items())
    return f'{{{head}\n"actions": [\n{lines}\n]}}\n'.encode()


def curve_of(raw: bytes, wanted: Wanted = CALVES) -> list[tuple[float, str]]:
    step = read_funscript(raw, WAVE, wanted).routine.steps[0]
    return [(point.at, point.intensity) for point in step.curve]


def refusal(raw: bytes, wanted: Wanted = CALVES) -> FileError:
    with pytest.raises(FileError) as caught:
        read_funscript(raw, WAVE, wanted)
    assert "wave.funscript" in str(caught.value)
    return caught.value


def test_a_script_is_one_step_with_a_curve() -> None:
    imported = read_funscript(script((0, 40), (10_000, 40), (10_000, 60), (30_000, 60)), WAVE, CALVES)
    (step,) = imported.routine.steps
    assert (step.region, step.side, step.technique, step.duration) == ("calves", "left", "percussion", 30)
    # The second before the leap and the second after it touch 40; so does the one that begins with it.
    assert curve_of(script((0, 40), (10_000, 40), (10_000, 60), (30_000, 60))) == [(0, "40%"), (11, "60%")]
    assert (imported.routine.name, imported.routine.title) == ("wave", "wave")


def test_each_second_has_its_lowest_value_on_the_straight_lines_between_actions() -> None:
    # From 0 to 50 in 5 s: 10 a second, so each second begins with its lowest.
    rising = [(0, "0%"), (1, "10%"), (2, "20%"), (3, "30%"), (4, "40%")]
    assert curve_of(script((0, 0), (5000, 50))) == rising
    # Falling, each second ends with its lowest.
    assert curve_of(script((0, 50), (5000, 0))) == [(0, "40%"), (1, "30%"), (2, "20%"), (3, "10%"), (4, "0%")]
    # A dip of a tenth of a second counts for its whole second.
    assert curve_of(script((0, 50), (1400, 50), (1450, 5), (1500, 50), (4000, 50))) == [
        (0, "50%"),
        (1, "5%"),
        (2, "50%"),
    ]


def test_before_the_first_action_the_motor_rests() -> None:
    assert curve_of(script((2000, 50), (5000, 50))) == [(0, "0%"), (2, "50%")]


def test_inverted_and_full_are_followed() -> None:
    assert curve_of(script((0, 60), (5000, 60), inverted=True)) == [(0, "40%")]
    assert curve_of(script((0, 60), (5000, 60)), Wanted("calves", "left", Intensity(percent=50))) == [(0, "30%")]
    assert curve_of(script((0, 60), (5000, 60)), Wanted("calves", "left", Intensity(ppm=1001))) == [(0, "600 ppm")]


def test_title_is_taken_over_and_what_is_not_is_told() -> None:
    raw = script(
        (0, 50), (5000, 50), metadata={"title": "Slow \x1b[2Jwave", "description": "x\ud800y"}, range=90, rawActions=[1]
    )
    imported = read_funscript(raw, WAVE, CALVES)
    assert (imported.routine.name, imported.routine.title) == ("slow-2jwave", "Slow [2Jwave")
    assert imported.routine.description == "x y"
    assert imported.remarks == ("Not taken over: range, rawActions.",)


@pytest.mark.parametrize(
    ("raw", "wanted", "line", "what"),
    [
        (script((0, 40), (1000, 88), (5000, 40)), CALVES, 4, "88 % (2112 ppm) is above 2100 ppm"),
        (script((0, 40), (119_000, 40), (121_000, 40)), CALVES, 5, "lasts 121 s, longer than 120 s"),
        (script((0, 40), (5000, 40)), Wanted("face", "left"), 3, "face is refused"),
        (script((0, 40), (5000, 40)), Wanted("iliopsoas", "left"), 3, "is never driven"),
    ],
)
def test_what_is_outside_the_limits_is_refused_with_the_line_of_the_action(
    raw: bytes, wanted: Wanted, line: int, what: str
) -> None:
    told = refusal(raw, wanted)
    assert isinstance(told, PlanRefusedError)
    assert told.line == line
    assert what in str(told)


def test_strokes_are_refused_for_they_say_no_strength() -> None:
    told = refusal(script(*[(300 * n, 80 * (n % 2)) for n in range(60)]))
    assert "how something moves, not how strong" in str(told)


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ('{"at": NaN, "pos": 5}', "at must be a number"),
        ('{"at": 1, "pos": Infinity}', "pos must be a number"),
        ('{"at": true, "pos": 5}', "at must be a number"),
        ('{"at": "1", "pos": 5}', "at must be a number"),
        ('{"at": 1}', "pos must be a number"),
        (f'{{"at": {"9" * 400}, "pos": 5}}', "at must be a number"),
        ('{"at": 1, "pos": 101}', "pos must be from 0 to 100, not 101"),
        ('{"at": 1, "pos": -1}', "pos must be from 0 to 100"),
        ('{"at": -1, "pos": 1}', "must not be negative"),
        ("7", "must be an object"),
        ("[1, [2]]", "must be an object"),
    ],
)
def test_an_action_that_makes_no_sense_is_told_with_its_line(action: str, what: str) -> None:
    told = refusal(f'{{"actions": [\n{{"at": 0, "pos": 5}},\n\n{action}\n]}}'.encode())
    assert isinstance(told, RoutineError)
    assert told.line == 4
    assert what in str(told)


def test_time_does_not_go_back() -> None:
    told = refusal(script((0, 5), (2000, 5), (1999, 5)))
    assert (told.line, told.key) == (5, "actions.2")
    assert "1999 ms is before the action before it (2000 ms)" in str(told)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[]", "no funscript"),
        (b'{"actions": {}}', "no funscript"),
        (b'{"actions": []}', "no actions"),
        (b'{"actions": [{"at": 500, "pos": 5}]}', "lasts 0.5 s"),
        (b'{"inverted": 1, "actions": [{"at": 5000, "pos": 5}]}', "must be true or false"),
        (b'{"actions": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"actions": [' + b"9" * 10_000 + b"]}", "absurd length"),
        (b" " * 10_000_000, "larger than"),
        (b'{"actions": [{"at": 0, "pos": 0}, {"at": 900000000, "pos": 0}]}', "longer than 120 s"),
    ],
    ids=range(11),
)
def test_hostile_files_are_refused_in_a_sentence(raw: bytes, what: str) -> None:
    told = refusal(raw)
    assert what in str(told)
    assert str(told).isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_whatever_end_in_anything_but_a_sentence(raw: bytes) -> None:
    refusal(raw)


actions = st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 100)), min_size=2, max_size=80).map(sorted)


@given(actions, st.floats(1, 87))
def test_the_curve_never_stands_above_the_script_and_has_a_point_a_second_at_most(
    drawn: list[tuple[int, int]], full: float
) -> None:
    assume(drawn[-1][0] >= 1000)
    try:
        found = read_funscript(script(*drawn), WAVE, Wanted("calves", "both", Intensity(percent=full))).routine
    except RoutineError as problem:
        assert "how strong" in str(problem)  # noqa: PT017 - the other way that it may end
        return
    (step,) = found.steps
    assert plan(found, {"massager": BY_HAND}).spans
    for point, until_s in zip(step.curve, [p.at for p in step.curve[1:]] + [drawn[-1][0] / 1000], strict=True):
        level = float(point.intensity.removesuffix("%"))
        inside = [pos for at, pos in drawn if point.at <= at / 1000 < until_s]
        assert all(level <= pos * full / 100 + 1e-3 for pos in inside)
        assert until_s - point.at >= 1
        before_first = point.at < drawn[0][0] / 1000
        assert not (before_first and level > 0)


def test_the_line_of_an_action_is_found_past_other_lists_and_texts() -> None:
    text = json.dumps(
        {"rawActions": [{"at": 1}], "note": '"actions": [', "actions": [{"at": 1, "x": [1, 2]}, {"at": 2}, 3]}, indent=1
    )
    lines = text.splitlines()
    for number, mark in enumerate(["{", "{", "3"]):
        assert lines[find_action(text, number) - 1].strip() == mark
    assert lines[find_action(text, 1)].strip() == '"at": 2'
