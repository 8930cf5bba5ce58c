"""A plan as a FIT workout, for watches and bike computers, written by fit-tool (the extra ``exchange``).

The messages are those that developer.garmin.com/fit/articles/file-types/workout.html asks for: file id, workout, and a
step for each span, with an open target, for no watch knows what a massager does.
"""

from __future__ import annotations

import zlib
from datetime import datetime

from firmware_profiles.capabilities import Place
from routines.timeline import Span, Timeline

STEP_NAME_BYTES, WORKOUT_NAME_BYTES = 15, 31
"""What a Garmin device keeps for a name, without the zero at its end: the fields that its own files have."""

NOTES_BYTES = 254
"""A field has at most 255 bytes, and a zero at its end."""

_SIDES = {"left": "L", "right": "R", None: "L+R"}


def write_fit(timeline: Timeline, title: str, created_utc: datetime) -> bytes:
    """A workout with one step for each span, in milliseconds; ``created_utc`` is aware. Raises ModuleNotFoundError."""
    from fit_tool.fit_file import FitFile
    from fit_tool.fit_file_builder import FitFileBuilder, calc_records_size
    from fit_tool.fit_file_header import FitFileHeader
    from fit_tool.profile.messages.file_id_message import FileIdMessage
    from fit_tool.profile.messages.workout_message import WorkoutMessage
    from fit_tool.profile.messages.workout_step_message import WorkoutStepMessage
    from fit_tool.profile.profile_type import (
        FileType,
        Intensity,
        Manufacturer,
        Sport,
        SubSport,
        WorkoutStepDuration,
        WorkoutStepTarget,
    )

    identity = FileIdMessage()
    identity.type = FileType.WORKOUT
    identity.manufacturer = Manufacturer.DEVELOPMENT.value
    identity.product = 0
    # A device tells workouts apart by this number: the same routine has the same one.
    identity.serial_number = zlib.crc32(timeline.routine.encode()) or 1
    identity.time_created = round(created_utc.timestamp()) * 1000
    workout = WorkoutMessage()
    workout.workout_name = cut(title, WORKOUT_NAME_BYTES)
    workout.sport = Sport.TRAINING
    workout.sub_sport = SubSport.FLEXIBILITY_TRAINING
    workout.num_valid_steps = len(timeline.spans)
    builder = FitFileBuilder(strict=True)
    builder.add_all([identity, workout])
    for number, span in enumerate(timeline.spans):
        step = WorkoutStepMessage()
        step.message_index = number
        step.workout_step_name = cut(step_name(span), STEP_NAME_BYTES)
        step.duration_type = WorkoutStepDuration.TIME
        step.duration_time = span.duration_s
        step.target_type = WorkoutStepTarget.OPEN
        step.target_value = 0
        step.intensity = Intensity.ACTIVE if span.kind == "work" else Intensity.REST
        # What to keep off comes first on the way to a place, for notes are cut.
        texts = (span.note, span.cue) if span.kind == "move" else (span.cue, span.note)
        step.notes = cut(" ".join(texts), NOTES_BYTES)
        builder.add(step)
    builder.validate()
    # With the header of 14 bytes, which has a checksum of its own; the builder writes the older one of 12.
    header = FitFileHeader(records_size=calc_records_size(builder.records), gen_crc=True)
    return bytes(FitFile(header, builder.records).to_bytes())


def step_name(span: Span) -> str:
    """What a watch shows of a span: the place, the side first, since names are cut. ``to`` goes before a way there."""
    if span.kind == "rest":
        return "rest"
    where = " ".join(_short(place) for place in span.places) or (span.technique or "").replace("-", " ")
    return f"to {where}" if span.kind == "move" and span.places else where


def _short(place: Place) -> str:
    return f"{_SIDES[place.side]} {place.region.replace('_', ' ')}"


def cut(text: str, most: int) -> str:
    """A text of at most so many bytes of UTF-8, cut between characters."""
    raw = " ".join(text.split()).encode()
    return raw[:most].decode(errors="ignore").rstrip()
