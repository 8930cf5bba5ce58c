"""The bytes are looked at by hand, after developer.garmin.com/fit/protocol, and read back with fit-tool."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from crccheck.crc import CrcArc
from fit_tool.definition_message import DefinitionMessage
from fit_tool.fit_file import FitFile
from fit_tool.profile.profile_type import FileType, Intensity, WorkoutStepDuration, WorkoutStepTarget

from firmware_profiles.capabilities import Side
from routines.exchange.fit import STEP_NAME_BYTES, cut, step_name, write_fit
from routines.library import BUNDLED
from routines.loader import Routine, load_routine
from routines.planner import plan
from routines.regions import regions
from routines.timeline import Span
from tests.routines.devices import routine, step

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
BUNDLED_ROUTINES = [load_routine(path) for path in sorted(BUNDLED.glob("*.toml"))]


def messages(raw: bytes) -> list[Any]:
    found = [record.message for record in FitFile.from_bytes(raw).records]
    return [message for message in found if not isinstance(message, DefinitionMessage)]


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_header_and_checksums_are_those_of_the_protocol(shipped: Routine) -> None:
    raw = write_fit(plan(shipped, {}), shipped.title, NOON)
    size, _, _, data_size, signature, header_crc = struct.unpack("<BBHI4sH", raw[:14])
    assert (size, signature, data_size) == (14, b".FIT", len(raw) - 14 - 2)
    # The protocol's CRC is CRC-16/ARC: of the first 12 bytes, and of everything before the last two.
    assert header_crc == CrcArc.calc(raw[:12])
    assert struct.unpack("<H", raw[-2:])[0] == CrcArc.calc(raw[:-2])


@pytest.mark.parametrize("shipped", BUNDLED_ROUTINES, ids=lambda each: each.name)
def test_it_reads_back_with_a_step_for_every_span(shipped: Routine) -> None:
    timeline = plan(shipped, {})
    identity, workout, *steps = messages(write_fit(timeline, shipped.title, NOON))
    assert identity.type == FileType.WORKOUT.value
    assert identity.time_created == NOON.timestamp() * 1000
    assert shipped.title.startswith(workout.workout_name)
    assert workout.num_valid_steps == len(steps) == len(timeline.spans)
    for number, (told, span) in enumerate(zip(steps, timeline.spans, strict=True)):
        assert told.message_index == number
        assert told.duration_type == WorkoutStepDuration.TIME.value
        assert told.duration_time == pytest.approx(span.duration_s, abs=5e-4)
        assert told.target_type == WorkoutStepTarget.OPEN.value
        assert told.intensity == (Intensity.ACTIVE if span.kind == "work" else Intensity.REST).value
        assert told.workout_step_name and len(told.workout_step_name.encode()) <= STEP_NAME_BYTES  # noqa: PT018
        assert len(told.notes.encode()) <= 254


def test_places_begin_with_their_side_and_ways_with_to() -> None:
    mine = routine(step("gluteus_medius", "each", duration=20, rest=5), 'technique = "breathing"\nduration = 5')
    names = [told.workout_step_name for told in messages(write_fit(plan(mine, {}), "Test", NOON))[2:]]
    left = ["to L gluteus me", "L gluteus mediu", "rest"]
    assert names == [*left, *(name.replace("L ", "R ") for name in left), "breathing"]


def test_cut_names_of_places_stay_apart() -> None:
    sides: tuple[Side | None, ...] = ("left", "right", None)
    spans = [Span("work", 10, 1, 1, "", region=name, side=side) for name in regions() for side in sides]
    names = [cut(step_name(span), STEP_NAME_BYTES) for span in spans]
    assert len(set(names)) == len(names)


def test_what_to_keep_off_comes_first_on_the_way() -> None:
    way = messages(write_fit(plan(routine(step("piriformis", duration=20)), {}), "Test", NOON))[2]
    assert way.notes.startswith("Keep off: the middle of the buttock")


def test_a_text_is_cut_between_characters() -> None:
    assert cut("aä" * 10, 4) == "aäa"
    assert cut("  a \n b ", 10) == "a b"
