"""The questions about the person, on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.helpers.browser import opened
from tests.helpers.processes import RunningSimulator
from tests.system.page.driving import (
    Service,
    answer_no_to_everything,
    go,
    hold,
    keep_answers,
    turns,
    until_at_rest,
    until_turning,
)


def test_the_screening_is_answered_on_the_page(page: Page) -> None:
    go(page, "You")
    expect(page.locator("#screening-state")).to_contain_text("there are some questions about you")
    answer_no_to_everything(page)
    emergency = page.get_by_role("group", name=re.compile("bladder or bowel"))
    emergency.get_by_label("Yes").check()
    expect(emergency).to_contain_text("Please get help now")
    keep_answers(page)
    expect(page.locator("#screening-state")).to_contain_text("nothing is driven: your bladder or bowel")

    answer_no_to_everything(page)
    thinners = page.get_by_role("group", name=re.compile("blood thinners"))
    thinners.get_by_label("Yes").check()
    thinners.get_by_label("I want to go on, gently.").check()
    keep_answers(page)
    expect(page.locator("#screening-state")).to_contain_text("Your answers are good")


def test_answers_on_one_page_are_known_on_the_other_and_half_given_ones_stay(
    browser: Browser, page: Page, service: Service
) -> None:
    go(page, "You")
    answer_no_to_everything(page)
    go(page, "History")
    go(page, "You")
    expect(page.get_by_label("No", exact=True).first).to_be_checked()
    with opened(browser, service.address) as other:
        go(other, "You")
        expect(other.get_by_label("No", exact=True).first).not_to_be_checked()
        keep_answers(page)
        expect(page.locator("#screening-state")).to_contain_text("Your answers are good")
        expect(other.locator("#screening-state")).to_contain_text("Your answers are good")
        expect(other.locator("#screening-form")).to_have_count(0)


def test_a_real_gun_waits_for_the_screening_and_what_it_did_is_in_the_history(
    page: Page, real_gun: RunningSimulator
) -> None:
    hold(page, "hamstrings", percent=25, seconds=12)
    expect(page.get_by_role("alert")).to_contain_text("some questions about you to answer")
    assert not turns(real_gun)
    page.locator("#view-start").get_by_role("link", name="some questions about you").click()
    answer_no_to_everything(page)
    keep_answers(page)
    expect(page.locator("#screening-state")).to_contain_text("Your answers are good")

    go(page, "Start")
    expect(page.locator("#screening-needed")).to_be_hidden()
    page.get_by_role("button", name="Hold", exact=True).click()
    until_turning(real_gun)
    expect(page.locator("#last")).to_contain_text("Done.")
    until_at_rest(real_gun)
    go(page, "History")
    # Where no side is named 12 s count for both: 24 s.
    expect(page.locator("#history-chart rect.work title").last).to_have_text(re.compile(r"\d{4}-\d\d-\d\d: 0\.4 min"))
    expect(page.locator("#history tbody tr").first).to_contain_text("0:12")
    # On an axis up to 5 minutes, today's is the only bar that is not flat.
    expect(page.locator("#history-chart text").first).to_have_text("5 min")
    axis = page.locator("#history-chart path.axis").bounding_box()
    bars = [bar.bounding_box() for bar in page.locator("#history-chart rect.work").all()]
    assert axis
    heights = [bar["height"] if bar else 0.0 for bar in bars]
    assert heights[:-1] == [0.0] * 6  # a week at least is shown
    assert heights[-1] / axis["height"] == pytest.approx(0.4 / 5, rel=0.1)
