"""Start-up of the command line against importing click alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.benchmarks.figures import Figure

ROUNDS = 15


def measure() -> list[Figure]:
    """Ours and click's in turn, so that both see the same machine."""
    ours, raw = [], []
    for _ in range(ROUNDS):
        ours.append(_run_ms("-m", "controller", "--help"))
        raw.append(_run_ms("-c", "import click"))
    return [Figure("percuss --help", statistics.median(ours), "ms", "<= 2 x", statistics.median(raw))]


def _run_ms(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000
