"""What the documents print is what happens: every ``console`` block is run, in order, against what it shows.

In the shown output ``…`` stands for any text, and a line of nothing else for any lines.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from routines.loader import load_routine
from routines.planner import plan
from tests.helpers.processes import HANG_S

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = [
    path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if BLOCK.search(path.read_text())
]
HERE_DOCUMENT = " << 'END'"


def commands(document: Path) -> list[tuple[str, str]]:
    """The commands of a document, each with what it is said to print."""
    found = []
    for block in BLOCK.findall(document.read_text(encoding="utf-8")):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = piece.partition("\n")
            if command.endswith(HERE_DOCUMENT):
                typed, end, shown = shown.partition("END\n")
                command = f"{command}\n{typed}{end}"
            found.append((command, shown))
    return found


def as_pattern(shown: str) -> "re.Pattern[str]":
    """Shown output as a pattern. Blank lines, space at line ends and how wide a column is do not count."""
    lines = []
    for line in shown.strip("\n").splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        elif line.strip():
            line_pattern = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
            lines.append(re.sub(r"(\\ )+", " +", line_pattern) + r" *\n")
    return re.compile("".join(lines))


def without_blank_lines(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines() if line.strip())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_printed_session_is_true(document: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert shutil.which("percuss", path=environment["PATH"]), "percuss is not installed beside this Python"
    play(commands(document), tmp_path, environment)


def play(steps: Iterable[tuple[str, str]], folder: Path, environment: dict[str, str]) -> None:
    """Run commands one after the other, simulators beside them, and see that each prints what is shown."""
    background: list[subprocess.Popen[str]] = []
    try:
        for command, shown in steps:
            if command.startswith(("percuss simulate", "percuss serve --port")):
                background.append(in_background(command, shown, environment, folder))
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=HANG_S,
                check=False,
            )
            printed = without_blank_lines(done.stdout)
            assert as_pattern(shown).fullmatch(printed), f"$ {command}\nsays\n{shown}\nbut printed\n{printed}"
    finally:
        for process in background:
            process.terminate()
            process.communicate()


def in_background(command: str, shown: str, environment: dict[str, str], folder: Path) -> "subprocess.Popen[str]":
    """A simulator that goes on running, once it has printed what is shown up to the first ``…`` line."""
    process = subprocess.Popen(
        command.split(), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wanted = shown.strip("\n").split("\n…")[0].splitlines()
    assert process.stdout is not None
    printed = "".join(process.stdout.readline() for _ in wanted)
    assert as_pattern("\n".join(wanted)).fullmatch(printed), f"$ {command}\nprinted\n{printed}"
    # The rest is read so that a full pipe never blocks it.
    threading.Thread(target=drain, args=(process,), daemon=True).start()
    return process


def drain(process: "subprocess.Popen[str]") -> None:
    try:
        while process.stdout is not None and process.stdout.readline():
            pass
    except ValueError:
        pass  # closed at the end of the test


def test_the_routine_that_the_reference_prints_can_be_planned(tmp_path: Path) -> None:
    text = (ROOT / "docs/reference/routine-format.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    path = tmp_path / "evening-legs.toml"
    path.write_text(found.group(1), encoding="utf-8")
    spans = plan(load_routine(path), {}).spans
    assert [span.place for span in spans if span.kind == "work"][:2] == ["left hamstrings", "right hamstrings"]


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_readme_says_how_many_profiles_there_are() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    count = len(list((ROOT / "firmware_profiles/bundled").glob("*.toml")))
    assert f"{count} profiles" in readme


def test_every_exit_code_is_documented() -> None:
    from controller.cli.exits import Exit

    told = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    for code in Exit:
        assert f"| {code.value} | {code.name.lower().replace('_', ' ')} |" in told


def test_every_command_is_documented() -> None:
    from controller.cli import percuss

    told = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    for name in percuss.commands:
        assert f"`{name}" in told, name


def test_the_page_of_regions_is_the_table_of_regions() -> None:
    from tests.docs.regions import TARGET, page

    assert TARGET.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.docs.regions"
