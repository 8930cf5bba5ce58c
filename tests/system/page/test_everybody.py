"""The page for everybody: small and large, light and dark, by keyboard, without the internet, and with bad files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.helpers.browser import DESKTOP, NARROW, PHONE, ZOOMED, Scheme, opened, serious_issues
from tests.helpers.processes import RunningSimulator
from tests.system.page.driving import VIEWS, Service, go, run, tab_to, until_at_rest, until_turning

HOSTILE = """
schema = 1
name = "hostile"
title = "<img src=x onerror=alert(1)>"
description = "<script>alert(2)</script>"

[[steps]]
region = "calves"
side = "left"
duration = "60s"
move = "1s"
cue = "<b onclick=alert(3)>&lt;</b>"
"""

READY = {
    "Now": "#devices-now dt",
    "Start": "#preview figcaption",
    "Devices": "#paired b",
    "You": "#screening-form",
    "History": "#history table",
}


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark"), (NARROW, "light"), (ZOOMED, "dark")],
    ids=["phone", "phone-dark", "desktop", "desktop-dark", "narrow", "zoomed-dark"],
)
def test_nothing_on_any_view_keeps_people_out(
    browser: Browser, service: Service, paired: RunningSimulator, size: tuple[int, int], scheme: Scheme
) -> None:
    with opened(browser, service.address, size=size, scheme=scheme) as page:
        expect(page.locator("#connection")).to_have_text("connected")
        check(page, "idle")
        run(page)
        expect(page.locator("#plan-now rect")).not_to_have_count(0)
        for view in VIEWS:
            go(page, view)
            expect(page.locator(READY[view]).first).to_be_visible()
            check(page, view)
        page.get_by_role("button", name="Emergency stop").click()
        expect(page.locator("#latch")).to_be_visible()
        check(page, "emergency stop")
        service.process.kill()
        expect(page.locator("#connection")).to_have_text("NO CONNECTION")
        check(page, "lost")


def check(page: Page, view: str) -> None:
    assert serious_issues(page) == [], view
    assert small_targets(page) == [], view
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the screen"
    assert page.evaluate("""() => {
        const { left, right, top, bottom } = document.getElementById('stop').getBoundingClientRect();
        return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight
            && document.elementFromPoint((left + right) / 2, (top + bottom) / 2).id === 'stop';
    }"""), f"Stop is not all there: {view}"


def small_targets(page: Page) -> list[str]:
    """What can be touched and is lower or narrower than 44 px; a box to tick counts with its label."""
    return list(
        page.evaluate("""() => [...document.querySelectorAll('button, select, input, nav a, .button, summary')]
            .map((one) => one.matches('[type=checkbox], [type=radio]') ? one.closest('label') : one)
            .filter((one) => one.checkVisibility())
            .map((one) => [one, one.getBoundingClientRect()])
            .filter(([, box]) => box.height < 43.9 || box.width < 43.9)
            .map(([one, box]) => `${one.outerHTML.slice(0, 80)} ${box.width}x${box.height}`)""")
    )


def test_a_session_is_run_with_the_keyboard_alone(page: Page, paired: RunningSimulator) -> None:
    keys = page.keyboard
    page.reload()
    tab_to(page, page.get_by_role("link", name="Start", exact=True))
    keys.press("Enter")
    expect(page.locator("#choose-device input")).to_have_count(3)
    tab_to(page, page.get_by_label(re.compile("^gun")))
    tab_to(page, page.locator("#search"))
    keys.type("two calves")
    tab_to(page, page.get_by_label(re.compile("^Two calves")))
    keys.press("Space")
    tab_to(page, page.get_by_label("Ask how much it hurts"))
    keys.press("Space")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
    tab_to(page, page.get_by_role("button", name="Start", exact=True))
    keys.press("Enter")
    expect(page.locator("#spoken")).to_have_text(re.compile(r"^Now: Left calves\. \w"))
    until_turning(paired)
    tab_to(page, page.get_by_role("button", name="Pause"))
    keys.press("Enter")
    expect(page.locator("#state")).to_have_text("Paused, motor off")
    until_at_rest(paired)
    expect(page.get_by_role("button", name="Go on")).to_be_enabled()
    expect(page.get_by_role("button", name="Go on")).to_be_focused()
    keys.press("Enter")
    until_turning(paired)
    tab_to(page, page.get_by_role("button", name="Say it aloud"))
    keys.press("Enter")
    expect(page.get_by_role("button", name="Say it aloud", pressed=True)).to_be_visible()
    keys.press("Space")
    until_at_rest(paired)


def test_the_page_asks_nobody_but_its_service(browser: Browser, service: Service, paired: RunningSimulator) -> None:
    with opened(browser, "about:blank") as page:
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.goto(service.address)
        expect(page.locator("#connection")).to_have_text("connected")
        run(page)
        for view in VIEWS:
            go(page, view)
            expect(page.locator(READY[view]).first).to_be_visible()
        assert asked == {f"127.0.0.1:{service.port}"}


def test_what_stands_in_a_file_is_text_and_nothing_else(
    browser: Browser, service: Service, home: Path, paired: RunningSimulator
) -> None:
    (home / "routines" / "hostile.toml").write_text(HOSTILE, encoding="utf-8")
    (home / "routines" / "<img src=x onerror=alert(4)>.toml").write_text("schema = 1\n", encoding="utf-8")
    asked: list[str] = []

    def hear(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    with opened(browser, service.address) as page:
        page.on("dialog", hear)
        go(page, "Start")
        page.get_by_label(re.compile("^gun")).check()
        page.get_by_label(re.compile("^<img src=x onerror=alert")).check()
        expect(page.locator("#choose-routine")).to_contain_text("<script>alert(2)</script>")
        expect(page.locator("#choose-routine")).to_contain_text("<img src=x onerror=alert(4)>.toml")
        page.get_by_label("Ask how much it hurts").uncheck()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#cue")).to_have_text("<b onclick=alert(3)>&lt;</b>")
        assert page.locator("img, b[onclick]").count() == 0
        assert asked == []
