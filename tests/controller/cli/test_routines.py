import json
from collections.abc import Callable
from pathlib import Path

import pytest

from routines.library import BUNDLED
from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]

ROUTINE = """schema = 1
name = "mine"
title = "Mine"
[[steps]]
region = "calves"
side = "left"
intensity = "gentle"
duration = "30s"
"""


def test_list_names_what_is_shipped_and_what_is_mine(percuss: Percuss, home: Path) -> None:
    (home / "routines").mkdir()
    (home / "routines" / "mine.toml").write_text(ROUTINE)
    listed = {
        row["name"]: row["duration_s"] for row in json.loads(percuss("routines", "list", "--json").out)["routines"]
    }
    assert set(listed) == {"mine", *(path.stem for path in BUNDLED.glob("*.toml"))}
    assert 12 * 60 <= listed["sciatica-relief"] <= 15 * 60
    assert "mine" in percuss("routines", "list").out


def test_a_broken_routine_of_mine_does_not_hide_the_others(percuss: Percuss, home: Path) -> None:
    (home / "routines").mkdir()
    (home / "routines" / "bad.toml").write_text("schema = 1\n")
    result = percuss("routines", "list")
    assert "sciatica-relief" in result.out
    assert "bad.toml" in result.err


def test_show_plans_for_a_device(percuss: Percuss) -> None:
    steps = json.loads(percuss("routines", "show", "sciatica-relief", "--profile", "nlr-hf8", "--json").out)["steps"]
    driven = {step["place"] for step in steps if step["driven"]}
    # The pad has zones for thighs, buttocks and back.
    assert driven == {
        f"{side} {place}"
        for side in ("left", "right")
        for place in ("hamstrings", "gluteus maximus", "lumbar paraspinal")
    }
    assert "left piriformis" in percuss("routines", "show", "piriformis-release").out


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ('"calves"', '"neck"', 4, "neck is refused"),
        ('"calves"', '"calvs"', 8, "Did you mean 'calves'"),
        ('"gentle"', '"140%"', 8, "140 %"),
        ('"gentle"', '"40 rpm"', 8, "'rpm' is no unit"),
        ('"gentle"', '"2300 ppm"', 4, "2300 ppm"),
        ('"30s"', '"-3s"', 8, "negative"),
        ('"30s"', '"3h"', 8, "no unit of time"),
        ('"30s"', "1e9", 8, "15 minutes"),
        ('"30s"', "nan", 8, "duration"),
        ('"30s"', '"10m"', 4, "120 s"),
        ("duration", "durration", 8, "Did you mean 'duration'?"),
        ("schema = 1", "schema = 3", 8, "schema"),
        ("[[steps]]", "[[steps]", 8, "TOML"),
    ],
)
def test_a_bad_routine_is_told_with_its_line_and_never_started(
    percuss: Percuss, tmp_path: Path, old: str, new: str, code: int, says: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ROUTINE.replace(old, new, 1))
    for arguments in (("routines", "check", str(path)), ("run", str(path), "--sim", "theragun-gen4")):
        result = percuss(*arguments)
        assert result.code == code, result.err
        assert says in result.err
        assert f"{path}:" in result.err
        assert "Traceback" not in result.err
    assert percuss("routines", "check", str(path)).out == ""


def test_an_unknown_routine_suggests_the_near_one(percuss: Percuss) -> None:
    result = percuss("run", "sciatica-relif", "--sim", "theragun-gen4")
    assert result.code == 8
    assert "Did you mean 'sciatica-relief'" in result.err


def test_the_schema_is_json(percuss: Percuss) -> None:
    assert "steps" in json.loads(percuss("routines", "schema").out)["properties"]
