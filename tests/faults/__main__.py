"""``python -m tests.faults [--scenarios 1000] [--first 0] [--profile ID] [--seed N [--verbose]]``: exit code 1 on a
violation.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.faults.campaign import Wish, failure_lines, own_home, run
from tests.faults.doubles import DOUBLES
from tests.faults.scenarios import bundled, draw


def main() -> int:
    """Play what the command line asks for."""
    asked = _parser().parse_args()
    wish = Wish(asked.profile, asked.double)
    with own_home():
        if asked.seed is not None:
            return _replay(asked.seed, wish, is_verbose=asked.verbose)
        began_s = time.monotonic()
        summary = run(range(asked.first, asked.first + asked.scenarios), wish, jobs=asked.jobs)
        print("\n".join(summary.lines(wish)))
        print(f"took {time.monotonic() - began_s:.0f} s with {asked.jobs} processes")
    return 1 if summary.failures else 0


def _replay(seed: int, wish: Wish, *, is_verbose: bool) -> int:
    outcome = wish.play(seed, tells=is_verbose)
    if is_verbose:
        scenario = draw(seed, wish.profile)
        print(f"seed {seed} on {scenario.profile.id}, options {dict(scenario.options)}, bounds {scenario.holds}")
        print("\n".join(outcome.story))
    if outcome.violations:
        print("\n".join(failure_lines(outcome, wish)))
        return 1
    print(f"seed {seed} on {outcome.profile}: {outcome.outcome}, nothing violated")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--profile", choices=sorted(bundled()), help="this profile only")
    parser.add_argument("--seed", type=int, help="play this one seed")
    parser.add_argument("--verbose", action="store_true", help="with --seed: tell its story, line by line")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--double", choices=sorted(DOUBLES), help="break the product in this way, to see it caught")
    return parser


if __name__ == "__main__":
    sys.exit(main())
