"""A session that runs, as those see it who started it or look on: what happens, where it stands, what to ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from controller.errors import RefusedError, StopUnconfirmedError
from controller.events import Event, SessionEnded
from controller.sessions import BY_THE_PERSON, Progress, Request, Session
from routines.timeline import Timeline

PAIN_MAX = 10


class EventLog:
    """All that happens in a session, kept once for any number of readers.

    Nobody waits for a reader, and one that never reads costs nothing. It has no bound because its source has one: a
    device reports a few times a second, and a session lasts minutes.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._is_over = False
        self._news = asyncio.Event()

    @property
    def events(self) -> Sequence[Event]:
        """Everything so far."""
        return self._events

    def add(self, event: Event) -> None:
        """Take one more."""
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """Let the readers come to their end."""
        self._is_over = True
        self._wake()

    async def read(self) -> AsyncIterator[Event]:
        """Everything from the beginning, each as soon as it happens, until the log is closed."""
        index = 0
        while True:
            while index < len(self._events):
                yield self._events[index]
                index += 1
            if self._is_over:
                return
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class LiveSession:
    """A session that was started and runs by itself. After its end, asking for anything does nothing.

    ``plan`` is what it runs; ``is_over`` is set by whoever runs it.
    """

    def __init__(self, session: Session, plan: Timeline, log: EventLog, task: asyncio.Task[SessionEnded]) -> None:
        self.plan = plan
        self.is_over = False
        self._session = session
        self._log = log
        self._task = task

    @property
    def happened(self) -> Sequence[Event]:
        """All events so far."""
        return self._log.events

    def events(self) -> AsyncIterator[Event]:
        """All events from the session's start, each as soon as it happens, until everything is over.

        Every reader gets all of them; how slowly one reads is nobody else's concern.
        """
        return self._log.read()

    def progress(self) -> Progress:
        """Where it stands now."""
        return self._session.progress()

    def request(self, request: Request) -> None:
        """Ask for a pause, the next place, more time …; it is done at once, or an event says why not."""
        if not self.is_over:
            self._session.request(request)

    def tell_pain(self, score: int) -> None:
        """Tell how much it hurts, 0 to 10. A rise or a high figure stops everything. Raises RefusedError."""
        check_pain(score)
        if not self.is_over:
            self._session.tell_pain(score)

    def tell_nerve_sign(self) -> None:
        """Tell of tingling, numbness or shooting pain: everything stops at once."""
        if not self.is_over:
            self._session.tell_nerve_sign()

    def stop(self, reason: str = BY_THE_PERSON) -> asyncio.Future[SessionEnded]:
        """Stop now. Whoever awaits what it gives knows that everything is over, as with `ended`."""
        if not self.is_over:
            self._session.stop(reason)
        ended = asyncio.shield(self._task)
        # Nobody has to await it: what went wrong is raised where the session is left.
        ended.add_done_callback(lambda future: future.cancelled() or future.exception())
        return ended

    async def ended(self) -> SessionEnded:
        """Wait for the end: everything is at rest then, or its ``outcome`` is ``stop_unconfirmed``.

        Raises JournalError when it could not be written down, and whatever else broke the session.
        """
        return await asyncio.shield(self._task)


class Stoppable(Protocol):
    """What can be told to stop."""

    def stop(self, reason: str = ...) -> object:
        """Stop now."""


async def see_over(task: asyncio.Task[SessionEnded], live: Stoppable | None, why: str) -> None:
    """End a session, or give up one that has not begun, and wait until everything is over.

    Being cancelled does not break that off. Raises StopUnconfirmedError.
    """
    if live is not None:
        live.stop(why)
    else:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as problem:
            cancelled = problem
    if not task.cancelled() and task.exception() is None and task.result().outcome == "stop_unconfirmed":
        raise StopUnconfirmedError(task.result().reason, fix="Then: percuss stop --all")
    if cancelled is not None:
        raise cancelled


def check_pain(score: int) -> None:
    """Raise RefusedError for a figure that is no answer to how much it hurts."""
    if not 0 <= score <= PAIN_MAX:
        raise RefusedError(f"{score} does not say how much it hurts.", fix=f"Say it with 0 to {PAIN_MAX}.")
