"""The service is killed in mid-session, whoever started it: its guardian stops the motor, and everybody is told."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from controller.service.token import read_token
from tests.helpers.broker import Client, Heard, broker, client
from tests.helpers.browser import chromium, opened
from tests.helpers.processes import HANG_S, percuss, simulator, started
from tests.helpers.service import Service, service
from tests.system.left_running import PROFILES, Motor, assert_stopped_in_time

ROUTINE = """
schema = 1
name = "two-hamstrings"
title = "Two hamstrings"
description = "For a test."

[[steps]]
region = "hamstrings"
side = "left"
duration = "60s"
move = "1s"

[[steps]]
region = "hamstrings"
side = "right"
duration = "60s"
move = "1s"
"""
GUARDIAN_STOPPED = {
    "serial": "the guardian sent Stop to it; it cannot say whether it stopped, so look at it",
    "BLE": "the guardian stopped it (confirmed)",
}
LOST = (
    "The page has lost the service. If the service is gone, its guardian stops the motor; if only this page is cut "
    "off, the massage goes on: use the device's own button."
)

expect.set_options(timeout=60_000)  # a hang becomes a failure; nothing here measures time


@dataclass(frozen=True, slots=True)
class Doors:
    """The service, and what leads to it: its page in a browser, the port of the broker, and terminals."""

    service: Service
    page: Page
    broker_port: int
    terminals: ExitStack

    def over_mqtt(self, talk: Callable[[Client], Awaitable[None]]) -> None:
        """Talk to the broker; in a thread, because the browser's driver keeps this one's event loop."""

        async def connect() -> None:
            async with client(self.broker_port) as person:
                await talk(person)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, connect()).result()

    def until_available(self, said: bytes) -> None:
        """Wait for what the broker keeps to say whether the service is there."""

        def is_it(heard: Heard) -> bool:
            return heard.topic.endswith("/availability") and heard.payload == said

        async def hear(person: Client) -> None:
            await person.until(is_it)

        self.over_mqtt(hear)

    def until_problem(self, said: str) -> None:
        """Wait for the state to say what a person should look at."""

        async def hear(person: Client) -> None:
            await person.state(lambda state: state["problem"] == said)

        self.over_mqtt(hear)


def start_by_http(doors: Doors) -> str:
    doors.service.post("session", {"routine": "two-hamstrings", "massager": "gun"})
    return "HTTP at 127.0.0.1"


def start_by_mqtt(doors: Doors) -> str:
    async def ask(person: Client) -> None:
        answer = await person.insist("start", routine="two-hamstrings", massager="gun")
        assert answer["ok"], answer

    doors.over_mqtt(ask)
    return "a message over MQTT"


def start_by_page(doors: Doors) -> str:
    page = doors.page
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_label(re.compile("^gun")).check()
    page.get_by_label(re.compile("^Two hamstrings")).check()
    page.get_by_label("Ask how much it hurts").uncheck()
    page.get_by_role("button", name="Start", exact=True).click()
    return "the web page at 127.0.0.1"


def start_by_command_line(doors: Doors) -> str:
    doors.terminals.enter_context(started("run", "two-hamstrings", "--on", "gun"))
    return "the command line"


STARTS: dict[str, Callable[[Doors], str]] = {
    "HTTP": start_by_http,
    "MQTT": start_by_mqtt,
    "page": start_by_page,
    "command line": start_by_command_line,
}
"""How a session is started by each door; each gives what the service calls whoever started it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def motor(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Iterator[Motor]:
    """The motor of a simulator on that link, which is paired as ``gun``."""
    (home / "routines").mkdir()
    (home / "routines" / "two-hamstrings.toml").write_text(ROUTINE, encoding="utf-8")
    profile = PROFILES[request.param]
    with simulator(tmp_path, profile) as device:
        paired = percuss("pair", device.url, "--profile", profile, "--as", "gun")
        assert paired.returncode == 0, paired.stderr
        yield Motor(request.param, device)


@pytest.fixture
def doors(home: Path, tmp_path: Path, browser: Browser, motor: Motor) -> Iterator[Doors]:
    with (
        broker(tmp_path / "broker") as running,
        service(home, PERCUSS_MQTT__HOST="127.0.0.1", PERCUSS_MQTT__PORT=str(running.port)) as serving,
        opened(browser, f"{serving.url}/#token={read_token()}") as page,
        ExitStack() as terminals,
    ):
        made = Doors(serving, page, running.port, terminals)
        made.until_available(b"online")
        yield made


def until_logged(talk: list[str], words: str) -> None:
    """Wait for a line of the log. Time only bounds a hang."""
    deadline_s = time.monotonic() + HANG_S
    while not any(words in line for line in talk):
        assert time.monotonic() < deadline_s, talk
        time.sleep(0.02)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("motor", "link"), [(link, link) for link in PROFILES], indirect=["motor"], ids=PROFILES)
def test_a_killed_service_leaves_no_motor_running_and_everybody_is_told(
    home: Path, doors: Doors, motor: Motor, start: str, link: str
) -> None:
    by = STARTS[start](doors)
    motor.wait_until_it_turns()
    expect(doors.page.locator("#by")).to_have_text(f"two-hamstrings, started by {by}")

    since_s = time.monotonic()
    assert doors.service.end(signal.SIGKILL) == -signal.SIGKILL
    assert_stopped_in_time("kill", link, *motor.watch(since_s))
    until_logged(doors.service.talk, "percuss ended without stopping its devices")
    doors.until_available(b"offline")
    expect(doors.page.locator("#connection")).to_have_text("NO CONNECTION")
    expect(doors.page.get_by_role("alert")).to_have_text(LOST)

    environment = {"PERCUSS_MQTT__HOST": "127.0.0.1", "PERCUSS_MQTT__PORT": str(doors.broker_port)}
    with service(home, "--port", doors.service.url.rsplit(":", 1)[1], **environment) as again:
        found = again.until("left_over")["data"]
        assert (found["routine"], found["stops"]) == ("two-hamstrings", {"gun": GUARDIAN_STOPPED[link]})
        until_logged(again.talk, f"session two-hamstrings was cut off. gun: {GUARDIAN_STOPPED[link]}")
        alert = doors.page.get_by_role("alert")
        told = f"Session two-hamstrings was cut off. gun: {GUARDIAN_STOPPED[link]}."
        expect(alert).to_have_text(told)
        expect(doors.page.locator("#connection")).to_have_text("connected")
        doors.until_problem(told)
        assert again.client.get("/api/v1/session").json()["problem"] == told
        doors.until_available(b"online")
        assert motor.is_at_rest()
