"""Every Python block in the documents is a program that runs to its end, on simulators."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.processes import HANG_S

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

SAYS = {
    "use-from-python": [
        "SessionEnded(outcome='done'",
        "paired elite; its stop is confirmed",
        "done \n",
        "stopped that was enough",
        "done\ndone\n",
        "2100 ppm is the limit of the calves",
    ],
    "README": ["SessionEnded(outcome='done'"],
}
"""What each program says at least, in order: a block that is not listed here fails."""


def examples() -> list[Any]:
    cases = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for number, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8"))):
            cases.append(pytest.param(path.stem, number, block, id=f"{path.stem}-{number + 1}"))
    return cases


@pytest.mark.parametrize(("page", "number", "program"), examples())
def test_a_python_example_runs_and_says_what_it_should(page: str, number: int, program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[page][number] in done.stdout


def test_every_page_with_examples_is_run() -> None:
    counts = dict.fromkeys(SAYS, 0)
    for case in examples():
        counts[str(case.values[0])] += 1
    assert counts == {page: len(says) for page, says in SAYS.items()}


def test_every_name_of_the_api_is_documented() -> None:
    from controller import api

    told = (ROOT / "docs/how-to/use-from-python.md").read_text(encoding="utf-8")
    functions = [name for name in api.__all__ if name.islower()]
    assert functions
    for name in functions:
        assert f"{name}(" in told, name
    methods = [name for name in vars(api.LiveSession) if not name.startswith("_")]
    for name in methods:
        assert f"`{name}" in told or f"`await {name}" in told, name
