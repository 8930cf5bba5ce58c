"""How long a routine lasts by hand, without planning it: for long lists.

tests/routines/test_durations.py holds it to the planner.
"""

from __future__ import annotations

from collections.abc import Iterator

from routines.planner import MOVE_S
from routines.regions import Region, find_region
from routines.schema import Step


def by_hand_s(steps: tuple[Step, ...]) -> float:
    """What `plan` without devices makes of the steps, in seconds, whether or not it is within the limits."""
    total_s = 0.0
    last_place: object = None
    for step, first, duration_s in _pieces(steps):
        for side in {"each": ("left", "right"), "both": ("left", "right")}.get(step.side or "", (step.side,)):
            if step.technique not in {"rest", "transition"}:
                place = (step.region, side, first.position, step.tool)
                is_somewhere = any(each is not None for each in (step.region, side, first.position))
                if place != last_place and is_somewhere:
                    total_s += MOVE_S if first.move is None else first.move
                last_place = place
            total_s += first.repeat * (duration_s + first.rest)
    return total_s


def _pieces(steps: tuple[Step, ...]) -> Iterator[tuple[Step, Step, float]]:
    """Each step, the first of those that go together with it, and how long it lasts."""
    group: list[Step] = []
    for step in (*steps, None):
        if step is not None and step.together:
            group.append(step)
            continue
        if group:
            first = group[0]
            duration_s = first.duration if first.duration is not None else min(_default_s(one) for one in group)
            yield from ((one, first, duration_s) for one in group)
        group = [] if step is None else [step]


def _default_s(step: Step) -> float:
    region = find_region(step.region or "")
    return region.default_s if isinstance(region, Region) else 0.0
