"""Stop on the page: from every view, by finger and by key, and what it must never press besides."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browser import PHONE
from tests.helpers.processes import RunningSimulator
from tests.system.page.driving import (
    VIEWS,
    Service,
    choose,
    go,
    posts,
    run,
    settle,
    turns,
    until_at_rest,
    until_turning,
)


@pytest.mark.parametrize("key", ["Space", "Escape"])
def test_a_key_stops_from_every_view_also_on_another_button(
    page: Page, service: Service, paired: RunningSimulator, key: str
) -> None:
    run(page)
    until_turning(paired)
    go(page, "Start")
    page.locator("#search").press_sequentially("two calves")
    assert page.locator("#search").input_value() == "two calves", "a space that is typed is a space"
    expect(page.locator("#connection")).to_have_text("connected")
    assert turns(paired)
    page.get_by_role("button", name="Emergency stop").focus()
    page.keyboard.press(key)
    until_at_rest(paired)
    expect(page.locator("#said")).to_contain_text("Stopped by the person")
    expect(page.locator("#latch")).to_be_hidden()  # the button that had the focus was not pressed


@pytest.mark.parametrize(("where", "key"), [("#search", "Escape"), ("#waits", "Space"), ("#hold-percent", "Space")])
def test_nothing_that_has_the_focus_keeps_a_key_from_stopping(
    page: Page, paired: RunningSimulator, where: str, key: str
) -> None:
    run(page)
    until_turning(paired)
    go(page, "Start")
    page.get_by_text("Hold one strength at one place").click()
    page.locator(where).focus()
    page.keyboard.press(key)
    until_at_rest(paired)
    expect(page.locator("#said")).to_contain_text("Stopped by the person")


def test_a_key_that_is_held_in_fright_starts_nothing_when_everything_is_at_rest(
    page: Page, service: Service, paired: RunningSimulator
) -> None:
    choose(page)
    service.ask("POST", "session", routine="two-calves", massager="gun")
    expect(page.locator("#place")).to_have_text("left calves")
    until_turning(paired)
    go(page, "Start")
    page.get_by_role("button", name="Start", exact=True).focus()
    asked = posts(page)
    page.keyboard.down("Space")
    expect(page.locator("#said")).to_contain_text("Stopped by")
    until_at_rest(paired)
    expect(page.locator("#session")).to_have_attribute("hidden", "")
    for _ in range(3):
        page.keyboard.down("Space")  # the keyboard repeats it
    page.keyboard.up("Space")
    settle(page)
    assert asked == ["session/stop"]
    page.keyboard.press("Space")  # a new one means the button again
    expect(page.locator("#place")).to_have_text("left calves")
    page.keyboard.press("Space")
    until_at_rest(paired)


def test_stop_is_tapped_again_and_again_and_stops_once(page: Page, paired: RunningSimulator) -> None:
    run(page)
    until_turning(paired)
    for _ in range(5):
        page.locator("#stop").tap()
    until_at_rest(paired)
    expect(page.locator("#idle")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    go(page, "History")
    expect(page.locator("#history tbody tr")).to_have_count(1)


def test_the_stop_button_is_within_reach_on_every_view(page: Page, paired: RunningSimulator) -> None:
    for view in VIEWS:
        go(page, view)
        box = page.locator("#stop").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE[1]
        assert box["height"] >= 80
        assert box["width"] >= 300
        centre = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        assert page.evaluate("({x, y}) => document.elementFromPoint(x, y).id", centre) == "stop", view
    run(page)
    go(page, "History")
    until_turning(paired)
    page.locator("#stop").tap()
    until_at_rest(paired)


def test_the_emergency_stop_keeps_everything_from_starting_until_it_is_cleared_on_purpose(
    page: Page, paired: RunningSimulator
) -> None:
    run(page)
    until_turning(paired)
    page.get_by_role("button", name="Emergency stop").tap()
    until_at_rest(paired)
    expect(page.get_by_role("heading", name="The emergency stop is in")).to_be_visible()

    go(page, "Start")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("emergency stop")
    assert not turns(paired)

    page.get_by_role("button", name="Clear it").click()
    page.get_by_role("button", name="No, leave it in").click()
    expect(page.locator("#latch")).to_be_visible()
    page.get_by_role("button", name="Clear it").click()
    page.get_by_role("button", name="Yes, things may start again").click()
    expect(page.locator("#latch")).to_be_hidden()
    run(page)
    until_turning(paired)
