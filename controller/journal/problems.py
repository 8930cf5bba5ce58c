"""What databases and drivers say when something is wrong, in words that a person can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from controller.errors import JournalError
from controller.journal.places import BUSY_S, VARIABLE, Place

_MINE = "It and its folder must belong to you."
_ELSEWHERE = f"Move it away, and percuss starts a new journal; or name another one with {VARIABLE}."
_SQLITE = {
    sqlite3.SQLITE_FULL: ("there is no space left for the journal", "Make some space on that disk."),
    sqlite3.SQLITE_NOTADB: ("is no journal", _ELSEWHERE),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _ELSEWHERE),
    sqlite3.SQLITE_READONLY: ("cannot be written", _MINE),
    sqlite3.SQLITE_PERM: ("cannot be opened", _MINE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _MINE),
    sqlite3.SQLITE_BUSY: (f"is held by another program for more than {BUSY_S:g} s", "Close that one, and try again."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "Is that disk full, gone or failing?"),
}
"""By SQLite's primary result code: what happened, and what to do."""


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Turn whatever a database, its driver or its file system raises in the block into a JournalError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, OverflowError, ImportError) as problem:
        # A traceback must not show a password either.
        raise journal_error(problem, place) from (None if _tells_secret(problem, place) else problem)


def journal_error(problem: Exception, place: Place) -> JournalError:
    """What went wrong, where and what to do; without passwords."""
    original: BaseException | None = problem.orig if isinstance(problem, DBAPIError) else problem
    if isinstance(original, sqlite3.Error):
        # Errors that Python's module raises by itself have no code.
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF
        what, fix = _SQLITE.get(code, ("cannot be used", _ELSEWHERE))
    elif isinstance(original, ImportError):
        what, fix = "the driver for it is not installed", "Install it: pip install 'percuss[postgres]'."
    elif isinstance(original, OSError):
        what, fix = "cannot be opened", f"{_MINE} {VARIABLE} names another place."
    elif place.path is None:
        what, fix = (
            "the database cannot be used",
            f"Does it run, is it percuss's own and in UTF-8, and is {VARIABLE} right?",
        )
    else:
        what, fix = "cannot be used", _ELSEWHERE
    return JournalError(f"{what} ({_words(original, place)}).", where=place.where, fix=fix)


def _words(problem: BaseException | None, place: Place) -> str:
    """The first line of what it says itself."""
    said = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    words = next((line.strip() for line in said.splitlines() if line.strip()), "").rstrip(".")
    if not words or _tells_secret(problem, place):
        return type(problem).__name__
    return words


def _tells_secret(problem: BaseException | None, place: Place) -> bool:
    return any(secret in str(problem) for secret in place.secrets)
