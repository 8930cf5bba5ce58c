"""The service and real simulators, each a process of its own: signals, kill -9, restarts, TLS."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.certificates import self_signed
from tests.helpers.motor import SPEED, is_at_rest, paired_gun, wait_for_motion
from tests.helpers.processes import HANG_S, RunningSimulator, percuss, simulator
from tests.helpers.service import LONG, service
from tests.system.left_running import Motor, assert_stopped_in_time


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_motor_and_then_the_service(home: Path, gun: RunningSimulator, number: int) -> None:
    with service(home) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        assert running.end(number) == 0
        assert is_at_rest(gun)
        talk = "".join(running.talk)
        assert "the service has ended" in talk
        assert "Traceback" not in talk
    shown = json.loads(percuss("history", "list", "--json").stdout)["sessions"]
    assert (shown[0]["outcome"], shown[0]["reason"]) == ("stopped", "the service ended")


def test_a_killed_service_leaves_no_motor_running_and_the_next_one_says_what_it_found(
    home: Path, gun: RunningSimulator
) -> None:
    with service(home) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        since_s = time.monotonic()
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        assert_stopped_in_time("kill", "BLE", *Motor("BLE", gun).watch(since_s))  # by the guardian
    with service(home) as again:
        found = again.until("left_over")["data"]
        assert (found["routine"], found["stops"]) == ("script", {"gun": "the guardian stopped it (confirmed)"})
        assert any("was cut off" in line for line in again.talk)
        again.post("session", LONG)  # and everything can go on
        assert again.post("session/stop")["ended"]["outcome"] == "stopped"
    assert is_at_rest(gun)


def test_a_frozen_service_is_ended_by_the_guardian_and_the_motor_stops(home: Path, gun: RunningSimulator) -> None:
    with service(home) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        since_s = time.monotonic()
        running.process.send_signal(signal.SIGSTOP)
        assert_stopped_in_time("freeze", "BLE", *Motor("BLE", gun).watch(since_s))
        assert running.process.wait(HANG_S) == -signal.SIGKILL


def test_a_second_service_is_refused_with_the_process_of_the_first(home: Path) -> None:
    with service(home) as running:
        second = percuss("serve", "--port", "0")
        assert second.returncode == 5
        assert f"the service: runs already (process {running.process.pid})." in second.stderr
        assert running.client.get("/api/v1/health").status_code == 200


def test_another_command_does_not_take_a_device_from_the_service(home: Path, gun: RunningSimulator) -> None:
    with service(home) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        forgotten = percuss("forget", "gun")
        assert forgotten.returncode == 5
        assert str(running.process.pid) in forgotten.stderr


def test_settings_that_are_wrong_are_all_told_before_anything_starts(home: Path) -> None:
    (home / "service.toml").write_text("[http]\nport = 0\nprt = 1\n[log]\nlevel = 3\n")
    refused = percuss("serve")
    assert refused.returncode == 8
    assert "the settings of the service: 2 things are wrong:" in refused.stderr
    assert "service.toml:3: http.prt: is not a key here. Did you mean 'port'?" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (home / "service-token").exists()


def test_an_address_that_is_none_is_refused() -> None:
    refused = percuss("serve", "--host", "a b")
    assert (refused.returncode, "is no address of a computer" in refused.stderr) == (2, True)


def test_it_logs_json_lines_when_asked_to(home: Path) -> None:
    with service(home, PERCUSS_LOG__FORMAT="json") as running:
        assert httpx.get(f"{running.url}/api/v1/session").status_code == 401
        assert running.end(signal.SIGTERM) == 0
    told = [json.loads(line) for line in running.talk]
    assert [each["message"] for each in told if each["level"] == "warning"] == [
        "refused: no token, from 127.0.0.1, GET /api/v1/session"
    ]


def test_tls_by_files(home: Path, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    environment = {"PERCUSS_HTTP__TLS_CERT": str(cert), "PERCUSS_HTTP__TLS_KEY": str(key)}
    with service(home, verify=ssl.create_default_context(cafile=str(cert)), **environment) as running:
        assert running.url.startswith("https://127.0.0.1:")
        assert running.client.get("/api/v1/session").status_code == 200
        own = running.client.post("/api/v1/session/stop", headers={"Origin": running.url})
        assert own.status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.url)  # nobody vouches for it
        assert running.end(signal.SIGTERM) == 0


def until_closed(link: socket.socket, *, drip: bytes = b"") -> None:
    """Until the other side ends a connection, while a byte is said now and then; this side never ends it."""
    link.settimeout(0.5)
    deadline_s = time.monotonic() + HANG_S
    said = itertools.cycle(drip or b"\0")
    while time.monotonic() < deadline_s:
        try:
            if drip:
                link.sendall(bytes([next(said)]))
            assert link.recv(4096) == b"", "nothing was asked, and nothing is answered"
        except TimeoutError:
            continue
        except OSError:  # it was reset, or closed while this side still talked
            return
        else:
            return
    raise AssertionError("the service has left it open")


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x01\x02\x00\x01"])
@pytest.mark.parametrize("drip", [b"", b"\0"])
def test_who_never_agrees_on_tls_is_cut_off(home: Path, tmp_path: Path, greeting: bytes, drip: bytes) -> None:
    cert, key = self_signed(tmp_path)
    environment = {"PERCUSS_HTTP__TLS_CERT": str(cert), "PERCUSS_HTTP__TLS_KEY": str(key)}
    with service(home, verify=ssl.create_default_context(cafile=str(cert)), **environment) as running:
        address = ("127.0.0.1", httpx.URL(running.url).port or 0)
        with socket.create_connection(address, timeout=HANG_S) as link:
            link.sendall(greeting)
            until_closed(link, drip=drip if greeting else b"")
        assert running.client.get("/api/v1/session").status_code == 200


@pytest.mark.parametrize("head", [b"", b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_who_never_says_what_it_wants_over_tls_is_cut_off(home: Path, tmp_path: Path, head: bytes) -> None:
    cert, key = self_signed(tmp_path)
    environment = {"PERCUSS_HTTP__TLS_CERT": str(cert), "PERCUSS_HTTP__TLS_KEY": str(key)}
    context = ssl.create_default_context(cafile=str(cert))
    with service(home, verify=context, **environment) as running:
        address = ("127.0.0.1", httpx.URL(running.url).port or 0)
        with (
            socket.create_connection(address, timeout=HANG_S) as bare,
            context.wrap_socket(bare, server_hostname="127.0.0.1") as link,
        ):
            link.sendall(head)
            until_closed(link, drip=b"x" if head else b"")
        assert running.client.get("/api/v1/session").status_code == 200
        assert running.end(signal.SIGTERM) == 0
    assert any("a connection that did not say what it wants" in line for line in running.talk)


def test_a_device_that_goes_and_comes_back_is_driven_again(home: Path, tmp_path: Path) -> None:
    device = ("theragun-gen4", "--speed", str(SPEED), "--address", "F0:F1:C2:00:00:77", "--serial", "ONE")
    with service(home) as running:
        with simulator(tmp_path, *device) as gun:
            assert percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
            port = gun.url.rsplit(":", 1)[1]
            running.post("session", {**LONG, "can_be_resumed": False})
            wait_for_motion(gun)
            gun.process.kill()
            ended = running.until("session_ended")["data"]
            # The link is lost; and what is gone cannot say that it has stopped, which is the louder news.
            assert ended["outcome"] == "stop_unconfirmed"
            assert "gun" in ended["reason"]
            assert "PRESS ITS BUTTON" in ended["reason"]
            running.until("link_lost", device="gun")
            running.until("session_over")
            now = running.client.get("/api/v1/session").json()
            assert (now["session"], now["starting_by"]) == (None, None)
            refused = running.client.post("/api/v1/session", json=LONG)
            assert refused.status_code >= 400, "the device is still gone"
            assert running.process.poll() is None
        back = tmp_path / "back"
        back.mkdir()
        with simulator(back, *device, "--port", port) as gun:
            # First the guardian of the session that was lost stops it, and lets go of it.
            while (answer := running.client.post("/api/v1/session", json=LONG)).status_code == 409:
                time.sleep(0.1)
            assert answer.status_code == 201, answer.text
            number = answer.json()["number"]
            wait_for_motion(gun)
            assert running.post("session/stop")["ended"]["outcome"] == "stopped"
            assert is_at_rest(gun)
            ends = [values for kind, values in some(running.events(), 2, "session_ended")]
            assert [each["data"]["outcome"] for each in ends] == ["stop_unconfirmed", "stopped"]
            assert ends[-1]["session"] == number
        assert running.end(signal.SIGTERM) == 0
        assert "Traceback" not in "".join(running.talk)


def some(events: Iterator[tuple[str, dict[str, Any]]], count: int, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The first so many of a kind."""
    return itertools.islice((each for each in events if each[0] == kind), count)
