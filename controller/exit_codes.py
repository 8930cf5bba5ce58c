"""What went wrong, in a word and a number that scripts may rely on; docs/reference/command-line.md has the table."""

from __future__ import annotations

from enum import IntEnum

from controller import errors
from firmware_profiles.errors import FileError, FrameError, MatchError, PercussError, ValueRefusedError
from routines.errors import PlanRefusedError


class Exit(IntEnum):
    """The exit codes of every command; their names are the types of problems at the other doors."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    STOPPED = 3
    REFUSED = 4
    NOT_FOUND = 5
    LINK_LOST = 6
    DEVICE_FAULT = 7
    BAD_FILE = 8
    STOP_UNCONFIRMED = 9


# The first class that fits counts, so the special ones come first.
_BY_ERROR: tuple[tuple[type[PercussError], Exit], ...] = (
    (PlanRefusedError, Exit.REFUSED),
    (errors.RefusedError, Exit.REFUSED),
    (errors.IdentityError, Exit.REFUSED),
    (errors.GuardianError, Exit.REFUSED),
    (errors.JournalError, Exit.BAD_FILE),
    (errors.SettingsError, Exit.BAD_FILE),
    (FileError, Exit.BAD_FILE),
    (ValueRefusedError, Exit.USAGE),
    (FrameError, Exit.USAGE),
    (MatchError, Exit.NOT_FOUND),
    (errors.LinkLostError, Exit.LINK_LOST),
    (errors.DeviceNotFoundError, Exit.NOT_FOUND),
    (errors.DeviceBusyError, Exit.NOT_FOUND),
    (errors.AdapterError, Exit.NOT_FOUND),
    (errors.StopUnconfirmedError, Exit.STOP_UNCONFIRMED),
    (errors.PairingError, Exit.DEVICE_FAULT),
    (errors.DeviceFaultError, Exit.DEVICE_FAULT),
    (errors.TransportError, Exit.NOT_FOUND),
)


def exit_of_error(problem: PercussError) -> Exit:
    """The exit code of an error."""
    return next((code for kind, code in _BY_ERROR if isinstance(problem, kind)), Exit.INTERNAL)


def name_of_error(problem: PercussError) -> str:
    """The exit code's name in small letters, as other programs are told it: ``refused``, ``not_found``."""
    return exit_of_error(problem).name.lower()


def problem_json(problem: BaseException | None) -> dict[str, str]:
    """What went wrong as plain values: ``type``, ``detail``, ``where`` and ``fix``; empty for nothing."""
    match problem:
        case None:
            return {}
        case PercussError(what=what, where=where, fix=fix):
            return {"type": name_of_error(problem), "detail": what, "where": where, "fix": fix}
        case _:
            return {"type": "internal", "detail": f"percuss itself failed ({problem!r}).", "where": "", "fix": ""}
