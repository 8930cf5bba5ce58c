"""The whole way as a new user walks it: every command a process of its own, every simulator another."""

import itertools
import json
import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.motor import is_at_rest, rpm_of
from tests.helpers.processes import HANG_S, PERCUSS, RunningSimulator, percuss, simulator, started, wait_for_event

OFF = "AA 07 01 03 00 00 03"
SHORT = "AA 04 01 03"


def frames(gun: RunningSimulator) -> list[str]:
    return [line["hex"] for line in gun.recorded("rx")]


def cut(running: RunningSimulator, pattern: str) -> list[str]:
    """The frames in a serial stream, which arrives in pieces of any size."""
    return re.findall(pattern, " ".join(frames(running)))


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", "60") as running:
        yield running


def test_scan_pair_and_run_over_virtual_bluetooth(gun: RunningSimulator) -> None:
    found = json.loads(percuss("scan", "--timeout", "2", "--json").stdout)["found"]
    assert [(one["name"], one["profile"], one["simulated"], one["url"]) for one in found if one["profile"]] == [
        ("Elite", "theragun-gen4", True, gun.url)
    ]
    paired = percuss("pair", "--timeout", "2", "--json")
    assert paired.returncode == 0, paired.stderr
    told = json.loads(paired.stdout)
    assert (told["name"], told["identity"]["firmware"], told["stop"]) == ("elite", "2.1.6", "confirmed")
    assert "nobody has seen this profile work" in paired.stderr

    run = percuss("run", "piriformis-release", "--speed", "60", "--json")
    assert run.returncode == 0, run.stderr
    happened = events(run.stdout)
    assert next(one["event"] for one in happened if one["event"].startswith("session")) == "session_started"
    assert happened[-1]["event"] == "session_ended"
    assert happened[-1]["outcome"] == "done"
    assert {"event": "device_stopped", "device": "elite", "proof": "confirmed"}.items() <= next(
        one for one in happened if one["event"] == "device_stopped"
    ).items()
    speeds = [rpm for frame in frames(gun) if (rpm := rpm_of(frame)) is not None]
    # 2100 ppm is the cap of the piriformis; no step up is above 250.
    assert 1000 < max(speeds) <= 2100
    assert all(after - before <= 250 for before, after in itertools.pairwise(speeds))
    assert OFF in frames(gun)
    assert SHORT in frames(gun)
    assert is_at_rest(gun)


def test_a_second_scan_sees_the_device_while_a_session_runs_and_stop_reaches_it(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2").returncode == 0
    with started("run", "piriformis-release", "--speed", "10", "--json") as running:
        assert running.stdout is not None
        wait_for_event(running, "level_asked")
        found = json.loads(percuss("scan", "--timeout", "2", "--json").stdout)["found"]
        assert any(one["url"] == gun.url for one in found)
        assert percuss("stop", "--all").returncode == 0
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=HANG_S)
        assert running.returncode == 3
        assert is_at_rest(gun)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP])
def test_a_signal_stops_the_motor_first(gun: RunningSimulator, number: signal.Signals) -> None:
    assert percuss("pair", "--timeout", "2").returncode == 0
    with started("run", "piriformis-release", "--speed", "10", "--json") as running:
        wait_for_event(running, "level_asked")
        before = len(frames(gun))
        running.send_signal(number)
        output, _ = running.communicate(timeout=HANG_S)
        assert running.returncode == 3
        assert events(output)[-1]["outcome"] == "stopped"
        moving = [frame for frame in frames(gun)[before:] if frame.split()[2:4] == ["01", "03"]]
        # One speed frame may have been on its way when the signal came; then nothing but stops.
        assert OFF in moving[:2]
        assert all(frame in (OFF, SHORT) for frame in moving[1:])
        assert is_at_rest(gun)


def test_ctrl_c_while_connecting_gives_up_without_a_traceback(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        assert percuss("pair", "--timeout", "2").returncode == 0
        gun.control(do="inject", fault="drop_link", for_s=60)
        with started("run", "piriformis-release") as running:
            assert running.stderr is not None
            assert running.stderr.readline().startswith("connecting to elite")
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=HANG_S)
        assert running.returncode == 3, errors
        assert "Traceback" not in errors


def test_a_reader_that_goes_away_stops_the_motor(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2").returncode == 0
    with started("run", "piriformis-release", "--speed", "10", "--json") as running:
        wait_for_event(running, "level_asked")
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(HANG_S) == 3
        assert is_at_rest(gun)


def test_a_closed_terminal_stops_the_motor(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2").returncode == 0
    child, terminal = pty.fork()
    if child == 0:
        os.execv(PERCUSS[0], [*PERCUSS, "run", "piriformis-release", "--speed", "10"])
    wait_until(lambda: any((rpm_of(frame) or 0) > 0 for frame in frames(gun)), terminal)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert is_at_rest(gun)


def test_keys_pause_and_stop_in_a_real_terminal(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2").returncode == 0
    child, terminal = pty.fork()
    if child == 0:
        os.execv(PERCUSS[0], [*PERCUSS, "run", "piriformis-release", "--speed", "10"])
    wait_until(lambda: any((rpm_of(frame) or 0) > 0 for frame in frames(gun)), terminal)
    os.write(terminal, b" ")
    screen = wait_until(lambda: frames(gun)[-1] in (OFF, SHORT, "AA 10 10 00") and is_at_rest(gun), terminal)
    count = len([frame for frame in frames(gun) if rpm_of(frame)])
    os.write(terminal, b" ")
    screen += wait_until(lambda: len([frame for frame in frames(gun) if rpm_of(frame)]) > count, terminal)
    os.write(terminal, b"q")
    screen += read_to_the_end(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert is_at_rest(gun)
    text = screen.decode(errors="replace")
    for shown in ("left piriformis", "space pause", "Paused", "asked", "reported", "Stopped."):
        assert shown in text, shown


@pytest.mark.parametrize("link", ["--pty", "--tcp"])
def test_the_seat_pad_runs_its_zones_over_serial(tmp_path: Path, link: str) -> None:
    with simulator(tmp_path, "nlr-hf8", link, "--speed", "240") as pad:
        found = json.loads(percuss("scan", "--timeout", "0.2", "--json").stdout)["found"]
        assert (pad.url, "nlr-hf8") in [(one["url"], one["profile"]) for one in found]
        paired = percuss("pair", pad.url, "--profile", "nlr-hf8", "--as", "pad")
        assert paired.returncode == 0, paired.stderr
        assert "cannot say whether it stopped" in paired.stderr
        run = percuss("run", "sciatica-relief", "--on", "pad", "--speed", "240", "--json")
        assert run.returncode == 0, run.stderr
        zones = {frame.split()[1] for frame in cut(pad, "4D [0-9A-F ]+? 0D") if not frame.endswith(" 30 0D")}
        # 30 … 35: thighs, buttocks and back. The shoulders (36, 37) have no part in this routine.
        assert zones == {"30", "31", "32", "33", "34", "35"}
        by_hand = [one for one in events(run.stdout) if one["event"] == "span_started" and one["region"] == "calves"]
        assert by_hand
        assert not any(one["is_driven"] for one in by_hand)
        assert is_at_rest(pad)


def test_a_relay_is_a_cue_and_a_switch(tmp_path: Path) -> None:
    with simulator(tmp_path, "lcus-relay", "--pty", "--speed", "60") as relay:
        assert percuss("pair", relay.url, "--profile", "lcus-relay", "--as", "lamp").returncode == 0
        cue = percuss("run", "piriformis-release", "--on", "timer=lamp", "--speed", "60", "--json")
        assert cue.returncode == 0, cue.stderr
        assert not any(one["is_driven"] for one in events(cue.stdout) if one["event"] == "span_started")
        heard = cut(relay, "A0 .. .. ..")
        assert heard.count("A0 01 01 A2") >= 2, "a pulse at each step"
        switch = percuss("run", "piriformis-release", "--on", "massager=lamp", "--speed", "60", "--json")
        assert switch.returncode == 0, switch.stderr
        assert any(one["is_driven"] for one in events(switch.stdout) if one["event"] == "span_started")
        assert "A0 01 01 A2" in cut(relay, "A0 .. .. ..")[len(heard) :]
        assert cut(relay, "A0 .. .. ..")[-8:] == [f"A0 0{n} 00 A{n}" for n in range(1, 9)]
        assert is_at_rest(relay)


def test_run_without_any_device_says_so_and_uses_a_simulator() -> None:
    run = percuss("run", "piriformis-release", "--speed", "120")
    assert run.returncode == 0, run.stderr
    assert "nothing is paired: running on a simulator" in run.stderr
    assert "motor at the end: stopped" in run.stdout
    assert "confirmed by the device's status" in run.stdout


def test_the_demo_reports_what_the_recorder_saw() -> None:
    demo = percuss("demo", "--routine", "piriformis-release", "--speed", "120")
    assert demo.returncode == 0, demo.stderr
    rows = [line.split() for line in demo.stdout.splitlines() if line.strip().startswith("piriformis")]
    assert {row[1] for row in rows} == {"left", "right"}
    for row in rows:
        driven_s, mean_ppm, peak_ppm = float(row[2]), int(row[3]), int(row[4])
        assert 0 < driven_s <= 90 + 5  # the piriformis bears 90 s a side; spinning down is seen too
        assert 0 < mean_ppm <= peak_ppm <= 2100 + 25  # the simulated motor may overshoot by a percent
    assert "motor at the end: stopped" in demo.stdout
    assert "confirmed by the device's status" in demo.stdout


def test_time_runs_faster_only_on_simulators() -> None:
    assert percuss("pair", "loop://", "--profile", "nlr-hf8", "--as", "pad").returncode == 0
    result = percuss("run", "piriformis-release", "--on", "pad", "--speed", "2")
    assert result.returncode == 4
    assert "only run faster on simulators" in result.stderr


def test_another_device_at_the_address_is_refused(tmp_path: Path) -> None:
    address = "F0:F1:C2:00:00:77"
    with simulator(tmp_path, "theragun-gen4", "--ble", "--address", address, "--serial", "ONE") as first:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        port = first.url.rsplit(":", 1)[1]
    with simulator(
        tmp_path, "theragun-gen4", "--ble", "--address", address, "--serial", "TWO", "--port", port
    ) as second:
        result = percuss("run", "piriformis-release")
        assert result.returncode == 4
        assert "serial number is TWO; the device that was paired had ONE" in result.stderr
        assert not any(rpm_of(frame) for frame in frames(second))


def test_a_dead_device_is_not_found(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun_before:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        assert gun_before.url
    # What no simulator answers for is a real device.
    assert percuss("screening", "--none").returncode == 0
    result = percuss("run", "piriformis-release")
    assert result.returncode == 5
    assert result.stdout == ""


def test_a_silent_device_is_a_fault(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
    gun.control(do="inject", fault="silence")
    result = percuss("run", "piriformis-release")
    assert result.returncode == 7
    assert "does not answer" in result.stderr


def test_a_dropped_link_ends_an_unattended_session_with_a_stop(gun: RunningSimulator) -> None:
    assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
    with started("run", "piriformis-release", "--speed", "10", "--json") as running:
        wait_for_event(running, "level_asked")
        before = len(frames(gun))
        gun.control(do="inject", fault="drop_link", for_s=1)
        output, _ = running.communicate(timeout=HANG_S)
        assert running.returncode == 6, output
        assert events(output)[-1]["outcome"] == "link_lost"
        after = [frame for frame in frames(gun)[before:] if frame.split()[2:4] == ["01", "03"]]
        assert set(after[-4:]) <= {OFF, SHORT}
        assert is_at_rest(gun)


def wait_until(fact: "Any", terminal: int) -> bytes:
    """Read a terminal until a fact holds; what it showed. Time only bounds a hang."""
    shown = b""
    deadline_s = time.monotonic() + HANG_S
    while not fact():
        assert time.monotonic() < deadline_s, shown.decode(errors="replace")
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)
    return shown


def read_to_the_end(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return shown
        if not piece:
            return shown
        shown += piece
