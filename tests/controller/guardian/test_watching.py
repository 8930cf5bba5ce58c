"""The program's side of the guardian, with the real child.

No child is ever armed with a device here: it would end this process, should a test keep it from its heartbeat.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.errors import GuardianError
from controller.guardian.wards import Ward, make_ward
from controller.guardian.watching import Guardian
from firmware_profiles.library import find_profile
from tests.helpers.processes import HANG_S


class Watched:
    """A guardian, and what it said of its death."""

    def __init__(self) -> None:
        self.guardian = Guardian()
        self.deaths: list[str] = []
        self.died = asyncio.Event()
        self.in_loop: list[bool] = []
        self.guardian.on_death = self._die

    def _die(self, why: str) -> None:
        self.in_loop.append(threading.current_thread() is threading.main_thread())
        self.deaths.append(why)
        self.died.set()

    async def exit_code(self) -> int:
        """How the child ended."""
        return await asyncio.to_thread(self.guardian._process.wait, HANG_S)

    async def death(self) -> str:
        async with asyncio.timeout(HANG_S):
            await self.died.wait()
        return self.deaths[0]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    watched.guardian._process.kill()
    await watched.guardian.release()
    await watched.exit_code()
    # The thread that hears the child ends with it; what it has to say is said to this loop.
    for thread in threading.enumerate():
        if thread.name == "guardian-echo":
            await asyncio.to_thread(thread.join, HANG_S)
    await asyncio.sleep(0)


async def test_a_guardian_gets_ready_and_is_released(watched: Watched, home: Path) -> None:
    await watched.guardian.guard([])
    await watched.guardian.release()
    assert watched.guardian._process.returncode == 0, "it has ended when it is released"
    assert watched.deaths == []
    assert list(home.iterdir()) == []


async def test_a_guardian_may_be_released_before_it_was_armed_and_twice(watched: Watched) -> None:
    await watched.guardian.release()
    await watched.guardian.release()
    assert await watched.exit_code() == 0
    assert watched.deaths == []


async def test_a_guardian_that_has_the_devices_ends_by_itself_and_nobody_is_told(watched: Watched) -> None:
    await watched.guardian.guard([])
    watched.guardian.hand_over()
    assert await watched.exit_code() == 0
    await asyncio.sleep(0)
    assert watched.deaths == []


async def test_the_child_has_a_session_of_its_own(watched: Watched) -> None:
    await watched.guardian.guard([])
    assert os.getsid(watched.guardian.pid) == watched.guardian.pid != os.getsid(0)


async def test_a_killed_guardian_is_told_once(watched: Watched) -> None:
    await watched.guardian.guard([])
    os.kill(watched.guardian.pid, signal.SIGKILL)
    assert await watched.death() == "the guardian has ended"
    assert await watched.exit_code() == -signal.SIGKILL
    assert watched.deaths == ["the guardian has ended"]
    assert watched.in_loop == [True], "in the event loop, where a session lives"


async def test_a_frozen_guardian_is_told_and_ended(watched: Watched) -> None:
    await watched.guardian.guard([])
    os.kill(watched.guardian.pid, signal.SIGSTOP)
    assert await watched.death() == "the guardian does not answer any more"
    assert await watched.exit_code() == -signal.SIGKILL, "it would guard nothing, and never end"
    await asyncio.sleep(0)
    assert len(watched.deaths) == 1


async def test_a_guardian_that_was_killed_before_it_was_armed_lets_nothing_start(watched: Watched) -> None:
    os.kill(watched.guardian.pid, signal.SIGKILL)
    await watched.exit_code()
    with pytest.raises(GuardianError, match="ended at once, so nothing is started") as problem:
        await watched.guardian.guard([])
    assert "percuss doctor" in str(problem.value)


async def test_what_cannot_be_guarded_lets_nothing_start(watched: Watched) -> None:
    # A profile for Bluetooth on a serial port: the child refuses it before anything counts as armed.
    with pytest.raises(GuardianError, match="ended at once"):
        await watched.guardian.guard([make_ward("pad", "/dev/ttyUSB0", find_profile("theragun-gen4"))])
    assert await watched.exit_code() == 1


async def test_a_list_of_devices_longer_than_a_pipe_is_read_whole(watched: Watched) -> None:
    pad = find_profile("nlr-hf8")
    # One bad ward among two hundred: the child sees the last of a line far wider than a pipe, and refuses it.
    wards = [make_ward(f"device{number}", "socket://127.0.0.1:9", pad) for number in range(200)]
    with pytest.raises(GuardianError, match="ended at once"):
        await watched.guardian.guard([*wards, Ward("bad", "/dev/null", find_profile("theragun-gen4"), (), ())])
    assert await watched.exit_code() == 1


async def test_without_a_python_to_run_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(GuardianError, match="cannot be started"):
        Guardian()
