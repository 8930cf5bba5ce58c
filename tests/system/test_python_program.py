"""Programs of people's own cannot leave a motor running either: they are killed, hang, forget, and raise.

Each is a process of its own on a real link; the simulator's recorder is the witness.
"""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.helpers.processes import HANG_S
from tests.system.left_running import Trial, Victim, victim

LINKS = ["serial", "BLE"]


def program(deed: str) -> list[str]:
    return [sys.executable, "-m", "tests.helpers.api_program", deed]


def assert_stopped(trial: Trial) -> None:
    assert trial.stop_s is not None, trial
    assert trial.rest_s is not None, trial


def after_it_turned(session: Victim) -> float:
    session.wait_for("level_asked")
    return time.monotonic()


@pytest.mark.parametrize("link", LINKS)
def test_a_killed_program_is_stopped_by_its_guardian(link: str) -> None:
    with victim(link, command=program("follow")) as session:
        since_s = after_it_turned(session)
        session.process.kill()
        trial = session.watch(since_s)
        assert_stopped(trial)
        assert "percuss ended without stopping its devices" in trial.said


@pytest.mark.parametrize("deed", ["block", "close-loop"])
def test_a_program_that_does_not_answer_is_ended_and_its_motor_stopped(deed: str) -> None:
    with victim("BLE", command=program(deed)) as session:
        since_s = after_it_turned(session)
        trial = session.watch(since_s)
        assert_stopped(trial)
        assert "did not answer" in trial.said
        assert session.process.wait(HANG_S) == -signal.SIGKILL


@pytest.mark.parametrize(("deed", "code"), [("raise", 1), ("system-exit", 7)])
def test_a_program_that_fails_has_stopped_the_motor_before_it_ends(deed: str, code: int) -> None:
    with victim("BLE", command=program(deed)) as session:
        after_it_turned(session)
        _, said = session.process.communicate(timeout=HANG_S)
        assert session.process.returncode == code, said
        assert session.motor.is_at_rest()
        assert "guardian" not in said


def test_a_program_that_ends_at_once_is_stopped_by_its_guardian() -> None:
    with victim("BLE", command=program("exit")) as session:
        since_s = after_it_turned(session)
        assert session.process.wait(HANG_S) == 1
        assert_stopped(session.watch(since_s))


def test_a_session_that_nobody_leaves_is_stopped_with_its_loop() -> None:
    """`asyncio.run` comes to its end, and the program lives on."""
    with victim("BLE", command=program("abandon")) as session:
        since_s = after_it_turned(session)
        trial = session.watch(since_s)
        assert_stopped(trial)
        assert "guardian" not in trial.said, "the session stopped it itself"


def test_ctrl_c_stops_the_motor_of_a_program() -> None:
    with victim("BLE", command=program("follow")) as session:
        after_it_turned(session)
        session.process.send_signal(signal.SIGINT)
        _, said = session.process.communicate(timeout=HANG_S)
        assert "KeyboardInterrupt" in said
        assert "guardian" not in said
        assert session.motor.is_at_rest()


def test_the_emergency_stop_reaches_a_program() -> None:
    """It is told as every process that drives something is; it knows nothing of signals, so its guardian stops."""
    with victim("BLE", command=program("follow")) as session:
        since_s = after_it_turned(session)
        assert session.percuss("stop", "--all").returncode == 0
        assert_stopped(session.watch(since_s))
        refused = session.percuss("run", "piriformis-release", "--on", "device")
        assert refused.returncode == 4


def test_a_program_and_the_command_line_keep_off_each_others_device() -> None:
    with victim("BLE", command=program("follow")) as session:
        after_it_turned(session)
        second = session.percuss("set", "device", "70%", "--for", "5s", "--region", "hamstrings")
        assert second.returncode == 5
        assert f"driven by another percuss already (process {session.process.pid})" in second.stderr
        assert session.process.poll() is None
