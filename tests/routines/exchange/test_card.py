from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from routines.exchange.card import write_card
from routines.library import BUNDLED
from routines.limits import BY_HAND
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.regions import regions
from routines.schema import NEEDS_NO_PLACE
from tests.routines.devices import pad, routine, step

BUNDLED_ROUTINES = [load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))]
FLAGSHIP = load_routine(BUNDLED / "sciatica-relief.toml")
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The text of a page, its cells row by row, and whether every element is closed."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.is_small = False
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.small = ""
        self.feed(raw.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.is_small = ("class", "small") in attrs or (self.is_small and tag != "p")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.text += data
        self.small += data if self.is_small else ""
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def card(shipped: Routine) -> bytes:
    return write_card(shipped, plan(shipped, {"massager": BY_HAND}))


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_every_card_has_all_that_a_person_needs(shipped: Routine) -> None:
    page = Page(card(shipped))
    assert not page.open
    text = " ".join(page.text.split())
    assert shipped.title in text
    assert "Stop at once when anything tingles, goes numb or shoots, when pain reaches 7 of 10 or rises by 2." in text
    assert "Breathe in through the nose" in text
    assert "it diagnoses nothing and treats nothing" in text
    assert " ".join(shipped.closing_note.split()) in text
    assert "you feel numb between the legs" in text
    for each in shipped.steps:
        assert " ".join(each.cue.split()) in text
        if each.region is not None and each.technique not in NEEDS_NO_PLACE:
            assert regions()[each.region].landmark in text
            assert "; ".join(regions()[each.region].avoid) in text
    for source in shipped.sources:
        assert " ".join(source.split()) in text


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_a_card_fetches_nothing(shipped: Routine) -> None:
    raw = card(shipped)
    assert not Page(raw).tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(rb"url\(|@import|\s(src|href)=", raw)


def test_a_row_says_when_how_often_how_long_and_how_strong() -> None:
    mine = routine(step("calves", "each", duration=40, rest=5, intensity="50%", tool="massage-gun", cue="Up."))
    rows = Page(card(mine)).rows
    # 8 s to get there, 40 s, 5 s rest, on each side.
    where = "calf: left, then right; percussion, massage gun"
    assert rows[-1] == ["0:00", "2 × 0:40 + 0:05", where, "Up. With a device: at most 1200 a minute."]
    assert rows[1][0] == "calf"
    assert "Clot check first" in rows[1][1]


def test_sides_and_places_at_once_are_named() -> None:
    both = routine(
        step("hamstrings", "both", duration=20), 'region = "lumbar_paraspinal"\nside = "left"\ntogether = true'
    )
    where = Page(write_card(both, plan(both, {"massager": pad()}))).rows[-1][2]
    assert where.startswith("back of the thigh (hamstrings): both sides; lower back, beside the spine: left")


def test_nothing_of_a_stranger_is_markup() -> None:
    evil = "<script>alert(1)</script>&amp;'\\\""
    mine = routine(step("calves", duration=20, cue=evil))
    page = Page(card(mine))
    assert "script" not in page.tags
    assert evil.replace("\\", "") in page.text


def test_the_flagship_fits_one_page_by_estimate() -> None:
    """With letters half an em wide on average, in lines of 1.2 em, on 198 mm by 261 mm of US Letter."""
    size = re.search(rb"font: ([\d.]+)pt/1.2", card(FLAGSHIP))
    assert size is not None
    em_mm = float(size[1]) * 25.4 / 72
    line_mm, letter_mm = 1.2 * em_mm, em_mm / 2
    page = Page(card(FLAGSHIP))
    widths_mm = {3: (45, 105, 48), 4: (12, 17, 65, 104)}
    height_mm = 10.0
    for row in page.rows:
        lines = (-(-len(cell) * letter_mm // (width - 2)) for cell, width in zip(row, widths_mm[len(row)], strict=True))
        height_mm += max(1, *lines) * line_mm + 1.4
    large = len(page.text) - len(page.small) - sum(len(cell) for row in page.rows for cell in row)
    # Half a line is empty at the end of each of nine paragraphs, and there is a gap of 1.2 mm after it.
    height_mm += (large + 0.85**2 * len(page.small)) * letter_mm / 198 * line_mm + 9 * (line_mm / 2 + 1.2)
    assert height_mm < 261
