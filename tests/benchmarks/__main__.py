"""``make bench``: run every benchmark, or those named: ``make bench ARGS="codec startup"``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.benchmarks.figures import Figure


def main() -> None:
    """Print the figures of each module in this folder."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "figures")
    names = sys.argv[1:] or known
    if unknown := set(names) - set(known):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    print(f"{'what':<58}{'ours':>14}{'raw':>14}{'ratio':>8}  aim")
    for name in names:
        figures: list[Figure] = importlib.import_module(f"tests.benchmarks.{name}").measure()
        for figure in figures:
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
