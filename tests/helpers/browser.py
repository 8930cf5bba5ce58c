"""A real browser without a window: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

Scheme = Literal["light", "dark"]

PHONE = (390, 844)
DESKTOP = (1280, 800)
NARROW = (320, 640)
ZOOMED = (640, 400)
"""The desktop at 200 %."""

SERIOUS = {"serious", "critical"}


def chromium_path() -> str:
    """Where the system's Chromium is. Raises AssertionError without one: nothing here is skipped."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "no Chromium: apt install chromium"
    return found[0]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, size: tuple[int, int] = PHONE, scheme: Scheme = "light") -> Iterator[Page]:
    """A page of its own, which must not have written an error when the block ends.

    What the network says is no error of the page: a service that is gone is refused connections.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=size == PHONE,
        reduced_motion="reduce",
    )
    page = context.new_page()
    problems: list[str] = []

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error":
            problems.append(said.text)

    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.on("console", hear)
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    wrong = [problem for problem in problems if not problem.startswith("Failed to load resource")]
    assert not wrong, wrong


def serious_issues(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, with the element of each."""
    found: Any = Axe().run(page).response
    return [
        f"{issue['id']}: {node['html']} ({node['failureSummary']})"
        for issue in found["violations"]
        if issue["impact"] in SERIOUS
        for node in issue["nodes"]
    ]
