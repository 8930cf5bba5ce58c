from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from controller import charts
from controller.service.history import Course, PainOfSession

FIRST = date(2026, 3, 2)
SVG = "{http://www.w3.org/2000/svg}"


def course(*days: Mapping[str, float], pains: tuple[PainOfSession, ...] = (), is_simulated: bool = False) -> Course:
    return Course(
        tuple((FIRST + timedelta(days=number), places) for number, places in enumerate(days)), pains, is_simulated
    )


def pain(
    day: int, before: int | None, after: int | None, next_day: int | None = None, *, nerve_sign: bool = False
) -> PainOfSession:
    return PainOfSession(datetime(2026, 3, 2 + day, 12, tzinfo=UTC), before, after, next_day, nerve_sign)


WEEK = course(
    {"piriformis": 90.0, "calves": 120.0},
    {},
    {"calves": 60.0},
    {},
    {"piriformis": 45.0},
    {},
    {},
    pains=(pain(0, 4, 2, 3), pain(2, 5, 5), pain(4, 3, None, nerve_sign=True)),
)


def texts(svg: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_an_svg_says_in_text_what_it_shows() -> None:
    told = texts(charts.draw(WEEK, "svg"))
    for words in (
        "Massage and pain, 2026-03-02 to 2026-03-08",
        "driven, both sides together (s)",
        "pain (0 to 10)",
        "day",
        "2026-03-02",
        "place",
        "piriformis",
        "calves",
        "before",
        "after",
        "the next day",
    ):
        assert words in told, words
    assert any("shooting pain" in text for text in told)


def test_a_picture_of_simulators_says_so() -> None:
    assert "Simulators only, nobody felt it: 2026-03-02 to 2026-03-02" in texts(
        charts.draw(course({"": 3.0}, is_simulated=True), "svg")
    )


def test_the_same_history_gives_the_same_bytes_whatever_the_user_has_set() -> None:
    svg, png = charts.draw(WEEK, "svg"), charts.draw(WEEK, "png")
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "black"}):
        assert charts.draw(WEEK, "svg") == svg
        assert charts.draw(WEEK, "png") == png
    assert re.search(rb"<dc:date>", svg) is None


def test_a_bar_in_a_png_is_as_high_as_what_was_driven() -> None:
    picture = Image.open(io.BytesIO(charts.draw(course({"piriformis": 100.0}, {"piriformis": 50.0}), "png")))
    assert picture.size == (1320, 816)  # 11 by 6.8 inches with 120 dots each
    blue = tuple(bytes.fromhex(charts.SHADES[0][1:]))
    pixels = picture.convert("RGB")
    columns = [x for x in range(pixels.width) if sum(pixels.getpixel((x, y)) == blue for y in range(450)) > 100]
    heights = [sum(pixels.getpixel((x, y)) == blue for y in range(450)) for x in (columns[50], columns[-100])]
    # The frame of the bar and the edge of the picture take a few pixels.
    assert heights[0] == pytest.approx(2 * heights[1], abs=6)


def test_nothing_driven_and_nothing_said_is_drawn_too() -> None:
    told = texts(charts.draw(course({}, {}), "svg"))
    assert "nothing was driven" in told
    assert "nothing was said about pain" in told
    assert "Nothing was said about pain." in charts.terminal_text(course({}, {}))


def test_bars_are_days() -> None:
    bars = charts.bars_of(WEEK)
    assert list(bars.at) == [0, 1, 2, 3, 4, 5, 6]
    assert bars.heights == {"piriformis": (90, 0, 0, 0, 45, 0, 0), "calves": (120, 0, 60, 0, 0, 0, 0)}
    assert bars.tallest_s == 210.0


def test_bars_of_many_days_are_weeks_and_lose_nothing() -> None:
    bars = charts.bars_of(course(*({"calves": float(number)} for number in range(1, 103))))
    assert len(bars.at) == 15
    # The first week is 1 to 7; the last bar has the four days that are left: 99 to 102.
    assert bars.heights["calves"][0] == 28
    assert bars.heights["calves"][-1] == 99 + 100 + 101 + 102
    assert sum(bars.heights["calves"]) == 102 * 103 / 2
    assert list(bars.at[:2]) == [3, 10], "in the middle of the week"
    assert "a week" in bars.label


def test_bars_can_be_told_apart_without_colours() -> None:
    from routines.regions import regions

    looks = {
        (charts.HATCHES[number % len(charts.HATCHES)], charts.SHADES[number % len(charts.SHADES)])
        for number in range(len(regions()) + 1)
    }
    assert len(looks) == len(regions()) + 1
    neighbours = [charts.HATCHES[number % len(charts.HATCHES)] for number in range(len(regions()) + 1)]
    assert all(one != other for one, other in itertools.pairwise(neighbours))
    assert len(charts.MARKS) == len(set(charts.MARKS)) > len(regions())


def test_a_region_looks_the_same_in_every_picture() -> None:
    alone = charts.terminal_text(course({"calves": 60.0}))
    beside = charts.terminal_text(course({"calves": 60.0, "piriformis": 60.0}))
    (mark,) = re.findall(r"(\S) calves", alone)
    assert f"{mark} calves" in beside
    assert "# piriformis" in beside


def test_a_terminal_gets_plain_text_that_fits() -> None:
    from routines.regions import regions

    for drawn in (WEEK, course(*[dict.fromkeys(regions(), 77.0)] * 30, pains=WEEK.pains), course(*[{}] * 400)):
        lines = charts.terminal_text(drawn).splitlines()
        assert max(len(line) for line in lines) <= 79
        assert all(line.isprintable() for line in lines)


def test_a_terminal_shows_heights_days_and_answers() -> None:
    lines = charts.terminal_text(WEEK).splitlines()
    said = "\n".join(lines)
    assert "b before   a after   n the next day   ! tingling, numbness or shooting pain" in said
    assert any("2026-03-02" in line for line in lines)
    chart, answers = said.split("pain (0 to 10)")
    # 210 s lie between two marks of the scale, in steps of a minute.
    assert [tick for tick in ("240", "180", "120", "60", "0") if re.search(rf"^ *{tick}┤", chart, re.MULTILINE)] == [
        "240",
        "180",
        "120",
        "60",
        "0",
    ]
    columns = [line.split("│")[1] if line.count("│") > 1 else line for line in chart.splitlines() if "┤" in line]
    assert sum("#" in line or "%" in line for line in columns) >= 3
    above_ten = next(line for line in answers.splitlines() if "│" in line)
    assert "!" in above_ten, "it has no score: it stands above the scale"


@pytest.mark.parametrize("number", [1, 12, 13, 100, 101, 366])
def test_every_length_of_time_can_be_drawn(number: int) -> None:
    long = course(*[{"calves": 30.0}] * number)
    assert len(re.findall(rb"\d{4}-\d\d-\d\d", charts.draw(long, "svg").split(b"Massage and pain")[-1])) >= 2
    assert charts.terminal_text(long)
