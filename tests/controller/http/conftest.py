"""What holds for every test of the HTTP door."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test logged a moment ago keeps nothing out of this one's log."""
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "filters", [])
