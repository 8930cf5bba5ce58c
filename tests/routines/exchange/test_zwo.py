from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_profiles.errors import FileError
from routines.errors import PlanRefusedError, RoutineError
from routines.exchange.strangers import Wanted
from routines.exchange.zwo import read_zwo, write_zwo
from routines.library import BUNDLED
from routines.limits import BY_HAND
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.schema import Intensity, Step
from tests.routines.devices import routine, step
from tests.routines.exchange.drawn import routines

RIDE = Path("ride.zwo")
CALVES = Wanted("calves", "left")
BUNDLED_ROUTINES = [load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))]


def ride(*blocks: str, head: str = "<name>A ride</name>") -> bytes:
    """A workout as a stranger writes it; the first block is in line 5."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<workout_file>", head, "<workout>"]
    return "\n".join([*lines, *blocks, "</workout>", "</workout_file>", ""]).encode()


def steps_of(*blocks: str, wanted: Wanted = CALVES) -> tuple[Step, ...]:
    return read_zwo(ride(*blocks), RIDE, wanted).routine.steps


def refusal(raw: bytes, wanted: Wanted | None = CALVES) -> FileError:
    with pytest.raises(FileError) as caught:
        read_zwo(raw, RIDE, wanted)
    assert "ride.zwo" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_every_bundled_routine_comes_back_the_same(shipped: Routine) -> None:
    written = write_zwo(shipped)
    imported = read_zwo(written, RIDE)
    assert imported.routine.file == shipped.file
    assert imported.remarks == ()
    assert write_zwo(imported.routine) == written


@settings(max_examples=150)
@given(routines())
def test_any_routine_comes_back_the_same(drawn: Routine) -> None:
    assert read_zwo(write_zwo(drawn), RIDE).routine.file == drawn.file


@settings(max_examples=100)
@given(routines())
def test_the_blocks_last_as_long_as_the_session_and_ask_for_no_more_than_the_plan(drawn: Routine) -> None:
    timeline = plan(drawn, {"massager": BY_HAND})
    blocks = list(ET.fromstring(write_zwo(drawn)).iterfind("workout/*"))
    assert abs(sum(int(block.get("Duration", "")) for block in blocks) - timeline.duration_s) <= 0.5
    strongest = max((level for span in timeline.spans for d in span.drives for _, level in d.targets), default=0)
    assert max((float(block.get("Power", "0")) for block in blocks), default=0) <= strongest / 2400 + 1e-9


def test_what_is_written_is_a_zwift_workout_with_the_plan_in_it() -> None:
    mine = routine(
        step("calves", intensity="50%", duration=30, rest=10, cue=r"Up & \"down\" <slowly>."),
        step("calves", technique="stretch", duration=20),
        step("hamstrings", technique="hold", intensity="2400 ppm", duration=30, move=0),
    )
    root = ET.fromstring(write_zwo(mine))
    assert root.tag == "workout_file"
    assert [root.findtext(name) for name in ("name", "author", "sportType")] == ["Test", "percuss", "bike"]
    blocks = [(b.tag, dict(b.attrib)) for b in root.iter("workout") for b in b]
    # A way of 8 s before each change of place; gentle of the hamstrings is 1750, so a hold to 2400 has three stages.
    assert blocks == [
        ("FreeRide", {"Duration": "8"}),
        ("SteadyState", {"Duration": "30", "Power": "0.5"}),
        ("SteadyState", {"Duration": "10", "Power": "0"}),
        ("FreeRide", {"Duration": "20"}),
        ("SteadyState", {"Duration": "10", "Power": "0.7291"}),
        ("SteadyState", {"Duration": "10", "Power": "0.8645"}),
        ("SteadyState", {"Duration": "10", "Power": "1"}),
    ]
    assert [event.get("message") for event in root.iter("textevent")][1] == 'Up & "down" <slowly>.'


def test_blocks_that_somebody_changed_are_noticed_at_their_line() -> None:
    shipped = BUNDLED_ROUTINES[0]
    lines = write_zwo(shipped).decode().splitlines()
    number = next(number for number, line in enumerate(lines) if "SteadyState" in line and 'Power="0' in line)
    lines[number] = lines[number].replace('Power="0', 'Power="9')
    changed = refusal("\n".join(lines).encode(), wanted=None)
    assert changed.line == number + 1
    assert "changed after percuss wrote it" in str(changed)


def test_a_changed_file_is_read_like_a_strangers_when_the_place_is_said() -> None:
    mine = routine(step("calves", intensity="50%", duration=30))
    changed = write_zwo(mine).replace(b'Power="0.5"', b'Power="0.4"')
    imported = read_zwo(changed, RIDE, Wanted("hamstrings", "right"))
    assert [(s.region, s.side, s.intensity) for s in imported.routine.steps if s.region] == [
        ("hamstrings", "right", "40%")
    ]
    assert "changed after percuss wrote it" in imported.remarks[0]


def test_a_file_of_percuss_says_its_place_itself() -> None:
    written = write_zwo(routine(step("calves", duration=30)))
    assert "says itself where" in str(refusal(written, CALVES))


def test_a_mistake_in_our_own_part_is_told_with_the_line_of_the_zwo() -> None:
    lines = write_zwo(routine(step("calves", intensity="50%", duration=30))).decode().splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("intensity"))
    lines[number] = 'intensity = "2300 ppm"'
    told = refusal("\n".join(lines).encode(), wanted=None)
    assert (told.line, told.key) == (number + 1, "steps.0.intensity")
    assert "2300 ppm is above 2100 ppm" in str(told)


def test_steady_blocks_are_steps_and_no_power_is_a_rest() -> None:
    first, second = steps_of('<SteadyState Duration="30" Power="0.65"/>', '<SteadyState Duration="12.5" Power="0"/>')
    assert (first.region, first.side, first.technique, first.intensity, first.duration) == (
        "calves",
        "left",
        "percussion",
        "65%",
        30,
    )
    assert (second.technique, second.region, second.duration) == ("rest", None, 12.5)


def test_full_says_what_power_one_means() -> None:
    block = '<SteadyState Duration="30" Power="1.0"/>'
    assert steps_of(block, wanted=Wanted("calves", "left", Intensity(percent=40)))[0].intensity == "40%"
    assert steps_of(block, wanted=Wanted("calves", "left", Intensity(ppm=1501)))[0].intensity == "1501 ppm"
    # Rounded down: 0.3333 of 40 % is 13.332 %, of 1501 ppm 500.28 ppm.
    third = '<SteadyState Duration="30" Power="0.3333"/>'
    assert steps_of(third, wanted=Wanted("calves", "left", Intensity(percent=40)))[0].intensity == "13.33%"
    assert steps_of(third, wanted=Wanted("calves", "left", Intensity(ppm=1501)))[0].intensity == "500 ppm"


@pytest.mark.parametrize("tag", ["Warmup", "Cooldown", "Ramp", "ramp"])
def test_ramps_are_stairs_of_ten_seconds_below_the_slope(tag: str) -> None:
    (up,) = steps_of(f'<{tag} Duration="30" PowerLow="0.2" PowerHigh="0.8"/>')
    assert [(point.at, point.intensity) for point in up.curve] == [(0, "20%"), (10, "40%"), (20, "60%")]
    (down,) = steps_of(f'<{tag} Duration="30" PowerLow="0.6" PowerHigh="0"/>')
    assert [(point.at, point.intensity) for point in down.curve] == [(0, "40%"), (10, "20%"), (20, "0%")]


@given(st.floats(1, 119), st.floats(0.01, 0.87), st.floats(0, 0.87))
def test_no_stair_stands_above_its_slope(duration_s: float, start: float, end: float) -> None:
    for each in steps_of(f'<Ramp Duration="{duration_s:.3f}" PowerLow="{start:.4f}" PowerHigh="{end:.4f}"/>'):
        ends = [point.at for point in each.curve[1:]] + [each.duration or 0] if each.curve else []
        for point, until_s in zip(each.curve, ends, strict=True):
            stair = float(point.intensity.removesuffix("%"))
            slope = [100 * (start + (end - start) * at_s / duration_s) for at_s in (point.at, until_s)]
            assert stair <= min(slope) + 0.02


def test_intervals_rest_between_or_alternate() -> None:
    off = '<IntervalsT Repeat="3" OnDuration="20" OffDuration="10" OnPower="0.6" OffPower="0"/>'
    assert [(s.duration, s.rest, s.repeat, s.intensity) for s in steps_of(off)] == [(20, 10, 3, "60%")]
    low = '<IntervalsT Repeat="2" OnDuration="20" OffDuration="10" OnPower="0.6" OffPower="0.3"/>'
    assert [(s.duration, s.intensity) for s in steps_of(low)] == [(20, "60%"), (10, "30%")] * 2


def test_free_riding_and_maximum_effort_never_drive_anything() -> None:
    imported = read_zwo(ride('<Freeride Duration="20" FlatRoad="1"/>', '<MaxEffort Duration="10"/>'), RIDE, CALVES)
    assert [(s.technique, s.duration) for s in imported.routine.steps] == [("rest", 20), ("rest", 10)]
    assert any("became rests" in remark for remark in imported.remarks)
    assert "Not taken over: FlatRoad (line 5)." in imported.remarks


def test_messages_become_the_cue_in_the_order_of_their_times() -> None:
    imported = read_zwo(
        ride(
            '<SteadyState Duration="30" Power="0.5">',
            '<textevent timeoffset="20" message="and &amp; back"/>',
            '<TextEvent TimeOffset="0" message="Up\u200d the calf "/>',
            "</SteadyState>",
        ),
        RIDE,
        CALVES,
    )
    assert imported.routine.steps[0].cue == "Up the calf and & back"
    assert "Messages come at the start of their block (first in line 6)." in imported.remarks


def test_title_author_and_description_are_taken_over_and_the_rest_is_told() -> None:
    head = "<author>Me</author><name>Früh am Tag!</name><description>A\nB</description><ftpOverride>200</ftpOverride>"
    raw = ride('<SteadyState Duration="30" Power="0.5" Cadence="90"/>', "<RestDay/>", head=head)
    imported = read_zwo(raw, RIDE, CALVES)
    mine = imported.routine
    assert (mine.name, mine.title, mine.description) == ("fruh-am-tag", "Früh am Tag!", "A B")
    assert mine.sources == ("Zwift workout ride.zwo, by Me",)
    assert imported.remarks == (
        "ftpOverride is not used: power 1 is what --full says.",
        "Not taken over: Cadence (line 6), <RestDay> (line 7).",
    )


def test_each_side_gets_the_whole_before_the_other() -> None:
    blocks = (
        '<SteadyState Duration="20" Power="0.5"/>',
        '<FreeRide Duration="5"/>',
        '<SteadyState Duration="20" Power="0.6"/>',
    )
    found = steps_of(*blocks, wanted=Wanted("calves", "each"))
    assert [(s.side, s.technique) for s in found] == [
        *(("left", "percussion"), (None, "rest"), ("left", "percussion")),
        *(("right", "percussion"), (None, "rest"), ("right", "percussion")),
    ]


@pytest.mark.parametrize(
    ("blocks", "wanted", "line", "what"),
    [
        (['<SteadyState Duration="30" Power="0.9"/>'], CALVES, 5, "90 % (2160 ppm) is above 2100 ppm"),
        (
            ['<FreeRide Duration="5"/>', '<Ramp Duration="30" PowerLow="0" PowerHigh="0.9"/>'],
            CALVES,
            6,
            "above 2100 ppm",
        ),
        (['<SteadyState Duration="30" Power="1.2"/>'], CALVES, 5, "1.2 of 100 % is 120 %"),
        (['<SteadyState Duration="30" Power="0.5"/>'], Wanted("neck", "left"), 5, "neck is refused"),
        (['<SteadyState Duration="30" Power="0.5"/>'], Wanted("iliopsoas", "left"), 5, "is never driven"),
        (['<SteadyState Duration="121" Power="0.5"/>'], CALVES, 5, "121 s is longer than 120 s"),
        (['<SteadyState Duration="90" Power="0.5"/>'] * 2, CALVES, 6, "gets 180 s"),
        (['<SteadyState Duration="30" Power="0.5"/>', '<FreeRide Duration="880"/>'], CALVES, 6, "The session lasts"),
    ],
)
def test_what_is_outside_the_limits_is_refused_with_its_line(
    blocks: list[str], wanted: Wanted, line: int, what: str
) -> None:
    told = refusal(ride(*blocks), wanted)
    assert isinstance(told, PlanRefusedError)
    assert told.line == line
    assert what in str(told)


@pytest.mark.parametrize(
    ("block", "what"),
    [
        ('<SteadyState Power="0.5"/>', "Duration: is missing"),
        ('<SteadyState Duration="30"/>', "Power: is missing"),
        ('<SteadyState Duration="nan" Power="0.5"/>', "must be a number"),
        ('<SteadyState Duration="inf" Power="0.5"/>', "must be a number"),
        ('<SteadyState Duration="-30" Power="0.5"/>', "must not be negative"),
        ('<SteadyState Duration="1e3" Power="0.5"/>', "must be a number"),
        ('<SteadyState Duration="0" Power="0.5"/>', "at least 1 s"),
        ('<SteadyState Duration="30" Power="٣"/>', "must be a number"),
        ('<SteadyState Duration="901" Power="0"/>', "15 minutes"),
        (f'<SteadyState Duration="{"9" * 5000}" Power="0"/>', "must be a number"),
        ('<IntervalsT Repeat="1.5" OnDuration="1" OffDuration="1" OnPower="0" OffPower="0"/>', "whole number"),
        ('<IntervalsT Repeat="99999" OnDuration="1" OffDuration="1" OnPower="0" OffPower="0"/>', "whole number"),
        ('<IntervalsT Repeat="51" OnDuration="1" OffDuration="1" OnPower="0" OffPower="0"/>', "more than 100 steps"),
        (
            '<SteadyState Duration="30" Power="0.5"><textevent timeoffset="x" message="m"/></SteadyState>',
            "must be a number",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(block: str, what: str) -> None:
    told = refusal(ride(block))
    assert isinstance(told, RoutineError)
    assert told.line == 5
    assert what in str(told)


def test_a_hundred_steps_are_the_most_and_the_next_is_named() -> None:
    told = refusal(ride(*['<FreeRide Duration="1"/>'] * 101))
    assert told.line == 105
    assert "more than 100 steps" in str(told)


BOMB = '<!DOCTYPE a [<!ENTITY a "lol">' + "".join(f'<!ENTITY a{n} "{"&a;" * 10}">' for n in range(9)) + "]>"


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (f"{BOMB}<workout_file><workout>&a8;</workout></workout_file>".encode(), "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><workout_file/>', "document type"),
        (b"<workout_file>" + b"<a>" * 20_000, "nested too deeply"),
        (b"<workout_file><workout>" + b"<FreeRide/>" * 6000, "elements"),
        (b"<workout_file>\n<workout>\n</wrong>", "not valid XML"),
        (b"<workout_file><workout>\x00</workout></workout_file>", "not valid XML"),
        (b"<workout_file><workout>\x1b[2J</workout></workout_file>", "not valid XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><workout_file/>', "XML"),
        (b"", "not valid XML"),
        (b"\xff\xfe\x00", "XML"),
        (b"<TrainingCenterDatabase/>", "no Zwift workout"),
        (b"<workout_file><name>x</name></workout_file>", "no Zwift workout"),
        (b"<workout_file><workout/></workout_file>", "no block"),
        (b" " * 10_000_000, "larger than"),
        (b"<workout_file><workout>" + b"\n" * 900_000 + b"</workout></workout_file>", "no block"),
    ],
    ids=range(15),
)
def test_hostile_files_are_refused_in_a_sentence(raw: bytes, what: str) -> None:
    told = refusal(raw)
    assert what in str(told)
    assert str(told).isprintable()


@given(st.binary(max_size=300))
def test_no_bytes_whatever_end_in_anything_but_a_sentence(raw: bytes) -> None:
    refusal(raw)


@given(
    st.lists(
        st.builds(
            "<{} Duration={!r} Power={!r} PowerLow={!r} PowerHigh={!r}/>".format,
            st.sampled_from(["SteadyState", "Warmup", "Ramp", "FreeRide", "Nonsense"]),
            *[st.floats().map(str) | st.integers(-5, 200).map(str) | st.floats(0, 1.5).map(lambda f: f"{f:.3f}")] * 4,
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(1, 100),
)
def test_whatever_is_taken_over_can_be_planned_below_the_cap(blocks: list[str], full: float) -> None:
    try:
        found = read_zwo(ride(*blocks), RIDE, Wanted("calves", "left", Intensity(percent=full))).routine
    except FileError as problem:
        told = problem.line
    else:
        told = 1
        drives = [drive for span in plan(found, {"massager": BY_HAND}).spans for drive in span.drives]
        assert all(level <= 2100 for drive in drives for _, level in drive.targets)
    assert told is not None, "a refusal names its line"
