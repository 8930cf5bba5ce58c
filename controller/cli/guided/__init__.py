"""What a person sees and hears while a session runs: a screen in a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from controller import events
    from controller.sessions import Progress
    from routines.timeline import Timeline

__all__ = ["REFRESH_S", "Display", "Followed", "make_display"]

REFRESH_S = 0.25
"""Real seconds between two looks at how time passes."""


class Followed(Protocol):
    """A session that a display follows."""

    @property
    def plan(self) -> Timeline:
        """What it runs."""

    def progress(self) -> Progress:
        """Where it stands now."""


class Display(Protocol):
    """Shows a session. It is told every event, and asked to refresh every `REFRESH_S`."""

    def begin(self, session: Followed) -> None:
        """Show this session from now on."""

    def event(self, event: events.Event) -> None:
        """Show what happened."""

    def refresh(self) -> None:
        """Show how time passes."""

    def end(self) -> None:
        """Leave the terminal as it was."""


def make_display(*, is_quiet: bool, sound: bool = True) -> Display:
    """The display that fits: none for ``--json``, a screen in a terminal that can draw, else plain lines.

    It sounds in a terminal, unless ``sound`` is false. Raises UsageError when PERCUSS_SOUND makes no sense.
    """
    if is_quiet:
        return _NoDisplay()
    from rich.console import Console

    from controller.cli.guided.plain import PlainDisplay
    from controller.cli.guided.screen import ScreenDisplay
    from controller.cli.guided.sound import make_sound

    heard = make_sound(sound and sys.stderr.isatty())
    console = Console(stderr=True)
    if not sys.stderr.isatty() or console.is_dumb_terminal or console.legacy_windows:
        return PlainDisplay(heard)
    return ScreenDisplay(console, heard)


class _NoDisplay:
    def begin(self, session: Followed) -> None: ...

    def event(self, event: events.Event) -> None: ...

    def refresh(self) -> None: ...

    def end(self) -> None: ...
