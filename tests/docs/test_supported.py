import tomllib

import pytest

from firmware_profiles.capability_tables import LevelModel, TimerTable
from firmware_profiles.library import BUNDLED
from tests.docs.supported import TABLE, TARGET, bundled_profiles, cells, duration, levels, link, page, switch_off, zones


def test_the_page_is_made_from_the_profiles() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.docs.supported"


def test_every_bundled_profile_has_one_row() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]
    for path in BUNDLED.glob("*.toml"):
        assert len([row for row in rows if f"(`{path.stem}`) |" in row]) == 1


def test_no_row_claims_hardware_that_nobody_has_seen() -> None:
    assert "**Nobody has run percuss on any of these devices yet.**" in page()
    assert not [profile.id for profile in bundled_profiles() if profile.verified_on_hardware], "then change the page"
    assert {cells(profile)[-1] for profile in bundled_profiles()} == {"no"}


def test_no_device_is_supported_and_unsupported() -> None:
    names = [row["name"].casefold() for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["devices"]]
    assert names
    for profile in bundled_profiles():
        assert profile.name.casefold() not in names


def test_what_is_dangerous_is_told_with_its_risk() -> None:
    ways = {row["title"]: row for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["ways"]}
    assert ways["Through a switched outlet or relay"]["risk"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LevelModel(unit="ppm", full=2400), "1–2400 ppm"),
        (LevelModel(unit="level", lowest=20, full=255), "20–255"),
        (LevelModel(unit="level", steps=(16, 32, 48)), "16, 32, 48"),
        (LevelModel(unit="level", model="relative", full=6), "1–6, a key press each"),
        (LevelModel(unit="switch"), "on, off"),
        (LevelModel(unit="switch", model="toggle"), "on, off (one key for both)"),
    ],
)
def test_levels_are_told_in_words(model: LevelModel, words: str) -> None:
    assert levels(model) == words


def test_zones_are_told_by_the_place_that_they_reach() -> None:
    rows = {profile.id: zones(profile) for profile in bundled_profiles()}
    assert rows["theragun-gen4"] == "1 motor, in the hand"
    assert rows["lcus-relay"] == "8 switches"
    assert rows["nlr-hf8"].startswith("hamstrings (right, left); gluteus maximus (right, left); ")


def test_timers_are_told_in_words() -> None:
    assert switch_off(TimerTable(choices_s=(600, 1200), cycles=True)) == "switch-off, 10 min, 20 min (one key)"
    assert switch_off(TimerTable(highest_s=3600)) == "switch-off, up to 1 h"
    assert [duration(time_s) for time_s in (90, 5400, 7200, 0)] == ["90 s", "90 min", "2 h", "0 s"]


def test_a_source_is_a_link_with_where_to_look_behind_it() -> None:
    assert (
        link("https://example.org/repo (a/b.rs, c.yml)")
        == "[example.org/repo](https://example.org/repo) (a/b.rs, c.yml)"
    )
    assert link("https://example.org/a/b/c/d.md") == "[example.org/a/b … d.md](https://example.org/a/b/c/d.md)"
    assert link("https://example.org/a, and more") == "[example.org/a](https://example.org/a), and more"
    assert link("README.md") == "[README.md](README.md)"
    assert link("a forum, 2021") == "a forum, 2021"
