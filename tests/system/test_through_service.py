"""The command line while a service runs: the paired devices are the service's, and everything looks as without one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.station import LEFT_ALONE
from tests.helpers.certificates import self_signed
from tests.helpers.motor import is_at_rest, paired_gun, wait_for_motion, wait_for_rest
from tests.helpers.processes import HANG_S, RunningSimulator, percuss, simulator, started
from tests.helpers.service import service
from tests.helpers.terminal import in_terminal

SPEED = "20"
PING_S = 15
"""How often a stream of events says something only to stay open."""
SHORT = "calves:left gentle 30s; rest 5s; calves:right gentle 30s"
LONG = "calves:each gentle 60s; hamstrings:each gentle 60s; quadriceps:each gentle 60s"
MEASURED = {"mono_s", "elapsed_s"}
COUNTED = re.compile(r"^[321 ]*$|^Half-way\.$")


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


@contextmanager
def running(script: str = LONG) -> Iterator[subprocess.Popen[str]]:
    """A session from the command line, whose motor turns."""
    with started("run", "--script", script, "--on", "gun", "--speed", SPEED, "--json") as terminal:
        until(terminal, "level_asked")
        yield terminal


def until(terminal: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    assert terminal.stdout is not None
    for line in terminal.stdout:
        told: dict[str, Any] = json.loads(line)
        if told["event"] == kind and told.get("level") != 0:
            return told
    assert terminal.stderr is not None
    raise AssertionError(f"there was no {kind}: {terminal.stderr.read()}")


def told(terminal: subprocess.Popen[str]) -> str:
    assert terminal.stderr is not None
    return terminal.stderr.read()


def planned(stdout: str) -> list[dict[str, Any]]:
    """The events without what is measured, and without what the device says in between."""
    events = [json.loads(line) for line in stdout.splitlines()]
    return [
        {key: value for key, value in event.items() if key not in MEASURED}
        for event in events
        if event["event"] not in {"device_reported", "device_stopped"}
    ]


def words(stderr: str) -> list[str]:
    """What a person reads, without the counting, which depends on how busy the computer is."""
    return [line for line in stderr.splitlines() if not COUNTED.match(line)]


@pytest.mark.usefixtures("gun")
def test_run_says_the_same_through_the_service(home: Path) -> None:
    script = ("run", "--script", SHORT, "--on", "gun", "--speed", SPEED)
    events, lines = percuss(*script, "--json"), percuss(*script)
    with service(home) as serving:
        events_again, lines_again = percuss(*script, "--json"), percuss(*script)
        assert not [line for line in serving.talk if "renew" in line]
        assert serving.client.get("/api/v1/session").json()["session"] is None
    assert [each.returncode for each in (events, lines, events_again, lines_again)] == [0, 0, 0, 0]
    assert planned(events_again.stdout) == planned(events.stdout)
    assert planned(events.stdout)[-1]["outcome"] == "done"
    assert words(lines_again.stderr) == words(lines.stderr)
    assert "connecting to gun" in lines.stderr
    history = json.loads(percuss("history", "list", "--json").stdout)["sessions"]
    assert [each["outcome"] for each in history] == ["done"] * 4


@pytest.mark.usefixtures("gun")
def test_a_session_outlasts_what_keeps_the_stream_open(home: Path) -> None:
    with service(home):
        held = percuss("set", "gun", "20%", "--for", f"{PING_S + 2}s", "--region", "calves")
    assert held.returncode == 0, held.stderr


@pytest.mark.usefixtures("gun")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("set", "gun", "40%", "--for", "3s", "--region", "calves"), 0),
        (("set", "gun", "100%", "--for", "2s", "--region", "calves"), 4),
        (("run", "--script", "calves:left gentle 3m", "--on", "gun"), 4),
        (("run", "--script", "calves:left gentle 20s", "--on", "gun", "--pain", "9"), 3),
        (("run", "short-break", "--on", "massager=gun", "--on", "timer=gun"), 4),
        (("devices",), 0),
        (("devices", "--json"), 0),
    ],
)
def test_what_is_refused_and_what_is_listed_is_the_same_too(home: Path, command: tuple[str, ...], code: int) -> None:
    here = percuss(*command)
    with service(home):
        there = percuss(*command)
    assert (there.returncode, there.stdout, words(there.stderr)) == (code, here.stdout, words(here.stderr))
    assert here.returncode == code


def test_a_file_that_only_the_command_line_can_read_is_run(home: Path, gun: RunningSimulator, tmp_path: Path) -> None:
    text = 'schema = 1\nname = "mine"\ntitle = "Mine"\n[[steps]]\nregion = "calves"\nside = "left"\nduration = "20s"\n'
    with service(home) as serving:
        ran = percuss("run", "-", "--on", "gun", "--speed", SPEED, "--json", typed=text)
        assert ran.returncode == 0, ran.stderr
        assert planned(ran.stdout)[0]["routine"] == "mine"
        assert serving.until("session_started")["data"]["routine"] == "mine"
        too_long = percuss("run", "-", "--on", "gun", "--speed", SPEED, typed=text + 'region = "elbow"\n')
        assert too_long.returncode == 8
        assert "stdin" in too_long.stderr
    assert is_at_rest(gun)


@pytest.mark.usefixtures("gun")
def test_a_session_of_the_terminal_is_seen_and_steered_at_the_other_doors(home: Path) -> None:
    with service(home) as serving, running() as terminal:
        session = serving.client.get("/api/v1/session").json()["session"]
        assert (session["by"], session["routine"]) == ("the command line", "script")
        second = percuss("run", "--script", LONG, "--on", "gun", "--speed", SPEED)
        assert second.returncode == 4
        assert "a session runs already, started by the command line" in second.stderr
        serving.post("session/pause")
        until(terminal, "session_paused")
        serving.post("session/resume")
        until(terminal, "session_resumed")
        serving.post("session/stop")
        assert until(terminal, "session_ended")["reason"].startswith("stopped by HTTP at 127.0.0.1")
        assert terminal.wait(HANG_S) == 3


def test_keys_reach_the_service(home: Path, gun: RunningSimulator) -> None:
    with (
        service(home),
        in_terminal("run", "--script", LONG, "--on", "gun") as terminal,
    ):
        terminal.wait_shown("NOW left calves", "reported 1600 ppm")
        terminal.press(" ")
        terminal.wait_shown("PAUSED", "reported at rest")
        terminal.press("e")
        terminal.wait_shown("15 s more here.")
        terminal.press(" ")
        terminal.wait_shown("Going on, from rest.")
        terminal.wait_shown("reported 1600 ppm")
        terminal.press("3")
        terminal.wait_shown("Pain 3 of 10.")
        terminal.press("s")
        terminal.wait_shown("MOVE TO")
        terminal.press("t")
        assert terminal.end() == 3
        assert "tingling" in terminal.written
    assert is_at_rest(gun)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_session_and_not_the_service(home: Path, gun: RunningSimulator, number: int) -> None:
    with service(home) as serving, running() as terminal:
        wait_for_motion(gun)
        terminal.send_signal(number)
        assert until(terminal, "session_ended")["outcome"] == "stopped"
        assert terminal.wait(HANG_S) == 3
        assert is_at_rest(gun)
        assert serving.client.get("/api/v1/session").json()["session"] is None


@pytest.mark.parametrize("deed", [signal.SIGKILL, signal.SIGSTOP])
def test_a_terminal_that_dies_takes_its_session_with_it(home: Path, gun: RunningSimulator, deed: int) -> None:
    with service(home) as serving, running() as terminal:
        wait_for_motion(gun)
        terminal.send_signal(deed)
        wait_for_rest(gun)
        ended = serving.until("session_ended")["data"]
        assert (ended["outcome"], ended["reason"]) == ("stopped", LEFT_ALONE)


@pytest.mark.parametrize("deed", [signal.SIGKILL, signal.SIGTERM])
def test_a_service_that_ends_is_told_in_the_terminal(home: Path, gun: RunningSimulator, deed: int) -> None:
    with service(home) as serving, running() as terminal:
        wait_for_motion(gun)
        serving.end(deed)
        code, said = terminal.wait(HANG_S), told(terminal)
        wait_for_rest(gun)
    if deed == signal.SIGKILL:
        assert code == 6
        assert "has ended, or does not answer" in said
        assert "stopped by its guardian" in said
    else:
        assert code == 3
    assert "Traceback" not in said


def test_stop_ends_a_session_of_the_service_and_not_the_service(home: Path, gun: RunningSimulator) -> None:
    with service(home) as serving:
        serving.post("session", {"script": LONG, "massager": "gun", "speed": 20})
        wait_for_motion(gun)
        stopped = percuss("stop", "gun")
        assert (stopped.returncode, stopped.stdout) == (0, "gun: stopped\n")
        assert is_at_rest(gun)
        assert "another process asked for it" in serving.until("session_ended")["data"]["reason"]
        assert serving.process.poll() is None


def test_the_emergency_stop_of_the_command_line_holds_in_the_service(home: Path, gun: RunningSimulator) -> None:
    with service(home) as serving:
        serving.post("session", {"script": LONG, "massager": "gun", "speed": 20})
        wait_for_motion(gun)
        assert percuss("stop", "--all").returncode == 0
        assert is_at_rest(gun)
        refused = serving.client.post("/api/v1/session", json={"script": LONG, "massager": "gun", "speed": 20})
        assert (refused.status_code, refused.json()["type"]) == (409, "refused")
        assert percuss("run", "--script", LONG, "--on", "gun").returncode == 4
        assert percuss("clear").returncode == 0
        serving.post("session", {"script": LONG, "massager": "gun", "speed": 20})
        assert percuss("stop", "gun").returncode == 0


def test_nobody_takes_a_paired_device_past_the_service(home: Path, gun: RunningSimulator) -> None:
    program = [
        sys.executable,
        "-m",
        "tests.helpers.api_program",
        "abandon",
        "run",
        "deep-tissue",
        "--on",
        "gun",
        "--speed",
        SPEED,
    ]
    with service(home) as serving:
        owner = f"is owned by the service (process {serving.process.pid})"
        mixed = percuss("run", "--script", LONG, "--on", "gun", "--sim", "timer=gymnext-flex", "--speed", SPEED)
        assert (mixed.returncode, owner in mixed.stderr) == (5, True)
        direct = subprocess.run(program, capture_output=True, text=True, timeout=HANG_S, check=False)
        assert owner in direct.stderr
    assert not any(each["ppm"] for each in gun.recorded("motor"))


def test_no_other_command_takes_a_device_from_the_service(home: Path, gun: RunningSimulator, tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8") as pad, service(home) as serving:
        before = gun.recorded("rx")
        for command in (
            ("pair", pad.url, "--profile", "nlr-hf8", "--as", "gun"),
            ("pair", gun.url, "--profile", "theragun-gen4", "--as", "mine"),
            ("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun"),
            ("probe", gun.url),
            ("sniff", "gun", "--capture", str(tmp_path / "capture.jsonl")),
        ):
            refused = percuss(*command)
            assert refused.returncode == 5, (command, refused.stderr)
            assert f"gun: is owned by the service (process {serving.process.pid})" in refused.stderr
        assert gun.recorded("rx") == before, "nobody said a word to it"
        assert percuss("forget", "gun").returncode == 0
        assert serving.until("forgotten")["data"] == {"device": "gun"}
        assert percuss("forget", "gun").returncode == 5


@pytest.mark.usefixtures("gun")
def test_what_needs_no_paired_device_runs_in_the_terminal(home: Path) -> None:
    with service(home) as serving:
        by_hand = percuss("run", "--script", "stretch 1s", "--no-device", "--json")
        assert by_hand.returncode == 0, by_hand.stderr
        simulated = percuss("run", "--script", SHORT, "--sim", "theragun-gen4", "--speed", "60")
        assert simulated.returncode == 0, simulated.stderr
        assert "motor at the end: stopped" in simulated.stdout
        assert not [line for line in serving.talk if "POST" in line]


@pytest.mark.usefixtures("gun")
def test_it_is_reached_by_tls_with_its_own_certificate_only(home: Path, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    environment = {"PERCUSS_HTTP__TLS_CERT": str(cert), "PERCUSS_HTTP__TLS_KEY": str(key)}
    other, _ = self_signed(tmp_path / "other")
    with service(home, verify=False, **environment):
        listed = percuss("devices", "--json")
        assert (listed.returncode, list(json.loads(listed.stdout))) == (0, ["gun"])
        said = json.loads((home / "service.json").read_text())
        (home / "service.json").write_text(json.dumps({**said, "tls_cert": str(other)}))
        assert percuss("devices").returncode == 6


def test_a_service_without_its_token_is_said(home: Path) -> None:
    with service(home):
        (home / "service-token").unlink()
        refused = percuss("devices")
        assert refused.returncode == 4
        assert "token is not there" in refused.stderr


def test_a_service_that_never_listens_is_said(home: Path) -> None:
    with service(home) as serving:
        (home / "service.json").unlink()
        refused = percuss("devices")
        assert refused.returncode == 4
        assert f"the service (process {serving.process.pid}) does not listen." in refused.stderr


def test_a_frozen_service_does_not_keep_stop_from_stopping(home: Path, gun: RunningSimulator) -> None:
    with service(home) as serving:
        serving.post("session", {"script": LONG, "massager": "gun", "speed": 20})
        wait_for_motion(gun)
        os.kill(serving.process.pid, signal.SIGSTOP)
        stopped = percuss("stop", "gun")
        assert (stopped.returncode, stopped.stdout) == (0, "gun: stopped\n")
        assert is_at_rest(gun)


@pytest.mark.usefixtures("gun")
def test_a_capture_needs_the_link_which_is_the_services(home: Path, tmp_path: Path) -> None:
    with service(home) as serving:
        refused = percuss("set", "gun", "20%", "--for", "2s", "--region", "calves", "--capture", str(tmp_path / "c"))
        assert refused.returncode == 4
        assert f"the service (process {serving.process.pid}) has the link" in refused.stderr


def test_the_address_of_the_page_is_shown_again(home: Path) -> None:
    assert percuss("serve", "--show").returncode == 5
    with service(home) as serving:
        assert percuss("serve", "--show").stdout.startswith(f"percuss serves {serving.url}; its token is in ")
        with in_terminal("serve", "--show") as terminal:
            assert terminal.end() == 0
            assert f"{serving.url}/#token={(home / 'service-token').read_text().strip()}" in terminal.written
        found = json.loads(percuss("doctor", "--json").stdout)["findings"]
        seen = next(each["seen"] for each in found if each["topic"] == "service")
        assert f"process {serving.process.pid} serves {serving.url}" in seen


@pytest.mark.usefixtures("gun")
def test_the_log_says_who_started_what_and_that_the_motor_is_at_rest(home: Path) -> None:
    with service(home) as serving:
        assert percuss("run", "--script", "calves:left gentle 5s", "--on", "gun", "--speed", SPEED).returncode == 0
        assert serving.end(signal.SIGTERM) == 0
        said = [line.partition("percuss.session: ")[2].strip() for line in serving.talk if "percuss.session" in line]
    assert said == [
        "session 1: asked for by the command line",
        "session 1: script on gun",
        "session 1: gun: stop confirmed",
        "session 1: ended, done",
    ]
