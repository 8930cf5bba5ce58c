from __future__ import annotations

import ast

import pytest

from tests.docs.hazards import ROOT, TARGET, hazards, page, unproved

COVERED = {
    *("crash", "hang", "suspend", "power", "link-loss", "two-controllers", "too-strong", "too-long", "too-fast"),
    *("wrong-place", "wrong-device", "wrong-person", "corrupted-bytes", "stale-status", "hot-or-empty"),
    *("hostile-input", "clock-change"),
}
"""What must be thought of at least."""


def test_the_page_is_the_table() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.docs.hazards"


def test_the_table_covers_what_it_must() -> None:
    names = [hazard.id for hazard in hazards()]
    assert len(set(names)) == len(names)
    assert set(names) >= COVERED


@pytest.mark.parametrize("hazard", hazards(), ids=lambda hazard: hazard.id)
def test_every_test_that_a_hazard_names_exists(hazard: object) -> None:
    for name in hazard.tests:  # type: ignore[attr-defined]
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        defined = {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert not function or function in defined, name


def test_a_test_that_did_not_run_is_told_with_its_hazard() -> None:
    everything = {f"{name}[serial]" for hazard in hazards() for name in hazard.tests}
    assert unproved(everything) == []
    missing = hazards()[0].tests[0]
    assert f"{hazards()[0].id}: {missing}" in unproved({node for node in everything if not node.startswith(missing)})
