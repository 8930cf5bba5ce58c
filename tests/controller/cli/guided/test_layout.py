"""The layout on screens of many sizes, for every span of every routine that ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from controller.cli.guided import digits
from controller.cli.guided.layout import frame
from controller.cli.guided.wording import place_or_technique
from controller.events import DeviceReported, LevelAsked, PainAsked, RequestRefused, SpanExtended
from firmware_profiles.capabilities import Role
from firmware_profiles.library import find_profile
from routines.library import load_routines
from routines.loader import parse_routine
from routines.planner import plan
from routines.timeline import Timeline
from tests.controller.cli.guided.standing import Standing, progress, shown

SIZES = [(80, 24), (60, 16), (100, 30), (132, 43), (40, 12), (200, 60)]
ROLE: Role = "massager"
GUN = find_profile("theragun-gen4").capabilities()
ROUTINES, _ = load_routines()
PLANS = [plan(routine, devices) for routine in ROUTINES.values() for devices in ({}, {ROLE: GUN})]


def lines(timeline: Timeline, index: int, width: int, height: int, left_s: float | None = None) -> list[str]:
    return [line.plain for line in frame(shown(timeline, index, left_s), width, height)]


@pytest.mark.parametrize(("width", "height"), [*SIZES, (20, 6), (12, 3), (5, 1)])
def test_a_frame_is_exactly_as_big_as_the_screen(width: int, height: int) -> None:
    for timeline in PLANS:
        for index in range(len(timeline.spans)):
            drawn = lines(timeline, index, width, height)
            assert len(drawn) == height
            assert {cell_len(line) for line in drawn} == {width}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_stop_where_and_how_long_are_always_there(width: int, height: int) -> None:
    for timeline in PLANS:
        for index, span in enumerate(timeline.spans):
            text = "\n".join(lines(timeline, index, width, height, 7.0))
            words = " ".join(text.split())
            assert "q stop" in words
            if span.kind == "work" and cell_len(place_or_technique(span)) < width - 10:
                assert f"NOW {place_or_technique(span)}" in words
            assert "0:07" in words or digits.big("0:07")[0].rstrip() in text


def test_at_80_by_24_every_word_and_large_figures_fit() -> None:
    for timeline in PLANS:
        for index, span in enumerate(timeline.spans):
            drawn = lines(timeline, index, 80, 24, 3.0)
            words = " ".join(" ".join(line[:59] for line in drawn).split())
            assert " ".join(span.cue.split()) in words
            if not span.cue.startswith("Clot check first:"):
                note = re.sub("By hand: [a-z ]+ is not for a machine.", "", span.note)
                assert " ".join(note.split()) in words
            assert "█" in words
            assert "t tingling, numb or shooting pain: stops" in drawn[-2]
            assert "how much it hurts" in drawn[-1]
            assert any("BACK" in line or "FRONT" in line for line in drawn)


def test_a_way_to_no_place_is_for_getting_ready() -> None:
    step = "[[steps]]\ntechnique = 'breathing'\nduration = '15s'\nposition = 'seated'\n"
    text = f"schema = 1\nname = 'calm'\ntitle = 'Calm'\n{step}"
    drawn = lines(plan(parse_routine(text.encode(), Path("calm.toml")), {}), 0, 80, 24)
    assert drawn[1].startswith(" GET READY  ")
    assert not any("MOVE TO" in line for line in drawn)


def test_the_picture_goes_before_the_notes() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {})
    index = next(index for index, span in enumerate(timeline.spans) if span.kind == "work" and span.note)
    drawn = "\n".join(lines(timeline, index, 60, 16))
    assert "BACK" not in drawn
    assert " ".join(timeline.spans[index].note.split()) in " ".join(drawn.split())


def test_a_wide_screen_shows_the_body_from_both_sides() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {})
    drawn = lines(timeline, 1, 110, 24)
    assert re.search("left +BACK +right +right +FRONT +left", drawn[1])


def test_the_total_and_the_next_place_are_told() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {})
    total_s = round(timeline.duration_s)
    drawn = lines(timeline, 0, 80, 24)
    assert drawn[0].endswith(f" {total_s // 60}:{total_s % 60:02d} left in all ─")
    assert any("NEXT move to left lumbar paraspinal, 0:08" in line for line in drawn)
    assert any("NEXT the end" in line for line in lines(timeline, len(timeline.spans) - 1, 80, 24))


def test_what_was_asked_and_reported_is_told_with_the_battery() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {ROLE: GUN})
    index = next(index for index, span in enumerate(timeline.spans) if span.drives)
    follows = shown(timeline, index)
    follows.hear(LevelAsked("Elite", "motor", 1400, 58.3, 1400))
    follows.hear(DeviceReported("Elite", True, 1390, 81.0, None))
    follows.hear(DeviceReported("Elite", True, 1395, None, None))
    text = "\n".join(line.plain for line in frame(follows, 80, 24))
    assert "asked 1400 ppm (58 %) · reported 1395 ppm · battery 81 %" in text


def test_a_lamp_that_is_on_is_no_speed_of_a_motor() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {ROLE: GUN})
    follows = shown(timeline, 0)
    follows.hear(LevelAsked("lamp", "relay", 1, 100.0, 2400))
    assert "asked at rest" in "\n".join(line.plain for line in frame(follows, 80, 24))


def test_half_way_stands_beside_the_clock_for_a_moment() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {})
    index = next(index for index, span in enumerate(timeline.spans) if span.duration_s == 40 and span.kind == "work")
    session = Standing(timeline, progress(timeline, index))
    follows = shown(timeline, index)
    follows._session = session
    seen = {}
    for left_s in (21, 20, 18, 15):
        session.at = progress(timeline, index, left_s)
        follows.look()
        seen[left_s] = any("half-way" in line.plain for line in frame(follows, 80, 24))
    assert seen == {21: False, 20: True, 18: True, 15: False}


def test_a_question_about_pain_stands_above_everything_and_a_message_does_not_hide_it() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {ROLE: GUN})
    for width, height in SIZES:
        follows = shown(timeline, 3)
        follows.hear(PainAsked("between"))
        follows.hear(SpanExtended(15))
        drawn = frame(follows, width, height)
        assert drawn[1].plain.strip().startswith(">> How much does it hurt")
        assert any("reverse" in str(span.style) for span in drawn[1].spans)
        assert any("15 s more here." in line.plain for line in drawn)


def test_a_long_refusal_is_cut_rather_than_what_stops() -> None:
    timeline = plan(ROUTINES["sciatica-relief"], {ROLE: GUN})
    follows = shown(timeline, 3)
    follows.hear(RequestRefused("no " * 500))
    drawn = [line.plain for line in frame(follows, 60, 16)]
    assert len(drawn) == 16
    assert any(line.strip().startswith("q stop") for line in drawn)
