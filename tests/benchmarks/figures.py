"""One measured figure, beside the raw library's and the aim."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``raw`` is what the same costs without percuss; None where there is nothing to compare with."""

    what: str
    ours: float
    unit: str
    aim: str
    raw: float | None = None

    def line(self) -> str:
        """One line of the table."""
        raw = "" if self.raw is None else f"{self.raw:.4g} {self.unit}"
        ratio = "" if not self.raw else f"{self.ours / self.raw:.2f}"
        return f"{self.what:<58}{f'{self.ours:.4g} {self.unit}':>14}{raw:>14}{ratio:>8}  {self.aim}"


def median_us(work: Callable[[], object], *, rounds: int = 15, per_round: int = 2000) -> float:
    """The median over rounds of the mean time of one call, in microseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(per_round):
            work()
        times.append((time.perf_counter() - began) / per_round * 1e6)
    return statistics.median(times)
