"""The commands of one span: which are due, and from which levels a climb goes on."""

from __future__ import annotations

from collections import deque

from controller.clock import Clock
from controller.sessions.ending import EndSession
from controller.sessions.span_time import SpanTime
from firmware_profiles.capabilities import Role
from firmware_profiles.commands import SetLevel
from firmware_profiles.units import Level
from routines.timeline import OFF, Cue, Span

LATE_S = 2.0
"""Real seconds that the session may lag behind its deadlines before it stops: the computer slept, or drowns."""

ROUNDING_S = 1e-6
"""What adding and subtracting clock times may lose."""

LATE_STEP_S = 0.05
"""A step that comes later than this moves the rest of them back, so that no hold is cut short."""


class Pace:
    """What is to be sent in the rest of a span, and what each channel runs at. Times are seconds of the span.

    ``change_percent`` of the full scale is added to every target, as the person asked. Who takes it back is not raised
    again at that place, until they ask for more.
    """

    def __init__(self, clock: Clock, time: SpanTime) -> None:
        self.change_percent = 0.0
        self._clock = clock
        self._time = time
        self._cues: deque[Cue] = deque()
        self._levels: dict[tuple[Role, str], Level] = {}
        self._next_rise_s: dict[tuple[Role, str], float] = {}
        self._at_most: dict[tuple[Role, str], Level] = {}
        self._has_late_step = False

    @property
    def next_s(self) -> float:
        """When the next command is due, or the span is over."""
        return min(self._cues[0].at_s, self._time.duration_s) if self._cues else self._time.duration_s

    def clear(self) -> None:
        """Take up that everything was halted: all channels rest, and nothing more is due."""
        self._levels.clear()
        self._next_rise_s.clear()
        self._cues.clear()
        self._has_late_step = False

    def begin(self, span: Span) -> None:
        """Take the commands of a span that begins, with all channels at rest."""
        self.clear()
        self._at_most.clear()
        self._load(span, 0.0)

    @property
    def is_held(self) -> bool:
        """Whether the person took it back at this place."""
        return bool(self._at_most)

    def hold(self, span: Span, step_percent: float) -> None:
        """Take back what runs by a step (below 0, of the full scale), and go no higher in the rest of the span."""
        for drive in span.drives:
            key, levels = (drive.role, drive.channel), drive.levels
            if level := self._levels.get(key, OFF):
                self._at_most[key] = max(levels.lowest, levels.not_above(levels.percent(level) + step_percent))

    def lift(self) -> None:
        """Let it rise again, as planned."""
        self._at_most.clear()

    def reload(self, span: Span) -> None:
        """Take the commands of the rest of a span anew, from what its channels do now; none while it is paused."""
        if not self._time.is_paused:
            self._load(span, self._time.offset_s)

    def _load(self, span: Span, from_s: float) -> None:
        cues = _signals(span, from_s)
        for drive in span.drives:
            key = (drive.role, drive.channel)
            cues += drive.cues(
                self._time.duration_s,
                from_s=from_s,
                level=self._levels.get(key, OFF),
                next_rise_s=self._next_rise_s.get(key, 0.0),
                change_percent=self.change_percent,
                at_most=self._at_most.get(key),
            )
        self._cues = deque(sorted(cues, key=lambda cue: cue.at_s))

    def take_due(self) -> list[Cue]:
        """What is due. Of several falls to one channel only the last; of several rises only the first.

        So lateness never piles up, and never makes a bigger step or a shorter hold than the plan's. Raises EndSession
        when something is too late.
        """
        offset_s = self._time.offset_s + ROUNDING_S
        due: dict[tuple[Role, str], Cue] = {}
        while self._cues and self._cues[0].at_s <= offset_s:
            cue = self._cues.popleft()
            if offset_s - cue.at_s > LATE_S * self._clock.speed:
                late_s = (offset_s - cue.at_s) / self._clock.speed
                raise EndSession("stopped", f"this computer slept or was too busy for {late_s:.1f} s.")
            if _key(cue) not in due or not self.rises(cue):
                due[_key(cue)] = cue
        return list(due.values())

    def level(self, cue: Cue) -> Level:
        """What the channel of a command runs at."""
        return self._levels.get(_key(cue), OFF)

    def rises(self, cue: Cue) -> bool:
        """Whether a command is a step up."""
        return isinstance(cue.command, SetLevel) and cue.command.level > self.level(cue)

    def note_sent(self, span: Span, cue: Cue) -> None:
        """Take up that a command has just been written."""
        if not isinstance(cue.command, SetLevel):
            return
        # From when it was written, which may be later than when it was due.
        offset_s, level = self._time.offset_s, cue.command.level
        # A last "off" is no step that another has to wait for.
        if level and offset_s + ROUNDING_S - cue.at_s > LATE_STEP_S:
            self._has_late_step = True
        for drive in span.drives:
            if (drive.role, drive.channel) == _key(cue):
                self._next_rise_s[_key(cue)] = offset_s + drive.hold_s(level)
                self._levels[_key(cue)] = level

    def make_up(self, span: Span) -> None:
        """Move the rest of the span's steps back when one of them came late."""
        if self._has_late_step:
            self.reload(span)
        self._has_late_step = False


def _key(cue: Cue) -> tuple[Role, str]:
    return (cue.role, cue.command.channel if isinstance(cue.command, SetLevel) else "")


def _signals(span: Span, from_s: float) -> list[Cue]:
    """What a lamp or buzzer does in the rest of a span."""
    signals = [signal for signal in span.signals if signal.at_s >= from_s]
    if len(signals) < len(span.signals):
        # One that is on goes off, also when its moment has passed; one that is off stays so.
        before = next(signal for signal in reversed(span.signals) if signal.at_s < from_s)
        if isinstance(before.command, SetLevel):
            signals.append(Cue(from_s, before.role, SetLevel(before.command.channel, OFF)))
    return signals
