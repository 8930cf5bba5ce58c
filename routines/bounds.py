"""What holds for one person today, on top of what the body and the device bear. A bound only ever tightens.

Bounds come from the person's own limits, from the screening, and from what the journal says was done before. The
planner keeps to them, and the supervisor checks every command against them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firmware_profiles.capabilities import Side
from routines.schema import Intensity


@dataclass(frozen=True, slots=True)
class Bound:
    """One tightening, and a phrase that says why (no capital, no full stop: ``your first session is gentle``).

    It holds at ``region`` and ``side``, on ``device`` (a paired device's name); each None: at or on all of them.
    ``cap`` is the strongest allowed, where the word ``gentle`` means the place's gentle speed. ``left_s`` is how many
    seconds each side of a place may still be driven; ``session_s`` how long a session may last. ``is_refused``: no
    motor at all.
    """

    reason: str
    region: str | None = None
    side: Side | None = None
    device: str | None = None
    cap: Intensity | None = None
    left_s: float | None = None
    session_s: float | None = None
    is_refused: bool = False

    def holds_at(self, region: str | None, side: Side | None) -> bool:
        """Whether it holds there. A place without a name may be any: every bound holds."""
        return (region is None or self.region in {None, region}) and (side is None or self.side in {None, side})


def refusal(bounds: Iterable[Bound], region: str | None, sides: Iterable[Side | None]) -> Bound | None:
    """The first bound that forbids any motor at one of the sides."""
    wanted = list(sides) or [None]
    return next((b for b in bounds if b.is_refused and any(b.holds_at(region, side) for side in wanted)), None)


def least_left_s(bounds: Iterable[Bound], region: str | None, side: Side | None) -> tuple[float, str]:
    """How many seconds a side may still be driven, and why; infinity where nothing bounds it."""
    found = [(b.left_s, b.reason) for b in bounds if b.left_s is not None and b.holds_at(region, side)]
    return min(found, default=(float("inf"), ""))


def least_session_s(bounds: Iterable[Bound], session_s: float, reason: str) -> tuple[float, str]:
    """How long a session may last, and why."""
    found = [(b.session_s, b.reason) for b in bounds if b.session_s is not None]
    return min([*found, (session_s, reason)])
