"""Where a session of the service stands, reckoned between two words of the service."""

from __future__ import annotations

import time
from typing import Any

from controller import events
from controller.events import Event
from controller.sessions import Progress
from routines.timeline import Timeline


class Standing:
    """Where the session stands, by its events, and by snapshots where those know of nothing newer."""

    def __init__(self, plan: Timeline, speed: float) -> None:
        self._plan = plan
        self._speed = speed
        self._index: int | None = None
        self._span_left_s = 0.0
        self._total_left_s = plan.duration_s
        self._is_paused = False
        self._is_waiting = False
        self._is_asked = False
        self._at_s = time.monotonic()

    @property
    def goes_on(self) -> bool:
        """Whether it waits for a person to say so: paused, on the way, or for how much it hurts."""
        return self._is_resting or self._is_asked

    def progress(self) -> Progress:
        """Where it stands now, in the session's seconds."""
        spans = self._plan.spans
        span = None if self._index is None else spans[self._index]
        following = 0 if self._index is None else self._index + 1
        passed_s = 0.0 if self._is_resting or span is None else (time.monotonic() - self._at_s) * self._speed
        passed_s = min(passed_s, self._span_left_s)
        return Progress(
            span=span,
            next_span=spans[following] if following < len(spans) else None,
            span_left_s=self._span_left_s - passed_s,
            total_left_s=self._total_left_s - passed_s,
            is_paused=self._is_paused,
            is_waiting=self._is_waiting,
        )

    @property
    def _is_resting(self) -> bool:
        return self._is_paused or self._is_waiting

    def hear(self, event: Event) -> None:
        """Take up what happened."""
        now = self.progress()
        self._span_left_s, self._total_left_s, self._at_s = now.span_left_s, now.total_left_s, time.monotonic()
        match event:
            case events.SpanStarted(index=index, duration_s=duration_s, mono_s=mono_s):
                self._index, self._span_left_s, self._is_waiting, self._is_asked = index, duration_s, False, False
                self._total_left_s = duration_s + sum(span.duration_s for span in self._plan.spans[index + 1 :])
                self._at_s = min(mono_s, self._at_s)
            case events.SpanExtended(extra_s=extra_s):
                self._span_left_s += extra_s
                self._total_left_s += extra_s
            case events.SessionPaused():
                self._is_paused = True
            case events.SessionResumed():
                self._is_paused = False
            case events.KeyAwaited():
                self._is_waiting = True
            case events.PainAsked(moment=moment):
                self._is_asked = moment != "between"
            case events.PainTold():
                self._is_asked = False
            case events.SessionEnded():
                self._index = None
            case _:
                pass

    def see(self, session: dict[str, Any]) -> None:
        """Take up a snapshot that knows of the same events."""
        self._is_paused, self._is_waiting = bool(session["is_paused"]), bool(session["is_waiting"])
        self._total_left_s, self._at_s = float(session["total_left_s"]), time.monotonic()
        self._span_left_s = float(session["span"]["left_s"]) if session["span"] is not None else 0.0
