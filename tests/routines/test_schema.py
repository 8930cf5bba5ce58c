from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from routines.library import BUNDLED
from routines.schema import Intensity, json_schema, parse_duration, parse_intensity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("1m30s", 90),
        ("2m", 120),
        ("2 min", 120),
        ("1 min 5 sec", 65),
        ("1.5m", 90),
        (45, 45),
        (0.5, 0.5),
        ("15m", 900),
    ],
)
def test_durations_are_read_as_people_write_them(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (-1, "negative"),
        ("-5s", "negative"),
        (901, "15 minutes"),
        ("16m", "15 minutes"),
        (10**400, "15 minutes"),
        (-(10**400), "negative"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        ("45 min utes", "no unit of time"),
        ("45 secs", "Did you mean 'sec"),
        ("1h", "no unit of time"),
        ("s", "no duration"),
        ("", "no duration"),
        ("45", "no duration"),
        ("1s1m", "no unit of time"),
        ("٤٥s", "no duration"),
        (True, "must be"),
        (None, "must be"),
    ],
)
def test_what_is_no_duration_is_refused_in_a_sentence(value: object, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "intensity"),
    [
        ("40%", Intensity(percent=40)),
        ("12.5 %", Intensity(percent=12.5)),
        ("100%", Intensity(percent=100)),
        ("1500 ppm", Intensity(ppm=1500)),
        ("1500ppm", Intensity(ppm=1500)),
        ("Gentle", Intensity(word="gentle")),
        ("moderate", Intensity(word="moderate")),
        (" firm ", Intensity(word="firm")),
    ],
)
def test_intensities_are_read_as_people_write_them(text: str, intensity: Intensity) -> None:
    assert parse_intensity(text) == intensity


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("140%", "not be above 100 %"),
        ("100.1%", "not be above 100 %"),
        ("0%", "above 0"),
        ("0 ppm", "above 0"),
        ("40 rpm", "'rpm' is no unit of intensity. Did you mean 'ppm'"),
        ("-40%", "no intensity"),
        ("nan%", "no intensity"),
        ("inf", "no intensity"),
        ("gentel", "Did you mean 'gentle'"),
        ("40", "no intensity"),
        ("", "no intensity"),
        (40, "must be text"),
        (float("nan"), "must be text"),
    ],
)
def test_what_is_no_intensity_is_refused_in_a_sentence(value: object, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_intensity(value)


def test_intensities_print_as_they_were_written() -> None:
    assert [str(parse_intensity(text)) for text in ("40%", "1500ppm", "firm")] == ["40 %", "1500 ppm", "firm"]


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_json_schema_accepts_every_bundled_routine(path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema)


def test_the_json_schema_refuses_an_unknown_key() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1, "name": "x", "title": "X", "steps": [{"regoin": "calves"}]}, json_schema())
