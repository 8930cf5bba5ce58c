"""What holds for every test: a home of its own, and no skip that nobody sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A budget per example would be a wall-clock test; a hang is caught by pytest-timeout.
settings.register_profile("percuss", deadline=None, print_blob=True)
settings.load_profile("percuss")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder that only this test sees."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PERCUSS_HOME", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that skipped something where nothing may be skipped (PERCUSS_FORBID_SKIPS)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if reporter is not None and skipped and os.environ.get("PERCUSS_FORBID_SKIPS"):
        reporter.write_line(f"{len(skipped)} test(s) were skipped, and none may be here.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
