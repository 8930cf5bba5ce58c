import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from firmware_profiles.capabilities import Capabilities, Role
from firmware_profiles.library import find_profile
from routines.charts import chart, rows, sides, starts, traces
from routines.library import find_routine
from routines.planner import plan
from routines.review import ANY_MASSAGER
from routines.script import parse_script
from routines.text_chart import text_chart
from routines.timeline import Timeline
from tests.routines.devices import gun, switch

SVG = "{http://www.w3.org/2000/svg}"


def planned(script: str, device: Capabilities | None = None) -> Timeline:
    return plan(parse_script(script), {"massager": device or gun()})


def words(svg: bytes) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_curve_rises_in_small_steps_to_what_is_asked_and_ends_at_zero() -> None:
    # 1000 ppm is below gentle: 250 ppm a second (docs/decisions/0004).
    (trace,) = traces(planned("calves:left 1000ppm 30s move 5s"))
    assert list(trace.points) == [(5, 0), (5, 250), (6, 500), (7, 750), (8, 1000), (35, 0)]
    assert (trace.place, trace.start_s, trace.end_s, trace.cap_ppm, trace.full_ppm) == ("calves", 5, 35, 2100, 2400)


def test_the_places_of_a_pad_have_each_their_own_curve_at_the_same_time() -> None:
    pad = find_profile("nlr-hf8").capabilities()
    timeline = planned("hamstrings 40% 45s + lower_back gentle", pad)
    found = traces(timeline)
    assert {(trace.place, trace.start_s, trace.end_s) for trace in found} == {
        ("hamstrings", 0, 45),
        ("lumbar paraspinal", 0, 45),
    }
    assert [row[0] for row in rows(timeline)] == ["hamstrings + lumbar paraspinal"]


def test_a_switch_has_no_curve_for_its_strength_is_set_by_hand() -> None:
    assert traces(planned("calves:left 30s", switch())) == []


def test_the_picture_names_every_place_and_says_minutes_percent_and_speed() -> None:
    timeline = plan(find_routine("sciatica-relief"), ANY_MASSAGER)
    said = words(chart(timeline, "Sciatica relief", image="svg"))
    assert {"breathing", "lumbar paraspinal", "gluteus maximus", "hamstrings", "foot arch"} <= set(said)
    assert {"minutes", "percussions per minute", "percent of the device's full scale", "Sciatica relief"} <= set(said)
    assert {"planned speed", "the most allowed there", "move there, motor off", "by hand"} <= set(said)
    assert {"13", "2000", "80 %", "L", "R"} <= set(said)


def test_the_same_plan_gives_the_same_bytes_in_every_process_and_says_no_date() -> None:
    code = (
        "import sys; from routines.charts import chart; from routines.planner import plan; "
        "from routines.review import ANY_MASSAGER; from routines.script import parse_script; "
        "timeline = plan(parse_script('calves 40% 30s; rest 5s'), ANY_MASSAGER); "
        "sys.stdout.buffer.write(chart(timeline, 'One', image='svg') + chart(timeline, 'One', image='png'))"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE).stdout for _ in "12"
    )
    assert first == second
    assert not re.search(rb"dc:date|20\d\d-\d\d-\d\d", first)


def test_a_png_is_a_picture_of_the_size_of_a_page() -> None:
    picture = chart(planned("calves 40% 30s"), "One", image="png")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1650, 840)


@pytest.mark.parametrize("title", ["$x^", "\\frac{1}", "腰", "<&>", "x" * 200])
def test_any_title_is_text_and_nothing_else(title: str) -> None:
    assert title[:100] in words(chart(planned("calves 40% 30s"), title, image="svg"))
    assert chart(planned("calves 40% 30s"), title, image="png")


def test_a_routine_without_a_motor_is_a_strip() -> None:
    timeline = planned("breathing 20s; stretch calves 30s; rest 10s")
    said = words(chart(timeline, "By hand", image="svg"))
    assert {"breathing", "calves stretch", "by hand", "rest"} <= set(said)
    assert "planned speed" not in said


def test_every_span_is_in_the_strip_with_its_side() -> None:
    timeline = planned("calves:left 30s; hamstrings 20s; breathing 10s")
    assert [sides(span) for _, span in starts(timeline) if span.kind == "work"] == ["L", "L", "R", ""]
    assert [start_s for start_s, _ in starts(timeline)] == [0, 8, 38, 46, 66, 74, 94]


def test_in_a_terminal_a_column_is_as_high_as_the_place_is_strong() -> None:
    # Full scale 2400 in 12 lines: 200 ppm a line. 74 columns for 74 s: one a second. Hamstrings bear 2400.
    drawn = text_chart(planned("hamstrings:left 1000ppm 44s move 10s; rest 20s")).splitlines()
    assert all(len(line) <= 80 for line in drawn)
    columns = ["".join(line[6:].ljust(74)[n] for line in drawn[:12]) for n in range(74)]
    assert columns[0].strip() == columns[60].strip() == ""
    assert columns[30] == "-" + " " * 6 + "a" * 5
    # 250, 500, 750 and 1000 ppm are 1.25, 2.5, 3.75 and 5 lines; a half goes down.
    assert [column.count("a") for column in columns[10:15]] == [1, 2, 4, 5, 5]
    assert drawn[12] == "  ppm|" + "." * 10 + "_" * 21 + "L" + "_" * 22 + "z" * 20
    assert drawn[13].split() == ["min", "0", "0.5", "1"]
    assert "a  hamstrings, at most 2400 ppm (-)" in drawn[14]


@pytest.mark.parametrize("name", ["sciatica-relief", "strengthen"])
@pytest.mark.parametrize("device", [None, "nlr-hf8", "lcus-relay", "jensen"])
def test_routines_fit_into_eighty_columns_in_plain_letters(name: str, device: str | None) -> None:
    devices: Mapping[Role, Capabilities] = ANY_MASSAGER
    if device is not None:
        devices = {"massager": find_profile(device).capabilities()}
    drawn = text_chart(plan(find_routine(name), devices))
    assert drawn.isascii()
    assert max(len(line) for line in drawn.splitlines()) <= 80
    assert len(drawn.splitlines()) <= 24
