"""Many scenarios: played, added up, and told so that a failure can be played again."""

from __future__ import annotations

import gc
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

from tests.faults.doubles import DOUBLES, PRODUCT
from tests.faults.scenarios import Scenario, draw
from tests.faults.world import Outcome, play

SHOWN = 20
"""How many failures are told in full."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to play: on one profile or all, with the product or one of its broken doubles."""

    profile: str | None = None
    double: str | None = None

    def play(self, seed: int, *, tells: bool = False) -> Outcome:
        """Play the scenario of a seed."""
        return self.play_scenario(draw(seed, self.profile), tells=tells)

    def play_scenario(self, scenario: Scenario, *, tells: bool = False) -> Outcome:
        """Play a scenario, whoever drew it."""
        return play(scenario, DOUBLES[self.double] if self.double else PRODUCT, tells=tells)

    def command(self, seed: int) -> str:
        """What plays a seed again."""
        profile = f" --profile {self.profile}" if self.profile else ""
        double = f' --double "{self.double}"' if self.double else ""
        return f"python -m tests.faults --seed {seed}{profile}{double} --verbose"


@dataclass(slots=True)
class Summary:
    """Scenarios, added up."""

    scenarios: int = 0
    simulated_s: float = 0.0
    worst_lost_s: float = 0.0
    worst_excused_s: float = 0.0
    worst_stop_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    excuses: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Add one scenario."""
        self.scenarios += 1
        self.simulated_s += outcome.simulated_s
        self.worst_lost_s = max(self.worst_lost_s, outcome.figures.worst_lost_s)
        self.worst_excused_s = max(self.worst_excused_s, outcome.figures.worst_excused_s)
        self.worst_stop_s = max(self.worst_stop_s, outcome.figures.worst_stop_s)
        self.ends[outcome.outcome] += 1
        self.profiles[outcome.profile] += 1
        self.faults += outcome.counts
        self.excuses += outcome.figures.excuses
        if outcome.violations:
            self.failures.append(outcome)

    def lines(self, wish: Wish) -> Iterator[str]:
        """The summary for a person, failures first."""
        for outcome in self.failures[:SHOWN]:
            yield from failure_lines(outcome, wish)
        if len(self.failures) > SHOWN:
            yield f"… and {len(self.failures) - SHOWN} more: {', '.join(str(o.seed) for o in self.failures[SHOWN:])}"
        yield f"{self.scenarios} scenarios, {self.simulated_s / 3600:.1f} simulated hours"
        yield f"profiles:  {_told(self.profiles)}"
        yield f"ends:      {_told(self.ends)}"
        yield f"faults:    {_told(self.faults)}"
        yield f"excused:   {_told(self.excuses)}"
        yield f"worst time from lost permission to motor off: {self.worst_lost_s:.3f} s"
        yield f"worst stop, from the person's word to motor off: {self.worst_stop_s:.3f} s"
        yield f"worst where bytes were lost, or this computer slept: {self.worst_excused_s:.1f} s"
        rules = Counter(rule for outcome in self.failures for rule in {v.rule for v in outcome.violations})
        yield f"violations: {len(self.failures)} scenarios" + (f" ({_told(rules)})" if rules else "")


def failure_lines(outcome: Outcome, wish: Wish) -> Iterator[str]:
    """What was violated and when, the least that still does it, and the command that plays it again."""
    yield f"seed {outcome.seed} on {outcome.profile} ({outcome.outcome}):"
    for violation in outcome.violations[:3]:
        yield f"  {violation.rule} at {violation.at_s:.3f} s: {violation.what}"
    least = shrink(draw(outcome.seed, wish.profile), wish, {v.rule for v in outcome.violations})
    for fault in least.faults:
        yield f"  needs {fault.kind} at {fault.at_s:.2f} s for {fault.for_s:.2f} s"
    for act in least.acts:
        yield f"  needs {act.kind} by the person at {act.at_s:.2f} s"
    yield f"  {wish.command(outcome.seed)}"


def shrink(scenario: Scenario, wish: Wish, rules: set[str]) -> Scenario:
    """The scenario without what it does not need to break one of these rules."""

    def still_fails(smaller: Scenario) -> bool:
        return any(violation.rule in rules for violation in wish.play_scenario(smaller).violations)

    for fault in scenario.faults:
        smaller = replace(scenario, faults=tuple(each for each in scenario.faults if each is not fault))
        scenario = smaller if still_fails(smaller) else scenario
    for act in scenario.acts:
        smaller = replace(scenario, acts=tuple(each for each in scenario.acts if each is not act))
        scenario = smaller if still_fails(smaller) else scenario
    return scenario


def run(seeds: Iterable[int], wish: Wish, *, jobs: int = 1) -> Summary:
    """Play the scenarios of many seeds, in several processes where asked."""
    summary = Summary()
    if jobs <= 1:
        for seed in seeds:
            summary.add(wish.play(seed))
        return summary
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_settle_in) as pool:
        for outcome in pool.map(partial(_play, wish), seeds, chunksize=10):
            summary.add(outcome)
    return summary


def _play(wish: Wish, seed: int) -> Outcome:
    return wish.play(seed)


def _settle_in() -> None:
    """Give a process an emergency stop of its own; its folder goes with the parent's."""
    gc.freeze()
    os.environ["PERCUSS_HOME"] = tempfile.mkdtemp(dir=os.environ["PERCUSS_HOME"])


@contextmanager
def own_home() -> Iterator[None]:
    """Keep away from the person's own files."""
    before = os.environ.get("PERCUSS_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PERCUSS_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("PERCUSS_HOME")
            if before is not None:
                os.environ["PERCUSS_HOME"] = before


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
