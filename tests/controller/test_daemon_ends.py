"""How the service ends while a motor turns: by signals, with its terminal, and with a door that hangs."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from controller.exit_codes import Exit
from controller.journal import guardian_log
from controller.service.ownership import find_service
from tests.helpers.flood import door_of
from tests.helpers.motor import is_at_rest, paired_gun, wait_for_motion
from tests.helpers.processes import HANG_S, RunningSimulator, percuss
from tests.helpers.service import LONG, SERVE, service


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


def last_end() -> tuple[str, str]:
    """How the newest session in the history ended, and why."""
    (shown, *_) = json.loads(percuss("history", "list", "--json").stdout)["sessions"]
    return shown["outcome"], shown["reason"]


def test_a_door_that_hangs_ends_the_service_and_the_motor_first(home: Path, gun: RunningSimulator) -> None:
    with service(home) as running:
        door = door_of(running.process.pid)
        running.post("session", LONG)
        wait_for_motion(gun)
        os.kill(door, signal.SIGSTOP)
        assert running.process.wait(HANG_S) == Exit.REFUSED
        assert is_at_rest(gun)
        with pytest.raises(ProcessLookupError):
            os.kill(door, 0)
    assert last_end() == ("stopped", "nobody could be heard over HTTP any more")
    assert not guardian_log.log_path().exists(), "a guardian had to stop the motor"
    talk = "".join(running.talk)
    assert "the process that serves HTTP hangs and is killed" in talk
    assert "did not answer and was killed" in talk
    assert "Traceback" not in talk
    with service(home) as again:
        assert again.client.get("/api/v1/session").json()["session"] is None


def test_a_service_that_is_frozen_is_not_said_to_be_well(home: Path) -> None:
    with service(home) as running, httpx.Client(base_url=running.url, timeout=HANG_S) as asked:
        assert asked.get("/api/v1/health").json()["ok"]
        os.kill(running.process.pid, signal.SIGSTOP)
        while (frozen := asked.get("/api/v1/health")).status_code == 200:
            time.sleep(0.1)
        assert (frozen.status_code, frozen.json()["title"]) == (503, "Service Unavailable")
        os.kill(running.process.pid, signal.SIGCONT)
        while asked.get("/api/v1/health").status_code != 200:
            time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP])
def test_what_a_terminal_sends_ends_it_in_order(home: Path, gun: RunningSimulator, number: signal.Signals) -> None:
    with service(home) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        assert running.end(number) == 0
        assert is_at_rest(gun)
    assert last_end() == ("stopped", "the service ended")
    assert not guardian_log.log_path().exists(), "a guardian had to stop the motor"


def test_a_terminal_that_is_closed_ends_it_in_order(home: Path, gun: RunningSimulator) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(SERVE[0], list(SERVE))
    said = b""
    while b"The page:" not in said:
        said += os.read(terminal, 65536)
    found = find_service()
    assert found is not None
    assert found.pid == child
    headers = {"Authorization": f"Bearer {(home / 'service-token').read_text().strip()}"}
    started = httpx.post(f"{found.url}/api/v1/session", json=LONG, headers=headers, timeout=HANG_S)
    assert started.status_code == 201
    wait_for_motion(gun)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert is_at_rest(gun)
    assert last_end() == ("stopped", "the service ended")
    assert not guardian_log.log_path().exists(), "a guardian had to stop the motor"


def test_with_nohup_it_outlives_its_terminal(home: Path) -> None:
    with service(home, command=("nohup", *SERVE)) as running:
        running.process.send_signal(signal.SIGHUP)
        for _ in range(10):
            assert running.client.get("/api/v1/health").status_code == 200
        assert running.process.poll() is None
        assert running.end(signal.SIGTERM) == 0
    with suppress(FileNotFoundError):
        Path("nohup.out").unlink()
