"""A session as lines of text, one for each thing that a person should know: for pipes, logs and screen readers."""

from __future__ import annotations

import sys

from controller import events
from controller.cli.durations import clock_text
from controller.cli.guided import Followed
from controller.cli.guided.signs import Sign, Signs, tone_of, tone_of_sign
from controller.cli.guided.sound import Sound
from controller.cli.guided.wording import (
    closing_words,
    end_message,
    is_by_hand,
    message_of,
    note_of,
    stop_message,
    way_of,
)
from controller.cli.keys import legend
from controller.cli.output import wrapped

HEADS = {"move": "Move to", "work": "Now", "rest": "Rest"}


class PlainDisplay:
    """Prints lines. Three, two, one come on one line, each figure at its time."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._signs = Signs()
        self._session: Followed | None = None
        self._counts = False

    def begin(self, session: Followed) -> None:
        """Tell which keys there are, where they are heard."""
        self._session = session
        if sys.stdin.isatty():
            self._say(f"Keys: {'; '.join(legend())}.")

    def event(self, event: events.Event) -> None:
        """Print a line where one is due."""
        match event:
            case events.SpanStarted(kind=kind, duration_s=duration_s):
                self._signs.begin(kind, duration_s)
            case events.SpanExtended(extra_s):
                self._signs.extend(extra_s)
            case events.SpanEnded(elapsed_s=elapsed_s):
                self._give(self._signs.due_at_end(elapsed_s))
            case _:
                pass
        if line := self._line(event):
            self._say(line)
        if tone := tone_of(event):
            self._sound.play(tone)
        if isinstance(event, events.SessionEnded) and event.outcome == "done":
            self._say_closing_note()

    def refresh(self) -> None:
        """Give the signs that are due."""
        self._sound.refresh()
        if self._session is not None:
            self._give(self._signs.due(self._session.progress().span_left_s))

    def end(self) -> None:
        """End the line and the sound."""
        self._end_line()
        self._sound.close()

    def _give(self, signs: list[Sign]) -> None:
        for sign in signs:
            if sign == "half-way":
                self._say("Half-way.")
            else:
                self._count_down(sign)
            self._sound.play(tone_of_sign(sign))

    def _count_down(self, figure: Sign) -> None:
        _write(f" {figure}" if self._counts else figure)
        self._counts = True
        if figure == "1":
            self._end_line()

    def _say(self, line: str) -> None:
        self._end_line()
        _write(f"{wrapped(line, sys.stderr)}\n")

    def _end_line(self) -> None:
        if self._counts:
            self._counts = False
            _write("\n")

    def _say_closing_note(self) -> None:
        if self._session is not None and self._session.plan.closing_note:
            self._say(closing_words(self._session.plan))

    def _line(self, event: events.Event) -> str:
        match event:
            case events.SessionStarted(routine, duration_s, devices):
                where = ", ".join(devices.values()) or "no device: by hand"
                return f"{routine}, {clock_text(duration_s)}, on {where}"
            case events.SpanStarted():
                return self._span_line(event)
            case events.DeviceStopped():
                return stop_message(event)
            case events.SessionEnded():
                return end_message(event)
            case _:
                return message_of(event)

    def _span_line(self, started: events.SpanStarted) -> str:
        if self._session is None:
            return ""
        span = self._session.plan.spans[started.index]
        how = []
        place, cue = way_of(span) if span.kind == "move" else (span.place, span.cue)
        if span.kind == "work":
            how = [span.technique.replace("-", " ")] if span.technique else []
            how += ["by hand"] if is_by_hand(span) else []
        head = "Get ready" if span.kind == "move" and not place else HEADS[span.kind]
        where = ", ".join([part for part in (place, *how) if part])
        line = ": ".join(part for part in (f"{head} {where}".rstrip(), cue) if part)
        note = note_of(span)
        return f"[{clock_text(span.duration_s)}] {line}{f' ({note})' if note else ''}"


def _write(text: str) -> None:
    # Without markup; and at once, because a countdown is for now.
    sys.stderr.write(text)
    sys.stderr.flush()
