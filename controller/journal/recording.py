"""One session's record: events go in without waiting, and a thread of its own writes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from sqlalchemy import Engine

from controller.errors import JournalError
from controller.events import (
    DeviceReported,
    DeviceStopped,
    Event,
    LevelAsked,
    PainTold,
    RequestRefused,
    SessionEnded,
    SpanEnded,
    SpanExtended,
    SpanStarted,
)
from controller.journal.places import Place
from controller.journal.problems import journal_error, told
from controller.journal.rows import SessionRows

BATCH_S = 0.2
"""How long an event waits for others to be written together with it."""

BATCH_EVENTS = 500
"""The most that one transaction holds."""

QUEUE_EVENTS = 10_000
"""So many unwritten events are a failure: the disk cannot keep up, and memory has an end."""

AT_ONCE = (SpanStarted, SpanEnded, SpanExtended, DeviceStopped, PainTold, SessionEnded)
"""What doses and the next start depend on."""

KEPT = (*AT_ONCE, LevelAsked, DeviceReported, RequestRefused)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event and when it came: ``mono_s`` of `time.monotonic`."""

    event: Event
    at_utc: datetime
    mono_s: float


class SessionRecord:
    """Writes what happens in one session. It never stands in the way: `record` does not wait and does not raise.

    The first failure is kept, and ``on_failure`` called with it once, from another thread than the session's (from
    the one that records when the queue is full); later events are dropped.
    """

    def __init__(self, number: int, writing: Engine, place: Place) -> None:
        """``number`` is the row of ``sessions``; ``writing`` an engine whose transactions start as writers."""
        self.id = number
        self.failure: JournalError | None = None
        self._on_failure: Callable[[JournalError], None] | None = None
        self._writing = writing
        self._place = place
        self._rows = SessionRows(number)
        # Not queue.Queue: its lock would be in the way of a caller that interrupts itself.
        self._queue: SimpleQueue[Arrived | None] = SimpleQueue()
        self._failing = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{number}", daemon=True)
        self._thread.start()

    @property
    def on_failure(self) -> Callable[[JournalError], None]:
        """Who is told of the failure. One who comes after it is told at once, so that nobody misses it."""
        return self._on_failure or (lambda _: None)

    @on_failure.setter
    def on_failure(self, told_to: Callable[[JournalError], None]) -> None:
        with self._failing:
            is_late = self.failure is not None and self._on_failure is None
            self._on_failure = told_to
        if is_late and self.failure is not None:
            told_to(self.failure)

    def record(self, event: Event) -> None:
        """Take an event to write it soon; events that the journal does not keep are left out."""
        if self.failure is not None or self._is_closed or not isinstance(event, KEPT):
            return
        if self._queue.qsize() >= QUEUE_EVENTS:
            self._fail(
                JournalError(
                    f"cannot keep up: {QUEUE_EVENTS} events are not written yet.",
                    where=self._place.where,
                    fix="Is that disk or server overloaded?",
                )
            )
            return
        self._queue.put(Arrived(event, datetime.now(UTC), time.monotonic()))

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is left and end; when that takes longer than ``timeout_s`` real seconds, it is a failure."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        if threading.current_thread() is self._thread:
            return  # it ends by itself when this call returns
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            what = f"did not take the end of the session within {timeout_s:g} s."
            self._fail(JournalError(what, where=self._place.where, fix="Is that disk or server overloaded?"))

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._collect()
            try:
                with told(self._place):
                    self._write(batch)
            except JournalError as problem:
                self._fail(problem)
                return
            except Exception as problem:  # noqa: BLE001 - whatever it is, the session must hear that nothing is written
                self._fail(journal_error(problem, self._place))
                return

    def _collect(self) -> tuple[list[Arrived], bool]:
        """Wait for the next batch; also whether it is the last one."""
        batch: list[Arrived] = []
        while len(batch) < BATCH_EVENTS:
            left_s = max(0.0, batch[0].mono_s + BATCH_S - time.monotonic()) if batch else None
            try:
                arrived = self._queue.get(timeout=left_s)
            except Empty:
                break
            if arrived is None:
                return batch, True
            batch.append(arrived)
            if isinstance(arrived.event, AT_ONCE):
                break
        return batch, False

    def _write(self, batch: Sequence[Arrived]) -> None:
        if not batch:
            return
        with self._writing.begin() as connection:
            for arrived in batch:
                self._rows.write(connection, arrived.at_utc, arrived.event)

    def _fail(self, problem: JournalError) -> None:
        with self._failing:
            if self.failure is not None:
                return
            self.failure = problem
            told_to = self.on_failure
        with suppress(Exception):  # nobody is left to tell, and `failure` says it
            told_to(problem)
