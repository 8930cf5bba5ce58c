"""What happens in one scenario, all of it drawn from its seed."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from routines.bounds import Bound
from routines.errors import PlanRefusedError
from routines.loader import Routine
from routines.planner import plan
from routines.schema import Intensity, RoutineFile, Step
from routines.timeline import Timeline
from tests.faults.limits import PLACES, Hold, Side, full_level

MASSAGER = "gun"

LINE = ("drop", "corrupt", "half", "delay", "reorder", "duplicate")
"""What the line does to bytes; with ``_back`` behind it, to what the device says."""

FAULTS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(LINE, (0.1, 8.0)),
    **dict.fromkeys([f"{kind}_back" for kind in LINE], (0.1, 20.0)),
    "refuse": (0.1, 15.0),
    "wedge_write": (0.5, 20.0),
    "wedge_line": (0.5, 20.0),
    "no_ack": (0.2, 20.0),
    "stuck": (1.0, 40.0),
    "silence": (1.0, 40.0),
    "disconnect": (0.1, 30.0),
    "refuse_open": (0.5, 40.0),
    "ignore": (0.2, 15.0),
    "low_battery": (1.0, 30.0),
    "overheat": (1.0, 30.0),
    "stall": (1.0, 30.0),
    "sleep": (0.1, 600.0),
    "busy": (0.1, 600.0),
    "hang": (0.3, 30.0),
    "listener": (0.0, 0.0),
    "emergency": (0.0, 0.0),
}
"""Every fault, and from how short to how long it is."""

ACTS = ("pause", "toggle", "resume", "skip", "back", "extra", "stronger", "stronger", "softer", "stop", "pain")
RARE_ACTS = ("nerve", "cancel")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``share`` of the frames are concerned, and ``amount`` says how much."""

    at_s: float
    kind: str
    for_s: float
    share: float
    amount: float


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the person does; ``score`` is how much it hurts."""

    at_s: float
    kind: str
    score: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that happens. Times are seconds since the session began."""

    seed: int
    profile: Profile
    timeline: Timeline
    holds: tuple[Hold, ...]
    overreach: float
    options: Mapping[str, bool]
    pain_before: int | None
    left_running: int
    open_s: float
    acks_lie: bool
    faults: tuple[Fault, ...]
    acts: tuple[Act, ...]
    end_s: float

    def reseeded(self, seed: int) -> Scenario:
        """The same, with other bits flipped and other frames concerned."""
        return replace(self, seed=seed)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The bounds of the day, as the supervisor is told them."""
        return tuple(_bound(hold) for hold in self.holds)


T = TypeVar("T", Fault, Act)


@cache
def bundled() -> dict[str, Profile]:
    """The profiles that percuss ships, whatever they are called, of which one frame sets one channel to one level.

    The campaign's device keeps no state between frames: what only steps, toggles or must be greeted first is tried in
    tests/system/test_every_family.py.
    """
    profiles = [load_profile(path) for path in sorted(BUNDLED.glob("*.toml"))]
    return {profile.id: profile for profile in profiles if "massager" in profile.roles and _is_stateless(profile)}


def _is_stateless(profile: Profile) -> bool:
    table = profile.commands.set_level
    if table is None or profile.level is None or profile.level.resend_s or profile.commands.off is not None:
        return False
    if profile.level.steps is not None:
        return False
    if profile.commands.start is not None or profile.init or profile.keepalive or profile.parameters:
        return False
    reported = {name for report in profile.reports.values() for text in report.frames for name in _NAMED.findall(text)}
    names_others = any(word in text for text in table.frames for word in ("level.", "each channel", "{on:"))
    has_sides = all(channel.region is None or channel.side for channel in profile.channels.values())
    return has_sides and not names_others and reported <= {"running", "level", "firmware"}


_NAMED = re.compile(r"\{([a-z][a-z0-9_.]*):")


def draw(seed: int, profile_id: str | None = None) -> Scenario:
    """The scenario of a seed, on any profile or on the one that is named."""
    rng = random.Random(seed)
    drawn_id = rng.choice(sorted(bundled()))
    profile = bundled()[profile_id or drawn_id]
    timeline, holds = _draw_plan(rng, profile)
    duration_s = timeline.duration_s
    acts = _draw_acts(rng, duration_s)
    races = [_draw_race(rng, timeline) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    acts = _in_order([*acts, *(act for _, act in races)])
    faults = _draw_faults(rng, duration_s, _turns_s(timeline) + [act.at_s for act in acts])
    faults = _in_order([*faults, *(fault for fault, _ in races)])
    pain = rng.random() < 0.25
    scenario = Scenario(
        seed=seed,
        profile=profile,
        timeline=timeline,
        holds=holds,
        # The plan itself may be wrong: the supervisor trusts none.
        overreach=rng.choice([1.0] * 7 + [1.1, 1.3, 2.0]),
        options={"waits_for_key": rng.random() < 0.2, "can_be_resumed": rng.random() < 0.6, "asks_pain": pain},
        pain_before=rng.randint(0, 6) if pain and rng.random() < 0.7 else None,
        left_running=max(1, round(rng.random() * full_level(profile))) if rng.random() < 0.1 else 0,
        open_s=rng.choice([0.0, 0.02, 0.3, 1.5]),
        acks_lie=rng.random() < 0.5,
        faults=faults,
        acts=acts,
        end_s=duration_s + rng.uniform(5.0, 40.0),
    )
    for hung, _ in races:
        if rng.random() < 0.2:
            # The link goes and comes back while something hangs.
            gone = Fault(hung.at_s + rng.uniform(0.1, 1.0), "disconnect", rng.uniform(0.3, 1.5), 1.0, 0.0)
            scenario = replace(scenario, faults=_in_order([*scenario.faults, gone]))
    return scenario


def _draw_plan(rng: random.Random, profile: Profile) -> tuple[Timeline, tuple[Hold, ...]]:
    """A routine that the planner takes. Its day may be unknown to the planner, so that only the supervisor keeps it."""
    device = {"massager": profile.capabilities()}
    while True:
        steps = tuple(_draw_step(rng, profile) for _ in range(rng.randint(1, 4)))
        file = RoutineFile.model_validate({"schema": 1, "name": "drawn", "title": "Drawn", "steps": steps})
        holds = _draw_holds(rng, [step.region or "" for step in steps])
        is_known = rng.random() < 0.6
        try:
            timeline = plan(Routine(Path("drawn.toml"), file, ""), device, [_bound(h) for h in holds if is_known])  # type: ignore[arg-type]
        except PlanRefusedError:
            continue
        if any(span.drives for span in timeline.spans) and timeline.duration_s < 240:
            return timeline, holds


def _draw_step(rng: random.Random, profile: Profile) -> Step:
    reached = sorted({channel.region for channel in profile.channels.values() if channel.region})
    numbers = (f"{rng.randint(20, 87)}%", f"{rng.randint(600, 2100)} ppm")
    return Step.model_validate(
        {
            "technique": rng.choice(["percussion", "percussion", "circles", "hold", "pressure-and-release"]),
            "region": rng.choice(reached or sorted(PLACES)),
            "side": rng.choice(["left", "right", "both", "each"]),
            "intensity": rng.choice(["gentle", "moderate", "firm", *numbers]),
            "duration": round(rng.uniform(5.0, 45.0), 1),
            "ramp": rng.choice([0.0, 0.0, 0.0, 4.0]),
            "rest": rng.choice([0.0, 0.0, 3.0]),
            "move": rng.choice([0.0, 2.0, 5.0]),
            "repeat": rng.choice([1, 1, 1, 2]),
        }
    )


def _draw_holds(rng: random.Random, places: Sequence[str]) -> tuple[Hold, ...]:
    sides: list[Side | None] = ["left", "right", None]
    holds = []
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        region = rng.choice([None, *places])
        most = rng.choice(["gentle", "none", float(rng.randint(300, 2300)), float(rng.randint(300, 2300))])
        holds.append(Hold(region, rng.choice(sides) if region else None, most))  # type: ignore[arg-type]
    return tuple(holds)


def _bound(hold: Hold) -> Bound:
    if hold.most == "none":
        return Bound("the scenario", hold.region, hold.side, is_refused=True)
    cap = Intensity(word="gentle") if hold.most == "gentle" else Intensity(ppm=hold.most)
    return Bound("the scenario", hold.region, hold.side, cap=cap)


def _draw_acts(rng: random.Random, duration_s: float) -> tuple[Act, ...]:
    acts: list[Act] = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
        at_s = rng.uniform(0.0, duration_s)
        kind = rng.choice(RARE_ACTS if rng.random() < 0.08 else ACTS)
        acts.append(Act(at_s, kind, rng.randint(0, 8)))
        if kind in {"pause", "toggle"} and rng.random() < 0.7:
            acts.append(Act(at_s + _log_uniform(rng, 0.05, 20.0), "resume"))
    # Whoever is asked how much it hurts answers one day.
    acts += [Act(rng.uniform(0.0, duration_s), "pain", rng.randint(0, 3)) for _ in range(2)]
    return _in_order(acts)


def _draw_race(rng: random.Random, timeline: Timeline) -> tuple[Fault, Act]:
    """Something that hangs or is lost just when the motor climbs or goes off, and the person wants it off then."""
    driven = [index for index, span in enumerate(timeline.spans) if span.drives]
    begins_s = _turns_s(timeline)[rng.choice(driven)]
    at_s = max(0.0, begins_s + rng.uniform(-0.1, 8.0))
    act = Act(at_s + rng.uniform(0.05, 2.0), rng.choice(["stop", "stop", "pause", "skip", "back", "cancel"]))
    kind = rng.choice(["wedge_write", "wedge_write", "no_ack", "wedge_line", "hang", "drop", "corrupt", "ignore"])
    return Fault(at_s, kind, _log_uniform(rng, 0.5, 12.0), 1.0, rng.random()), act


def _draw_faults(rng: random.Random, duration_s: float, turns_s: Sequence[float]) -> tuple[Fault, ...]:
    faults = []
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4, 6])):
        kind = rng.choice(list(FAULTS))
        shortest_s, longest_s = FAULTS[kind]
        at_s = rng.uniform(-0.5, duration_s)
        if rng.random() < 0.5:
            # Around the moments at which something is to change: there the races are.
            at_s = rng.choice(turns_s) + rng.uniform(-1.0, 0.3)
        for_s = _log_uniform(rng, shortest_s, longest_s) if longest_s else 0.0
        faults.append(Fault(max(0.0, at_s), kind, for_s, rng.choice([1.0, 1.0, 0.6, 0.3]), rng.random()))
    return _in_order(faults)


def _in_order(happenings: Sequence[T]) -> tuple[T, ...]:
    return tuple(sorted(happenings, key=lambda each: each.at_s))


def _turns_s(timeline: Timeline) -> list[float]:
    """Where something begins or ends."""
    turns_s = [0.0]
    for span in timeline.spans:
        turns_s.append(turns_s[-1] + span.duration_s)
    return turns_s


def _log_uniform(rng: random.Random, lowest: float, highest: float) -> float:
    return math.exp(rng.uniform(math.log(lowest), math.log(highest)))
