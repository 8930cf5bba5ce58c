from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.capabilities import Side
from routines.bounds import Bound, least_left_s, refusal
from routines.dose import DAY_MAX_S, GENTLE, DrivenSpan, Moment, PainAnswer, bounds_today, pain_stops

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = 3600.0


def span(session: int, ended_ago_s: float, driven_s: float, region: str = "calves", side: Side = "left") -> DrivenSpan:
    return DrivenSpan(session, region, side, NOW - timedelta(seconds=ended_ago_s + driven_s), driven_s)


def said(
    session: int, moment: Moment, score: int | None, *, region: str | None = None, nerve: bool = False
) -> PainAnswer:
    return PainAnswer(session, NOW, region, None, moment, score, nerve)


def today(*driven: DrivenSpan, pain: tuple[PainAnswer, ...] = (), has_driven_before: bool = True) -> tuple[Bound, ...]:
    return bounds_today(driven, pain, now_utc=NOW, has_driven_before=has_driven_before)


def left_s(bounds: tuple[Bound, ...], region: str = "calves", side: Side = "left") -> float:
    return least_left_s(bounds, region, side)[0]


def refused(bounds: tuple[Bound, ...], region: str = "calves") -> str:
    found = refusal(bounds, region, ["left"])
    return found.reason if found else ""


def gentle(bounds: tuple[Bound, ...]) -> dict[str | None, str]:
    return {bound.region: bound.reason for bound in bounds if bound.cap == GENTLE}


def test_a_body_that_was_left_alone_has_no_bounds() -> None:
    assert today() == ()


def test_the_first_session_of_all_is_gentle_everywhere() -> None:
    (bound,) = today(has_driven_before=False)
    assert bound == Bound("your first session is gentle", cap=GENTLE)


@pytest.mark.parametrize(
    ("driven", "left"),
    [
        ([span(1, 5 * HOUR, 240)], 60.0),
        ([span(1, 5 * HOUR, 300)], 0.0),
        ([span(1, 5 * HOUR, 900)], 0.0),  # never below nothing
        ([span(1, 5 * HOUR, 100), span(1, 5 * HOUR, 50), span(2, 10 * HOUR, 20)], 130.0),
        ([span(1, 24 * HOUR - 1, 100)], 200.0),  # ended a second inside the day: all of it counts
        ([span(1, 24 * HOUR, 100)], math.inf),
        ([span(1, 5 * HOUR, 100, side="right")], math.inf),
        ([span(1, 5 * HOUR, 100, region="heel")], math.inf),
        ([span(1, 5 * HOUR, 9)], 291.0),  # too short to be a session, but it was had
        ([span(1, 5 * HOUR, 0)], math.inf),
        ([span(1, 5 * HOUR, -20)], math.inf),
        ([DrivenSpan(1, "calves", "left", NOW - timedelta(hours=1), math.nan)], 0.0),
        ([DrivenSpan(1, "calves", "left", NOW + timedelta(days=400), 100)], 200.0),  # the clock was set back
    ],
)
def test_each_side_of_a_place_is_driven_300_s_in_24_hours(driven: list[DrivenSpan], left: float) -> None:
    assert left_s(today(*driven)) == pytest.approx(left)


def test_the_reason_names_what_was_had() -> None:
    reason = least_left_s(today(span(1, 5 * HOUR, 240)), "calves", "left")[1]
    assert reason == "the left calves had 240 s of 300 s in the last 24 hours"


@pytest.mark.parametrize(
    ("driven", "reason"),
    [
        ([span(1, 4 * HOUR, 60)], ""),
        ([span(1, 4 * HOUR - 60, 60)], "ended 3 h 59 min ago, and the next may start in 1 min"),
        (
            [span(1, 50 * 60, 60)],
            "the last session with the calves ended 50 min ago, and the next may start in 3 h 10 min",
        ),
        ([span(1, 0, 60)], "ended just now, and the next may start in 4 h"),
        ([span(1, 60, 9)], ""),  # less than 10 s is no session
        ([span(1, 60, 6), span(1, 60, 6, side="right")], "the next may start in 3 h 59 min"),  # both sides together
        ([span(1, 60, 6), span(2, 60, 6)], ""),
        ([span(1, 5 * HOUR, 60), span(2, 10 * HOUR, 60)], "2 sessions a day with the calves are the most"),
        ([span(1, 5 * HOUR, 60), span(2, 10 * HOUR, 60)], "ended 5 h ago, and the next may start in 14 h"),
        ([span(1, 5 * HOUR, 60), span(2, 10 * HOUR, 60), span(3, 23 * HOUR, 60)], "may start in 14 h"),
        ([span(1, 5 * HOUR, 60), span(2, 24 * HOUR, 60)], ""),
        ([span(1, HOUR, 60), span(2, 23 * HOUR, 60)], "the next may start in 3 h"),  # the longer wait counts
        ([span(1, 5 * HOUR, 60), span(2, 10 * HOUR, 9)], ""),
        ([span(1, 60, 60, region="heel")], ""),
        ([DrivenSpan(1, "calves", "left", NOW + timedelta(hours=9), 60)], "was this computer's clock set back?"),
        (
            [DrivenSpan(1, "calves", "left", NOW + timedelta(hours=9), 60)],
            "ended just now, and the next may start in 4 h",
        ),
    ],
)
def test_a_place_rests_4_hours_and_has_2_sessions_in_24(driven: list[DrivenSpan], reason: str) -> None:
    found = refused(today(*driven))
    assert reason in found
    assert bool(reason) == bool(found)


def test_a_rest_holds_for_both_sides() -> None:
    assert refusal(today(span(1, 60, 60)), "calves", ["right"])


BAD = (said(1, "before", 2), said(1, "after", 4))
GOOD_AFTER = (said(2, "before", 3), said(2, "after", 3))


@pytest.mark.parametrize(
    ("pain", "reason"),
    [
        ((said(1, "before", 2), said(1, "after", 3)), ""),
        (BAD, "pain rose from 2 to 4 of 10 in a session with the calves"),
        ((said(1, "before", 2), said(1, "between", 4), said(1, "after", 1)), "pain rose from 2 to 4"),
        ((said(1, "before", 2), said(1, "before", 4), said(1, "after", 5)), "pain rose from 2 to 5"),
        ((said(1, "between", 6), said(1, "after", 6)), ""),  # no before to rise from
        ((said(1, "after", 7),), "pain was 7 of 10"),
        ((said(1, "before", 8),), "pain was 8 of 10"),
        ((said(1, "between", None, nerve=True),), "tingling, numbness or shooting pain"),
        ((*BAD, *GOOD_AFTER), "pain rose"),  # session 2 was elsewhere
        ((said(1, "after", None),), ""),
    ],
)
def test_a_place_that_hurt_is_gentle(pain: tuple[PainAnswer, ...], reason: str) -> None:
    found = gentle(today(span(1, 30 * HOUR, 60), span(2, 25 * HOUR, 60, region="heel"), pain=pain))
    assert set(found) == ({"calves"} if reason else set())
    assert reason in found.get("calves", "")


@pytest.mark.parametrize(
    ("later", "is_held"),
    [
        (GOOD_AFTER, False),
        ((said(2, "before", 3),), True),  # it did not end
        ((said(2, "after", None),), True),  # nobody said how it ended
        ((), True),
        ((said(2, "before", 1), said(2, "after", 3)), True),
    ],
)
def test_it_stays_gentle_until_a_later_session_there_ends_well(later: tuple[PainAnswer, ...], is_held: bool) -> None:
    spans = (span(1, 60 * HOUR, 60), span(2, 30 * HOUR, 60))
    assert bool(gentle(today(*spans, pain=(*later, *BAD)))) is is_held


def test_a_moment_on_a_place_does_not_release_it() -> None:
    assert gentle(today(span(1, 60 * HOUR, 60), span(2, 30 * HOUR, 5), pain=(*BAD, *GOOD_AFTER)))


def test_a_good_session_before_the_bad_one_releases_nothing_even_when_the_clock_says_it_was_later() -> None:
    spans = (span(3, 60 * HOUR, 60), span(2, 30 * HOUR, 60))
    bad = (said(3, "before", 2), said(3, "after", 5))
    assert gentle(today(*spans, pain=(*GOOD_AFTER, *bad)))


def test_a_place_that_was_reached_but_not_driven_is_not_held() -> None:
    assert gentle(today(span(1, 30 * HOUR, 0), pain=BAD)) == {}


def test_a_place_that_was_named_is_held_even_without_a_motor() -> None:
    assert set(gentle(today(pain=(said(1, "between", 8, region="heel"),)))) == {"heel"}


@pytest.mark.parametrize(
    ("before", "score", "words"),
    [
        (None, 6, ""),
        (None, 7, "from 7 on"),
        (7, 7, "from 7 on"),
        (3, 4, ""),
        (3, 5, "Pain rose from 3 to 5 of 10"),
        (5, 3, ""),
        (0, 2, "rose from 0 to 2"),
    ],
)
def test_pain_of_7_or_a_rise_of_2_stops(before: int | None, score: int, words: str) -> None:
    reason = pain_stops(before, score)
    assert words in reason
    assert bool(words) == bool(reason)


REGIONS = st.sampled_from(["calves", "heel", "x"])
SIDES: st.SearchStrategy[Side] = st.sampled_from(["left", "right"])
TIMES = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.floats(-2 * 86400, 2 * 86400).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)
SPANS = st.builds(DrivenSpan, st.integers(0, 4), REGIONS, SIDES, TIMES, st.floats() | st.floats(0, 400))
PAIN = st.builds(
    PainAnswer,
    st.integers(0, 4),
    TIMES,
    st.none() | REGIONS,
    st.none() | SIDES,
    st.sampled_from(["before", "between", "after"]),
    st.none() | st.integers(),
    st.booleans(),
)


@given(st.lists(SPANS), st.lists(PAIN), TIMES, st.booleans())
def test_whatever_was_noted_it_only_tightens(
    driven: list[DrivenSpan], pain: list[PainAnswer], now: datetime, has_driven_before: bool
) -> None:
    for bound in bounds_today(driven, pain, now_utc=now, has_driven_before=has_driven_before):
        assert bound.is_refused or bound.cap == GENTLE or bound.left_s is not None
        assert bound.left_s is None or 0 <= bound.left_s <= DAY_MAX_S
        assert bound.reason
        assert not bound.reason.endswith(".")


@given(st.lists(SPANS), SPANS, TIMES)
def test_one_more_span_never_gives_more(driven: list[DrivenSpan], more: DrivenSpan, now: datetime) -> None:
    before = bounds_today(driven, (), now_utc=now, has_driven_before=True)
    after = bounds_today([more, *driven], (), now_utc=now, has_driven_before=True)
    for region in ("calves", "heel", "x"):
        sides: tuple[Side, ...] = ("left", "right")
        for side in sides:
            assert left_s(after, region, side) <= left_s(before, region, side) + 1e-6
        assert refused(after, region) or not refused(before, region)


@given(st.lists(SPANS), st.lists(PAIN), st.randoms(use_true_random=False))
def test_the_order_of_what_was_noted_does_not_matter(
    driven: list[DrivenSpan], pain: list[PainAnswer], random: Random
) -> None:
    one = bounds_today(driven, pain, now_utc=NOW, has_driven_before=True)
    random.shuffle(driven)
    random.shuffle(pain)
    other = bounds_today(driven, pain, now_utc=NOW, has_driven_before=True)
    assert {(b.region, b.side, b.is_refused) for b in one} == {(b.region, b.side, b.is_refused) for b in other}
    assert gentle(one) == gentle(other)
