"""Who drives what: a locked file for every device that a process drives.

The lock goes with the process, however that ends, so a file without a lock means nothing. Two processes never drive one
device, and whoever wants to stop it knows whom to tell.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.errors import DeviceBusyError
from firmware_profiles.folders import state_folder

LOOKS, LOOK_S = 5, 0.02
"""How often, and how many seconds apart, a lock is tried before the device counts as driven."""


GUARDIAN_LOOKS = 500
"""How often at most, which is ten seconds, while the process that held it is dead and its guardian still stops."""


def holds_folder() -> Path:
    """Where the files are."""
    return state_folder() / "holds"


@contextmanager
def held(name: str, url: str) -> Iterator[int]:
    """Hold a device for the block; gives the descriptor of the lock, which another process may keep as well.

    Raises DeviceBusyError that names the process which drives it already.
    """
    path = holds_folder() / f"{_key(url)}.hold"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        what = f"cannot be taken: {problem.strerror}."
        raise DeviceBusyError(what, where=str(path), fix="Make room there, or mend its permissions.") from problem
    try:
        if not _lock_patiently(file):
            pid = _pid_in(file)
            what = f"is driven by another percuss already (process {pid})." if pid else "is driven by another percuss."
            raise DeviceBusyError(what, where=name, fix=f"Wait until it has ended, or stop it: `percuss stop {name}`.")
        with suppress(OSError):  # a full disk: the lock alone keeps others away
            os.truncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, str(os.getpid()).encode())
        yield file
    finally:
        os.close(file)


def holder(url: str) -> int | None:
    """The process that drives a device now; 0 when it does not say which, None when there is none."""
    return _holder(holds_folder() / f"{_key(url)}.hold")


def holders() -> set[int]:
    """Every process that drives a device now."""
    folder = holds_folder()
    found = (_holder(path) for path in folder.glob("*.hold")) if folder.is_dir() else ()
    return {pid for pid in found if pid}


def _holder(path: Path) -> int | None:
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


def _key(url: str) -> str:
    """The same for every way of writing one device: the options of a Bluetooth URL say only how to get there."""
    plain = url.partition("?")[0].rstrip("/").casefold() if url.startswith("ble://") else url
    if "://" not in url:
        plain = os.path.realpath(url)
    return hashlib.sha256(plain.encode()).hexdigest()[:24]


def _lock_patiently(file: int) -> bool:
    """Somebody who only looks has the lock for a moment; the guardian of a dead process until it has stopped all."""
    for look in range(GUARDIAN_LOOKS):
        if _lock(file):
            return True
        if look >= LOOKS and _is_alive(_pid_in(file)):
            return False
        time.sleep(LOOK_S)
    return False


def _is_alive(pid: int) -> bool:
    if not pid or os.name == "nt":
        return True
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
