"""A session on the page: what a person sees, what is asked for, and what moves."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.helpers.browser import DESKTOP, opened
from tests.helpers.processes import RunningSimulator
from tests.system.page.driving import (
    Service,
    go,
    hold,
    posts,
    run,
    settle,
    turns,
    until_at_rest,
    until_turning,
)


def test_a_gun_is_paired_and_a_routine_run_paused_and_stopped(page: Page, gun: RunningSimulator) -> None:
    expect(page.get_by_role("link", name="pair a device")).to_be_visible()
    go(page, "Devices")
    expect(page.locator("#paired")).to_have_text("Nothing is paired yet.")
    page.get_by_role("button", name="Look for devices").click()
    name = page.get_by_label(re.compile("^What to call Elite"))
    expect(name).to_have_value("elite")
    name.fill("legs")
    page.get_by_role("button", name=re.compile("^Pair Elite")).click()
    expect(page.locator("#scan-said")).to_contain_text("Paired legs. It confirms its stop.")
    expect(page.locator("#paired b")).to_have_text("legs")

    run(page, "legs")
    expect(page.locator("#state")).to_have_text("Now")
    until_turning(gun)
    expect(page.locator("#devices-now")).to_contain_text(re.compile(r"asked [1-9]\d* ppm .* reported [1-9]\d* ppm"))
    expect(page.locator("#manner")).to_contain_text("calf")
    shown = page.locator("#map figure.is-shown")
    expect(shown.locator(".is-now")).to_have_attribute("data-region", "calves")
    expect(shown.locator('[data-side="left"] .is-now')).to_have_count(1)
    expect(shown.locator('[data-side="right"] .is-next')).to_have_count(1)
    expect(page.locator("#keep-off")).to_have_text("Keep off: the back of the knee; the shin; the Achilles tendon.")
    expect(page.locator("#words")).to_have_text(re.compile("^(?!.*Keep off.*Keep off)"))
    expect(page.locator("#plan-now rect.work")).to_have_count(2)

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_have_text("Paused, motor off")
    until_at_rest(gun)
    left = page.locator("#count").inner_text()
    page.get_by_role("button", name="Go on").click()
    until_turning(gun)
    expect(page.locator("#count")).not_to_have_text(left)

    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#place")).to_have_text("right calves")
    page.get_by_role("button", name="STOP", exact=True).tap()
    expect(page.locator("#last")).to_contain_text("Stopped by the person")
    assert not turns(gun), "the page says so when everything is at rest"

    go(page, "History")
    expect(page.locator("#history tbody tr")).to_have_count(1)
    expect(page.locator("#history tbody tr")).to_contain_text("two-calves (simulated)")


def test_a_page_that_comes_late_shows_the_whole_plan_of_a_session_that_somebody_else_started(
    browser: Browser, page: Page, service: Service, paired: RunningSimulator
) -> None:
    go(page, "History")
    service.ask("POST", "session", script="calves left 20s 30%; calves right 25s 40%", massager="gun")
    expect(page.locator("#place")).to_have_text("left calves")  # it was looking at something else
    expect(page.locator("#by")).to_contain_text("HTTP at 127.0.0.1")
    until_turning(paired)
    with opened(browser, service.address, size=DESKTOP) as late:
        bars = late.locator("#plan-now rect.work")
        expect(bars).to_have_count(2)
        heights = [float(bar.get_attribute("height") or 0) for bar in bars.all()]
        assert abs(heights[1] / heights[0] - 40 / 30) < 0.05
        expect(late.locator("#plan-now figcaption")).to_contain_text("Left calves, right calves")
        expect(late.locator("#plan-now .here")).to_have_attribute("d", re.compile("^M"))
        expect(late.locator("#map figure:visible")).to_have_count(4)
        late.locator("#stop").click()
        expect(page.locator("#last")).to_contain_text("Stopped by the web page")
    until_at_rest(paired)


def test_what_is_paused_does_not_go_on_by_a_second_tap(page: Page, paired: RunningSimulator) -> None:
    run(page)
    until_turning(paired)
    # The second tap comes when the button has just come to mean the opposite.
    page.evaluate("""() => {
        const button = document.getElementById('pause');
        const tap = () => button.textContent === 'Go on' && button.click();
        new MutationObserver(tap).observe(button, { childList: true });
    }""")
    asked = posts(page)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    settle(page)
    assert asked == ["session/pause"]
    until_at_rest(paired)
    page.get_by_role("button", name="Go on").click()
    until_turning(paired)


def test_one_side_is_held_and_shown(page: Page, paired: RunningSimulator) -> None:
    hold(page, "calves", percent=30, seconds=60, side="left")
    expect(page.locator("#place")).to_have_text("left calves")
    expect(page.locator('#map figure.is-shown [data-side="left"] .is-now')).to_have_count(1)
    expect(page.locator('#map figure.is-shown [data-side="right"] .is-now')).to_have_count(0)
    until_turning(paired)
    page.get_by_role("button", name="Turn the body").click()
    expect(page.locator("#map figure.is-shown figcaption")).to_have_text("left side")
    page.locator("#stop").tap()
    until_at_rest(paired)


def test_what_hurts_stops_the_session(page: Page, paired: RunningSimulator) -> None:
    run(page)
    until_turning(paired)
    page.get_by_role("slider", name="Pain, 0 to 10").fill("8")
    page.get_by_role("button", name="Tell").click()
    until_at_rest(paired)
    expect(page.locator("#idle")).to_be_visible()


def test_tingling_stops_the_session(page: Page, paired: RunningSimulator) -> None:
    run(page)
    until_turning(paired)
    page.get_by_role("button", name="Tingling, numb or shooting pain: stop").tap()
    until_at_rest(paired)
    expect(page.locator("#said")).to_contain_text("Tingling, numbness and shooting pain end a session at once")


def test_it_asks_about_pain_when_that_was_wanted(page: Page, paired: RunningSimulator) -> None:
    go(page, "Start")
    page.get_by_label(re.compile("^A simulated massage gun")).check()
    page.get_by_label(re.compile("^Two calves")).check()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#pain-text")).to_contain_text("before the session")
    expect(page.locator("#pain-scale")).to_have_text("0 is not at all, 10 the worst.")
    expect(page.locator("#state")).to_have_text("Waiting for your answer, motor off")
    page.locator("#pain").fill("2")
    page.get_by_role("button", name="Tell").click()
    expect(page.locator("#pain-text")).to_have_text("How much does it hurt?")
    expect(page.locator("#state")).to_have_text("Now")


def test_a_refusal_is_told_in_words_and_nothing_moves(page: Page, home: Path, paired: RunningSimulator) -> None:
    (home / "limits.toml").write_text(
        'schema = 1\n[regions.calves]\nleave_alone = "sore since Monday"\n', encoding="utf-8"
    )
    go(page, "Start")
    page.get_by_label(re.compile("^gun")).check()
    page.get_by_label(re.compile("^Two calves")).check()
    expect(page.locator("#preview")).to_contain_text(re.compile("It cannot be run like this: .*sore since Monday"))
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    hold(page, "calves", percent=30, seconds=10)
    expect(page.get_by_role("alert")).to_contain_text("sore since Monday")
    expect(page.locator("#hold-region option[value=iliopsoas]")).to_be_disabled()  # it is for hands only
    assert not turns(paired)


def test_the_voice_is_off_until_it_is_wanted_and_remembered(page: Page, paired: RunningSimulator) -> None:
    page.evaluate("""() => {
        window.spoken = [];
        const speak = speechSynthesis.speak.bind(speechSynthesis);
        speechSynthesis.speak = (words) => { window.spoken.push(words.text); speak(words); };
    }""")
    run(page)
    expect(page.locator("#state")).to_have_text("Now")
    assert page.evaluate("spoken") == []
    page.get_by_role("button", name="Say it aloud", pressed=False).click()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#place")).to_have_text("right calves")
    assert any("Right calves" in words for words in page.evaluate("spoken"))
    page.reload()
    expect(page.locator("#place")).to_have_text("right calves")
    expect(page.get_by_role("button", name="Say it aloud", pressed=True)).to_be_visible()
