"""The one gate in front of every device: what may run where, how strongly and for how long."""

from __future__ import annotations

from collections import defaultdict

from controller.errors import RefusedError
from firmware_profiles.commands import Stop
from firmware_profiles.units import Level
from routines.timeline import Cue, Span, Timeline

EXTRA_S = 15.0
"""What one press of "extra time" adds."""

CHANGE_PERCENT = 5.0
"""What one press of "stronger" or "softer" changes, in percent of full scale: 120 ppm of 2400."""


class Supervisor:
    """Counts what is driven in one session and says what may still be. Nothing here can loosen the plan's limits."""

    def __init__(self, timeline: Timeline, session_max_s: float) -> None:
        self._session_max_s = session_max_s
        self._session_s = 0.0
        self._place_s: dict[str, float] = defaultdict(float)
        self._place_max_s: dict[str, float] = defaultdict(float)
        driven = [span for span in timeline.spans if span.drives]
        for span in driven:
            for place in _places(span):
                self._place_max_s[place] += span.duration_s
        for place, extra_s in {place: span.extra_max_s for span in driven for place in _places(span)}.items():
            self._place_max_s[place] += extra_s

    def check(self, span: Span, cue: Cue, level: Level) -> None:
        """Let a command through to a channel that runs at ``level``.

        Raises RefusedError for a level above the cap, too big a step, or a channel that has no part here.
        """
        command = cue.command
        if isinstance(command, Stop) or command.level == 0:
            return
        if cue.role == "timer" and any(signal.command == command for signal in span.signals):
            return
        place = (cue.role, command.channel)
        drive = next((drive for drive in span.drives if (drive.role, drive.channel) == place), None)
        if drive is None:
            raise RefusedError(f"channel {command.channel} has no part in this step.", where=span.place)
        if command.level > drive.cap_level:
            what = f"level {command.level} is above {drive.cap_level}: {drive.cap_reason}."
            raise RefusedError(what, where=span.place)
        if command.level > level and command.level > drive.step_up(level, drive.cap_level):
            raise RefusedError(f"from {level} to {command.level} is too big a step.", where=span.place)

    def allowed_s(self, span: Span) -> float:
        """How many seconds a place may be driven now, after all that was driven before. Never below 0."""
        place_left_s = min(self._place_max_s[place] - self._place_s[place] for place in _places(span))
        return max(0.0, min(place_left_s, self._session_max_s - self._session_s))

    def count(self, span: Span, driven_s: float) -> None:
        """Add what was driven."""
        self._session_s += driven_s
        for place in _places(span):
            self._place_s[place] += driven_s

    def change(self, span: Span, change_percent: float, step_percent: float) -> float:
        """The person's change of intensity after one more step. Raises RefusedError when it would change nothing."""
        goals = [
            (drive, drive.goal(target, change_percent), drive.goal(target, change_percent + step_percent))
            for drive in span.drives
            for _, target in drive.targets
            if target
        ]
        if not goals:
            raise RefusedError("nothing is driven in this step.", where=span.place)
        if all(before == after for _, before, after in goals):
            drive = goals[0][0]
            if step_percent < 0:
                raise RefusedError("this is the lowest level; pause or stop instead.", where=span.place)
            raise RefusedError(f"no stronger than {drive.cap_level} here: {drive.cap_reason}.", where=span.place)
        return change_percent + step_percent


def _places(span: Span) -> tuple[str, ...]:
    """What is counted apart: each side of a region, or the one place without a name."""
    return tuple(f"{side} {span.region}" for side in span.sides) or (span.place,)
