from __future__ import annotations

import pytest

from firmware_profiles.capabilities import Channel, Levels
from firmware_profiles.units import Level, Ppm
from routines.bounds import Bound
from routines.limits import Cap, drive, hand_setting, lower_advice, strength
from routines.regions import regions
from routines.schema import Intensity, parse_intensity
from tests.routines.devices import GUN_LEVELS, PAD_LEVELS, SWITCH_LEVELS, gun, switch

PIRIFORMIS = regions()["piriformis"]
"""Gentle is 1500 ppm, the cap 2100: massage practice and Sams 2025, as `regions.toml` says."""


def asked(text: str, cap_percent: float = 100.0) -> float:
    return strength(parse_intensity(text), PIRIFORMIS, ("left",), gun(cap_percent=cap_percent), GUN_LEVELS).asked_ppm


def test_the_words_are_gentle_half_way_and_the_cap() -> None:
    assert [asked(word) for word in ("gentle", "moderate", "firm")] == [1500, 1800, 2100]


def test_the_words_follow_a_tighter_device() -> None:
    assert [asked(word, cap_percent=75) for word in ("gentle", "moderate", "firm")] == [1500, 1650, 1800]
    assert [asked(word, cap_percent=50) for word in ("gentle", "moderate", "firm")] == [1200, 1200, 1200]


def test_percent_is_a_share_of_the_full_scale_of_the_device() -> None:
    fast = Levels(lowest=Level(1), full=Level(10), full_ppm=Ppm(3200))
    assert asked("40%") == 960
    assert strength(Intensity(percent=40), PIRIFORMIS, ("left",), gun(fast), fast).asked_ppm == 1280
    # A device that knows only levels counts as 2400 at its full scale.
    assert strength(Intensity(percent=40), PIRIFORMIS, ("left",), gun(PAD_LEVELS), PAD_LEVELS).asked_ppm == 960


def test_the_tighter_of_place_and_device_is_the_cap_and_its_reason_is_told() -> None:
    loose = strength(Intensity(word="firm"), PIRIFORMIS, ("left",), gun(), GUN_LEVELS)
    tight = strength(Intensity(word="firm"), PIRIFORMIS, ("left",), gun(cap_percent=75), GUN_LEVELS)
    assert loose.cap == Cap(2100, "2100 ppm is the limit of the piriformis")
    assert tight.cap.ppm == 1800
    assert "75 %" in tight.cap.reason
    assert "the test says so" in tight.cap.reason


def test_only_what_is_really_above_the_cap_counts_as_above() -> None:
    for text, is_above in (("2100 ppm", False), ("2101 ppm", True), ("87.5%", False), ("87.6%", True), ("firm", False)):
        assert strength(parse_intensity(text), PIRIFORMIS, ("left",), gun(), GUN_LEVELS).is_above_cap is is_above


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        (GUN_LEVELS, 1800),
        (PAD_LEVELS, 180),
        # 1800 of 3200 ppm is 5.6 of 10 levels.
        (Levels(lowest=Level(1), full=Level(10), full_ppm=Ppm(3200)), 5),
        # 75 % of 4 is exactly the third step; of steps 1, 2, 4 the second is the highest not above.
        (Levels(lowest=Level(1), full=Level(4), steps=(Level(1), Level(2), Level(4))), 2),
    ],
)
def test_a_speed_is_rounded_down_to_a_level_that_the_device_has(levels: Levels, level: int) -> None:
    channel = Channel("head", levels)
    made = drive(
        "massager",
        channel,
        [(0.0, strength(Intensity(ppm=1800), PIRIFORMIS, ("left",), gun(levels), levels))],
        technique="percussion",
        duration_s=30,
    )
    assert made is not None
    assert made.targets == ((0.0, level),)


def test_a_device_whose_lowest_level_is_above_what_is_asked_is_not_driven() -> None:
    levels = Levels(lowest=Level(1750), full=Level(2400), full_ppm=Ppm(2400))
    wanted = strength(Intensity(word="gentle"), PIRIFORMIS, ("left",), gun(levels), levels)
    assert drive("massager", Channel("head", levels), [(0.0, wanted)], technique="percussion", duration_s=30) is None


@pytest.mark.parametrize("technique", ["hold", "pressure-and-release"])
def test_a_hold_rises_in_three_stages_from_gentle_to_what_is_asked(technique: str) -> None:
    wanted = strength(Intensity(word="firm"), PIRIFORMIS, ("left",), gun(), GUN_LEVELS)
    made = drive("massager", Channel("head", GUN_LEVELS), [(0.0, wanted)], technique=technique, duration_s=60)
    assert made is not None
    assert made.targets == ((0.0, 1500), (20.0, 1800), (40.0, 2100))
    assert (made.gentle_level, made.cap_level) == (1500, 2100)


def test_a_hold_rises_in_two_stages_where_there_is_no_level_between() -> None:
    # 600 ppm a level: gentle 1200 is level 2, firm 1800 is level 3.
    levels = Levels(lowest=Level(1), full=Level(4))
    wanted = strength(Intensity(word="firm"), regions()["foot_arch"], ("left",), gun(levels), levels)
    made = drive("massager", Channel("head", levels), [(0.0, wanted)], technique="hold", duration_s=60)
    assert made is not None
    assert made.targets == ((0.0, 2), (30.0, 3))


def test_a_hold_at_or_below_gentle_has_one_stage() -> None:
    for text, level in (("gentle", 1500), ("40%", 960)):
        wanted = strength(parse_intensity(text), PIRIFORMIS, ("left",), gun(), GUN_LEVELS)
        made = drive("massager", Channel("head", GUN_LEVELS), [(0.0, wanted)], technique="hold", duration_s=60)
        assert made is not None
        assert made.targets == ((0.0, level),)


def test_a_switch_is_on_at_any_strength_and_its_person_is_told_the_most() -> None:
    for text, most in (("5%", 120), ("gentle", 1500), ("firm", 2100)):
        wanted = strength(parse_intensity(text), PIRIFORMIS, ("left",), switch(), SWITCH_LEVELS)
        made = drive("massager", Channel("relay1", SWITCH_LEVELS), [(0.0, wanted)], technique="hold", duration_s=60)
        assert made is not None
        assert made.targets == ((0.0, 1),)
        assert hand_setting(wanted) == f"not above {most} percussions a minute"


def test_the_advice_after_a_refusal_is_not_refused_again() -> None:
    # 1600 of 2400 is 66.67 %: the advice must say 66.6.
    wanted = strength(Intensity(percent=70), regions()["heel"], ("left",), gun(), GUN_LEVELS)
    assert lower_advice(wanted, Channel("head", GUN_LEVELS)) == "Ask for at most 66.6 % (1600 ppm)."


def held(cap: Intensity, text: str, levels: Levels = GUN_LEVELS) -> float:
    bounds = (Bound("today is quiet", region="piriformis", side="left", cap=cap),)
    return strength(parse_intensity(text), PIRIFORMIS, ("left",), gun(levels), levels, bounds).asked_ppm


@pytest.mark.parametrize(
    ("cap", "firm_ppm"),
    [(Intensity(percent=70), 1680), (Intensity(ppm=1600), 1600), (Intensity(word="gentle"), 1500)],
)
def test_a_bound_lowers_what_words_mean(cap: Intensity, firm_ppm: float) -> None:
    assert held(cap, "firm") == firm_ppm
    assert held(cap, "gentle") == 1500


def test_a_bound_never_raises_a_cap() -> None:
    assert held(Intensity(percent=100), "firm") == 2100


def test_a_number_above_a_bound_is_above_the_cap_and_not_lowered() -> None:
    bounds = (Bound("today is quiet", cap=Intensity(ppm=1600)),)
    wanted = strength(Intensity(ppm=1700), PIRIFORMIS, ("left",), gun(), GUN_LEVELS, bounds)
    assert wanted.is_above_cap
    assert wanted.cap == Cap(1600, "today is quiet")


def test_a_bound_on_the_other_side_holds_nothing() -> None:
    bounds = (Bound("today is quiet", region="piriformis", side="right", cap=Intensity(ppm=1600)),)
    assert strength(Intensity(word="firm"), PIRIFORMIS, ("left",), gun(), GUN_LEVELS, bounds).asked_ppm == 2100


def test_held_to_gentle_is_the_slowest_speed_of_a_device_that_has_no_gentle_one() -> None:
    fast = Levels(lowest=Level(1750), full=Level(2400), full_ppm=Ppm(2400))
    assert held(Intensity(word="gentle"), "firm", fast) == 1750
