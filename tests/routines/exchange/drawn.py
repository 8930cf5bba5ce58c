"""Routines drawn by hypothesis, inside the limits: what is exported has to be one that can run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from routines.loader import Routine
from routines.schema import RoutineFile

# Places with what each bears, typed in from the table of regions: seconds a side, and the cap as a share of 2400.
PLACES = {"hamstrings": (120, 100), "calves": (120, 87), "lumbar_paraspinal": (60, 75), "piriformis": (90, 87)}

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Zs", "Zl", "Zp"))
    | st.sampled_from(" \n\t"),
    max_size=60,
)
titles = texts.filter(lambda text: text.strip() != "").map(lambda text: " ".join(text.split()))
times = st.integers(1, 10) | st.floats(1, 10).map(lambda value: round(value, 3))


@st.composite
def presses(draw: st.DrawFn) -> dict[str, Any]:
    """A step on a place; at most 10 s each, so that five of them never use up a place."""
    region = draw(st.sampled_from(sorted(PLACES)))
    step: dict[str, Any] = {"region": region, "side": draw(st.sampled_from(["left", "right", "both", "each"]))}
    step["duration"] = draw(times)
    kind = draw(st.sampled_from(["word", "percent", "ppm", "curve", "hold", "none"]))
    if kind == "word":
        step["intensity"] = draw(st.sampled_from(["gentle", "moderate", "firm"]))
    elif kind in {"percent", "hold"}:
        step["intensity"] = f"{draw(st.integers(1, PLACES[region][1]))}%"
        step["technique"] = "hold" if kind == "hold" else "circles"
    elif kind == "ppm":
        step["intensity"] = f"{draw(st.integers(1, 1800))} ppm"
    elif kind == "curve":
        percents = draw(
            st.lists(st.integers(0, PLACES[region][1]), min_size=1, max_size=int(step["duration"])).filter(any)
        )
        step["curve"] = [
            {"at": at, "intensity": f"{value}%"} for at, value in enumerate(percents) if at < step["duration"]
        ]
    extras = {
        "ramp": st.integers(0, 1),
        "rest": st.sampled_from([0.2, 3]),
        "move": st.sampled_from([0, 2.5]),
        "cue": texts,
    }
    words = {
        "position": st.sampled_from(["prone", "side-lying", "seated"]),
        "tool": st.sampled_from(["massage-gun", "ball", "none"]),
        "source": texts,
        "roles": st.sampled_from([["massager"], ["timer"]]),
    }
    return step | draw(st.fixed_dictionaries({}, optional={**extras, **words}))


others = st.fixed_dictionaries(
    {"technique": st.sampled_from(["breathing", "rest", "transition"]), "duration": times}, optional={"cue": texts}
)


@st.composite
def routines(draw: st.DrawFn) -> Routine:
    """A whole routine; with several steps on one place they are short enough together."""
    steps = draw(st.lists(presses() | others, min_size=1, max_size=4))
    file = RoutineFile.model_validate_json(
        json.dumps(
            {
                "schema": 1,
                "name": "drawn",
                "title": draw(titles),
                "description": draw(texts),
                "closing_note": draw(texts),
            }
            | {"sources": draw(st.lists(texts, max_size=2)), "steps": steps}
        )
    )
    return Routine(path=Path("drawn.toml"), file=file, text="", step_lines=(1,) * len(steps))
