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

import click

from controller.cli.output import leave_stdout, say
from controller.events import Outcome
from controller.exit_codes import Exit, exit_of_error
from firmware_profiles.errors import PercussError

__all__ = ["Exit", "exit_of_error", "exit_of_outcome", "tell"]


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
