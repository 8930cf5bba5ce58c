"""BlueZ keeps the link of a process that died, or it does not; the message bus itself may die. Nothing runs on."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.helpers.fake_bluez_process import RunningBluez, fake_bluez
from tests.helpers.motor import rpm_of
from tests.helpers.private_bus import bus_in, needs_dbus_daemon, private_bus
from tests.helpers.processes import HANG_S, percuss, started, wait_for_event
from tests.system.test_whole_way import OFF

pytestmark = needs_dbus_daemon

HOLD = ("set", "gun", "25%", "--for", "60s", "--region", "hamstrings", "--json")


@pytest.fixture
def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningBluez]:
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with fake_bluez(tmp_path) as running:
            pair(running)
            yield running


def pair(bluez: RunningBluez) -> None:
    done = percuss("pair", f"ble://{bluez.address}", "--profile", "theragun-gen4", "--as", "gun")
    assert done.returncode == 0, done.stderr
    assert percuss("screening", "--none").returncode == 0


def frames(bluez: RunningBluez) -> list[str]:
    return [frame for frame, _ in bluez.received()]


def wait_until(fact: Callable[[], bool]) -> None:
    """Time only bounds a hang."""
    deadline_s = time.monotonic() + HANG_S
    while not fact():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("link", ["stays", "goes"])
def test_the_guardian_stops_over_bluez_whether_the_dead_link_lingers_or_not(
    bluez: RunningBluez, number: signal.Signals, link: str
) -> None:
    with started(*HOLD) as session:
        wait_for_event(session, "level_asked")
        before = len(frames(bluez))
        session.send_signal(number)
        if link == "goes":
            asyncio.run(bluez.do("drop_link"))
        session.wait(HANG_S)
        wait_until(lambda: OFF in frames(bluez)[before:])
        _, errors = session.communicate(timeout=HANG_S)
        assert "It stopped gun; it confirmed that." in errors
    assert not any(rpm_of(frame) for frame in frames(bluez)[before + 1 :]), "nothing drove it after that"


def test_when_the_message_bus_dies_stop_is_the_first_thing_sent_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    arrived: list[str] = []
    code = None
    with tempfile.TemporaryDirectory(prefix="bus-") as folder, ExitStack() as stack:
        first_bus = bus_in(Path(folder))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", first_bus.__enter__())
        # The fake BlueZ that loses its bus ends badly, and that is as it should be.
        stack.enter_context(suppress(AssertionError))
        pair(stack.enter_context(fake_bluez(tmp_path / "before")))
        session = stack.enter_context(started(*HOLD))
        wait_for_event(session, "level_asked")
        first_bus.__exit__(None, None, None)
        # A new bus comes at the same address, with a BlueZ and a device that may still run.
        again = (stack.enter_context(bus_in(Path(folder))), stack.enter_context(fake_bluez(tmp_path / "after")))[1]
        wait_until(lambda: bool(again.received()))
        code = session.wait(HANG_S)
        arrived = frames(again)
    assert arrived[:1] == [OFF]
    assert not any(rpm_of(frame) for frame in arrived)
    assert code == 6
