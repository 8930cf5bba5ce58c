"""The guardian's real process on real links: whatever becomes of the process that drives, the motor stops.

Every device is a simulator of its own process, and its recorder is the witness. The process that drives is always
another one than the tests', because the guardian ends the one that it watches.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from controller.guardian.child import LOG_NAME
from controller.guardian.wards import make_ward, ward_json
from firmware_profiles.library import find_profile
from tests.helpers.processes import HANG_S, RunningSimulator, simulator

PARENT = [sys.executable, "-m", "tests.controller.guardian.parent"]
LINKS = {"pty": ("nlr-hf8", "--pty"), "TCP": ("nlr-hf8", "--tcp"), "BLE": ("theragun-gen4", "--ble")}
STOPS = {
    "nlr-hf8": " ".join(f"4D 3{zone} 30 0D" for zone in range(8)),
    "theragun-gen4": "AA 07 01 03 00 00 03 AA 04 01 03",
}
PROOF = {"nlr-hf8": "cannot_report", "theragun-gen4": "confirmed"}
ENDED = "percuss ended without stopping its devices"
HUNG = "percuss did not answer for 1.2 s and was ended"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


class Driven:
    """A simulator, and a process that drives it with a guardian behind."""

    def __init__(self, device: RunningSimulator | None, process: "subprocess.Popen[str]") -> None:
        self._device = device
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        self.guardian_pid = int(json.loads(line)["guardian"])
        self.before = len(device.recorded("rx")) if device is not None else 0

    @property
    def device(self) -> RunningSimulator:
        assert self._device is not None
        return self._device

    def said(self) -> str:
        """What was said on stderr until both the process and its guardian had ended."""
        _, errors = self.process.communicate(timeout=HANG_S)
        return errors

    def bytes_since(self) -> str:
        """What the device got since it was set running; a stream arrives in pieces of any size."""
        return " ".join(line["hex"] for line in self.device.recorded("rx")[self.before :])


def is_at_rest(device: RunningSimulator) -> bool:
    """Whether nothing is asked of the motor any more; spinning down takes a while."""
    state = device.control(do="state")
    return not any(channel["level_asked"] for channel in state["channels"].values())


@contextmanager
def driving(
    deed: str, *pairs: str, device: RunningSimulator | None = None, options: tuple[str, ...] = ()
) -> Iterator[Driven]:
    """The process, running while the block does."""
    with subprocess.Popen(
        [*PARENT, *options, deed, *pairs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Driven(device, process)
        finally:
            process.kill()


def wait_until(fact: Callable[[], bool], patience_s: float = HANG_S) -> None:
    """Look until a fact holds. Time only bounds a hang."""
    deadline_s = time.monotonic() + patience_s
    while not fact():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def log_lines(home: Path) -> list[dict[str, Any]]:
    path = home / LOG_NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(params=list(LINKS))
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, RunningSimulator]]:
    profile, option = LINKS[request.param]
    with simulator(tmp_path, profile, option) as device:
        yield profile, device


def assert_stopped(driven: Driven, profile: str, home: Path, *, cause: str, errors: str) -> None:
    assert STOPS[profile] in driven.bytes_since()
    assert is_at_rest(driven.device)
    (line,) = log_lines(home)
    assert (line["device"], line["cause"], line["proof"]) == ("device0", cause, PROOF[profile])
    assert line["pid"] == driven.process.pid
    assert line["problem"] == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["at_utc"])
    assert line["attempts"] >= (3 if PROOF[profile] == "cannot_report" else 1)
    assert f"percuss guardian: {cause}" in errors
    assert "device0" in errors


# ---- released -----------------------------------------------------------------------------------------------------


def test_a_guardian_that_is_released_touches_nothing_and_ends_well(
    link: tuple[str, RunningSimulator], home: Path
) -> None:
    profile, device = link
    with driving("release", device.url, profile, device=device) as driven:
        assert driven.process.stdout is not None
        assert driven.process.stdout.readline() == "0\n", "its exit code"
        assert STOPS[profile] not in driven.bytes_since()
        assert not is_at_rest(device), "it runs on: nobody said stop"
    assert log_lines(home) == []


# ---- whatever becomes of the process that drives ------------------------------------------------------------------


def test_a_killed_process_is_stopped_for(link: tuple[str, RunningSimulator], home: Path) -> None:
    profile, device = link
    with driving("sleep", device.url, profile, device=device) as driven:
        assert not is_at_rest(device)
        driven.process.kill()
        assert_stopped(driven, profile, home, cause=ENDED, errors=driven.said())


def test_a_frozen_process_is_ended_and_stopped_for(link: tuple[str, RunningSimulator], home: Path) -> None:
    profile, device = link
    with driving("sleep", device.url, profile, device=device) as driven:
        driven.process.send_signal(signal.SIGSTOP)
        assert_stopped(driven, profile, home, cause=HUNG, errors=driven.said())
        assert driven.process.returncode == -signal.SIGKILL


def test_a_process_that_blocks_its_loop_is_ended_and_stopped_for(
    link: tuple[str, RunningSimulator], home: Path
) -> None:
    profile, device = link
    with driving("block", device.url, profile, device=device) as driven:
        assert_stopped(driven, profile, home, cause=HUNG, errors=driven.said())
        assert driven.process.returncode == -signal.SIGKILL


def test_a_process_that_exits_in_a_hurry_is_stopped_for(link: tuple[str, RunningSimulator], home: Path) -> None:
    profile, device = link
    with driving("exit", device.url, profile, device=device) as driven:
        assert_stopped(driven, profile, home, cause=ENDED, errors=driven.said())
        assert driven.process.returncode == 7


def test_a_process_that_fails_is_stopped_for(link: tuple[str, RunningSimulator], home: Path) -> None:
    profile, device = link
    with driving("raise", device.url, profile, device=device) as driven:
        errors = driven.said()
        assert "ZeroDivisionError" in errors
        assert_stopped(driven, profile, home, cause=ENDED, errors=errors)


def test_a_pipe_that_is_closed_is_enough_and_its_process_lives_on(
    link: tuple[str, RunningSimulator], home: Path
) -> None:
    profile, device = link
    with driving("hand over", device.url, profile, device=device) as driven:
        assert driven.process.stdout is not None
        assert driven.process.stdout.readline() == "0\n", "its exit code"
        assert driven.process.poll() is None
        assert driven.process.stderr is not None
        errors = driven.process.stderr.readline()
        assert_stopped(driven, profile, home, cause=ENDED, errors=errors)


def test_a_process_that_is_told_to_end_is_stopped_for(tmp_path: Path, home: Path) -> None:
    with (
        simulator(tmp_path, "nlr-hf8", "--pty") as device,
        driving("sleep", device.url, "nlr-hf8", device=device) as driven,
    ):
        driven.process.terminate()
        assert_stopped(driven, "nlr-hf8", home, cause=ENDED, errors=driven.said())


def test_every_device_of_a_session_is_stopped_and_written_down(tmp_path: Path, home: Path) -> None:
    with (
        simulator(tmp_path, "nlr-hf8", "--pty") as pad,
        simulator(tmp_path, "lcus-relay", "--tcp") as relay,
        driving("sleep", pad.url, "nlr-hf8", relay.url, "lcus-relay", device=pad) as driven,
    ):
        driven.process.kill()
        driven.said()
        assert is_at_rest(pad)
        assert is_at_rest(relay)
        assert sorted(line["device"] for line in log_lines(home)) == ["device0", "device1"]


def test_a_device_that_is_out_of_reach_keeps_no_other_from_being_stopped(tmp_path: Path, home: Path) -> None:
    with (
        simulator(tmp_path, "nlr-hf8", "--pty") as pad,
        simulator(tmp_path, "nlr-hf8", "--tcp") as gone,
        driving("sleep", gone.url, "nlr-hf8", pad.url, "nlr-hf8", device=pad) as driven,
    ):
        gone.process.kill()
        driven.process.kill()
        assert driven.process.stderr is not None
        said = driven.process.stderr.readline()
        assert "device1" in said
        assert is_at_rest(pad)
        wait_until(lambda: bool(log_lines(home)))
        assert [line["device"] for line in log_lines(home)] == ["device1"]
        os.kill(driven.guardian_pid, signal.SIGKILL)  # it would go on seeking the other


# ---- what cannot be opened at once --------------------------------------------------------------------------------


def test_a_device_that_bears_one_connection_is_let_go_by_the_frozen_process_and_stopped(
    tmp_path: Path, home: Path
) -> None:
    with (
        simulator(tmp_path, "theragun-gen4", "--ble", "--max-connections", "1") as gun,
        driving("sleep", gun.url, "theragun-gen4", device=gun) as driven,
    ):
        driven.process.send_signal(signal.SIGSTOP)
        assert_stopped(driven, "theragun-gen4", home, cause=HUNG, errors=driven.said())


def test_a_device_that_is_busy_is_tried_until_it_is_free(tmp_path: Path, home: Path) -> None:
    """The line bears one host, and another holds it while the process dies."""
    with simulator(tmp_path, "nlr-hf8", "--tcp", "--max-connections", "1") as pad:
        address = ("127.0.0.1", int(pad.url.rsplit(":", 1)[1]))
        with socket.create_connection(address) as other:
            other.sendall(b"M0128\r")
            with driving("exit", pad.url, "nlr-hf8", device=pad, options=("--unopened",)) as driven:
                assert driven.process.wait(HANG_S) == 7
                assert not is_at_rest(pad)
                other.close()
                errors = driven.said()
                assert STOPS["nlr-hf8"] in " ".join(line["hex"] for line in pad.recorded("rx"))
                assert is_at_rest(pad)
                assert "COULD NOT" not in errors
    assert [line["proof"] for line in log_lines(home)] == ["cannot_report"]


def test_a_device_that_appears_late_is_stopped_when_it_does(tmp_path: Path, home: Path) -> None:
    port = free_port()
    with driving("exit", f"socket://127.0.0.1:{port}", "nlr-hf8", options=("--unopened",)) as driven:
        assert driven.process.wait(HANG_S) == 7
        with simulator(tmp_path, "nlr-hf8", "--tcp", "--port", str(port)) as pad:
            errors = driven.said()
            assert STOPS["nlr-hf8"] in " ".join(line["hex"] for line in pad.recorded("rx"))
    assert "sent Stop to device0" in errors
    assert [line["proof"] for line in log_lines(home)] == ["cannot_report"]


def test_a_gun_that_is_back_in_range_is_stopped(tmp_path: Path, home: Path) -> None:
    with (
        simulator(tmp_path, "theragun-gen4", "--ble") as gun,
        driving("sleep", gun.url, "theragun-gen4", device=gun) as driven,
    ):
        gun.control(do="inject", fault="drop_link", for_s=600)
        driven.process.kill()
        driven.process.wait(HANG_S)
        assert not is_at_rest(gun), "it runs out of range"
        gun.control(do="inject", fault="clear")
        assert_stopped(driven, "theragun-gen4", home, cause=ENDED, errors=driven.said())


# ---- the child by itself: a launcher stands between it and the tests ------------------------------------------------

LAUNCHER = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", sys.argv[1]]) as child:
    print(child.pid, flush=True)
sys.exit(child.returncode)
"""
MAIN = "from controller.guardian.child import main; main()"
IMPATIENT = "from controller.guardian import child; child.BUDGET_S = {budget_s}; child.main()"


class BareChild:
    """The guardian's process with its pipes in the test's hands."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.pipe, self.answers = process.stdin, process.stdout
        self.pid = int(self.answers.readline())

    def tell(self, words: object) -> None:
        self.tell_bytes(json.dumps(words).encode() + b"\n")

    def tell_bytes(self, data: bytes) -> None:
        self.pipe.write(data)
        self.pipe.flush()

    def answer(self) -> Any:
        return json.loads(self.answers.readline())

    def guard(self, *wards: tuple[str, str]) -> None:
        """Arm it with devices, each a URL and a profile."""
        plain = [ward_json(make_ward(f"device{n}", url, find_profile(p))) for n, (url, p) in enumerate(wards)]
        self.tell({"guard": plain})
        assert self.answer() == {"guarding": len(plain)}

    def end(self) -> tuple[int, str]:
        """Close the pipe; the exit code and what was said."""
        _, errors = self.process.communicate(timeout=HANG_S)
        return self.process.returncode, errors.decode()


@contextmanager
def bare_child(code: str = MAIN, *, stderr: int = subprocess.PIPE) -> Iterator[BareChild]:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    ) as process:
        try:
            yield BareChild(process)
        finally:
            process.kill()


@pytest.fixture
def pad(tmp_path: Path) -> Iterator[RunningSimulator]:
    with simulator(tmp_path, "nlr-hf8", "--tcp") as device:
        yield device


def set_running(pad: RunningSimulator) -> None:
    with socket.create_connection(("127.0.0.1", int(pad.url.rsplit(":", 1)[1]))) as link:
        link.sendall(b"M1128\r")
        wait_until(lambda: not is_at_rest(pad))


def test_a_heartbeat_is_echoed() -> None:
    with bare_child() as child:
        for number in (1, 2, 3):
            child.tell({"beat": number})
            assert child.answer() == {"beat": number}
        child.tell({"release": True})
        assert child.end() == (0, "")


def test_a_child_without_devices_waits_quietly_and_ends_with_its_pipe(home: Path) -> None:
    with bare_child() as child:
        child.guard()
        assert child.end() == (0, "")
    assert log_lines(home) == []


def test_what_cannot_be_guarded_ends_the_child_at_once() -> None:
    with bare_child() as child:
        child.tell({"guard": [{"name": "gun"}]})
        assert child.answers.readline() == b""
        code, errors = child.end()
        assert code == 1
        assert "percuss guardian: " in errors


def test_a_link_that_does_not_fit_the_profile_ends_the_child_at_once() -> None:
    with bare_child() as child:
        child.tell({"guard": [ward_json(make_ward("pad", "/dev/ttyUSB0", find_profile("theragun-gen4")))]})
        code, errors = child.end()
        assert code == 1
        assert "percuss guardian: " in errors


GARBAGE: list[bytes] = [
    b"nonsense\n",
    b"\n",
    b"\xff\xfe\x00\n",
    b"{\n",
    b"5\n",
    b"null\n",
    b"[]\n",
    b'"x"\n',
    b"{}\n",
    b'{"beet": 1}\n',
    b"[" * 100_000 + b"\n",
    b'{"beat": 1',
    b"x" * 300_000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:12]))
def test_garbage_in_the_pipe_never_keeps_it_from_stopping_what_it_guards(
    pad: RunningSimulator, home: Path, garbage: bytes
) -> None:
    set_running(pad)
    with bare_child() as child:
        child.guard((pad.url, "nlr-hf8"))
        child.tell_bytes(garbage)
        code, errors = child.end()
    assert is_at_rest(pad)
    assert STOPS["nlr-hf8"] in " ".join(line["hex"] for line in pad.recorded("rx"))
    assert "sent Stop to device0" in errors
    assert "Traceback" not in errors
    assert [line["proof"] for line in log_lines(home)] == ["cannot_report"]
    assert code == 0, "and the process that it watched was not killed for it"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGPIPE"])
def test_signals_that_end_others_change_nothing(pad: RunningSimulator, home: Path, name: str) -> None:
    set_running(pad)
    with bare_child() as child:
        child.guard()
        os.kill(child.pid, getattr(signal, name))
        for number in range(3):
            child.tell({"beat": number})
            assert child.answer() == {"beat": number}
        child.guard((pad.url, "nlr-hf8"))
        os.kill(child.pid, getattr(signal, name))
        code, _ = child.end()
    assert code == 0
    assert is_at_rest(pad)
    assert [line["cause"] for line in log_lines(home)] == [ENDED]


def test_a_terminal_that_is_gone_does_not_keep_it_from_stopping(pad: RunningSimulator, home: Path) -> None:
    """Nobody reads what it says any more, neither its answers nor its sentence."""
    set_running(pad)
    with bare_child() as child:
        child.guard((pad.url, "nlr-hf8"))
        assert child.process.stderr is not None
        child.process.stderr.close()
        child.answers.close()
        child.tell({"beat": 1})
        child.pipe.close()
        assert child.process.wait(HANG_S) == 0
    assert is_at_rest(pad)
    assert [line["proof"] for line in log_lines(home)] == ["cannot_report"]


def test_a_terminal_that_takes_nothing_does_not_keep_the_next_device_from_being_stopped(
    tmp_path: Path, home: Path, pad: RunningSimulator
) -> None:
    """Its output is held (Ctrl-S, a pager), while one device is stopped and the other out of reach."""
    set_running(pad)
    port = free_port()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"x" * 65536):
            pass
    os.set_blocking(writer, True)
    try:
        with bare_child(stderr=writer) as child:
            child.guard((pad.url, "nlr-hf8"), (f"socket://127.0.0.1:{port}", "lcus-relay"))
            child.pipe.close()
            wait_until(lambda: is_at_rest(pad))
            with simulator(tmp_path, "lcus-relay", "--tcp", "--port", str(port)) as relay:
                wait_until(lambda: bool(relay.recorded("rx")), patience_s=20.0)
                wait_until(lambda: len(log_lines(home)) == 2, patience_s=20.0)
    finally:
        os.close(reader)  # whoever writes ends now
        os.close(writer)


def test_a_state_folder_that_cannot_be_written_does_not_keep_it_from_stopping(
    pad: RunningSimulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_running(pad)
    (home / "file").write_text("")
    monkeypatch.setenv("PERCUSS_HOME", str(home / "file"))
    with bare_child() as child:
        child.guard((pad.url, "nlr-hf8"))
        code, errors = child.end()
    assert (code, is_at_rest(pad)) == (0, True)
    assert "sent Stop to device0" in errors


def silent_gun(gun: RunningSimulator) -> None:
    gun.control(do="inject", fault="silence")


def refusing_gun(gun: RunningSimulator) -> None:
    gun.control(do="inject", fault="refuse")


@pytest.mark.parametrize("spoil", [silent_gun, refusing_gun])
def test_a_device_that_never_confirms_is_told_loudly(
    tmp_path: Path, home: Path, spoil: Callable[[RunningSimulator], None]
) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        spoil(gun)
        with bare_child(IMPATIENT.format(budget_s=3.0)) as child:
            child.guard((gun.url, "theragun-gen4"))
            code, errors = child.end()
    assert code == 0
    assert "COULD NOT STOP device0. PRESS ITS BUTTON NOW" in errors
    assert "Traceback" not in errors
    (line,) = log_lines(home)
    assert line["proof"] == "unconfirmed"


def test_a_device_that_is_never_there_is_told_loudly_and_why(home: Path) -> None:
    url = f"socket://127.0.0.1:{free_port()}"
    with bare_child(IMPATIENT.format(budget_s=1.0)) as child:
        child.guard((url, "nlr-hf8"))
        code, errors = child.end()
    assert code == 0
    assert f"percuss guardian: {ENDED}. It COULD NOT STOP device0. PRESS ITS BUTTON NOW" in errors
    (line,) = log_lines(home)
    assert line["proof"] == "unconfirmed"
    assert url in line["problem"]


def test_the_log_grows_by_a_line_for_each_time(home: Path, pad: RunningSimulator) -> None:
    for _ in range(2):
        with bare_child() as child:
            child.guard((pad.url, "nlr-hf8"))
            child.end()
    assert [line["device"] for line in log_lines(home)] == ["device0", "device0"]
    assert (home / LOG_NAME).stat().st_mode & 0o077 == 0, "it tells what somebody did with their body"


# ---- what it knows ------------------------------------------------------------------------------------------------

LOADED = "import sys; import controller.guardian.child; print(*sys.modules)"
FOREIGN = {
    "sqlalchemy",
    "alembic",
    "rich",
    "click",
    "bleak",
    "bumble",
    "serial",
    "controller.cli",
    "controller.devices",
    "controller.journal",
    "controller.registry",
    "controller.safety",
    "controller.service",
    "controller.sessions",
    "routines",
    "simulators",
}


def test_it_loads_nothing_that_decides_and_nothing_that_draws() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=HANG_S, check=True)
    loaded = set(done.stdout.split())
    assert "controller.stopping" in loaded
    assert {name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in FOREIGN)} == set()
