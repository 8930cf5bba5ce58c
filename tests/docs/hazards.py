"""Write SAFETY.md from the table of hazards: ``python -m tests.docs.hazards``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/hazards.toml"
TARGET = ROOT / "SAFETY.md"


@dataclass(frozen=True, slots=True)
class Hazard:
    """One row. ``tests`` are ``path`` or ``path::name``, from the project's root."""

    id: str
    hazard: str
    cause: str
    harm: str
    measure: str
    limit: str
    residual: str
    tests: list[str]


@cache
def hazards() -> tuple[Hazard, ...]:
    """Every row, in the order of the file. Raises TypeError for a key that is missing or unknown."""
    return tuple(Hazard(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["hazards"])


def page() -> str:
    """The whole page."""
    lines = [
        "# Hazards",
        "",
        "percuss moves a motor against a body. This is what can go wrong, what keeps it from happening, what proves",
        "that, and what remains. It is made from `docs/hazards.toml`; a full run of the tests fails when one that is",
        "named here did not run and pass. How the measures work is told in",
        "[How it is kept safe](docs/explanation/safety.md).",
        "",
        "percuss is a comfort tool and no medical device; nothing here was assessed by anybody else.",
        "**Keep a hand on the device's own button.**",
        "",
        "| hazard | limit | what remains |",
        "|---|---|---|",
        *(f"| [{h.hazard}](#{h.id}) | {h.limit} | {h.residual} |" for h in hazards()),
    ]
    for hazard in hazards():
        tests = [f"  - `{name}`" for name in hazard.tests]
        lines += [
            "",
            f'<a id="{hazard.id}"></a>',
            "",
            f"## {hazard.hazard}",
            "",
            f"- Cause: {hazard.cause}",
            f"- Harm: {hazard.harm}",
            f"- Measure: {hazard.measure}",
            f"- Limit: {hazard.limit}",
            f"- What remains: {hazard.residual}",
            "- Proved by:",
            *tests,
        ]
    return "\n".join(lines) + "\n"


def unproved(passed: set[str]) -> list[str]:
    """The tests that the table names and that are not among those that ran and passed, with their hazard.

    ``passed`` holds node ids; a named test counts with all its parameters.
    """
    plain = {node.partition("[")[0] for node in passed} | {node.partition("::")[0] for node in passed}
    return [f"{hazard.id}: {name}" for hazard in hazards() for name in hazard.tests if name not in plain]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
