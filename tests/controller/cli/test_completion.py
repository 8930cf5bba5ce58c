"""What a shell completes: in a real bash, and by the words that click and the other shells exchange."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller.cli.conftest import Result
from tests.helpers.processes import HANG_S

Percuss = Callable[..., Result]

ENVIRONMENT_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
DEVICES = '{"schema": 1, "devices": {"elite": {}, "lamp": {}}}'
ROUTINE = 'schema = 1\nname = "my-evening"\ntitle = "Mine"\n'

CASES = [
    (["percuss", "scre"], ["screening"]),
    (["percuss", "run", "piriformis-re"], ["piriformis-release"]),
    (["percuss", "run", "my-"], ["my-evening"]),
    (["percuss", "run", "--sim", "theragun-g"], ["theragun-gen4"]),
    (["percuss", "run", "--on", ""], ["elite", "lamp"]),
    (["percuss", "run", "--on", "el"], ["elite"]),
    (["percuss", "set", "lamp", "40%", "--region", "calv"], ["calves"]),
    (["percuss", "stop", "l"], ["lamp"]),
    (["percuss", "forget", "e"], ["elite"]),
    (["percuss", "simulate", "nlr"], ["nlr-hf8"]),
    (["percuss", "profiles", "show", "gymnext"], ["gymnext-flex"]),
    (["percuss", "profiles", "check", "gymnext"], ["gymnext-flex"]),
    (["percuss", "programmes", "show", "ris"], ["rising"]),
    (["percuss", "programmes", "export", "ris"], ["rising"]),
    (["percuss", "routines", "export", "piriformis-re"], ["piriformis-release"]),
    (["percuss", "routines", "export", "my-evening", "--profile", "gymnext"], ["gymnext-flex"]),
    (["percuss", "routines", "import", "ride.zwo", "--region", "calv"], ["calves"]),
    (["percuss", "routines", "plot", "my-"], ["my-evening"]),
    (["percuss", "routines", "check", "my-"], ["my-evening"]),
    (["percuss", "history", "list", "--routine", "my-"], ["my-evening"]),
    (["percuss", "history", "list", "--device", "la"], ["lamp"]),
    (["percuss", "completion", ""], ["bash", "zsh", "fish"]),
    (["percuss", "forget", "nobody"], []),
]


@pytest.fixture(autouse=True)
def own_files(home: Path) -> None:
    """Two paired devices and a routine of one's own, whose name is not its file's."""
    (home / "devices.json").write_text(DEVICES, encoding="utf-8")
    (home / "routines").mkdir()
    (home / "routines" / "evening.toml").write_text(ROUTINE, encoding="utf-8")


def in_bash(words: list[str]) -> list[str]:
    """What bash offers for the last word, by the function that it was given."""
    script = """
        source <(percuss completion bash)
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _percuss_completion percuss "${COMP_WORDS[COMP_CWORD]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        env={**os.environ, "PATH": ENVIRONMENT_PATH},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(("words", "offered"), CASES, ids=lambda value: " ".join(value))
def test_bash_offers_names(words: list[str], offered: list[str]) -> None:
    assert in_bash(words) == offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        # Bash takes "=" for a word of its own.
        (["percuss", "run", "--on", "timer", "=", "la"], ["lamp"]),
        (["percuss", "run", "--on", "timer", "="], ["elite", "lamp"]),
        (["percuss", "run", "--on", "=", "timer", "=", "la"], ["lamp"]),
        (["percuss", "set", "lamp", "40%", "--region", "=", "calv"], ["calves"]),
        (["percuss", "run", "--sim", "timer", "=", "gymn"], ["gymnext-flex"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bash_offers_names_behind_an_equals_sign(words: list[str], offered: list[str]) -> None:
    assert in_bash(words) == offered


def test_tab_completes_in_a_bash_that_somebody_types_in(home: Path, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(PATH=ENVIRONMENT_PATH, PS1="ready ", INPUTRC=os.devnull, HISTFILE="")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        type_until(terminal, "", "ready ")
        type_until(terminal, "source <(percuss completion bash); echo so''urced\n", "sourced\r\n")
        type_until(terminal, "percuss run --on timer=la\t", "timer=lamp")
        # As on the screen, where bash may put a space or a line's end behind the name.
        type_until(terminal, "\x15: percuss; percuss run piriformis-rel\t", "piriformis-release")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def type_until(terminal: int, keys: str, shown: str) -> None:
    """Type, and read until something is shown. Time only bounds a hang."""
    os.write(terminal, keys.encode())
    screen, deadline_s = "", time.monotonic() + HANG_S
    while shown not in screen:
        assert time.monotonic() < deadline_s, screen
        if select.select([terminal], [], [], 0.05)[0]:
            screen += os.read(terminal, 65536).decode(errors="replace")


def exchanged(shell: str, words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Ask as the script of a shell does."""
    typed = {"COMP_WORDS": " ".join(words), "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1)}
    return subprocess.run(
        ["percuss"],
        env={**os.environ, **typed, "PATH": ENVIRONMENT_PATH, "_PERCUSS_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(("words", "offered"), CASES, ids=lambda value: " ".join(value))
def test_zsh_and_fish_are_answered_in_their_own_way(
    shell: str, words: list[str], offered: list[str], home: Path
) -> None:
    done = exchanged(shell, words, home)
    assert done.stderr == ""
    lines = done.stdout.strip("\n").splitlines()
    # click's own scripts: three lines each for zsh (type, value, help or _), one for fish (type, value).
    names = lines[1::3] if shell == "zsh" else [line.split(",")[1].partition("\t")[0] for line in lines]
    assert names == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_role_is_completed_with_its_name_where_it_is_one_word(shell: str, home: Path) -> None:
    assert "timer=lamp" in exchanged(shell, ["percuss", "run", "--on", "timer=l"], home).stdout


@pytest.mark.parametrize(("shell", "begin"), [("bash", "_percuss_completion()"), ("zsh", "#compdef percuss")])
def test_the_script_is_for_percuss(percuss: Percuss, shell: str, begin: str) -> None:
    done = percuss("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begin)
    assert "_PERCUSS_COMPLETE" in done.out


def test_fish_gets_its_script(percuss: Percuss) -> None:
    assert "complete --no-files --command percuss" in percuss("completion", "fish").out


def test_another_shell_is_refused(percuss: Percuss) -> None:
    assert percuss("completion", "csh").code == 2


@pytest.mark.parametrize("broken", ["", "{", '{"devices": 3}', "[]", "\x00"])
def test_files_that_make_no_sense_offer_nothing_and_say_nothing(broken: str, home: Path) -> None:
    (home / "devices.json").write_text(broken, encoding="utf-8")
    (home / "routines" / "evening.toml").write_bytes(b"\xff\xfe\x00")
    assert exchanged("zsh", ["percuss", "stop", "e"], home).stdout.split() == []
    offered = exchanged("zsh", ["percuss", "run", "eve"], home)
    assert (offered.stdout.splitlines()[1:2], offered.stderr) == (["evening"], "")


def test_paths_are_left_to_the_shell(home: Path) -> None:
    assert exchanged("zsh", ["percuss", "run", "./my"], home).stdout.splitlines()[:2] == ["file", "./my"]


def test_a_press_of_tab_loads_nothing_heavy(home: Path) -> None:
    program = (
        "import os, sys\n"
        "from controller.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'rich', 'pydantic', 'sqlalchemy', 'matplotlib', 'bleak', 'bumble', 'serial', 'routines.schema'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for words in (
        ["percuss", "run", "pir"],
        ["percuss", "run", "--on", ""],
        ["percuss", "set", "x", "1%", "--region", ""],
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.argv = ['percuss']\n{program}"],
            env={
                **os.environ,
                "_PERCUSS_COMPLETE": "zsh_complete",
                "COMP_WORDS": " ".join(words),
                "COMP_CWORD": str(len(words) - 1),
            },
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=True,
        )
        assert done.stdout
        assert done.stderr == "[]\n"
