from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routines.exchange.table import COLUMNS, write_csv
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.preview import rows
from routines.timeline import Span, Timeline
from tests.routines.devices import gun, pad, routine, step

BUNDLED_ROUTINES = [load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))]


def read(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")))


def test_a_plan_is_a_row_a_span() -> None:
    mine = routine(step("calves", duration=20.25, intensity="50%", rest=5, position="prone", cue="Up, slowly."))
    raw = write_csv(plan(mine, {"massager": gun()}))
    assert raw.startswith(
        b"start_s,duration_s,kind,region,side,technique,position,tool,asked_percent,asked_ppm,cue,note\r\n"
    )
    way, work, rest = read(raw)
    assert [row["start_s"] for row in (way, work, rest)] == ["0", "8", "28.25"]
    assert [row["kind"] for row in (way, work, rest)] == ["move", "work", "rest"]
    assert [work[key] for key in COLUMNS[1:11]] == [
        *("20.25", "work", "calves", "left", "percussion", "prone", "", "50", "1200", "Up, slowly."),
    ]
    assert rest["asked_percent"] == ""


def test_places_at_the_same_time_are_in_one_row() -> None:
    mine = routine(
        step("hamstrings", "both", duration=20), 'region = "lumbar_paraspinal"\nside = "left"\ntogether = true'
    )
    (row,) = read(write_csv(plan(mine, {"massager": pad()})))
    assert (row["region"], row["side"]) == ("hamstrings and lumbar_paraspinal", "both and left")


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_numbers_read_back_the_same(shipped: Routine) -> None:
    timeline = plan(shipped, {"massager": gun()})
    for told, row in zip(read(write_csv(timeline)), rows(timeline), strict=True):
        assert (float(told["start_s"]), float(told["duration_s"])) == (row["start_s"], row["duration_s"])
        asked = [float(told[key]) if told[key] else None for key in ("asked_percent", "asked_ppm")]
        assert asked == [row["asked_percent"], row["asked_ppm"]]


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.floats(0.001, 900))
def test_no_text_is_a_formula_and_none_is_lost(cue: str, duration_s: float) -> None:
    (row,) = read(write_csv(Timeline("mine", (Span("work", duration_s, 1, 1, cue),), ())))
    told = row["cue"]
    assert not told.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cue in {told, told.removeprefix("'")}
    assert float(row["duration_s"]) == duration_s


@pytest.mark.parametrize("cue", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_formula_becomes_a_text(cue: str) -> None:
    (row,) = read(write_csv(Timeline("mine", (Span("work", 1, 1, 1, cue),), ())))
    assert row["cue"] == f"'{cue}"
