"""What each key does where it is pressed: going back, more time, skipping in a pause, on a manual clock."""

from dataclasses import replace

import pytest

from controller.cli.keys import KEYS
from controller.events import IntensityChanged, RequestRefused, SessionEnded, SessionPaused, SpanExtended, SpanStarted
from controller.sessions import Request
from firmware_profiles.units import Level
from routines.timeline import Span
from tests.controller.test_sessions import Stage, move, place


def rest(duration_s: float = 10.0) -> Span:
    return Span("rest", duration_s, 1, 1, "Rest.", region="calves", side="left", technique="rest")


def by_hand(duration_s: float = 40.0, *, extra_s: float = 0.0) -> Span:
    return Span("work", duration_s, 1, 1, "Stretch.", technique="stretch", extra_max_s=extra_s)


def begun(stage: Stage) -> list[int]:
    """The spans that began, by their index."""
    return [event.index for event in stage.told(SpanStarted) if isinstance(event, SpanStarted)]


def why_not(stage: Stage) -> str:
    refused = stage.told(RequestRefused)[-1]
    assert isinstance(refused, RequestRefused)
    return refused.reason


def test_every_request_has_a_key_and_pausing_and_going_on_have_one_together() -> None:
    wanted = {
        " ": Request.TOGGLE,
        "s": Request.SKIP,
        "b": Request.BACK,
        "e": Request.EXTRA,
        "+": Request.STRONGER,
        "-": Request.SOFTER,
    }
    assert {key: KEYS[key] for key in wanted} == wanted
    assert set(KEYS.values()) == set(Request) - {Request.PAUSE, Request.RESUME}


# ---- back ---------------------------------------------------------------------------------------------------------


async def test_back_on_the_way_to_a_place_is_the_place_before_and_not_the_rest_behind_it() -> None:
    stage = await Stage([move("calves"), place("calves"), rest(), move("heel"), place("heel")]).begin()
    await stage.clock.advance(5.0 + 40.0 + 10.0 + 1.0)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 1, 2, 3, 0]


@pytest.mark.parametrize("rested_s", [1.0, 8.0])
async def test_back_in_a_rest_is_the_work_before_it(rested_s: float) -> None:
    stage = await Stage([move("calves"), place("calves"), rest(), move("heel")]).begin()
    await stage.clock.advance(5.0 + 40.0 + rested_s)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 1, 2, 0]


async def test_back_begins_a_place_anew_that_has_no_way_to_it() -> None:
    stage = await Stage([place("calves"), place("heel")]).begin()
    await stage.clock.advance(40.0 + 10.0)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 1, 1]
    await stage.clock.advance(1.0)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 1, 1, 0], "and early on it is the place before"


async def test_back_in_the_second_of_two_rounds_begins_that_round_anew() -> None:
    stage = await Stage([move("calves"), place("calves"), rest(), place("calves")]).begin()
    await stage.clock.advance(5.0 + 40.0 + 10.0 + 5.0)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 1, 2, 3, 3]


async def test_back_at_the_very_beginning_begins_anew() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(1.0)
    await stage.ask(Request.BACK)
    assert begun(stage) == [0, 0]


# ---- stronger and softer ------------------------------------------------------------------------------------------


def staged(*targets: tuple[float, int]) -> Span:
    """A place whose intensity follows stages; gentle is 500, the cap 1200."""
    span = place("calves")
    made = tuple((at_s, Level(level)) for at_s, level in targets)
    return replace(span, drives=(replace(span.drives[0], targets=made),))


STAGES = ((0.0, 600), (13.0, 800), (26.0, 1000))
FALLS = ((0.0, 1000), (14.0, 600), (17.0, 900), (23.0, 0), (26.0, 700))


@pytest.mark.parametrize("targets", [STAGES, FALLS], ids=["stages", "falls"])
@pytest.mark.parametrize("keys", ["-", "+", "--", "-+", "+-", "-+-"])
async def test_softer_and_stronger_at_any_moment_end_no_session(
    targets: tuple[tuple[float, int], ...], keys: str
) -> None:
    for second in range(39):
        stage = await Stage([staged(*targets)]).begin()
        await stage.clock.advance(second + 0.5)
        for key in keys:
            await stage.ask(KEYS[key])
            await stage.clock.advance(0.3)
        await stage.clock.advance(45.0)
        ended = stage.told(SessionEnded)[-1]
        assert isinstance(ended, SessionEnded)
        assert (second, ended.outcome, ended.reason) == (second, "done", "")


async def test_what_was_taken_back_rises_no_more_at_this_place_and_does_at_the_next() -> None:
    stage = await Stage([staged(*STAGES), staged(*STAGES)]).begin()
    await stage.clock.advance(22.0)  # 500 after a second, 600 ten seconds later, 800 another ten
    assert stage.gun.rpm == 800
    await stage.ask(Request.SOFTER)
    await stage.clock.advance(1.0)
    assert stage.gun.rpm == 680  # 120 of 2400 less
    await stage.clock.advance(16.0)
    assert stage.gun.rpm == 680
    assert stage.told(IntensityChanged) == [IntensityChanged(-5.0, is_held=True)]
    await stage.clock.advance(1.0 + 39.0)
    assert stage.gun.rpm == 880  # 1000 less 120


async def test_who_takes_back_a_climb_stays_below_where_it_was() -> None:
    stage = await Stage([staged((0.0, 1000))]).begin()
    await stage.clock.advance(1.5)
    assert stage.gun.rpm == 500
    await stage.ask(Request.SOFTER)
    await stage.clock.advance(37.0)
    assert stage.gun.rpm == 380


async def test_stronger_after_softer_lets_it_rise_again() -> None:
    stage = await Stage([staged(*STAGES)]).begin()
    await stage.clock.advance(16.0)
    await stage.ask(Request.SOFTER)
    await stage.ask(Request.STRONGER)
    await stage.clock.advance(23.0)
    assert stage.gun.rpm == 1000
    assert stage.told(IntensityChanged)[-1] == IntensityChanged(0.0, is_held=False)


# ---- more time ----------------------------------------------------------------------------------------------------


async def test_more_time_by_hand_ends_where_the_plan_says_that_it_is_enough() -> None:
    stage = await Stage([by_hand(extra_s=20.0)]).begin()
    for _ in range(3):
        await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(15.0), SpanExtended(5.0)]
    assert "had all its time" in why_not(stage)


async def test_more_time_by_hand_is_one_for_all_the_work_at_a_place_and_taken_from_its_motor() -> None:
    pressed = replace(by_hand(extra_s=20.0), technique="hold", region="calves", side="left")
    stage = await Stage([pressed, pressed, place("calves", extra_s=20.0)]).begin()
    await stage.ask(Request.EXTRA)
    await stage.ask(Request.SKIP)
    await stage.ask(Request.EXTRA)
    await stage.ask(Request.SKIP)
    await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(15.0), SpanExtended(5.0)]


async def test_more_time_on_the_way_never_makes_a_session_longer_than_its_limit() -> None:
    # 5 + 40 s are planned, so 25 s are left.
    stage = await Stage([move("calves"), place("calves")], longest_s=70.0).begin()
    for _ in range(3):
        await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(15.0), SpanExtended(10.0)]
    assert "a session lasts 70 s at most" in why_not(stage)
    await stage.clock.advance(30.0)
    await stage.ask(Request.EXTRA)
    assert len(stage.told(SpanExtended)) == 2, "nor does it where the motor runs"


async def test_what_was_skipped_is_time_that_may_be_used_elsewhere() -> None:
    stage = await Stage([place("calves"), move("heel")], longest_s=45.0).begin()
    await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == []
    await stage.clock.advance(30.0)
    await stage.ask(Request.SKIP)
    await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(10.0)]


async def test_a_session_by_hand_alone_has_no_such_limit() -> None:
    stage = await Stage([move("calves"), by_hand()], longest_s=45.0).begin()
    await stage.ask(Request.EXTRA)
    assert stage.told(SpanExtended) == [SpanExtended(15.0)]


# ---- pausing and skipping -----------------------------------------------------------------------------------------


async def test_before_it_begins_all_of_it_is_left() -> None:
    progress = Stage([move("calves"), place("calves")]).session.progress()
    assert (progress.span_left_s, progress.total_left_s, progress.is_paused) == (5.0, 45.0, False)


async def test_skipping_in_a_pause_goes_on_with_all_of_the_next_step() -> None:
    stage = await Stage([place("calves"), move("heel"), place("heel")]).begin()
    await stage.clock.advance(10.0)
    await stage.ask(Request.PAUSE)
    left_s: list[float] = []
    stage.emit = lambda event: left_s.append(stage.session.left()[0][1]) if isinstance(event, SpanStarted) else None
    await stage.ask(Request.SKIP)
    assert left_s == [5.0]
    assert not stage.session.progress().is_paused


async def test_resume_goes_on_and_never_pauses() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(10.0)
    await stage.ask(Request.RESUME)
    assert not stage.session.progress().is_paused
    await stage.ask(Request.PAUSE)
    await stage.ask(Request.RESUME)
    assert not stage.session.progress().is_paused


async def test_pause_pauses_and_never_goes_on() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(10.0)
    for _ in range(3):
        await stage.ask(Request.PAUSE)
        assert stage.session.progress().is_paused
    await stage.clock.advance(60.0)
    assert stage.gun.rpm == 0
    assert stage.told(SessionPaused) == [SessionPaused("")]


async def test_two_pauses_before_the_session_looks_are_one() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(10.0)
    stage.session.request(Request.PAUSE)
    await stage.ask(Request.PAUSE)
    assert stage.session.progress().is_paused
    assert stage.gun.rpm == 0


async def test_the_space_bar_pauses_and_goes_on_in_turn() -> None:
    stage = await Stage([place("calves")]).begin()
    await stage.clock.advance(10.0)
    for is_paused in (True, False, True):
        await stage.ask(KEYS[" "])
        assert stage.session.progress().is_paused is is_paused


async def test_stronger_and_softer_say_so_where_nothing_is_driven() -> None:
    stage = await Stage([move("calves"), place("calves")]).begin()
    for request in (Request.STRONGER, Request.SOFTER):
        await stage.ask(request)
        assert "nothing is driven in this step" in why_not(stage)
