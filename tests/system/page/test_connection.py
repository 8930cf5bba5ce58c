"""The page and its service: lost, back, started anew, not let in, and left alone for a while."""

from __future__ import annotations

import signal

from playwright.sync_api import Browser, Page, expect

from controller.service.token import read_token
from tests.helpers.browser import opened
from tests.helpers.processes import RunningSimulator, started
from tests.helpers.relay import Relay
from tests.system.page.driving import (
    Service,
    address,
    choose,
    come_back,
    go,
    leave,
    run,
    turns,
    until,
    until_at_rest,
    until_turning,
)

POOL = 6
"""So many connections a browser has to one service, for all its pages together."""


def test_a_service_that_is_killed_is_told_at_once_and_its_guardian_stops_the_motor(
    browser: Browser, page: Page, service: Service, paired: RunningSimulator
) -> None:
    run(page)
    until_turning(paired)
    service.process.send_signal(signal.SIGKILL)
    expect(page.locator("#connection")).to_have_text("NO CONNECTION")
    expect(page.get_by_role("alert")).to_have_text(
        "The page has lost the service. If the service is gone, its guardian stops the motor; if only this page is cut "
        "off, the massage goes on: use the device's own button."
    )
    until_at_rest(paired)
    page.keyboard.press("Space")  # it is tried all the same
    expect(page.get_by_role("alert")).to_contain_text("Stop did not reach the service")
    expect(page.get_by_role("alert")).to_contain_text("device's own button")

    with started("serve", "--port", str(service.port)) as process:
        Service(process)
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.get_by_role("alert")).to_contain_text("Session two-calves was cut off")
        expect(page.get_by_role("alert")).to_contain_text("the guardian stopped it (confirmed)")
        expect(page.locator("#idle")).to_be_visible()
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("Session two-calves was cut off")
        run(page)
        until_turning(paired)
        page.reload()
        expect(page.locator("#state")).to_have_text("Now")
        expect(page.get_by_role("alert")).to_have_text("")
        page.locator("#stop").tap()
        until_at_rest(paired)


def test_a_page_that_is_cut_off_says_so_while_the_massage_goes_on(
    browser: Browser, service: Service, paired: RunningSimulator
) -> None:
    with Relay(service.port) as relay, opened(browser, address(relay.port)) as page:
        expect(page.locator("#connection")).to_have_text("connected")
        run(page)
        until_turning(paired)
        relay.hold()  # nothing is closed: the network just does not carry anything any more
        expect(page.locator("#connection")).to_have_text("NO CONNECTION")
        expect(page.get_by_role("alert")).to_contain_text("the massage goes on: use the device's own button")
        assert turns(paired)
        page.locator("#stop").tap()
        expect(page.get_by_role("alert")).to_contain_text("Stop has no answer yet")
        relay.carry()
        until_at_rest(paired)
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.locator("#idle")).to_be_visible()


def test_a_page_that_is_cut_off_while_it_starts_something_takes_it_to_run(
    browser: Browser, service: Service, paired: RunningSimulator
) -> None:
    with Relay(service.port) as relay, opened(browser, address(relay.port)) as page:
        expect(page.locator("#connection")).to_have_text("connected")
        choose(page)
        relay.hold()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("#connection")).to_have_text("NO CONNECTION")
        expect(page.get_by_role("alert")).to_contain_text("the massage goes on: use the device's own button")
        page.locator("#stop").tap()
        relay.carry()
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
        until(lambda: service.ask("GET", "session")["session"] is None)
        until_at_rest(paired)


def test_a_page_that_is_cut_off_while_nothing_runs_says_so(browser: Browser, service: Service) -> None:
    with Relay(service.port) as relay, opened(browser, address(relay.port)) as page:
        expect(page.locator("#connection")).to_have_text("connected")
        relay.hold()
        expect(page.get_by_role("alert")).to_have_text(
            "The page has lost the service. Nothing was running when it was last heard."
        )
        relay.carry()
        expect(page.locator("#connection")).to_have_text("connected")


def test_who_comes_back_hears_all_that_a_service_started_anew_has_to_say(
    page: Page, service: Service, paired: RunningSimulator
) -> None:
    service.ask("DELETE", "screening")  # its first event, which the page has heard of
    expect(page.locator("#said")).to_contain_text("The answers about you were changed")
    leave(page)
    service.ask("POST", "session", routine="two-calves", massager="gun")
    until_turning(paired)
    service.process.send_signal(signal.SIGKILL)
    until_at_rest(paired)
    with started("serve", "--port", str(service.port)) as process:
        anew = Service(process)
        for _ in range(3):
            anew.ask("DELETE", "screening")
        # The number that the page stopped at is one of the new service too, and means something else there.
        assert anew.ask("GET", "session")["last_id"] > 1
        come_back(page)
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.get_by_role("alert")).to_contain_text("Session two-calves was cut off")


def test_pages_that_nobody_looks_at_leave_the_way_free_for_stop(
    browser: Browser, page: Page, service: Service, paired: RunningSimulator
) -> None:
    others = []
    for _ in range(POOL + 1):
        other = page.context.new_page()
        others.append(other)
        other.goto(service.address)
        expect(other.locator("#connection")).to_have_text("connected")
        leave(other)
    run(page)
    until_turning(paired)
    page.locator("#stop").tap()
    until_at_rest(paired)
    expect(page.locator("#idle")).to_be_visible()
    come_back(others[0])
    expect(others[0].locator("#connection")).to_have_text("connected")


def test_without_the_token_the_page_asks_for_it(browser: Browser, service: Service) -> None:
    token = read_token() or ""
    with opened(browser, f"http://127.0.0.1:{service.port}/") as page:
        page.get_by_role("textbox", name="Token").fill("wrong")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#connection")).to_have_text("not let in")
        expect(page.get_by_text("The service does not take that token.")).to_be_visible()
        page.get_by_role("textbox", name="Token").fill(f" {service.address}\n")  # all that was copied
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.locator("#idle")).to_be_visible()
        page.reload()
        expect(page.locator("#connection")).to_have_text("connected")
        assert token not in page.url


def test_a_link_with_a_wrong_token_takes_nobody_the_right_one_away(page: Page, service: Service) -> None:
    page.goto(f"http://127.0.0.1:{service.port}/?again#token=from-elsewhere")
    expect(page.locator("#connection")).to_have_text("connected")
    expect(page.locator("#said")).to_contain_text("That token is not the service's")
    assert "token" not in page.url
    page.reload()
    expect(page.locator("#connection")).to_have_text("connected")


def test_two_pages_agree_on_what_is_paired(
    browser: Browser, page: Page, service: Service, gun: RunningSimulator
) -> None:
    go(page, "Devices")
    with opened(browser, service.address) as other:
        service.ask("POST", "pair", target=gun.url, profile="theragun-gen4", name="gun")
        go(other, "Devices")
        expect(page.locator("#paired b")).to_have_text("gun")
        other.get_by_role("button", name="Forget gun").click()
        other.get_by_role("button", name="Really forget gun?").click()
        expect(page.locator("#paired")).to_have_text("Nothing is paired yet.")
