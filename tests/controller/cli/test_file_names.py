"""What a file is called must not be able to steer the terminal, whatever is said about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from routines.library import BUNDLED
from tests.controller.journal.past import write_session
from tests.helpers import processes
from tests.helpers.terminal import in_terminal

RED, CLEAR, TITLE, BACKWARDS = "\x1b[31m", "\x1b[2J", "\x1b]0;PWN\x07", "\u202e"


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (("routines", "check", f"a{RED}b.toml"), 8, "a\ufffd[31mb.toml: cannot be read"),
        (("routines", "check", f"calves{BACKWARDS}"), 8, "calves\ufffd: cannot be read"),
        (("routines", "check", f"good{RED}.toml"), 0, "good\ufffd[31m.toml: ok"),
        (("routines", "check", f"good{BACKWARDS}.toml", "--json"), 0, r"good\u202e.toml"),
        (("routines", "show", f"a{BACKWARDS}b"), 8, "a\ufffdb: is no known routine"),
        (("routines", "export", "piriformis-release", f"q{TITLE}.html"), 0, "q\ufffd]0;PWN\ufffd.html: written"),
        (("routines", "export", "piriformis-release", f"q{TITLE}"), 2, "What shall q\ufffd]0;PWN\ufffd be?"),
        (("routines", "import", f"q{CLEAR}.zip"), 2, "q\ufffd[2J.zip is no file that can be imported"),
        (("routines", "plot", "short-break", f"q{CLEAR}.svg"), 0, "q\ufffd[2J.svg: written"),
        (("routines", "new", "mine", f"q{CLEAR}.toml"), 0, "q\ufffd[2J.toml: written"),
        (("programmes", "export", "rising", f"q{CLEAR}", "--start", "2026-12-01", "--at", "19:00"), 2, "q\ufffd[2J is"),
        (("profiles", "check", f"a{RED}b.toml"), 8, "a\ufffd[31mb.toml"),
        (("history", "export", f"q{CLEAR}.csv"), 0, "q\ufffd[2J.csv: written"),
        (("history", "plot", f"q{CLEAR}.svg"), 0, "q\ufffd[2J.svg: written"),
        (("history", "totals", f"q{RED}"), 2, "unexpected extra argument (q\ufffd[31m)"),
    ],
    ids=lambda each: " ".join(each[:2]) if isinstance(each, tuple) else "",
)
def test_a_file_name_cannot_steer_the_terminal(
    arguments: tuple[str, ...], code: int, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    for name in (f"good{RED}.toml", f"good{BACKWARDS}.toml"):
        (tmp_path / name).write_bytes((BUNDLED / "short-break.toml").read_bytes())
    write_session(("calves", "left", 60.0), started_utc=datetime.now(UTC))
    with in_terminal(*arguments, columns=200) as terminal:
        assert terminal.end() == code, terminal.written
    assert shown in terminal.written
    assert terminal.written.replace("\r\n", "").isprintable()


def test_a_name_that_is_no_text_is_shown_with_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "caf\udce9.csv"  # the byte E9, as Python has it in a name
    done = processes.percuss("routines", "export", "piriformis-release", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/caf\ufffd.csv: written\n"
    assert file.exists()
