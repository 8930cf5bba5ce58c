"""The time of one span: how much has passed without pauses, and how much is left."""

from __future__ import annotations

from controller.clock import Clock


class SpanTime:
    """Seconds of a span on the session's clock. They stand still before the session begins, and in a pause.

    Spans follow each other by their deadlines, not by when somebody noticed: nothing adds up.
    """

    def __init__(self, clock: Clock, duration_s: float) -> None:
        self.duration_s = duration_s
        self.is_paused = False
        self._clock = clock
        self._start_s = 0.0
        self._stands_at_s: float | None = 0.0

    @property
    def offset_s(self) -> float:
        """Seconds of the span that have passed."""
        if self._stands_at_s is not None:
            return self._stands_at_s
        return self._clock.now() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds of the span that are left; never below 0."""
        return max(0.0, self.duration_s - self.offset_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds of the span that count as done: never more than it has."""
        return max(0.0, min(self.offset_s, self.duration_s))

    def start(self) -> None:
        """Let a span begin now."""
        self._start_s = self._clock.now()
        self._run()

    def follow_on(self) -> None:
        """Let a span begin where the one before should have ended."""
        self._start_s += self.duration_s
        self._run()

    def pause(self) -> None:
        """Stand still."""
        self._stands_at_s = self.offset_s
        self.is_paused = True

    def resume(self) -> None:
        """Go on where it stood."""
        self._start_s = self._clock.now() - self.offset_s
        self._run()

    def deadline_s(self, at_s: float) -> float:
        """A moment of the span as a time of the clock."""
        return self._start_s + at_s

    def _run(self) -> None:
        self._stands_at_s = None
        self.is_paused = False
