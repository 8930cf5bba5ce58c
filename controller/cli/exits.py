"""Exit codes: what a script may rely on.

====  =================  ===========================================================================
code  name               meaning
====  =================  ===========================================================================
0     done               it was done
1     internal           percuss itself failed; the message says how to report it
2     usage              the command line makes no sense
3     stopped            stopped before the end: a key, Ctrl-C, a signal, a closed terminal, a computer that slept
4     refused            outside the limits, or not the device that was paired; nothing was changed
5     not_found          no such device, or it cannot be reached: off, busy, no adapter, no permission; nothing to write
6     link_lost          it was there and is gone
7     device_fault       it is silent, garbled, or not doing what it was told
8     bad_file           a routine, a profile, the paired devices, the answers or the journal cannot be used
9     stop_unconfirmed   Stop was sent and the device did not confirm it: press its button
====  =================  ===========================================================================
"""

from __future__ import annotations

import asyncio
import os
from enum import IntEnum

import click

from controller import errors
from controller.cli.output import leave_stdout, say
from controller.events import Outcome
from firmware_profiles.errors import FileError, FrameError, MatchError, PercussError, ValueRefusedError
from routines.errors import PlanRefusedError


class Exit(IntEnum):
    """The exit codes of every command."""

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


def exit_of_outcome(outcome: Outcome) -> Exit:
    """The exit code of a session."""
    return Exit[outcome.upper()]


def tell(problem: BaseException) -> Exit:
    """Tell a person what went wrong, in a sentence on stderr; the exit code that goes with it."""
    if isinstance(problem, click.Abort | KeyboardInterrupt | asyncio.CancelledError):
        say("stopped.")
        return Exit.STOPPED
    if isinstance(problem, PercussError):
        say(f"percuss: {problem}")
        return exit_of_error(problem)
    if isinstance(problem, BrokenPipeError):
        # Whoever read the output has enough of it; nothing is left to say, not even at interpreter exit.
        leave_stdout()
        return Exit.DONE
    if os.environ.get("PERCUSS_DEBUG"):
        raise problem
    say(
        f"percuss: this should not have happened ({type(problem).__name__}: {problem}). "
        "Run it again with PERCUSS_DEBUG=1 and report what it prints."
    )
    return Exit.INTERNAL
