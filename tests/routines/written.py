"""Routines for the tests of what is written down: any that the format allows, and that a plan may refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

from routines.loader import Routine
from routines.regions import regions
from routines.schema import (
    DRIVEN_TECHNIQUES,
    GROWING_TECHNIQUES,
    NEEDS_NO_PLACE,
    DrivenTechnique,
    HandTechnique,
    Position,
    RoutineFile,
    Tool,
)

TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=' \n\t"\\#;+'), max_size=300)
INTENSITIES = st.sampled_from(["gentle", "moderate", "firm", "40%", "0.5%", "100%", "1500ppm", "1500 ppm"])
TIMES = st.integers(1, 900) | st.integers(4, 3600).map(lambda quarters: quarters / 4)
SIDES = st.sampled_from(["left", "right", "both", "each"])
PLACES = st.sampled_from(sorted(regions()))


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """One step as the keys of its table."""
    technique = draw(st.sampled_from([*get_args(DrivenTechnique), *get_args(HandTechnique)]))
    step: dict[str, Any] = {"technique": technique}
    if technique not in NEEDS_NO_PLACE or draw(st.booleans()):
        step |= {"region": draw(PLACES), "side": draw(SIDES)}
    elif draw(st.booleans()):
        step["side"] = draw(SIDES)
    if "region" not in step or draw(st.booleans()):
        step["duration"] = draw(TIMES)
        step |= draw(st.fixed_dictionaries({}, optional={"ramp": st.integers(0, int(step["duration"]))}))
    how_strong = draw(st.sampled_from(["", "intensity", "curve"]))
    if how_strong == "curve" and technique in DRIVEN_TECHNIQUES - GROWING_TECHNIQUES and step.get("duration", 99) > 60:
        gaps = draw(st.lists(st.integers(1, 10), max_size=5))
        at = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
        later = [{"at": each, "intensity": draw(INTENSITIES | st.just("0%"))} for each in at[1:]]
        step["curve"] = [{"at": at[0], "intensity": draw(INTENSITIES)}, *later]
    elif how_strong:
        step["intensity"] = draw(INTENSITIES)
    more = {
        "rest": st.integers(0, 60),
        "move": st.integers(0, 60),
        "repeat": st.integers(1, 20),
        "position": st.sampled_from(get_args(Position)),
        "tool": st.sampled_from(get_args(Tool)),
        "cue": TEXTS,
        "source": TEXTS,
        "roles": st.sampled_from([["massager"], ["timer"], ["massager", "timer"]]),
    }
    return step | draw(st.fixed_dictionaries({}, optional=more))


@st.composite
def groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One step, or some that go together."""
    first = draw(steps())
    if first["technique"] not in DRIVEN_TECHNIQUES or draw(st.booleans()):
        return [first]
    first["side"] = draw(st.sampled_from(["left", "right", "both"]))
    others = draw(st.lists(PLACES, max_size=2))
    more = {"intensity": INTENSITIES, "cue": TEXTS, "tool": st.sampled_from(get_args(Tool))}
    beside = [
        {"region": place, "side": draw(st.sampled_from(["left", "right", "both"])), "together": True}
        | draw(st.fixed_dictionaries({}, optional=more))
        for place in others
    ]
    return [first, *beside]


@st.composite
def files(draw: st.DrawFn) -> RoutineFile:
    """A whole file."""
    said = draw(st.lists(groups(), min_size=1, max_size=5))
    return RoutineFile.model_validate(
        {
            "schema": 1,
            "name": "script",
            "title": draw(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)),
            "description": draw(TEXTS),
            "sources": tuple(draw(st.lists(TEXTS, max_size=2))),
            "closing_note": draw(TEXTS),
            "steps": [step for group in said for step in group],
        },
        strict=False,
    )


def routine_of(file: RoutineFile) -> Routine:
    """The file as it would be without a text of its own."""
    return Routine(Path("made.toml"), file, "", tuple(range(1, len(file.steps) + 1)))
