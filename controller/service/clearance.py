"""What must be so before a motor may start: nothing latched, nothing left over, and what the day still allows."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller import screening
from controller.errors import DeviceNotFoundError, StopUnconfirmedError
from controller.events import Listener
from controller.journal import Journal, UnfinishedSession, open_existing
from controller.registry import Registry
from controller.safety import holds
from controller.service.binding import Bindings, bind_paired, touches_a_body
from controller.service.emergency import stop_devices
from controller.service.threads import in_thread
from firmware_profiles.errors import PercussError
from routines.bounds import Bound
from routines.dose import COUNTS_FROM_S, bounds_today
from routines.own_limits import own_bounds

LOOK_BACK = timedelta(days=400)
"""How far back pain counts: a place that hurt stays gentle until a session there ends well."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A session that ended without a word, what it drove, and what became of that: a sentence for each device."""

    session: UnfinishedSession
    stops: dict[str, str]


def bounds_of_the_day(bindings: Bindings, journal: Journal, *, is_screened: bool = True) -> tuple[Bound, ...]:
    """What holds for a session on these devices, on top of what the body and the devices bear.

    The person's own limits hold everywhere; screening and earlier sessions only where a real massager is driven. Raises
    RefusedError without a valid screening, unless ``is_screened`` is false: for a plan that nobody runs.
    """
    bounds = own_bounds()
    if not touches_a_body(bindings):
        return bounds
    now_utc = datetime.now(UTC)
    if is_screened:
        bounds += screening.require(now_utc=now_utc)
    since_utc = now_utc - LOOK_BACK
    driven = journal.driven_since(since_utc)
    return bounds + bounds_today(
        driven,
        journal.pain_since(since_utc),
        now_utc=now_utc,
        # A moment is no first session.
        has_driven_before=any(span.driven_s >= COUNTS_FROM_S for span in driven),
    )


async def settle_now(*, emit: Listener) -> list[LeftOver]:
    """The same for a program that has just begun; a guardian that still stops what it guarded is waited for.

    Raises as `settle_left_overs` does. Without a journal there is nothing, and none is made.
    """
    journal = open_existing()
    if journal is None:
        return []
    try:
        for _ in range(holds.GUARDIAN_LOOKS):
            if not holds.left_behind():
                break
            await asyncio.sleep(holds.LOOK_S)
        return await settle_left_overs(journal, emit=emit)
    finally:
        journal.close()


_GUARDED = {
    "confirmed": "the guardian stopped it (confirmed)",
    "cannot_report": "the guardian sent Stop to it; it cannot say whether it stopped, so look at it",
}
_STOPPED = {
    "confirmed": "it was stopped now (confirmed)",
    "cannot_report": "Stop was sent to it now; it cannot say whether it stopped, so look at it",
}


async def settle_left_overs(journal: Journal, *, emit: Listener) -> list[LeftOver]:
    """Find sessions that ended without a word, stop what they drove, and close them in the journal.

    What the guardian saw stop is not stopped again. Raises JournalError, and StopUnconfirmedError for a device that
    does not confirm that it stops: then nothing new may start.
    """
    words = await in_thread(journal.take_guardian_log)
    running = holds.holders() - {os.getpid()}  # in a container every process may have the same number
    settled = []
    for session in await in_thread(journal.unfinished):
        if session.pid in running:
            continue
        stops = {
            word.device: _GUARDED[word.proof] for word in words if word.pid == session.pid and word.proof in _GUARDED
        }
        for name in session.devices.values():
            if name not in stops:
                stops[name] = await _stop_now(name, session, journal, emit=emit)
        said = "; ".join(f"{name}: {what}" for name, what in stops.items())
        journal.close_unfinished(session.id, reason=f"It ended without a word. {said}.", ended_utc=datetime.now(UTC))
        settled.append(LeftOver(session, stops))
    return settled


async def _stop_now(name: str, session: UnfinishedSession, journal: Journal, *, emit: Listener) -> str:
    try:
        binding = bind_paired(name, Registry())
    except DeviceNotFoundError:
        if session.is_simulated:
            return "it was a simulator"
        return "it is not paired any more, so nobody can stop it from here"
    except PercussError as problem:
        return f"it could not be stopped ({problem})"
    result = (await stop_devices([binding], emit=emit))[name]
    if isinstance(result, PercussError):
        return f"IT COULD NOT BE STOPPED ({result}): look at it, and press its button if it runs"
    journal.note_stop(name, result.proof, result.attempts, "command")
    if result.proof == "unconfirmed":
        what = "it was left running by a session that ended without a word, and does not confirm that it stops."
        raise StopUnconfirmedError(what, where=name, fix="Press its button. `percuss forget` it if it is gone.")
    return _STOPPED[result.proof]
