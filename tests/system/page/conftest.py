"""The real service, a real simulator, and the page in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.helpers.browser import chromium, opened
from tests.helpers.processes import RunningSimulator, percuss, simulator, started
from tests.system.page.driving import Service

ROUTINE = """
schema = 1
name = "two-calves"
title = "Two calves"
description = "For a test."

[[steps]]
region = "calves"
side = "left"
duration = "60s"
move = "1s"

[[steps]]
region = "calves"
side = "right"
duration = "60s"
move = "1s"
"""


@pytest.fixture(scope="module")  # while it is open there is an event loop, and no test with one of its own can run
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    (home / "routines").mkdir()
    (home / "routines" / "two-calves.toml").write_text(ROUTINE, encoding="utf-8")
    with started("serve", "--port", "0") as process:
        yield Service(process)


@pytest.fixture
def gun(tmp_path: Path, home: Path) -> Iterator[RunningSimulator]:
    with simulator(tmp_path, "theragun-gen4") as device:
        yield device


@pytest.fixture
def paired(gun: RunningSimulator) -> RunningSimulator:
    done = percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun")
    assert done.returncode == 0, done.stderr
    return gun


@pytest.fixture
def real_gun(tmp_path: Path, home: Path) -> Iterator[RunningSimulator]:
    """A paired gun that percuss cannot know to be simulated: its home is another one."""
    apart = {**os.environ, "PERCUSS_HOME": str(tmp_path / "apart")}
    with simulator(tmp_path, "theragun-gen4", "--ble", environment=apart) as device:
        assert percuss("pair", device.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        yield device


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    with opened(browser, service.address) as one:
        expect(one.locator("#connection")).to_have_text("connected")
        yield one
