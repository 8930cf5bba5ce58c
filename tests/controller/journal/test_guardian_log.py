from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.events import SessionEnded
from controller.guardian import child
from controller.journal import Journal, open_journal
from controller.journal.guardian_log import GuardianWord, log_path, read_words, taken_path
from tests.controller.journal.contents import begin, rows, run

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
ALL = 'SELECT session, device, proof, attempts, "by" FROM stops ORDER BY id'


def line(*, device: str = "elite", after_s: float = 0.0, **others: object) -> str:
    words = {
        "at_utc": (NOON + timedelta(seconds=after_s)).isoformat(),
        "pid": os.getpid(),
        "device": device,
        "cause": "percuss ended without stopping its devices",
        "proof": "confirmed",
        "attempts": 3,
        "problem": "",
    }
    return json.dumps({**words, **others}) + "\n"


def write(*lines: str) -> None:
    with log_path().open("a", encoding="utf-8") as file:
        file.writelines(lines)


def append(numbers: range) -> None:
    for number in numbers:
        write(line(device=f"device-{number}"))


def test_it_is_the_file_that_the_guardian_writes(home: Path) -> None:
    assert log_path() == home / child.LOG_NAME


def test_what_the_guardian_stopped_belongs_to_the_unfinished_session_of_its_process(journal: Journal, url: str) -> None:
    over = begin(journal)
    over.record(SessionEnded("done", "", 1.0))
    over.close()
    unfinished = begin(journal)
    write(line(), line(device="lamp", proof="cannot_report"), line(device="other", pid=1, proof="unconfirmed"))
    words = journal.take_guardian_log()
    assert words[0] == GuardianWord(
        NOON, os.getpid(), "elite", "percuss ended without stopping its devices", "confirmed", 3, ""
    )
    assert [word.device for word in words] == ["elite", "lamp", "other"]
    assert rows(url, ALL) == [
        (unfinished.id, "elite", "confirmed", 3, "guardian"),
        (unfinished.id, "lamp", "cannot_report", 3, "guardian"),
        (None, "other", "unconfirmed", 3, "guardian"),
    ]
    assert not log_path().exists()


def test_nothing_is_taken_twice(journal: Journal, url: str) -> None:
    assert journal.take_guardian_log() == []
    write(line())
    assert len(journal.take_guardian_log()) == 1
    assert journal.take_guardian_log() == []
    assert not taken_path().exists(), "in the end nothing is left"
    write(line(), line(after_s=0.000001))
    assert [word.at_utc.microsecond for word in journal.take_guardian_log()] == [123_457]
    assert rows(url, "SELECT count(*) FROM stops") == [(2,)]


def test_a_line_that_comes_while_the_file_is_taken_is_not_lost(journal: Journal, url: str) -> None:
    write(line())
    with log_path().open("a", encoding="utf-8") as late:
        assert len(journal.take_guardian_log()) == 1
        late.write(line(device="late"))
    write(line(device="later"))
    assert [word.device for word in journal.take_guardian_log()] == ["late", "later"]
    assert rows(url, "SELECT count(*) FROM stops") == [(3,)]


def test_a_take_that_broke_off_is_finished_the_next_time(url: str) -> None:
    journal = open_journal(url)
    write(line())
    run(url, "ALTER TABLE stops RENAME TO gone")
    with pytest.raises(JournalError):
        journal.take_guardian_log()
    run(url, "ALTER TABLE gone RENAME TO stops")
    write(line(device="lamp"))
    assert [word.device for word in journal.take_guardian_log()] == ["elite", "lamp"]
    journal.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "\n",
        "null\n",
        "[]\n",
        "7\n",
        '"text"\n',
        "{}\n",
        "[" * 60_000 + "\n",
        "x" * 200_000 + "\n",
        "1" * 5_000 + "\n",
        line(at_utc="yesterday"),
        line(at_utc=7),
        line(at_utc="0001-01-01T00:00:00+14:00"),
        line(proof="perhaps"),
        line(proof=[]),
        line(attempts=True),
        line(attempts=-1),
        line(attempts="3"),
        line(pid=2**70),
        line(pid=None),
        line()[:-40] + "\n",
        "\0" * 100 + "\n",
        "\udcff\n",
    ],
    ids=range(23),
)
def test_nonsense_between_the_lines_is_passed_over(nonsense: str, home: Path) -> None:
    raw = line() + nonsense + line(device="lamp")
    log_path().write_bytes(raw.encode("utf-8", "surrogateescape"))
    assert [word.device for word in read_words(log_path())] == ["elite", "lamp"]


def test_a_line_that_was_cut_off_does_not_hide_the_next() -> None:
    write(line()[:25], line(device="lamp"), line(device="half")[:-10])
    assert [word.device for word in read_words(log_path())] == ["lamp"]


def test_a_log_that_cannot_be_read_is_told(journal: Journal) -> None:
    log_path().mkdir()
    with pytest.raises(JournalError):
        journal.take_guardian_log()


def test_takers_at_once_take_each_word_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_JOURNAL", url)
    open_journal().close()
    append(range(50))
    code = (
        "import sys; from controller.journal import open_journal; journal = open_journal(); print(flush=True);"
        "sys.stdin.readline(); print(len(journal.take_guardian_log())); journal.close()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for each in children:
        assert each.stdout is not None
        each.stdout.readline()
    writer = threading.Thread(target=append, args=(range(50, 100),))
    writer.start()
    taken = sum(int(each.communicate("\n")[0]) for each in children)
    writer.join()
    journal = open_journal()
    taken += len(journal.take_guardian_log()) + len(journal.take_guardian_log())
    journal.close()
    assert taken == 100
    assert rows(url, "SELECT count(DISTINCT device) FROM stops") == [(100,)]
