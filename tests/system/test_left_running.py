"""It cannot be left running: every way to lose the program that drives it, on real processes and real links.

Where a test says "within", the seconds are the promise of docs/explanation/safety.md plus a wide margin for a machine
that is busy with other tests; `make faults` measures without one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.processes import HANG_S, PERCUSS
from tests.system.left_running import PROFILES, Trial, Victim, strike, victim

LINKS = list(PROFILES)
SABOTAGE = [sys.executable, "-m", "tests.helpers.sabotage"]

RUN_PATH = [
    "controller.clock:SystemClock.sleep_until",
    "controller.devices:Device.send",
    "controller.devices.hearing:Hearing.receive",
    "controller.devices.resting:Resting.make_way",
    "controller.devices.write_queue:WriteQueue.write",
    "controller.events:Announcer.__call__",
    "controller.guardian.watching:Guardian._write",
    "controller.journal:SessionRecord.record",
    "controller.safety.latch:engaged",
    "controller.safety.lease:Lease.renew",
    "controller.safety.supervisor:Supervisor.check",
    "controller.safety.supervisor:Supervisor.judge",
    "controller.sessions:Session._send_due",
    "controller.sessions:Session.progress",
    "controller.cli.driving:_Driving.emit",
    "firmware_profiles.codec:Codec.encode",
    "firmware_profiles.codec:Codec.feed",
    "routines.timeline:Drive.cues",
]
"""One function of each module that a running session goes through."""


def assert_stopped(trial: Trial) -> None:
    assert trial.stop_s is not None, trial
    assert trial.rest_s is not None, trial


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("after_s", [0.0, 0.7, 2.9])
def test_a_killed_session_is_stopped_by_its_guardian(link: str, after_s: float) -> None:
    trial = strike(link, "kill", after_s)
    assert_stopped(trial)
    assert "percuss ended without stopping its devices" in trial.said


@pytest.mark.parametrize("link", LINKS)
def test_a_frozen_session_is_ended_and_stopped(link: str) -> None:
    trial = strike(link, "freeze", 1.0)
    assert_stopped(trial)
    assert "did not answer" in trial.said


def test_a_gun_that_bears_one_connection_is_let_go_and_stopped() -> None:
    for deed in ("kill", "freeze"):
        assert_stopped(strike("BLE", deed, 1.0, "--max-connections", "1"))


@pytest.mark.parametrize("link", LINKS)
def test_a_blocked_event_loop_is_noticed(link: str) -> None:
    command = [*SABOTAGE, "block", "controller.sessions:Session._send_due", "0.5", "--"]
    with victim(link, command=command) as session:
        session.wait_for("level_asked")
        trial = session.watch(time.monotonic())
        assert_stopped(trial)
        assert "did not answer" in trial.said


@pytest.mark.parametrize("where", RUN_PATH)
def test_an_exception_anywhere_on_the_way_stops_the_motor(where: str) -> None:
    command = [*SABOTAGE, "raise", where, "0.5", "--"]
    with victim("BLE", command=command) as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        session.process.wait(HANG_S)
        assert_stopped(session.watch(since_s))


def test_a_full_disk_stops_the_session() -> None:
    # What a process may write at most into one file: the system refuses the rest, as a full disk does.
    limited = [sys.executable, "-c", "import os,resource,sys; os.execv(sys.argv[1], sys.argv[1:])", *PERCUSS]
    limited[2] = (
        "import os,resource,sys;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, 180_000));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    with victim("BLE", command=limited) as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        _fill(session.home)
        session.process.wait(HANG_S)
        trial = session.watch(since_s)
        assert_stopped(trial)


def _fill(home: Path) -> None:
    """Make the journal as long as it may be."""
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        with (home / name).open("ab") as file:
            file.truncate(180_000)


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_guardian_that_is_gone_ends_the_session(how: str) -> None:
    with victim("BLE") as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        os.kill(session.guardian_pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        output, _ = session.process.communicate(timeout=HANG_S)
        assert_stopped(session.watch(since_s))
        assert session.process.returncode == 3
        assert "nothing runs unguarded" in output


def test_when_both_are_killed_the_next_start_says_so_and_stops_the_device() -> None:
    with victim("BLE", speed=1.0) as session:
        session.wait_for("level_asked")
        session.motor.wait_until_it_turns()
        _kill_both(session)
        assert not session.motor.is_at_rest(), "nobody could have stopped it"
        again = session.percuss("set", "device", "50%", "--for", "1s", "--region", "hamstrings")
        assert "ended without a word" in again.stderr
        assert "it was stopped now (confirmed)" in again.stderr
        assert session.motor.is_at_rest()


def test_when_both_are_killed_the_emergency_stop_reaches_the_device() -> None:
    with victim("BLE", speed=1.0) as session:
        session.wait_for("level_asked")
        session.motor.wait_until_it_turns()
        _kill_both(session)
        assert session.percuss("stop", "--all").returncode == 0
        assert session.motor.is_at_rest()


def _kill_both(session: Victim) -> None:
    guardian = session.guardian_pid
    # The guardian first and at once the other: neither has time to notice.
    os.kill(session.process.pid, signal.SIGSTOP)
    os.kill(guardian, signal.SIGKILL)
    os.kill(session.process.pid, signal.SIGKILL)
    session.process.wait(HANG_S)


@pytest.mark.parametrize("link", LINKS)
def test_another_terminal_stops_a_running_session(link: str) -> None:
    with victim(link) as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        stopped = session.percuss("stop", "--all")
        output, _ = session.process.communicate(timeout=HANG_S)
        assert stopped.returncode == 0, stopped.stderr
        assert session.process.returncode == 3
        assert "another process asked for it" in output
        assert_stopped(session.watch(since_s))
        refused = session.percuss("run", "piriformis-release", "--on", "device")
        assert refused.returncode == 4
        assert "percuss clear" in refused.stderr
        assert session.percuss("clear").returncode == 0
        assert session.percuss("set", "device", "70%", "--for", "1s", "--region", "hamstrings").returncode == 0


def test_one_device_is_stopped_in_the_session_that_holds_its_only_connection() -> None:
    with victim("BLE", "--max-connections", "1") as session:
        session.wait_for("level_asked")
        stopped = session.percuss("stop", "device")
        assert (stopped.returncode, stopped.stdout) == (0, "device: stopped\n")
        output, _ = session.process.communicate(timeout=HANG_S)
        assert "another process asked for it" in output


def test_a_second_session_on_the_same_device_is_refused() -> None:
    with victim("BLE") as session:
        session.wait_for("level_asked")
        second = session.percuss("set", "device", "70%", "--for", "5s", "--region", "hamstrings")
        assert second.returncode == 5
        assert f"driven by another percuss already (process {session.process.pid})" in second.stderr
        assert session.process.poll() is None


@pytest.mark.parametrize("gone_s", [0.1, 1.0, 4.0])
def test_after_a_lost_link_the_first_thing_sent_is_stop(gone_s: float) -> None:
    with victim("BLE") as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        session.device.control(do="inject", fault="drop_link", for_s=gone_s)
        session.process.wait(HANG_S)
        frames = [line for line in session.device.recorded("rx") if line["mono_s"] >= since_s]
        # One command may have been under way when the link broke.
        back = next(i for i, line in enumerate(frames) if session.motor.is_stop(str(line["hex"])))
        assert back <= 1
        assert_stopped(session.watch(since_s))


def test_a_closed_terminal_is_not_the_end_of_the_guardian() -> None:
    """Everything that shares the session's terminal and process group is killed, the guardian is not."""
    with victim("serial", new_session=True) as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        os.killpg(session.process.pid, signal.SIGKILL)
        assert_stopped(session.watch(since_s))


def test_modules_that_lie_around_do_not_disarm_the_guardian(tmp_path: Path) -> None:
    """Percuss is started in a folder with a serial.py of somebody's own."""
    (tmp_path / "serial.py").write_text("VERSION = 'not pyserial'\n", encoding="utf-8")
    installed = [str(Path(sys.executable).parent / "percuss")]
    with victim("serial", command=installed, cwd=tmp_path) as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        session.process.kill()
        assert_stopped(session.watch(since_s))


def test_one_device_that_cannot_be_tried_keeps_no_other_from_being_stopped() -> None:
    with victim("serial") as session:
        session.wait_for("level_asked")
        _kill_both(session)
        file = session.home / "devices.json"
        devices = json.loads(file.read_text(encoding="utf-8"))
        good = devices["devices"]["device"]
        devices["devices"]["broken"] = {**good, "url": "ble://nonsense", "profile": "theragun-gen4"}
        file.write_text(json.dumps(devices), encoding="utf-8")
        since_s = time.monotonic()
        stopped = session.percuss("stop", "--all")
        assert stopped.returncode != 0
        assert "ble://nonsense" in stopped.stderr
        assert_stopped(session.watch(since_s))


def test_the_guardian_writes_down_what_it_did() -> None:
    with victim("BLE") as session:
        session.wait_for("level_asked")
        since_s = time.monotonic()
        session.process.kill()
        assert_stopped(session.watch(since_s))
        again = session.percuss("set", "device", "70%", "--for", "1s", "--region", "hamstrings")
        assert "the guardian stopped it (confirmed)" in again.stderr
        assert not (session.home / "guardian.jsonl").exists()


def test_the_help_of_a_dead_session_is_not_needed_to_pair() -> None:
    """A latch keeps motors still; it does not keep anybody from pairing or looking."""
    with victim("BLE") as session:
        session.wait_for("level_asked")
        assert session.percuss("stop", "--all").returncode == 0
        session.process.wait(HANG_S)
        for command in (["devices"], ["routines", "list"], ["stop", "device"]):
            assert session.percuss(*command).returncode == 0


def test_two_interrupts_quit_and_leave_the_device_to_the_guardian() -> None:
    with victim("BLE") as session:
        session.wait_for("level_asked")
        session.device.control(do="inject", fault="refuse")
        since_s = time.monotonic()
        session.process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # the first is heard before the second comes
        session.process.send_signal(signal.SIGINT)
        assert session.process.wait(HANG_S) == 9
        session.device.control(do="inject", fault="clear")
        assert_stopped(session.watch(since_s))


def test_what_left_running_prints_names_every_failure() -> None:
    """The campaign itself: two kills of each kind, as `make faults` runs two hundred."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.left_running", "--kills", "2", "--freezes", "1", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.stdout.count("failed: ") == 4, done.stderr
