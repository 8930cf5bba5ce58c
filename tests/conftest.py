"""What holds for every test: a home of its own, and no skip that nobody sees."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.docs.hazards import unproved

# A runner in the background ignores Ctrl-C, and so would every command that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

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
    """Fail a full run (PERCUSS_FORBID_SKIPS) that skipped something, or that left a hazard's measure unproved."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("PERCUSS_FORBID_SKIPS"):
        return
    problems = []
    if skipped := reporter.stats.get("skipped", []):
        problems.append(f"{len(skipped)} test(s) were skipped, and none may be here.")
    passed = {report.nodeid for report in reporter.stats.get("passed", [])}
    problems += [f"docs/hazards.toml: not run and passed: {name}" for name in unproved(passed)]
    for problem in problems:
        reporter.write_line(problem, red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
