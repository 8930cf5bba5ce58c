"""Plain lines say each thing once."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.guided.plain import PlainDisplay
from controller.cli.guided.sound import make_sound
from controller.events import SessionEnded
from controller.sessions import BY_THE_PERSON
from routines.library import load_routines
from routines.loader import parse_routine
from routines.planner import plan
from routines.timeline import Timeline
from tests.controller.cli.guided.standing import Standing, progress, started

HEAD = 'schema = 1\nname = "x"\ntitle = "X"\n'
ROUTINES, _ = load_routines()


def timeline(text: str) -> Timeline:
    return plan(parse_routine(f"{HEAD}{text}".encode(), Path("x.toml")), {})


def said(timeline: Timeline, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of all spans and of the end."""
    display = PlainDisplay(make_sound(is_wanted=False))
    for index in range(len(timeline.spans)):
        display.begin(Standing(timeline, progress(timeline, index)))
        display.event(started(timeline, index))
    display.event(SessionEnded("done", "", timeline.duration_s))
    return capsys.readouterr().err.splitlines()


def test_a_way_names_its_place_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(timeline('[[steps]]\nregion = "piriformis"\nside = "left"\nposition = "seated"\n'), capsys)
    assert lines[0].startswith("[0:08] Move to left piriformis: Sit down. ")
    assert "Next" not in lines[0]


def test_a_way_says_where_that_is_in_other_words_and_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    step = '[[steps]]\nregion = "lower_back"\nside = "left"\ntechnique = "stretch"\n'
    lines = said(timeline(f'{step}duration = "20s"\nposition = "seated"\n'), capsys)
    assert lines[0] == "[0:08] Move to left lumbar paraspinal, stretch, lower back, beside the spine: Sit down."


def test_a_way_to_no_place_is_for_getting_ready(capsys: pytest.CaptureFixture[str]) -> None:
    step = '[[steps]]\ntechnique = "breathing"\nduration = "15s"\nposition = "seated"\n'
    assert said(timeline(step), capsys)[0] == "[0:08] Get ready: Next: breathing. Sit down."


def test_a_check_that_the_routine_asks_for_itself_is_not_asked_twice(capsys: pytest.CaptureFixture[str]) -> None:
    step = '[[steps]]\nregion = "calves"\nside = "left"\n'
    _, asked, *_ = said(timeline(f'{step}cue = "Clot check first: leave a warm calf alone."\n'), capsys)
    assert asked.count("lot check") == 1
    assert "leave a warm calf alone. (" in asked
    _, not_asked, *_ = said(timeline(f'{step}cue = "Glide up."\n'), capsys)
    assert not_asked.count("lot check") == 1


def test_a_stretch_needs_no_word_about_machines(capsys: pytest.CaptureFixture[str]) -> None:
    for routine in ROUTINES.values():
        assert "not for a machine" not in "\n".join(said(plan(routine, {}), capsys))


@pytest.mark.parametrize("note", ["Done. Drink something.", "Drink something."])
def test_the_end_is_told_once(note: str, capsys: pytest.CaptureFixture[str]) -> None:
    step = '[[steps]]\ntechnique = "breathing"\nduration = "15s"\n'
    lines = said(timeline(f'closing_note = "{note}"\n{step}'), capsys)
    assert lines[-2:] == ["Done.", "Drink something."]


def test_who_stopped_hears_no_closing_note(capsys: pytest.CaptureFixture[str]) -> None:
    calm = timeline('closing_note = "Drink something."\n[[steps]]\ntechnique = "breathing"\nduration = "15s"\n')
    display = PlainDisplay(make_sound(is_wanted=False))
    display.begin(Standing(calm, progress(calm, 0)))
    display.event(SessionEnded("stopped", BY_THE_PERSON, 3.0))
    assert capsys.readouterr().err.splitlines() == ["Stopped."]
