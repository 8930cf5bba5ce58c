"""One service for each person: a locked file says that it runs, and ``service.json`` where it listens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.errors import DeviceBusyError, RefusedError
from controller.private_files import write_private
from controller.safety import holds
from firmware_profiles.folders import state_folder


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that runs. ``url`` is where it listens, empty while it does not yet; ``tls_cert`` its certificate.

    ``phone_url`` is how another computer here reaches it, None when none can.
    """

    pid: int
    url: str
    tls_cert: str | None = None
    phone_url: str | None = None


class Ownership:
    """What a service holds while it runs."""

    def tell(self, url: str, *, tls_cert: Path | None = None, phone_url: str | None = None) -> None:
        """Let the command line know where it listens. Raises RefusedError when that cannot be written."""
        cert = None if tls_cert is None else str(tls_cert.resolve())
        try:
            write_private(_said_path(), json.dumps(asdict(RunningService(os.getpid(), url, cert, phone_url))))
        except OSError as problem:
            what = f"where the service listens cannot be written down ({problem.strerror})."
            raise RefusedError(what, where=str(_said_path()), fix="Make room there.") from problem


@contextmanager
def owned() -> Iterator[Ownership]:
    """Be the service for the block. Raises DeviceBusyError that names the process of another one.

    The lock goes with the process, however that ends.
    """
    with holds.held_file(_lock_path(), "the service", "runs", fix="Use that one, or stop it first."):
        with suppress(OSError):
            _said_path().unlink(missing_ok=True)
        try:
            yield Ownership()
        finally:
            with suppress(OSError):
                _said_path().unlink(missing_ok=True)


def find_service() -> RunningService | None:
    """The service that runs now; None when there is none."""
    pid = service_pid()
    if pid is None:
        return None
    try:
        return RunningService(**json.loads(_said_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return RunningService(pid, "")


def service_pid() -> int | None:
    """The process of the service; None when there is none."""
    return holds.holder_of_file(_lock_path())


def require_own(names: Iterable[str]) -> None:
    """Raise DeviceBusyError when another process is the service, which owns every paired device."""
    pid = service_pid()
    if pid is not None and pid != os.getpid() and (owned_names := ", ".join(names)):
        fix = "Use its page, or `percuss run` without --sim; or end it first."
        raise DeviceBusyError(f"is owned by the service (process {pid}).", where=owned_names, fix=fix)


def _lock_path() -> Path:
    return state_folder() / "service.lock"


def _said_path() -> Path:
    return state_folder() / "service.json"
