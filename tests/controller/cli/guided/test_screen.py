"""Drawing on a real pseudo-terminal: a look at what did not change writes nothing."""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

from rich.console import Console

from controller.cli.guided.screen import ScreenDisplay
from controller.cli.guided.sound import make_sound
from controller.events import IntensityChanged, SessionEnded, SessionStarted
from routines.library import find_routine
from routines.planner import plan
from tests.controller.cli.guided.standing import Standing, progress, started


@contextmanager
def stderr_in_a_terminal() -> Iterator[Callable[[], str]]:
    """Stderr is a terminal in the block; yields what was written there since it was asked last."""
    master, slave = pty.openpty()
    stream: TextIO
    with open(slave, "w", encoding="utf-8", newline="") as stream, redirect_stderr(stream):  # noqa: PTH123 - a descriptor

        def read() -> str:
            pieces = b""
            while select.select([master], [], [], 0)[0]:
                pieces += os.read(master, 65536)
            return pieces.decode()

        yield read
    os.close(master)


def test_only_what_changed_is_written() -> None:
    timeline = plan(find_routine("sciatica-relief"), {})
    session = Standing(timeline, progress(timeline, 2, 30.0, is_paused=True))
    with stderr_in_a_terminal() as written:
        display = ScreenDisplay(Console(stderr=True), make_sound(False))
        display.begin(session)
        display.event(SessionStarted(timeline.routine, timeline.duration_s, {}))
        display.event(started(timeline, 2))
        assert "NOW" in written()
        for _ in range(5):
            display.refresh()
        assert written() == ""
        display.event(IntensityChanged(5.0))
        one_line = written()
        assert one_line.count(";1H") == 1
        assert "Intensity +5 % from the plan." in one_line
        session.at = progress(timeline, 2, 29.0, is_paused=True)
        display.refresh()
        # The total above, and of the large figures and the bar what differs.
        assert 1 <= written().count(";1H") <= 7
        display.event(SessionEnded("stopped", "stopped by the person", 10.0))
        display.end()
        assert "Stopped." in written().partition("\x1b[?1049l")[2]
        display.end()
        assert "Stopped." not in written(), "told twice"
