"""A command in a real terminal: keys go in, the screen comes out."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.helpers.processes import HANG_S, PERCUSS


class Terminal:
    """One command on a pseudo-terminal of 24 lines and 80 columns."""

    def __init__(self, child: int, terminal: int) -> None:
        self._child = child
        self._terminal = terminal
        self.screen = ""

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def wait_until(self, fact: Callable[[], bool]) -> None:
        """Read the screen until a fact holds. Time only bounds a hang."""
        deadline_s = time.monotonic() + HANG_S
        while not fact():
            assert time.monotonic() < deadline_s, self.screen
            if select.select([self._terminal], [], [], 0.05)[0]:
                self.screen += os.read(self._terminal, 65536).decode(errors="replace")

    def wait_for(self, text: str) -> None:
        """Read until the screen shows this; what was shown before does not count again."""
        self.wait_until(lambda: text in self.screen)
        self.screen = self.screen.partition(text)[2]

    def end(self) -> int:
        """Read to the end; the exit code."""
        with suppress(OSError):  # Linux says EIO when the other side is closed
            while piece := os.read(self._terminal, 65536):
                self.screen += piece.decode(errors="replace")
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End it whatever it does."""
        if self._child:
            os.kill(self._child, 9)
            os.waitpid(self._child, 0)
        os.close(self._terminal)


@contextmanager
def in_terminal(*arguments: str) -> Iterator[Terminal]:
    """Run a command in a terminal for the block."""
    child, descriptor = pty.fork()
    if child == 0:
        os.execv(PERCUSS[0], [*PERCUSS, *arguments])
    terminal = Terminal(child, descriptor)
    try:
        yield terminal
    finally:
        terminal.kill()
