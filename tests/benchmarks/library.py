"""Listing a thousand routine files, against reading the same files with `tomllib` alone."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from routines.durations import by_hand_s
from routines.library import BUNDLED, load_routines
from tests.benchmarks.figures import Figure

FILES = 1000
ROUNDS = 7


def measure() -> list[Figure]:
    """What `percuss routines list` does with the shipped routines and a thousand more of the same kind."""
    with tempfile.TemporaryDirectory(prefix="percuss-bench-") as home:
        before = os.environ.get("PERCUSS_HOME")
        os.environ["PERCUSS_HOME"] = home
        try:
            own = Path(home) / "routines"
            _write_library(own)
            whole = _seconds(_run_list)
            # In turn, so that both see the same machine.
            ours, raw = zip(*((_seconds(_listed), _seconds(lambda: _parsed(own))) for _ in range(ROUNDS)), strict=True)
        finally:
            if before is None:
                del os.environ["PERCUSS_HOME"]
            else:
                os.environ["PERCUSS_HOME"] = before
    what = f"read, check and time {FILES} routine files"
    return [
        Figure(what, statistics.median(ours), "s", "<= 0.5 s", statistics.median(raw)),
        Figure("percuss routines list, from start to end", whole, "s", ""),
    ]


def _write_library(own: Path) -> None:
    """A thousand files made of the shipped ones, each with a name of its own."""
    own.mkdir()
    shipped = itertools.cycle(path.read_text(encoding="utf-8") for path in sorted(BUNDLED.glob("*.toml")))
    for number, text in zip(range(FILES), shipped, strict=False):
        name = tomllib.loads(text)["name"]
        renamed = text.replace(f'name = "{name}"', f'name = "own-{number}"', 1)
        (own / f"own-{number}.toml").write_text(renamed, encoding="utf-8")


def _listed() -> None:
    known, broken = load_routines()
    if broken or len(known) < FILES:
        raise AssertionError(f"{len(known)} routines, {len(broken)} broken")
    for routine in known.values():
        by_hand_s(routine.steps)


def _parsed(own: Path) -> None:
    for path in own.glob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))


def _run_list() -> None:
    subprocess.run([sys.executable, "-m", "controller", "routines", "list"], check=True, stdout=subprocess.DEVNULL)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
