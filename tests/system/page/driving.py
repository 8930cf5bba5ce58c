"""What the tests of the page do with it: what a person does, and what the motor did."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable
from time import sleep
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from controller.service.token import read_token
from routines.screening import questions
from tests.helpers.processes import HANG_S, RunningSimulator

VIEWS = ("Now", "Start", "Devices", "You", "History")

expect.set_options(timeout=60_000)  # a hang becomes a failure; nothing here measures time


class Service:
    """`percuss serve` as a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, said or (process.stderr and process.stderr.read())
        self.port = int(found[1])

    @property
    def address(self) -> str:
        """What a person is given: with the token."""
        return address(self.port)

    def ask(self, method: str, path: str, **body: object) -> Any:
        """What another program than the page asks for."""
        headers = {"Authorization": f"Bearer {read_token()}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=HANG_S) as answer:
            return json.loads(answer.read())


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/#token={read_token()}"


def go(page: Page, view: str) -> None:
    page.get_by_role("link", name=view, exact=True).click()


def choose(page: Page, device: str = "gun") -> None:
    """Choose the device and the routine on the page."""
    go(page, "Start")
    page.get_by_label(re.compile(f"^{device}")).check()
    page.get_by_label(re.compile("^Two calves")).check()
    page.get_by_label("Ask how much it hurts").uncheck()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


def run(page: Page, device: str = "gun") -> None:
    """Start the routine from the page, and wait until the session is shown."""
    choose(page, device)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#place")).to_have_text("left calves")


def hold(page: Page, region: str, *, percent: int, seconds: int, side: str = "both") -> None:
    go(page, "Start")
    page.get_by_label(re.compile("^gun")).check()
    page.get_by_text("Hold one strength at one place").click()
    page.get_by_label("Place", exact=True).select_option(region)
    page.get_by_label("Side", exact=True).select_option(label=side)
    page.get_by_label("Strength, % of full").fill(str(percent))
    page.get_by_label("Seconds").fill(str(seconds))
    page.get_by_role("button", name="Hold", exact=True).click()


def answer_no_to_everything(page: Page) -> None:
    no = page.get_by_label("No", exact=True)
    expect(no).to_have_count(len(questions()))
    for answer in no.all():
        answer.check()


def keep_answers(page: Page) -> None:
    page.get_by_role("button", name="Keep these answers").click()


def leave(page: Page) -> None:
    """Let the page be where nobody looks at it: behind another one, or on a phone that sleeps."""
    _turn(page, is_hidden=True)


def come_back(page: Page) -> None:
    _turn(page, is_hidden=False)


def _turn(page: Page, *, is_hidden: bool) -> None:
    page.evaluate(
        """(isHidden) => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        is_hidden,
    )


def posts(page: Page) -> list[str]:
    """A list that the paths of all that the page will ask to be done are added to."""
    found: list[str] = []

    def hear(request: Request) -> None:
        if request.method == "POST":
            found.append(request.url.partition("/api/v1/")[2])

    page.on("request", hear)
    return found


def settle(page: Page) -> None:
    """Wait until all that the page has asked for so far has been heard of."""
    page.evaluate("fetch('/api/v1/health').then((answer) => answer.text())")


def tab_to(page: Page, there: Locator) -> None:
    """Go there as somebody without a mouse does."""
    for _ in range(200):
        if there.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way there by the keyboard: {there}")


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(int(HANG_S / 0.05)):
        if is_so():
            return
        sleep(0.05)
    raise AssertionError("it did not come to be")


def turns(gun: RunningSimulator) -> bool:
    return bool(gun.recorded("motor")) and float(gun.recorded("motor")[-1]["ppm"]) > 0


def until_turning(gun: RunningSimulator) -> None:
    until(lambda: turns(gun))


def until_at_rest(gun: RunningSimulator) -> None:
    until(lambda: not turns(gun))
