import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.capabilities import Levels
from firmware_profiles.library import load_profiles
from firmware_profiles.units import Level, Ppm

THERAGUN = Levels(lowest=Level(1), full=Level(2400), full_ppm=Ppm(2400))
PAD = Levels(lowest=Level(1), full=Level(255))
ROLLER = Levels(lowest=Level(150), full=Level(470), steps=(Level(150), Level(275), Level(350), Level(415), Level(470)))
SWITCH = Levels(lowest=Level(1), full=Level(1), steps=(Level(1),))


def test_a_hundred_percent_is_the_marketed_maximum_not_the_protocols() -> None:
    theragun = load_profiles()[0]["theragun-gen4"]
    assert theragun.levels.not_above(100) == 2400
    assert theragun.level is not None
    assert theragun.level.protocol_max == 3584


@pytest.mark.parametrize(
    ("levels", "percent", "level"),
    [
        (THERAGUN, 40, 960),  # 0.4 × 2400
        (THERAGUN, 100 * 1750 / 2400, 1750),  # a speed survives its way through a fraction
        (THERAGUN, 0, 0),
        (PAD, 50, 127),  # 127.5 rounded down
        (PAD, 0.1, 0),  # less than the lowest level is off
        (ROLLER, 60, 275),  # 282 is between 275 and 350
        (ROLLER, 31, 0),  # 145 is below the lowest step
        (SWITCH, 99, 0),
        (SWITCH, 100, 1),
    ],
)
def test_a_level_is_never_above_what_was_asked(levels: Levels, percent: float, level: int) -> None:
    assert levels.not_above(percent) == level


def test_a_device_that_knows_only_levels_counts_as_a_share_of_2400() -> None:
    assert PAD.ppm(255) == 2400
    assert PAD.percent_of_ppm(1800) == 75.0


@given(st.sampled_from([THERAGUN, PAD, ROLLER, SWITCH]), st.floats(0, 100))
def test_whatever_is_asked_the_device_accepts_the_level(levels: Levels, percent: float) -> None:
    level = levels.not_above(percent)
    assert levels.accepts(level)
    assert levels.percent(level) <= percent + 1e-4


def test_an_unverified_device_is_held_below_its_full_scale() -> None:
    capabilities = load_profiles()[0]["theragun-gen4"].capabilities()
    assert capabilities.cap_percent == 87.5  # 2100 of 2400
    assert "nobody has seen" in capabilities.cap_reason


def test_a_hand_held_device_reaches_every_place_and_a_zoned_one_its_own() -> None:
    library = load_profiles()[0]
    gun, pad = library["theragun-gen4"].capabilities(), library["nlr-hf8"].capabilities()
    assert [channel.name for channel in gun.channels_at("calves", ["left"])] == ["head"]
    assert [channel.name for channel in pad.channels_at("hamstrings", ["left"])] == ["left_thigh"]
    assert pad.channels_at("calves", ["left"]) == ()
