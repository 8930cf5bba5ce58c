"""A command in a real terminal: keys go in, the screen comes out."""

from __future__ import annotations

import codecs
import copy
import os
import pty
import re
import select
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pyte

from tests.helpers.processes import HANG_S, PERCUSS

ALTERNATE_SCREEN = 1049
END_OF_FRAME = "\x1b[?2026l"
"""Ends what a terminal shows at once."""


class _Screen(pyte.Screen):
    """What a terminal shows; pyte itself knows no alternate screen."""

    _main: tuple[Any, Any] | None = None

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        super().set_mode(*modes, **kwargs)
        if kwargs.get("private") and ALTERNATE_SCREEN in modes and self._main is None:
            self._main = (copy.deepcopy(self.buffer), copy.deepcopy(self.cursor))
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private") and ALTERNATE_SCREEN in modes and self._main is not None:
            buffer, self.cursor = self._main
            self.buffer.clear()
            self.buffer.update(buffer)
            self._main = None


class Terminal:
    """One command on a pseudo-terminal. ``screen`` is what it wrote and nobody waited for yet, ``written`` is all."""

    def __init__(self, child: int, terminal: int, rows: int, columns: int) -> None:
        self._child = child
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = _Screen(columns, rows)
        self._stream = pyte.Stream(self._shown)
        self.screen = ""
        self.written = ""
        self.frames: list[str] = []
        """What was shown after each drawing."""

    @property
    def lines(self) -> list[str]:
        """What is shown now, line by line."""
        return [line.rstrip() for line in self._shown.display]

    @property
    def reversed_text(self) -> str:
        """What is shown light on dark turned round."""
        shown = self._shown
        cells = (shown.buffer[row][column] for row in range(shown.lines) for column in range(shown.columns))
        return "".join(cell.data for cell in cells if cell.reverse)

    def shows(self, text: str) -> bool:
        """Whether a text stands on the screen now."""
        return text in "\n".join(self.lines)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Make the window so big; the command gets SIGWINCH."""
        self._shown.resize(rows, columns)
        termios.tcsetwinsize(self._terminal, (rows, columns))

    def wait_until(self, fact: Callable[[], bool]) -> None:
        """Read the screen until a fact holds. Time only bounds a hang."""
        deadline_s = time.monotonic() + HANG_S
        while not fact():
            assert time.monotonic() < deadline_s, "\n".join(self.lines)
            if select.select([self._terminal], [], [], 0.05)[0]:
                self._take(os.read(self._terminal, 65536))

    def wait_for(self, text: str) -> None:
        """Read until this was written; what was written before does not count again."""
        self.wait_until(lambda: text in self.screen)
        self.screen = self.screen.partition(text)[2]

    def wait_shown(self, *texts: str) -> None:
        """Read until all of these stand on the screen."""
        self.wait_until(lambda: all(self.shows(text) for text in texts))

    def end(self) -> int:
        """Read to the end; the exit code."""
        with suppress(OSError):  # Linux says EIO when the other side is closed
            while piece := os.read(self._terminal, 65536):
                self._take(piece)
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End it whatever it does."""
        if self._child:
            os.kill(self._child, 9)
            os.waitpid(self._child, 0)
        os.close(self._terminal)

    def _take(self, piece: bytes) -> None:
        text = self._decoder.decode(piece)
        self.screen += text
        self.written += text
        for part in re.split(f"(?<={re.escape(END_OF_FRAME)})", text):
            self._stream.feed(part)
            if part.endswith(END_OF_FRAME):
                self.frames.append("\n".join(self.lines))


@contextmanager
def in_terminal(
    *arguments: str, rows: int = 24, columns: int = 80, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run a command in a terminal of this size for the block."""
    settings = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    settings |= {"TERM": "xterm-256color", **(environment or {})}
    child, descriptor = pty.fork()
    if child == 0:
        termios.tcsetwinsize(0, (rows, columns))
        os.execve(PERCUSS[0], [*PERCUSS, *arguments], settings)
    terminal = Terminal(child, descriptor, rows, columns)
    try:
        yield terminal
    finally:
        terminal.kill()
