"""What a screen shows of a session, as its events and its progress tell it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from controller import events
from controller.cli.guided import Followed
from controller.cli.guided.signs import Sign, Signs
from controller.cli.guided.wording import end_message, message_of, question
from controller.sessions import Progress
from firmware_profiles.capabilities import MASSAGERS, Place
from routines.timeline import Span

HALFWAY_SHOWN_S = 4.0
"""How long "half-way" stands beside the clock, in the session's seconds."""


class Shown:
    """Follows one session: `look` takes up where it stands, `hear` what happens."""

    def __init__(self, session: Followed) -> None:
        self.routine = session.plan.routine
        self.on = ""
        self.keys_are_heard = sys.stdin.isatty()
        self.question: events.PainMoment | None = None
        self.message = ""
        self.progress: Progress = session.progress()
        self._session = session
        self._levels = Levels()
        self._signs = Signs()
        self._index = 0
        self._is_over = False
        self._halfway_left_s: float | None = None

    def look(self) -> list[Sign]:
        """Take up where the session stands; the signs that are due."""
        self.progress = self._session.progress()
        return self._take(self._signs.due(self.progress.span_left_s))

    def hear(self, event: events.Event) -> list[Sign]:
        """Take up what happened; the signs that were due before a span ended."""
        signs: list[Sign] = []
        self._levels.hear(event)
        match event:
            case events.SessionStarted(devices=devices):
                self.on = ", ".join(devices.values()) or "by hand"
            case events.SpanStarted(index=index, kind=kind, duration_s=duration_s):
                self._index, self.question, self.message, self._halfway_left_s = index, None, "", None
                self._signs.begin(kind, duration_s)
            case events.SpanExtended(extra_s):
                self._signs.extend(extra_s)
                self.message = message_of(event)
            case events.SpanEnded(elapsed_s=elapsed_s):
                signs = self._take(self._signs.due_at_end(elapsed_s))
            case events.PainAsked(moment):
                self.question = moment
            case events.SessionEnded():
                self._is_over, self.question, self.message = True, None, end_message(event)
            case events.KeyAwaited():
                pass  # asked in large for as long as it waits
            case _:
                self.question = None if isinstance(event, events.PainTold) else self.question
                self.message = message_of(event) or self.message
        return signs

    @property
    def span(self) -> Span | None:
        """What is done now; None when nothing is any more."""
        is_over = self._is_over or self.progress.span is None
        return None if is_over else self._session.plan.spans[self._index]

    @property
    def following(self) -> Sequence[Span]:
        """What comes after it."""
        return self._session.plan.spans[self._index + 1 :]

    @property
    def places_now(self) -> Sequence[Place]:
        """Where it is done."""
        return self.span.places if self.span is not None else ()

    @property
    def places_next(self) -> Sequence[Place]:
        """The places after these."""
        return next((span.places for span in self.following if span.places and span.places != self.places_now), ())

    @property
    def left_s(self) -> float:
        """The session's seconds to the end of what is done now."""
        return self.progress.span_left_s

    @property
    def duration_s(self) -> float:
        """How long it lasts in all."""
        return self._signs.duration_s

    @property
    def state(self) -> str:
        """A word beside the clock."""
        if self.progress.is_paused:
            return "PAUSED"
        if self._halfway_left_s is not None and self._halfway_left_s - self.left_s < HALFWAY_SHOWN_S:
            return "half-way"
        return "motor off" if self._levels.has_massagers and self.span is not None and not self.span.drives else ""

    @property
    def asks(self) -> str:
        """What the person is asked now."""
        if self.question is not None:
            return question(self.question)
        return message_of(events.KeyAwaited("")) if self.progress.is_waiting and not self._is_over else ""

    @property
    def figures(self) -> str:
        """What the massagers were told and what they say; empty without any."""
        return self._levels.words()

    def _take(self, signs: list[Sign]) -> list[Sign]:
        if "half-way" in signs:
            self._halfway_left_s = self.left_s
        return signs


class Levels:
    """What the massagers of a session were told, and what they say of themselves."""

    def __init__(self) -> None:
        self._massagers: tuple[str, ...] = ()
        self._asked: dict[tuple[str, str], events.LevelAsked] = {}
        self._reported: dict[str, events.DeviceReported] = {}
        self._battery_pct: dict[str, float] = {}

    @property
    def has_massagers(self) -> bool:
        """Whether a motor could run at all."""
        return bool(self._massagers)

    def hear(self, event: events.Event) -> None:
        """Take up a figure."""
        match event:
            case events.SessionStarted(devices=devices):
                self._massagers = tuple(devices[role] for role in MASSAGERS if role in devices)
            case events.LevelAsked(device=device, channel=channel):
                self._asked[device, channel] = event
            case events.DeviceReported(device=device, battery_pct=battery_pct):
                self._reported[device] = event
                if battery_pct is not None:
                    self._battery_pct[device] = battery_pct
            case _:
                pass

    def words(self) -> str:
        """The figures: ``asked 1500 ppm (62 %) · reported 1490 ppm · battery 80 %``, for each massager."""
        return "; ".join(self._words(device) for device in self._massagers)

    def _words(self, device: str) -> str:
        name = f"{device}: " if len(self._massagers) > 1 else ""
        battery_pct = self._battery_pct.get(device)
        battery = f" · battery {battery_pct:.0f} %" if battery_pct is not None else ""
        return f"{name}asked {self._asked_words(device)} · reported {self._reported_words(device)}{battery}"

    def _asked_words(self, device: str) -> str:
        runs = [asked for (name, _), asked in self._asked.items() if name == device and asked.level]
        if not runs:
            return "at rest"
        if len(runs) == 1:
            return f"{runs[0].ppm} ppm ({runs[0].percent:.0f} %)"
        return ", ".join(f"{asked.channel.replace('_', ' ')} {asked.percent:.0f} %" for asked in runs)

    def _reported_words(self, device: str) -> str:
        reported = self._reported.get(device)
        if reported is None or (reported.running is None and reported.ppm is None):
            return "nothing"
        if reported.ppm is not None:
            return f"{reported.ppm} ppm" if reported.ppm else "at rest"
        return "running" if reported.running else "at rest"
