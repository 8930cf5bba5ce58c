from __future__ import annotations

from pathlib import Path

import pytest

from firmware_profiles.units import FULL_PPM
from routines import dose, schema, timeline
from routines.errors import RoutineError
from routines.regions import Refusal, Region, UnknownRegion, find_region, load_regions, regions, strictest_regions
from tests.routines import figures
from tests.routines.figures import PLACES, SESSION

# Of the evidence table, not of regions.toml: default s, max s, gentle ppm, cap ppm.
LIMITS = {name: (row.default_s, row.max_s, row.gentle_ppm, row.cap_ppm) for name, row in PLACES.items()}

REFUSED = [
    "head",
    "face",
    "eye",
    "neck",
    "throat",
    "cervical",
    "spine",
    "chest",
    "breast",
    "abdomen",
    "groin",
    "back_of_knee",
    "armpit",
    "inner_elbow",
    "joint",
    "knee",
    "ankle",
    "hip_joint",
    "elbow",
    "shoulder_joint",
    "wrist",
    "bone",
    "sacrum",
    "tailbone",
    "shin",
    "wound",
    "implant",
    "pacemaker",
]


def test_the_vocabulary_is_exactly_the_thirteen_regions() -> None:
    assert set(regions()) == set(LIMITS)
    assert len(LIMITS) == 13


@pytest.mark.parametrize("name", LIMITS)
def test_every_region_has_the_limits_of_the_evidence_table(name: str) -> None:
    region = regions()[name]
    assert (region.default_s, region.max_s, region.gentle_ppm, region.cap_ppm) == LIMITS[name]


def test_the_rules_of_a_session_and_of_a_day_are_those_of_the_evidence_table() -> None:
    assert SESSION.max_s == schema.SESSION_MAX_S
    assert (SESSION.rise_ppm, SESSION.rise_hold_s) == (timeline.RISE_PPM, timeline.RISE_HOLD_S)
    assert (SESSION.day_sessions, SESSION.between_s) == (dose.DAY_SESSIONS, dose.BETWEEN_SESSIONS_S)
    assert SESSION.day_max_s == dose.DAY_MAX_S
    assert (SESSION.pain_stop_rise, SESSION.pain_stop_score) == (dose.PAIN_STOP_RISE, dose.PAIN_STOP_SCORE)
    assert figures.FULL_PPM == FULL_PPM


@pytest.mark.parametrize("name", LIMITS)
def test_every_region_tells_where_it_is_how_to_work_it_and_what_to_keep_off(name: str) -> None:
    region = regions()[name]
    assert region.landmark
    assert region.how
    assert region.avoid
    assert region.sources


def test_only_the_iliopsoas_is_never_driven_and_it_says_why() -> None:
    hand_only = [region for region in regions().values() if not region.drivable]
    assert [region.id for region in hand_only] == ["iliopsoas"]
    assert "vessels" in hand_only[0].why_not


def test_calves_ask_for_a_clot_check_first() -> None:
    assert regions()["calves"].check_first.startswith("Clot check first")


@pytest.mark.parametrize("name", REFUSED)
def test_dangerous_places_are_refused_by_name_with_a_reason(name: str) -> None:
    refusal = find_region(name)
    assert isinstance(refusal, Refusal)
    assert len(refusal.reason.split()) >= 6


def test_the_reasons_for_neck_throat_and_eye_name_what_was_reported() -> None:
    for name, word in (("neck", "vertebral"), ("throat", "carotid"), ("eye", "eye")):
        refusal = find_region(name)
        assert isinstance(refusal, Refusal)
        assert word in refusal.reason


@pytest.mark.parametrize(
    "name", ["left_knee", "Neck", "neck muscles", "lower spine", "knees", "back of my knee", "hip"]
)
def test_a_refused_word_anywhere_in_an_unknown_name_refuses_it(name: str) -> None:
    assert isinstance(find_region(name), Refusal)


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("lower_back", "lumbar_paraspinal"),
        ("Lower Back", "lumbar_paraspinal"),
        ("calf", "calves"),
        ("feet", "foot_arch"),
    ],
)
def test_everyday_names_find_their_region(name: str, region: str) -> None:
    found = find_region(name)
    assert isinstance(found, Region)
    assert found.id == region


def test_a_misspelt_region_is_unknown_with_the_nearest_name() -> None:
    assert find_region("piriformus") == UnknownRegion("piriformus", "Did you mean 'piriformis'?")


def test_an_empty_name_is_unknown() -> None:
    assert isinstance(find_region(""), UnknownRegion)


def test_without_a_place_the_heel_is_the_strictest() -> None:
    slowest, shortest = strictest_regions()
    assert (slowest.cap_ppm, shortest.max_s) == (1600, 60)
    assert {slowest.id, shortest.id} == {"heel"}


ROW = """
[[regions]]
id = "calves"
name = "calf"
landmark = "x"
how = "x"
avoid = ["x"]
head = "x"
default_s = 60
max_s = 120
sources = ["x"]
"""
REFUSED_ROW = '[[refused]]\nnames = ["neck"]\nreason = "x"\nsources = ["x"]\n'


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (ROW, "gentle_ppm"),
        (ROW + "gentle_ppm = 2200\ncap_ppm = 2100\n", "cap_ppm"),
        (ROW + "drivable = false\n", "why_not"),
        (ROW.replace("60", "600") + "gentle_ppm = 1\ncap_ppm = 2\n", "default_s"),
        (ROW.replace("calves", "neck") + "gentle_ppm = 1\ncap_ppm = 2\n", "twice: neck"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, row: str, what: str) -> None:
    path = tmp_path / "regions.toml"
    path.write_text(f"schema = 1\n{row}{REFUSED_ROW}")
    with pytest.raises(RoutineError, match=what):
        load_regions(path)
