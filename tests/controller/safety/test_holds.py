"""Who drives what, between real processes: the lock goes with the process, however that ends."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.errors import DeviceBusyError
from controller.safety import holds
from tests.helpers.processes import HANG_S

HOLD = """
import sys
from controller.errors import DeviceBusyError
from controller.safety.holds import held
try:
    with held("gun", sys.argv[1]):
        print("held", flush=True)
        sys.stdin.readline()
except DeviceBusyError as problem:
    print(problem, flush=True)
"""

LOOK = """
import sys
from controller.safety.holds import holder, holders
print("looking", flush=True)
while True:
    holder(sys.argv[1])
    holders()
"""

GUN = "ble://F0:F1:C2:00:00:01"


@contextmanager
def process(script: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has said its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def said(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_a_hold_is_taken_named_and_given_back() -> None:
    assert holds.holder(GUN) is None
    assert holds.holders() == set()
    with holds.held("gun", GUN):
        assert holds.holder(GUN) == os.getpid()
        assert holds.holders() == {os.getpid()}
    assert holds.holder(GUN) is None
    assert holds.holders() == set()


def test_a_hold_is_given_back_by_an_exception_too() -> None:
    with pytest.raises(ZeroDivisionError), holds.held("gun", GUN):
        raise ZeroDivisionError
    with holds.held("gun", GUN):
        pass


def test_two_processes_never_hold_one_device_and_the_first_is_named() -> None:
    with process(HOLD, GUN) as first:
        assert said(first) == "held"
        assert holds.holder(GUN) == first.pid
        with pytest.raises(DeviceBusyError) as busy, holds.held("gun", GUN):
            raise AssertionError("both hold it")
        assert f"driven by another percuss already (process {first.pid})" in str(busy.value)
        assert "percuss stop gun" in str(busy.value)
        with process(HOLD, GUN) as second:
            assert f"process {first.pid}" in said(second)
        assert holds.holder(GUN) == first.pid, "whoever was refused took nothing away"


def test_one_process_does_not_hold_a_device_twice() -> None:
    with holds.held("gun", GUN), pytest.raises(DeviceBusyError), holds.held("gun again", GUN):
        raise AssertionError("it holds it twice")


def test_two_devices_are_held_side_by_side() -> None:
    with process(HOLD, GUN) as first, process(HOLD, "ble://F0:F1:C2:00:00:02") as second:
        assert (said(first), said(second)) == ("held", "held")
        assert holds.holders() == {first.pid, second.pid}


def test_a_hold_is_free_the_moment_its_process_is_killed() -> None:
    with process(HOLD, GUN) as first:
        assert said(first) == "held"
        first.kill()
        first.wait(HANG_S)
        assert holds.holder(GUN) is None
        assert holds.holders() == set()
        with holds.held("gun", GUN):
            assert holds.holder(GUN) == os.getpid()


def test_a_hold_is_free_when_its_process_ends_by_itself() -> None:
    with process(HOLD, GUN) as first:
        assert said(first) == "held"
        first.communicate("\n", timeout=HANG_S)
        assert first.returncode == 0
        assert holds.holder(GUN) is None


@pytest.mark.parametrize("content", [b"", b"1", b"999999999", b"nobody", b"\xff" * 100])
def test_a_file_that_a_dead_process_left_means_nothing(content: bytes) -> None:
    with holds.held("gun", GUN):
        pass
    (left,) = holds.holds_folder().iterdir()
    left.write_bytes(content)
    assert holds.holder(GUN) is None
    assert holds.holders() == set()
    with holds.held("gun", GUN):
        assert holds.holder(GUN) == os.getpid()


def test_a_holder_that_does_not_say_who_it_is_holds_all_the_same() -> None:
    with process(HOLD, GUN) as first:
        assert said(first) == "held"
        (file,) = holds.holds_folder().iterdir()
        file.write_text("")
        assert holds.holder(GUN) == 0
        assert holds.holders() == set()
        with pytest.raises(DeviceBusyError, match="is driven by another percuss"), holds.held("gun", GUN):
            raise AssertionError("both hold it")


DEAD = "999999999"
"""No process has this number."""


async def test_while_a_dead_process_s_guardian_still_stops_the_loop_goes_on() -> None:
    with process(HOLD, GUN) as guardian:
        assert said(guardian) == "held"
        (file,) = holds.holds_folder().iterdir()
        file.write_text(DEAD)

        async def hold() -> int | None:
            async with holds.held_soon("gun", GUN):
                return holds.holder(GUN)

        holding = asyncio.create_task(hold())
        for _ in range(holds.LOOKS + 5):
            await asyncio.sleep(holds.LOOK_S)
            assert not holding.done()
        guardian.kill()
        assert await holding == os.getpid()
    assert holds.holder(GUN) is None


async def test_giving_up_while_a_guardian_still_stops_takes_nothing() -> None:
    with process(HOLD, GUN) as guardian:
        assert said(guardian) == "held"
        (file,) = holds.holds_folder().iterdir()
        file.write_text(DEAD)

        async def hold() -> None:
            async with holds.held_soon("gun", GUN):
                raise AssertionError("both hold it")

        holding = asyncio.create_task(hold())
        await asyncio.sleep(holds.LOOK_S)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        guardian.kill()
        guardian.wait(HANG_S)
        assert holds.holder(GUN) is None


async def test_in_a_loop_a_live_process_is_named_too() -> None:
    with process(HOLD, GUN) as first:
        assert said(first) == "held"
        with pytest.raises(DeviceBusyError, match=f"process {first.pid}"):
            async with holds.held_soon("gun", GUN):
                raise AssertionError("both hold it")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ble://F0:F1:C2:00:00:01", "ble://f0:f1:c2:00:00:01"),
        ("ble://F0:F1:C2:00:00:01", "ble://F0:F1:C2:00:00:01?adapter=hci1"),
        ("ble://F0:F1:C2:00:00:01?adapter=hci0", "ble://f0:f1:C2:00:00:01?adapter=hci1"),
        ("ble://F0:F1:C2:00:00:01?hci=tcp-client:127.0.0.1:9000", "ble://F0:F1:C2:00:00:01"),
    ],
)
def test_one_bluetooth_device_is_one_however_it_is_written(one: str, other: str) -> None:
    with process(HOLD, one) as first:
        assert said(first) == "held"
        assert holds.holder(other) == first.pid
        with pytest.raises(DeviceBusyError), holds.held("gun", other):
            raise AssertionError("both hold it")


def test_a_symlink_to_a_serial_port_is_that_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, link, chain = tmp_path / "ttyUSB0", tmp_path / "usb-Pad-if00", tmp_path / "pad"
    port.touch()
    link.symlink_to(port)
    chain.symlink_to(link.name)
    monkeypatch.chdir(tmp_path)
    with process(HOLD, str(link)) as first:
        assert said(first) == "held"
        for spelling in (str(port), str(chain), "ttyUSB0", f"{tmp_path}/./{tmp_path.name}/../ttyUSB0", "./pad"):
            if "/../" in spelling:
                (tmp_path / tmp_path.name).mkdir()
            assert holds.holder(spelling) == first.pid, spelling
            with pytest.raises(DeviceBusyError), holds.held("pad", spelling):
                raise AssertionError("both hold it")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GUN, "ble://F0:F1:C2:00:00:02"),
        ("socket://127.0.0.1:9000", "socket://127.0.0.1:9001"),
        ("/dev/ttyUSB0", "/dev/ttyUSB1"),
    ],
)
def test_different_devices_are_not_confused(one: str, other: str) -> None:
    with holds.held("one", one), holds.held("other", other):
        assert holds.holder(one) == holds.holder(other) == os.getpid()


def test_a_folder_that_cannot_be_made_is_told_and_nothing_is_held(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("PERCUSS_HOME", str(home / "file"))
    with pytest.raises(DeviceBusyError, match="cannot be taken") as busy, holds.held("gun", GUN):
        raise AssertionError("it cannot be held")
    assert str(home / "file") in str(busy.value)
    assert holds.holder(GUN) is None
    assert holds.holders() == set()


def test_a_hold_leaves_no_file_open() -> None:
    def is_held_open() -> bool:
        files = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return any(holds.holds_folder() in file.parents for file in files)

    with holds.held("gun", GUN), pytest.raises(DeviceBusyError), holds.held("gun", GUN):
        pass
    holds.holder(GUN)
    holds.holders()
    assert not is_held_open()


STARTS = 150
"""How often a device is started beside somebody who looks."""


def test_looking_who_holds_a_device_never_makes_a_start_fail() -> None:
    with process(LOOK, GUN) as looker:
        assert said(looker) == "looking"
        failed = []
        for _ in range(STARTS):
            try:
                with holds.held("gun", GUN):
                    pass
            except DeviceBusyError as problem:
                failed.append(str(problem))
        assert looker.poll() is None
    assert failed == [], f"{len(failed)} of {STARTS} starts"


LOOKS = 3000
"""How often one looks while another looks too."""


def test_two_who_look_at_once_do_not_take_each_other_for_somebody_who_drives() -> None:
    with process(HOLD, GUN) as dead:
        assert said(dead) == "held"
        dead.kill()
        dead.wait(HANG_S)
    with process(LOOK, GUN) as looker:
        assert said(looker) == "looking"
        seen = [pid for _ in range(LOOKS) if (pid := holds.holder(GUN)) is not None]
        assert looker.poll() is None
    assert seen == [], f"{len(seen)} of {LOOKS} looks saw a holder, and nobody drives"


def test_what_is_held_for_a_dead_process_is_left_behind_until_its_guardian_lets_go() -> None:
    with process(HOLD, GUN) as other:
        assert said(other) == "held"
        assert holds.left_behind() == set()
        dead = other.pid
        other.kill()
        other.wait()
        assert holds.left_behind() == set()  # nobody guarded it
    with holds.held("gun", GUN) as file:  # as a guardian keeps the lock of its dead parent
        os.pwrite(file, f"{dead}\n".ljust(20).encode(), 0)
        assert holds.left_behind() == {dead}
    assert holds.left_behind() == set()
