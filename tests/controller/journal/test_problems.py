"""What is wrong with real files, disks and servers, as a person is told of it."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from controller.errors import JournalError
from controller.events import RequestRefused
from controller.journal import open_journal, places
from tests.controller.journal.contents import begin, file_of, plain_connection, rows, run, started
from tests.helpers.postgres import Postgres
from tests.helpers.processes import HANG_S

SECRET = "hush-1234"
NOBODY = 65534


@contextmanager
def powerless() -> Iterator[None]:
    """Permissions bind in the block, also when this is root."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches."""
    with tempfile.TemporaryDirectory(prefix="journal-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def failure(url: str) -> JournalError:
    with pytest.raises(JournalError) as caught:
        open_journal(url)
    assert caught.value.what
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("content", [b"this is a letter, no database, " * 50, b"\x89PNG\r\n\x1a\n" + bytes(4096)])
def test_a_file_that_is_no_database_is_left_alone(file_url: str, content: bytes) -> None:
    file_of(file_url).write_bytes(content)
    problem = failure(file_url)
    assert problem.what.startswith("is no journal")
    assert problem.where == str(file_of(file_url))
    assert file_of(file_url).read_bytes() == content


def test_a_database_of_somebody_else_is_left_alone(url: str) -> None:
    run(url, "CREATE TABLE sessions (cookie INTEGER)", "INSERT INTO sessions VALUES (5)")
    assert "sessions" in failure(url).what
    assert rows(url, "SELECT cookie FROM sessions") == [(5,)]


def test_a_damaged_journal_is_told(file_url: str) -> None:
    journal = open_journal(file_url)
    for _ in range(50):
        begin(journal)
    journal.close()
    raw = bytearray(file_of(file_url).read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)  # the first page, which says what there is, stays
    file_of(file_url).write_bytes(raw)
    assert failure(file_url).what.startswith("is damaged")


def test_a_folder_in_the_place_of_the_file_is_told(file_url: str) -> None:
    file_of(file_url).mkdir()
    assert failure(file_url).what == "cannot be opened (it is no file)."


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert failure(f"sqlite:///{tmp_path}/file/journal.sqlite").what.startswith("cannot be opened")


def test_a_folder_that_cannot_be_written_is_told(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with powerless():
        problem = failure(f"sqlite:///{open_folder}/journal.sqlite")
    assert problem.what == "cannot be opened (Permission denied)."
    assert "belong to you" in problem.fix


def test_a_journal_that_cannot_be_written_is_told(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder}/journal.sqlite"
    open_journal(url).close()
    file_of(url).chmod(0o444)
    open_folder.chmod(0o555)
    with powerless():
        problem = failure(url)
    assert "belong to you" in problem.fix


def test_a_database_that_another_program_holds_is_told(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_journal(file_url).close()
    monkeypatch.setattr(places, "BUSY_S", 0.0)
    journal = open_journal(file_url)
    with plain_connection(file_url) as other:
        other.execute("BEGIN IMMEDIATE")
        assert journal.unfinished() == [], "reading goes on"
        with pytest.raises(JournalError, match="held by another program") as caught:
            begin(journal)
        assert caught.value.where == str(file_of(file_url))
        other.rollback()
    assert begin(journal).id == 1, "and when it is free again all is well"
    journal.close()


def test_a_full_database_ends_the_record(file_url: str) -> None:
    """SQLite's own limit: the same error as that of a disk without space."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used + 2}")

    open_journal(file_url).close()
    event.listen(Engine, "connect", limit)
    try:
        journal = open_journal(file_url)
        record = begin(journal)
        for number in range(50):
            record.record(RequestRefused(f"{number} " + "x" * 1000))
        record.close()
    finally:
        event.remove(Engine, "connect", limit)
    assert record.failure is not None
    assert record.failure.what == "there is no space left for the journal (database or disk is full)."
    assert rows(file_url, "SELECT count(*) FROM sessions") == [(1,)], "what was committed stays"
    journal.close()


FULL_DISK = """
import os, resource
from controller.journal import open_journal
from tests.controller.journal.contents import begin, started

journal = open_journal()
record = begin(journal)
told = []
record.on_failure = told.append
used = max(entry.stat().st_size for entry in os.scandir(os.environ["PERCUSS_HOME"]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (used + 20_000, hard))
for index in range(2000):
    record.record(started(index))
record.close(60.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(len(told), record.failure)
"""


def test_files_that_may_not_grow_end_the_record_and_keep_what_was_written(file_url: str) -> None:
    """The kernel refuses to write, as it does on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith(f"1 {file_of(file_url)}: cannot be read or written")
    assert rows(file_url, "PRAGMA integrity_check") == [("ok",)]
    indexes = [index for (index,) in rows(file_url, 'SELECT "index" FROM steps ORDER BY id')]
    assert indexes, "some fitted"
    assert indexes == list(range(len(indexes)))
    journal = open_journal(file_url)
    assert len(journal.unfinished()) == 1
    journal.close()


def test_a_driver_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    problem = failure(f"postgresql+psycopg://me:{SECRET}@host/percuss")
    assert problem.what.startswith("the driver for it is not installed")
    assert "percuss[postgres]" in problem.fix
    assert problem.where == "postgresql://host/percuss"


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (
        f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{port}/percuss",
        f"postgresql+psycopg://me:{SECRET}@/percuss?host={tmp_path}",
        f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{port}/percuss?no_such_option={SECRET}",
        f"postgresql+psycopg://127.0.0.1:{port}/percuss?password={SECRET}&sslmode={SECRET}",
    ):
        problem = failure(url)
        assert problem.what.startswith("the database cannot be used")
        assert problem.where.startswith("postgresql://")
        assert SECRET not in str(problem)
        assert SECRET not in "".join(traceback.format_exception(problem))


def test_a_database_that_is_not_there_is_told(postgres: Postgres) -> None:
    problem = failure(f"postgresql+psycopg://percuss:{SECRET}@/no_such_one?host={postgres.folder}")
    assert "no_such_one" in problem.what
    assert SECRET not in str(problem)


def test_a_connection_that_the_server_dropped_is_made_again(server_url: str) -> None:
    journal = open_journal(server_url)
    record = begin(journal)
    run(server_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    record.record(started())
    record.close()
    assert record.failure is None
    assert rows(server_url, "SELECT count(*) FROM steps") == [(1,)]
    journal.close()


def test_a_database_that_goes_away_ends_the_record(server_url: str, postgres: Postgres) -> None:
    journal = open_journal(server_url)
    record = begin(journal)
    name = server_url.split("@/")[1].split("?", maxsplit=1)[0]
    with plain_connection(postgres.new_database()) as other:
        other.autocommit = True
        other.execute(f"DROP DATABASE {name} WITH (FORCE)")
    record.record(started())
    record.close()
    assert record.failure is not None
    assert "does not exist" in record.failure.what
    with pytest.raises(JournalError, match="does not exist"):
        journal.unfinished()
    journal.close()


def test_texts_that_the_servers_alphabet_has_not_are_a_failure_and_no_crash(postgres: Postgres) -> None:
    journal = open_journal(postgres.new_database(encoding="LATIN1"))
    with pytest.raises(JournalError, match="latin-1"):
        journal.note_refusal("🦵")
    journal.note_refusal("Knöchel")
    journal.close()
