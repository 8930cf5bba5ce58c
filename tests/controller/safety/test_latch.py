"""The emergency stop's file: in doubt, everything is stopped."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import RefusedError
from controller.safety import latch
from tests.helpers.processes import HANG_S


def test_nothing_is_latched_in_a_new_home() -> None:
    assert latch.engaged() is None
    latch.require_clear()


def test_an_engaged_latch_says_since_when_and_how_to_clear_it() -> None:
    latch.engage()
    stop = latch.engaged()
    assert stop is not None
    assert json.loads(latch.latch_path().read_text()) == {"since_utc": stop.since_utc}
    with pytest.raises(RefusedError, match=f"the emergency stop is in since {stop.since}") as refused:
        latch.require_clear()
    assert "percuss clear" in str(refused.value)


def test_people_are_told_the_time_in_their_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # 5:30 ahead, all year
    time.tzset()
    try:
        assert latch.EmergencyStop("2026-11-21T14:49:17+00:00").since == "2026-11-21 20:19 IST"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["an unknown time", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_clock_knows_is_told_as_it_stands(text: str) -> None:
    assert latch.EmergencyStop(text).since == text


def test_engaging_twice_and_clearing_once_leaves_it_clear() -> None:
    latch.engage()
    latch.engage()
    assert latch.clear() is not None
    latch.require_clear()


def test_clearing_tells_what_was_in_and_clearing_again_that_nothing_was() -> None:
    latch.engage()
    stop = latch.engaged()
    assert latch.clear() == stop
    assert latch.clear() is None


def test_the_folder_is_made_where_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_HOME", str(home / "not" / "yet"))
    assert latch.engaged() is None
    assert latch.clear() is None
    latch.engage()
    assert latch.engaged() is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{",
        b"{}",
        b"null",
        b"[]",
        b"7",
        b'"since_utc"',
        b'{"since": "now"}',
        b"\xff\xfe\x00",
        b"\x00" * 4096,
        b"[" * 100_000,
        b"9" * 10_000,
        b"<html>",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_file_that_makes_no_sense_counts_as_engaged(content: bytes) -> None:
    latch.latch_path().write_bytes(content)
    assert latch.engaged() == latch.EmergencyStop("an unknown time")
    with pytest.raises(RefusedError, match="the emergency stop is in"):
        latch.require_clear()
    assert latch.clear() is not None
    latch.require_clear()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_is_in_the_file_it_counts_as_engaged(content: bytes) -> None:
    latch.latch_path().write_bytes(content)
    assert latch.engaged() is not None


def test_a_folder_in_place_of_the_file_counts_as_engaged_and_cannot_be_cleared() -> None:
    latch.latch_path().mkdir()
    assert latch.engaged() is not None
    with pytest.raises(RefusedError, match="cannot be kept in"):
        latch.engage()
    with pytest.raises(RefusedError, match="cannot be cleared"):
        latch.clear()


def test_a_file_in_place_of_the_folder_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("PERCUSS_HOME", str(home / "file"))
    with pytest.raises(RefusedError, match="cannot be kept in") as refused:
        latch.engage()
    assert "Take the device's power away" in str(refused.value)
    assert str(home / "file") in str(refused.value)
    assert latch.engaged() is not None, "nobody can tell, so it is"


# ---- a folder of somebody else's: in a process without any rights there ---------------------------------------------

OTHER_PERSON = """
import os, sys
from controller.errors import RefusedError
from controller.safety import latch
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    getattr(latch, sys.argv[1])()
except RefusedError as problem:
    print(problem)
print("engaged" if latch.engaged() else "clear")
"""


@pytest.fixture
def locked(home: Path) -> Iterator[Callable[[int], Path]]:
    """A state folder with the rights that a test wants, reachable by everybody."""
    folders = [home, *(folder for folder in home.parents if folder.stat().st_uid == os.geteuid())]
    before = {folder: folder.stat().st_mode for folder in folders if str(folder) != "/"}

    def lock(mode: int) -> Path:
        for folder, mode_before in before.items():
            folder.chmod(mode_before | 0o111)
        home.chmod(mode)
        return home

    yield lock
    for folder, mode in before.items():
        folder.chmod(mode)


def as_somebody_else(do: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PERSON, do], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_folder_that_may_not_be_written_to_says_so(locked: Callable[[int], Path]) -> None:
    folder = locked(0o555)
    said, state = as_somebody_else("engage")
    assert "the emergency stop cannot be kept in (Permission denied)" in said
    assert str(folder / "emergency-stop.json") in said
    assert state == "clear", "it could be looked at, and it is not there"


def test_a_latch_that_may_not_be_read_counts_as_engaged(locked: Callable[[int], Path]) -> None:
    latch.engage()
    locked(0o000)
    said, state = as_somebody_else("require_clear")
    assert "the emergency stop is in since an unknown time" in said
    assert state == "engaged"


def test_a_latch_that_may_not_be_removed_stays_and_says_so(locked: Callable[[int], Path]) -> None:
    latch.engage()
    locked(0o555)
    said, state = as_somebody_else("clear")
    assert "the emergency stop cannot be cleared (Permission denied)" in said
    assert state == "engaged"
