"""Scenarios that somebody thought of, in place of a seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from firmware_profiles.schema import Profile
from routines.loader import Routine
from routines.planner import plan
from routines.schema import RoutineFile
from tests.faults.limits import is_switch
from tests.faults.scenarios import Act, Fault, Scenario, bundled

MOVE_S, WORK_S, REST_S = 2.0, 40.0, 10.0
"""The one step of the routine: the way there (for what is held in the hand), the place, and the rest behind it."""


def that_speaks() -> Profile:
    """A bundled profile whose device says what it does."""
    return next(profile for profile in bundled().values() if profile.reports_status)


def blind() -> Profile:
    """A bundled profile whose device says nothing, and whose strength can be set."""
    return next(p for p in bundled().values() if not p.reports_status and not is_switch(p))


def scenario(profile: Profile, faults: Sequence[Fault] = (), acts: Sequence[Act] = ()) -> Scenario:
    """One place on a device, with these faults and acts and nothing else."""
    region = next((channel.region for channel in profile.channels.values() if channel.region), "hamstrings")
    step = {"region": region, "side": "left", "duration": WORK_S, "rest": REST_S, "move": MOVE_S}
    file = RoutineFile.model_validate({"schema": 1, "name": "by-hand", "title": "By hand", "steps": (step,)})
    timeline = plan(Routine(Path("by-hand.toml"), file, ""), {"massager": profile.capabilities()})
    return Scenario(
        seed=0,
        profile=profile,
        timeline=timeline,
        holds=(),
        overreach=1.0,
        options={"can_be_resumed": True},
        pain_before=None,
        left_running=0,
        open_s=0.0,
        acks_lie=True,
        faults=tuple(faults),
        acts=tuple(acts),
        end_s=timeline.duration_s + 10.0,
    )


def driven_s(played: Scenario) -> tuple[float, float]:
    """When the place begins and when it ends."""
    ends_s = list(accumulate(span.duration_s for span in played.timeline.spans))
    at = next(number for number, span in enumerate(played.timeline.spans) if span.drives)
    return ends_s[at] - played.timeline.spans[at].duration_s, ends_s[at]


def fault(kind: str, at_s: float, for_s: float, *, amount: float = 0.9) -> Fault:
    """A fault that concerns every frame. ``amount`` below 0.5: a write that hangs is lost as well."""
    return Fault(at_s, kind, for_s, 1.0, amount)
