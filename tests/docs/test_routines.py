from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from routines.programme import load_programme
from routines.regions import regions
from routines.schema import DrivenTechnique, HandTechnique, Step, Tool
from routines.screening import questions
from tests.docs.routines import ROOT, TARGET, Row, bundled_routines, guide_rows, page, strength, times

PRESCRIBED = {
    ("G1", "trigger-points"),
    ("G1", "points"),
    ("G1", "harm"),
    ("G1", "severe"),
    ("G2", "techniques"),
    ("G2", "perfect-spots"),
    ("G2", "after-effect"),
    ("G3", "more-trigger-points"),
    ("G3", "pressure-and-release"),
    ("G3", "tools"),
    ("G3", "precautions"),
    ("G3", "warning-signs"),
    ("G3", "seek-help"),
    ("G3", "complement"),
    ("G3", "questions"),
    ("G4", "deep-tissue"),
    ("G5", "piriformis"),
    ("G5", "lower-back"),
    ("G5", "hamstrings-and-calves"),
    ("G5", "which-tool"),
    ("G5", "emergency"),
    ("G1–G5", "whole"),
}
"""Everything that the guides prescribe."""

SAID_OF_TIER = {
    "get help at once": "emergency",
    "See somebody": "clinician",
    "professional guidance": "clinician",
    "ask a doctor first": "stop",
    "makes it worse": "stop",
}
"""What a row says that is to be done, and the tier of questions that asks for the same."""

every_row = pytest.mark.parametrize("row", guide_rows(), ids=lambda row: f"{row.guide}-{row.id}")


@cache
def defined(path: Path) -> frozenset[str]:
    """The functions that a file of tests defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_page_is_made_from_the_routines() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.docs.routines"


def test_the_table_has_everything_that_the_guides_prescribe_once() -> None:
    assert sorted((row.guide, row.id) for row in guide_rows()) == sorted(PRESCRIBED)


@every_row
def test_every_row_leads_to_something_that_is_there(row: Row) -> None:
    known = bundled_routines()
    assert set(row.routines) <= set(known)
    for reference in row.steps:
        assert any(reference.fits(step) for step in known[reference.routine].steps), reference
    for note in row.notes:
        assert note.words in " ".join(known[note.routine].closing_note.split()), note
    assert set(row.regions) <= set(regions())
    assert set(row.techniques) <= {*get_args(DrivenTechnique), *get_args(HandTechnique)}
    assert set(row.tools) <= set(get_args(Tool))
    assert set(row.screening) <= set(questions())
    for rule in row.rules:
        path, _, name = rule.test.partition("::")
        assert name in defined(ROOT / path), rule.test
    assert any((row.routines, row.steps, row.regions, row.notes, row.screening, row.rules))


@pytest.mark.parametrize("row", [row for row in guide_rows() if row.screening], ids=lambda row: f"{row.guide}-{row.id}")
def test_the_questions_of_a_row_are_of_the_tier_that_the_row_says(row: Row) -> None:
    said = [tier for words, tier in SAID_OF_TIER.items() if words in row.says]
    assert len(said) == 1, row.says
    assert {name: questions()[name].tier for name in row.screening} == dict.fromkeys(row.screening, said[0])


def test_where_a_question_is_of_another_tier_than_its_guide_says_the_row_tells() -> None:
    rows = {row.id: row for row in guide_rows()}
    told = "Lasting numbness or tingling is asked here as a reason to see a clinician"
    assert told in rows["emergency"].says
    assert questions()["lasting_numbness"].tier == "clinician"
    assert "lasting_numbness" in rows["seek-help"].screening


def test_every_routine_comes_from_a_guide_or_from_a_programme() -> None:
    traced = {name for row in guide_rows() for name in (*row.routines, *(step.routine for step in row.steps))}
    # The short break is the whole session made short; the rising sessions are of their programme.
    assert set(bundled_routines()) - traced == {"short-break", "rising-1", "rising-2", "rising-3"}


def test_every_routine_has_a_section_with_a_row_for_each_step() -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page(), re.MULTILINE | re.DOTALL))
    for name, routine in bundled_routines().items():
        rows = [line for line in sections[name].splitlines() if re.match(r"\| \d+ \|", line)]
        assert len(rows) == len(routine.steps)
        for row, step in zip(rows, routine.steps, strict=True):
            assert step.cue in row
            assert step.source in row


def test_times_and_strengths_are_told_in_words_and_figures() -> None:
    # 300 s, and what a person does takes the same time with a gun in the hand.
    assert times(bundled_routines()["short-break"]) == "5:00, by hand or with a massage gun"
    # Deep at the hip, exercises, stretches: nothing for a motor.
    for name in ("iliopsoas-release", "strengthen", "stretch-and-glide"):
        assert re.fullmatch(r"\d+:\d\d, by hand", times(bundled_routines()[name]))
    step = Step(region="calves", side="left", intensity="moderate", tool="massage-gun")
    assert strength(step) == "moderate (1850)"
    assert strength(step.model_copy(update={"tool": "fingers"})) == "by hand"
    assert strength(step.model_copy(update={"intensity": "2100 ppm"})) == "2100 ppm"
    assert strength(step.model_copy(update={"region": "iliopsoas"})) == "by hand"
    assert strength(step.model_copy(update={"technique": "stretch"})) == "–"


def test_the_programme_in_the_how_to_can_be_shown(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/follow-a-programme.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    path = tmp_path / "week.toml"
    path.write_text(found.group(1), encoding="utf-8")
    assert [session.day for session in load_programme(path, bundled_routines()).sessions] == [1, 4, 7]
