"""Who drives what: a locked file for every device that a process drives.

The lock goes with the process, however that ends, so a file without a lock means nothing. Two processes never drive one
device, and whoever wants to stop it knows whom to tell.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from controller.errors import DeviceBusyError
from firmware_profiles.folders import state_folder

LOOKS, LOOK_S = 5, 0.02
"""How often, and how many seconds apart, a lock is tried before the device counts as driven."""


GUARDIAN_LOOKS = 500
"""How often at most, which is ten seconds, while the process that held it is dead and its guardian still stops."""


_DRIVEN = "is driven by another percuss"


def holds_folder() -> Path:
    """Where the files are."""
    return state_folder() / "holds"


@contextmanager
def held(name: str, url: str) -> Iterator[int]:
    """Hold a device for the block; gives the descriptor of the lock, which another process may keep as well.

    Raises DeviceBusyError that names the process which drives it already.
    """
    with held_file(_path(url), name, _DRIVEN, fix=_stop_it(name)) as file:
        yield file


@asynccontextmanager
async def held_soon(name: str, url: str) -> AsyncIterator[int]:
    """The same in an event loop, which goes on while a dead process's guardian still stops the device."""
    with _opened(_path(url)) as file:
        for is_taken in _tries(file):
            if is_taken:
                break
            await asyncio.sleep(LOOK_S)
        else:
            raise _busy(file, name, _DRIVEN, fix=_stop_it(name))
        _sign(file)
        yield file


@contextmanager
def held_file(path: Path, name: str, taken: str, *, fix: str) -> Iterator[int]:
    """Hold a file that stands for something, in the same way; ``taken`` says what is so while another holds it."""
    with _opened(path) as file:
        for is_taken in _tries(file):
            if is_taken:
                break
            time.sleep(LOOK_S)
        else:
            raise _busy(file, name, taken, fix=fix)
        _sign(file)
        yield file


def holder(url: str) -> int | None:
    """The process that drives a device now; 0 when it does not say which, None when there is none."""
    return holder_of_file(_path(url))


def holders() -> set[int]:
    """Every process that drives a device now."""
    folder = holds_folder()
    found = (holder_of_file(path) for path in folder.glob("*.hold")) if folder.is_dir() else ()
    return {pid for pid in found if pid}


def left_behind() -> set[int]:
    """Processes that are dead while something is still held for them: their guardian is stopping it."""
    return {pid for pid in holders() if not is_alive(pid)}


def holder_of_file(path: Path) -> int | None:
    """The process that holds a file now, as `holder` does for a device."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _lock(file, is_shared=True) else _pid_in(file)
    finally:
        os.close(file)


def _pid_in(file: int) -> int:
    try:
        os.lseek(file, 0, os.SEEK_SET)
        return int(os.read(file, 20))
    except (OSError, ValueError):
        return 0


def _path(url: str) -> Path:
    return holds_folder() / f"{key(url)}.hold"


def key(url: str) -> str:
    """What tells devices apart, however one is written: the options of a Bluetooth URL say only how to get there."""
    plain = url.partition("?")[0].rstrip("/").casefold() if url.startswith("ble://") else url
    if "://" not in url:
        plain = os.path.realpath(url)
    return hashlib.sha256(plain.encode()).hexdigest()[:24]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        what = f"cannot be taken: {problem.strerror}."
        raise DeviceBusyError(what, where=str(path), fix="Make room there, or mend its permissions.") from problem
    try:
        yield file
    finally:
        os.close(file)


def _tries(file: int) -> Iterator[bool]:
    """Whether the lock was taken, try by try, until it was or there is no point; whoever tries waits in between.

    Somebody who only looks has the lock for a moment; the guardian of a dead process until it has stopped all.
    """
    for look in range(GUARDIAN_LOOKS):
        yield (is_taken := _lock(file))
        if is_taken or (look >= LOOKS and is_alive(_pid_in(file))):
            return


def _sign(file: int) -> None:
    with suppress(OSError):  # a full disk: the lock alone keeps others away
        os.truncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, str(os.getpid()).encode())


def _busy(file: int, name: str, taken: str, *, fix: str) -> DeviceBusyError:
    pid = _pid_in(file)
    if pid == os.getpid() and taken == _DRIVEN:
        what = f"is driven here already, or its guardian is still stopping it (process {pid})."
        return DeviceBusyError(what, where=name, fix=fix)
    return DeviceBusyError(f"{taken} already (process {pid})." if pid else f"{taken}.", where=name, fix=fix)


def _stop_it(name: str) -> str:
    return f"Wait until it has ended, or stop it: `percuss stop {name}`."


def is_alive(pid: int) -> bool:
    """Whether a process is there; True when nobody knows."""
    if not pid or os.name == "nt":
        return True  # Windows has no harmless signal
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lock(file: int, *, is_shared: bool = False) -> bool:
    """Take the lock of an open file; whether it was free. Those who only look share it, where the system can."""
    try:
        if os.name == "nt":
            import msvcrt

            # Behind the pid, which others must be able to read.
            os.lseek(file, 1000, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
