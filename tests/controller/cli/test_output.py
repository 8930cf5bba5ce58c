"""Long lines: broken between words on a terminal, whole in a pipe."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from controller.cli.output import wrapped

SENTENCE = "Rest the massager on the tenderest spot, without pushing, and stay."


@pytest.fixture
def terminal() -> Iterator[Callable[[int], TextIO]]:
    """A real terminal of so many columns."""
    keys, screen = os.openpty()
    with open(screen, "w", encoding="utf-8") as stream:  # noqa: PTH123 - it is no path

        def of(columns: int) -> TextIO:
            fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            return stream

        yield of
    os.close(keys)


def test_a_terminal_gets_whole_words(terminal: Callable[[int], TextIO]) -> None:
    assert wrapped(SENTENCE, terminal(40)) == ("Rest the massager on the tenderest spot,\nwithout pushing, and stay.")


def test_lines_keep_their_indent_and_empty_lines_stay(terminal: Callable[[int], TextIO]) -> None:
    assert wrapped("one\n\n   two three four", terminal(11)) == "one\n\n   two\n   three\n   four"


def test_a_word_that_is_longer_than_the_terminal_stays_whole(terminal: Callable[[int], TextIO]) -> None:
    path = "/a/path/that-is-longer/than/it"
    assert wrapped(f"see {path} there", terminal(20)) == f"see\n{path}\nthere"


def test_a_terminal_that_says_no_width_gets_the_line_as_it_is(terminal: Callable[[int], TextIO]) -> None:
    assert wrapped(SENTENCE, terminal(0)) == SENTENCE


def test_a_file_gets_whole_lines(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        assert wrapped(SENTENCE * 10, file) == SENTENCE * 10
