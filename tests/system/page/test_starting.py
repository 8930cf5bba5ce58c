"""Stop on the page while its own start is under way, when nobody can tell yet whether something runs."""

from __future__ import annotations

import json
import signal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.helpers.browser import opened
from tests.helpers.processes import RunningSimulator
from tests.system.page.driving import (
    Service,
    choose,
    posts,
    run,
    turns,
    until,
    until_at_rest,
    until_turning,
)

STARTS = "**/api/v1/session"


def hold_starts(page: Page) -> list[Route]:
    """A list that each start which the page sends is added to, instead of going to the service."""
    held: list[Route] = []

    def take(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route(STARTS, take)
    return held


def press_start(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()


def idle(service: Service) -> bool:
    now = service.ask("GET", "session")
    return now["session"] is None and now["starting_by"] is None


def wait(page: Page, is_so: object) -> None:
    """Wait in the page's own way, so that what it sends is taken."""
    for _ in range(1200):
        if is_so():  # type: ignore[operator]
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come to be")


@pytest.mark.parametrize("key", ["Space", "Escape", "tap"])
def test_a_stop_right_after_start_stops_what_comes_to_the_service_later(
    page: Page, service: Service, paired: RunningSimulator, key: str
) -> None:
    choose(page)
    held, asked = hold_starts(page), posts(page)
    press_start(page)
    wait(page, lambda: held)
    if key == "tap":
        page.locator("#stop").tap()
    else:
        page.keyboard.press(key)
    # The service says that nothing runs, and the page does not believe it.
    wait(page, lambda: asked.count("session/stop") >= 3)
    expect(page.locator("#said")).to_have_text("Stop is on its way …")
    held[0].continue_()
    expect(page.locator("#said")).to_have_text("Nothing runs.")
    assert idle(service)
    assert not turns(paired)
    sent = len(asked)
    run_after(page, service, paired)
    assert "session/stop" not in asked[sent:], "it has come to its end"


def run_after(page: Page, service: Service, paired: RunningSimulator) -> None:
    """What is started after that runs."""
    page.unroute(STARTS)
    run(page)
    until_turning(paired)
    service.ask("POST", "session/stop")
    until_at_rest(paired)


def test_a_start_whose_answer_is_lost_is_stopped_by_the_page(
    page: Page, service: Service, paired: RunningSimulator
) -> None:
    choose(page)
    asked = posts(page)

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "POST":
            assert route.fetch().status == 201
            until_turning(paired)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(STARTS, lose_the_answer)
    press_start(page)
    wait(page, lambda: "session/stop" in asked)
    until_at_rest(paired)
    until(lambda: idle(service))


def test_what_another_page_has_prepared_is_stopped_by_a_key_here(
    browser: Browser, page: Page, service: Service, paired: RunningSimulator
) -> None:
    """The device is frozen, so that nothing but `starting` is told."""
    choose(page)
    with opened(browser, service.address) as other:
        expect(other.locator("#connection")).to_have_text("connected")
        paired.process.send_signal(signal.SIGSTOP)
        try:
            press_start(page)
            expect(other.locator("#idle-state")).to_contain_text("Starting, for")
            other.keyboard.press("Space")
            expect(page.get_by_role("alert")).to_contain_text("stopped before it began")
        finally:
            paired.process.send_signal(signal.SIGCONT)
        expect(other.locator("#idle-state")).to_have_text("Nothing runs.")
        expect(other.locator("#said")).to_have_text("Nothing runs.")
    assert idle(service)
    assert not turns(paired)


def test_a_start_that_the_service_refuses_is_told_and_nothing_is_stopped(
    page: Page, service: Service, paired: RunningSimulator
) -> None:
    choose(page)
    asked = posts(page)
    paired.process.kill()
    press_start(page)
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert "session/stop" not in asked
    assert json.dumps(asked).count('"session"') == 1
