"""What `percuss serve` shows a person in a terminal, and what it keeps from a pipe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import segno

from tests.helpers.processes import HANG_S, PERCUSS
from tests.helpers.terminal import in_terminal

SERVE = ("serve", "--port", "0", "--host", "0.0.0.0")
DARK = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
"""A character is two modules, one above the other, light on a dark terminal: what is not drawn is a dark module."""
BORDER = 4
"""Light modules around a QR code, by ISO/IEC 18004."""


def matrix_of(lines: list[str]) -> list[list[int]]:
    """The modules of the QR code that stands in these lines, without its border; 1 is dark."""
    width = max(len(line) for line in lines)
    rows = [[DARK[sign][half] for sign in line.ljust(width)] for line in lines for half in (0, 1)]
    inner = rows[BORDER : width - BORDER]  # the code is square; a half line at its end stands for nothing
    return [row[BORDER : width - BORDER] for row in inner]


def test_a_terminal_shows_the_address_of_the_page_with_its_token_and_a_code_of_the_same(home: Path) -> None:
    with in_terminal(*SERVE, rows=60, columns=120) as terminal:
        # The code is followed by nothing: its last line is the half of its border.
        terminal.wait_until(lambda: any(line and set(line) == {"▀"} for line in terminal.lines))
        lines = terminal.lines
        at = next(number for number, line in enumerate(lines) if line.startswith("The page: "))
        page = lines[at].removeprefix("The page: ")
        found = re.fullmatch(r"http://(\d+\.\d+\.\d+\.\d+):\d+/#token=([\w-]+)", page)
        assert found, page
        assert found[1] not in {"0.0.0.0", "127.0.0.1"}
        assert found[2] == (home / "service-token").read_text().strip()
        drawn = [line for line in lines[at + 1 :] if line]
        assert matrix_of(drawn) == [list(row) for row in segno.make(page).matrix]
        with urllib.request.urlopen(page, timeout=HANG_S) as answer:  # behind #, the token does not go out
            assert b"STOP" in answer.read()
        assert terminal.written.count(found[2]) == 1, "and no log has it"
        terminal.press("\x03")
        assert terminal.end() == 0


def test_a_pipe_gets_neither_the_token_nor_a_code(home: Path) -> None:
    with subprocess.Popen(
        [*PERCUSS, *SERVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ},
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, talk = process.communicate(timeout=HANG_S)
    said = first + rest + talk
    assert first.startswith("percuss serves http://0.0.0.0:")
    assert f"its token is in {home / 'service-token'}" in first
    token = (home / "service-token").read_text().strip()
    assert len(token) > 20
    assert token not in said
    assert "token=" not in said
    assert not set("▀▄█") & set(said)
