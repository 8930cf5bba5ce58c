"""What a person sees while a session runs: a live panel on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from controller import events
from controller.cli.keys import LEGEND, PAIN_LEGEND
from controller.sessions import BY_THE_PERSON, Session

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

REFRESH_S = 0.25


class Display(Protocol):
    """Shows a session. It is told every event, and asked to refresh every `REFRESH_S`."""

    def begin(self, session: Session) -> None:
        """Show this session from now on."""

    def event(self, event: events.Event) -> None:
        """Show what happened."""

    def refresh(self) -> None:
        """Show how time passes."""

    def end(self) -> None:
        """Leave the terminal as it was."""


def make_display(*, is_quiet: bool) -> Display:
    """The display that fits: none for ``--json``, a live panel on a terminal, plain lines in a pipe."""
    if is_quiet:
        return _NoDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()


def clock_text(seconds: float) -> str:
    """Seconds as ``m:ss``."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def message_of(event: events.Event) -> str:
    """The sentence that tells of an event; empty for those that the panel's figures show."""
    match event:
        case events.RequestRefused(reason):
            return f"No: {reason}"
        case events.SessionPaused(reason):
            return f"Paused: {reason}" if reason else "Paused; the motor stops. Space goes on."
        case events.SessionResumed():
            return "Going on, from rest."
        case events.KeyAwaited():
            return "Press space when you are in place."
        case events.SpanExtended(extra_s):
            return f"{extra_s:.0f} s more here."
        case events.IntensityChanged(change):
            return f"Intensity {change:+.0f} % from the plan."
        case events.PainAsked() | events.PainTold():
            return _pain_message(event)
        case events.LinkLost(device, reason):
            return f"{device}: {reason}"
        case events.LinkRestored(device):
            return f"{device} is back and was stopped."
        case events.BytesIgnored(device, reason):
            return f"{device}: what it sent {reason}"
        case events.TimerFailed() | events.OwnTimerSet():
            return _timer_message(event)
        case _:
            return ""


def _timer_message(event: events.TimerFailed | events.OwnTimerSet) -> str:
    match event:
        case events.TimerFailed(_, reason):
            return f"The timer does not go along any more: {reason}"
        case events.OwnTimerSet(device, duration_s):
            return f"{device} would switch itself off after {clock_text(duration_s)}."


def _pain_message(event: events.PainAsked | events.PainTold) -> str:
    match event:
        case events.PainAsked("between"):
            return "How much does it hurt now? 0 to 10."
        case events.PainAsked(moment):
            return f"How much does it hurt, {moment}? 0 (not at all) to 10; space to go on without saying."
        case events.PainTold(_, None):
            return "Tingling, numbness or shooting pain: stopped."
        case events.PainTold(_, score):
            return f"Pain {score} of 10."


def end_message(ended: events.SessionEnded) -> str:
    """The sentence that tells how a session ended."""
    words = {
        "done": "Done.",
        "stopped": "Stopped.",
        "refused": "Refused.",
        "link_lost": "The link was lost.",
        "device_fault": "The device is at fault.",
        "stop_unconfirmed": "NOT CONFIRMED TO HAVE STOPPED.",
    }
    reason = "" if ended.reason == BY_THE_PERSON else ended.reason
    return f"{words[ended.outcome]} {reason}".strip()


class _NoDisplay:
    def begin(self, session: Session) -> None: ...

    def event(self, event: events.Event) -> None: ...

    def refresh(self) -> None: ...

    def end(self) -> None: ...


class PlainDisplay:
    """One line for each thing that a person should know; for pipes, logs and screen readers."""

    def begin(self, session: Session) -> None:
        """Nothing to draw yet."""

    def event(self, event: events.Event) -> None:
        """Print a line where one is due."""
        line = message_of(event)
        match event:
            case events.SessionStarted(routine, duration_s, devices):
                line = f"{routine}, {clock_text(duration_s)}, on {', '.join(devices.values()) or 'no device: by hand'}"
            case events.SpanStarted():
                place = " ".join(part for part in (event.side, (event.region or "").replace("_", " ")) if part)
                head = {"move": "Move to", "work": "Now", "rest": "Rest"}[event.kind]
                line = f"[{clock_text(event.duration_s)}] {head} {place}: {event.cue}".replace(" :", ":")
                line += f" ({event.note})" if event.note else ""
            case events.DeviceStopped(device, proof, attempts):
                said = {
                    "confirmed": "confirmed by its status",
                    "cannot_report": "sent; it cannot report, so look at it",
                    "unconfirmed": "NOT CONFIRMED: press its button",
                }[proof]
                line = f"{device}: stop {said} (sent {attempts}×)"
            case events.SessionEnded():
                line = end_message(event)
        if line:
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - stderr, without markup

    def refresh(self) -> None:
        """Lines that repeat would only be noise."""

    def end(self) -> None:
        """Nothing to restore."""


class LiveDisplay:
    """A panel that is redrawn in place: where, what, how long, how fast, which keys."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console: Console = Console(stderr=True)
        self._live: Live | None = None
        self._session: Session | None = None
        self._message = ""
        self._asked: events.LevelAsked | None = None
        self._reported: events.DeviceReported | None = None
        self._routine = ""

    def begin(self, session: Session) -> None:
        """Open the panel."""
        from rich.live import Live

        self._session = session
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._live.start()

    def event(self, event: events.Event) -> None:
        """Take up the figures and the last sentence."""
        match event:
            case events.SessionStarted():
                self._routine = event.routine
            case events.LevelAsked():
                self._asked = event
            case events.DeviceReported():
                self._reported = event
            case events.SpanStarted():
                self._message = ""
            case events.SessionEnded():
                self._message = end_message(event)
            case _:
                self._message = message_of(event) or self._message
        if not isinstance(event, events.LevelAsked | events.DeviceReported):
            self.refresh()

    def refresh(self) -> None:
        """Redraw the panel."""
        if self._live is not None and self._session is not None:
            self._live.update(self._panel(self._session), refresh=True)

    def end(self) -> None:
        """Draw it a last time and leave it on the screen."""
        if self._live is not None:
            self.refresh()
            self._live.stop()
            self._live = None

    def _panel(self, session: Session) -> RenderableType:
        from rich.console import Group
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        progress = session.progress()
        span = progress.span
        if span is None:
            return Panel(Text(self._message or "Stopping …"), title=self._routine)
        head = Text(span.place or span.kind, style="bold")
        head.append(f"   {'move' if span.kind == 'move' else span.technique or span.kind}", style="dim")
        if progress.is_paused:
            head.append("   PAUSED", style="bold yellow")
        lines: list[RenderableType] = [head, Text(span.cue)]
        if span.note:
            lines.append(Text(span.note, style="italic"))
        figures = Table.grid(padding=(0, 2))
        bar = ProgressBar(
            total=max(span.duration_s, 1), completed=max(0.0, span.duration_s - progress.span_left_s), width=30
        )
        figures.add_row("here", bar, clock_text(progress.span_left_s))
        figures.add_row("in all", "", clock_text(progress.total_left_s))
        figures.add_row("asked", self._asked_text(), "")
        figures.add_row("reported", self._reported_text(), "")
        if progress.next_span is not None and progress.next_span.place != span.place:
            figures.add_row("next", Text(progress.next_span.place or progress.next_span.kind), "")
        lines += [
            figures,
            Text(self._message, style="yellow"),
            Text(LEGEND, style="dim"),
            Text(PAIN_LEGEND, style="dim"),
        ]
        return Panel(Group(*lines), title=self._routine, title_align="left")

    def _asked_text(self) -> str:
        asked = self._asked
        return f"{asked.ppm} ppm ({asked.percent:g} %)" if asked is not None else "at rest"

    def _reported_text(self) -> str:
        reported = self._reported
        if reported is None:
            return "the device does not say"
        speed = f"{reported.ppm} ppm" if reported.ppm is not None else ("running" if reported.running else "at rest")
        battery = f"{reported.battery_pct:.0f} %" if reported.battery_pct is not None else "not reported"
        return f"{speed}, battery {battery}"
