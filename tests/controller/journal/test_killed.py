"""A process that is killed with SIGKILL loses nothing that was committed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from controller.journal import open_journal
from tests.controller.journal.contents import rows

ENDLESS = """
from itertools import count

from controller.events import LevelAsked
from controller.journal import open_journal
from tests.controller.journal.contents import begin, ended, started

journal = open_journal()
record = begin(journal)
print(record.id, flush=True)
waiting = record._queue.qsize
for index in count():
    record.record(started(index))
    record.record(LevelAsked("elite", "motor", 1800, 33.3, 1800))
    record.record(ended(index, elapsed_s=1.0))
    while waiting() > 100 and record.failure is None:
        pass
"""


def last_step(url: str) -> int:
    ((index,),) = rows(url, 'SELECT max("index") FROM steps WHERE elapsed_s IS NOT NULL')
    return -1 if index is None else int(index)


def test_all_that_was_committed_is_there_and_the_session_is_known_to_be_unfinished(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERCUSS_JOURNAL", url)
    with subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            number = int(child.stdout.readline())
            while (seen := last_step(url)) < 20:
                assert child.poll() is None
                threading.Event().wait(0.005)
        finally:
            child.send_signal(signal.SIGKILL)
    journal = open_journal()
    (unfinished,) = journal.unfinished()
    assert (unfinished.id, unfinished.pid) == (number, child.pid)
    steps = rows(url, 'SELECT "index", elapsed_s FROM steps ORDER BY id')
    assert [index for index, _ in steps] == list(range(len(steps))), "none is missing in between"
    assert len(steps) > seen
    assert all(elapsed_s == 1.0 for _, elapsed_s in steps[:-1])
    ((commands,),) = rows(url, "SELECT count(*) FROM commands")
    assert len(steps) - 1 <= commands <= len(steps)
    driven = journal.driven_since(datetime(2001, 1, 1, tzinfo=UTC))
    assert sum(span.driven_s for span in driven[:-1]) == len(steps) - 1
    assert driven[-1].driven_s in {1.0, 30.0}, "a step under way counts whole"
    journal.close()
    if url.startswith("sqlite"):
        assert rows(url, "PRAGMA integrity_check") == [("ok",)]
