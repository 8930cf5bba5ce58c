"""The signs of a session: half-way and three, two, one in a piece of work or rest; and what each thing sounds like."""

from __future__ import annotations

from typing import Literal

from controller import events
from controller.cli.guided.sound import Tone
from controller.sessions import BY_THE_PERSON
from routines.signals import COUNTDOWN_S, HALFWAY_FROM_S

Sign = Literal["half-way", "3", "2", "1"]
_COUNTDOWN: dict[Sign, float] = {"3": COUNTDOWN_S[0], "2": COUNTDOWN_S[1], "1": COUNTDOWN_S[2]}
_ROUNDING_S = 1e-6


class Signs:
    """Which signs of a span are due; each is given once. ``duration_s`` is how long the span lasts by now."""

    def __init__(self) -> None:
        self.duration_s = 0.0
        self._due_left_s: dict[Sign, float] = {}

    def begin(self, kind: str, duration_s: float) -> None:
        """Take up a span; on the way to a place there are no signs."""
        self.duration_s = duration_s
        self._due_left_s = {}
        if kind == "move":
            return
        if duration_s >= HALFWAY_FROM_S:
            self._due_left_s["half-way"] = duration_s / 2
        if duration_s > max(COUNTDOWN_S):
            self._due_left_s |= _COUNTDOWN

    def extend(self, extra_s: float) -> None:
        """Make the span longer: what was counted down is counted down again."""
        self.duration_s += extra_s
        if "half-way" in self._due_left_s:
            self._due_left_s["half-way"] = self.duration_s / 2
        self._due_left_s |= _COUNTDOWN

    def due(self, left_s: float) -> list[Sign]:
        """What became due when so much is left, in order."""
        due = [sign for sign, at_s in self._due_left_s.items() if left_s <= at_s + _ROUNDING_S]
        for sign in due:
            del self._due_left_s[sign]
        return sorted(due, key=lambda sign: _COUNTDOWN.get(sign, self.duration_s), reverse=True)

    def due_at_end(self, elapsed_s: float) -> list[Sign]:
        """What became due before a span ended after so long: when time ran faster than anybody looked."""
        return self.due(self.duration_s - elapsed_s)


def tone_of_sign(sign: Sign) -> Tone:
    """What a sign sounds like."""
    return Tone.HALFWAY if sign == "half-way" else Tone.TICK


def tone_of(event: events.Event) -> Tone | None:
    """What an event sounds like; most are silent."""
    match event:
        case events.SpanStarted(kind="work"):
            return Tone.START
        case events.SessionEnded("done"):
            return Tone.DONE
        case events.SessionEnded(_, reason):
            return None if reason == BY_THE_PERSON else Tone.ATTENTION
        case events.SessionPaused(reason):
            return Tone.ATTENTION if reason else None
        case events.LinkLost() | events.RequestRefused() | events.KeyAwaited() | events.TimerFailed():
            return Tone.ATTENTION
        case _:
            return None
