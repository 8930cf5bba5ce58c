"""Where the journal is: a file of this user, or the database that ``PERCUSS_JOURNAL`` names; and how to connect."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from controller.errors import JournalError
from firmware_profiles.folders import state_folder

VARIABLE = "PERCUSS_JOURNAL"
FILE_NAME = "journal.sqlite"

BUSY_S = 5.0
"""How long another program may hold the database before this one gives up."""

_RETRY_S = 0.02
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_EXAMPLES = "It may be sqlite:////FOLDER/FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
_creating = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """A journal's database. ``where`` may be shown; ``secrets`` never; ``path`` is None when it is no file."""

    url: URL
    where: str
    path: Path | None = None
    secrets: tuple[str, ...] = ()


def find_place(url: str | None) -> Place:
    """The place that ``url`` names, else ``PERCUSS_JOURNAL``, else the user's own file. Raises JournalError."""
    text = os.environ.get(VARIABLE, "") if url is None else url
    if not text:
        return _file_place(state_folder() / FILE_NAME)
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):
        # Not even the cause is kept: it may quote the password.
        raise JournalError("is no URL of a database.", where=VARIABLE, fix=_EXAMPLES) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if not parsed.database or parsed.database == ":memory:" or parsed.query:
            raise JournalError("names no file, and a journal must outlast percuss.", where=VARIABLE, fix=_EXAMPLES)
        return _file_place(Path(parsed.database))
    if parsed.drivername in _POSTGRES:
        return _postgres_place(parsed.set(drivername="postgresql+psycopg"))
    raise JournalError(f"names {parsed.drivername!r}, which cannot keep a journal.", where=VARIABLE, fix=_EXAMPLES)


def make_engine(place: Place) -> Engine:
    """An engine for the place; nothing is connected yet. Raises ImportError without the driver, OSError for a file.

    A connection with the option ``is_writing`` begins by taking SQLite's write lock, so that it never has to give up
    in the middle.
    """
    if place.path is None:
        return _postgres_engine(place)
    path = place.path
    _create_private(path)
    # The texts of a session are nobody's business in a traceback.
    engine = create_engine(place.url, creator=lambda: _connect(path), hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _file_place(path: Path) -> Place:
    return Place(URL.create("sqlite", database=str(path)), where=str(path), path=path)


def _postgres_place(url: URL) -> Place:
    named = f"{url.host or ''} {url.database or ''}"
    if re.search(r"[@:]", re.sub(r"\[?[0-9a-fA-F:]+\]? ", "", named)):
        # A password with an @ of its own ends up in what looks like the host.
        raise JournalError(
            "is ambiguous.", where=VARIABLE, fix="In a password write @ as %40, : as %3A and / as %2F."
        ) from None
    port = f":{url.port}" if url.port else ""
    values = [value for key, given in url.query.items() if "pass" in key for value in _all(given)]
    secrets = tuple(secret for secret in (url.password, *values) if secret)
    return Place(url, where=f"postgresql://{url.host or ''}{port}/{url.database or ''}", secrets=secrets)


def _all(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def _postgres_engine(place: Place) -> Engine:
    arguments = {} if "connect_timeout" in place.url.query else {"connect_timeout": int(BUSY_S)}
    engine = create_engine(place.url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def give_up_in_time(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {int(BUSY_S * 1000)}")
        connection.commit()

    return engine


def _create_private(path: Path) -> None:
    """Make the file, readable by its owner only, before SQLite would make it readable by all."""
    with _creating:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only a new file is opened here: closing one that SQLite has open would drop SQLite's locks.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if not path.is_file():
        raise OSError(None, "it is no file")


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level=None: BEGIN is said by `begin` above, so that also DDL can be taken back.
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        _write_ahead(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, once for each file; SQLite does not itself wait for its turn to do so."""
    give_up_s = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # Where the file system cannot do it the old mode stays, which keeps just as much.
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_s:
                raise
            time.sleep(_RETRY_S)
