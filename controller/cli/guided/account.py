"""What was done in a session, for the few lines that stay when it is over."""

from __future__ import annotations

from controller import events
from controller.cli.durations import clock_text
from controller.cli.guided.wording import (
    closing_words,
    end_message,
    is_by_hand,
    message_of,
    place_or_technique,
    stop_message,
)
from routines.timeline import Timeline


class Account:
    """Hears what happens and tells what came of it."""

    def __init__(self, plan: Timeline) -> None:
        self._plan = plan
        self._worked_s: dict[str, float] = {}
        self._troubles: dict[str, None] = {}
        self._pain: dict[events.PainMoment, list[int]] = {}
        self._stops: dict[str, str] = {}
        self._ended: events.SessionEnded | None = None

    def hear(self, event: events.Event) -> None:
        """Take up what happened."""
        match event:
            case events.SpanEnded(index=index, elapsed_s=elapsed_s):
                self._count(index, elapsed_s)
            case events.PainTold(moment, score) if score is not None:
                self._pain.setdefault(moment, []).append(score)
            case events.LinkLost() | events.LinkRestored() | events.TimerFailed():
                self._troubles[message_of(event)] = None
            case events.DeviceStopped(device=device):
                self._stops[device] = stop_message(event)  # the last one counts
            case events.SessionEnded():
                self._ended = event
            case _:
                pass

    def lines(self) -> list[str]:
        """What was done, what went wrong, what proves the stop, and how it ended."""
        ended = self._ended
        elapsed_s = ended.elapsed_s if ended is not None else 0.0
        lines = [f"{self._plan.routine}: {clock_text(elapsed_s)} of {clock_text(self._plan.duration_s)}"]
        lines += [f"  {clock_text(worked_s)}  {what}" for what, worked_s in self._worked_s.items()]
        lines += self._troubles
        if self._pain:
            told = (f"{', '.join(map(str, scores))} {moment}" for moment, scores in self._pain.items())
            lines.append(f"Pain, 0 to 10: {'; '.join(told)}.")
        lines += self._stops.values()
        if ended is not None:
            lines.append(end_message(ended))
            if ended.outcome == "done" and self._plan.closing_note:
                lines.append(closing_words(self._plan))
        return lines

    def _count(self, index: int, elapsed_s: float) -> None:
        span = self._plan.spans[index]
        if span.kind == "work" and round(elapsed_s) > 0:
            what = f"{place_or_technique(span)}{', by hand' if is_by_hand(span) else ''}"
            self._worked_s[what] = self._worked_s.get(what, 0.0) + elapsed_s
