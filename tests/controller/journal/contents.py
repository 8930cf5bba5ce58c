"""Events to write, and a look at what is in a journal that shares nothing with the code that wrote it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from controller.events import SpanEnded, SpanStarted
from controller.journal import Journal, SessionRecord

NEVER_S = 1e9
"""A wait that no test sees the end of."""


def begin(journal: Journal, *, is_simulated: bool = False, name: str = "elite") -> SessionRecord:
    return journal.begin(
        routine="evening-legs",
        devices={"massager": (name, "theragun-gen4")},
        is_simulated=is_simulated,
        planned_s=120.0,
        speed=1.0,
    )


def started(
    index: int = 0,
    *,
    region: str | None = "calves",
    side: str | None = "left",
    is_driven: bool = True,
    duration_s: float = 30.0,
) -> SpanStarted:
    return SpanStarted(
        index=index,
        kind="work" if is_driven else "move",
        duration_s=duration_s,
        region=region,
        side=side,
        cue="Slowly up and down.",
        is_driven=is_driven,
        note="",
        mono_s=0.0,
    )


def ended(
    index: int = 0,
    *,
    region: str | None = "calves",
    side: str | None = "left",
    is_driven: bool = True,
    elapsed_s: float = 30.0,
) -> SpanEnded:
    return SpanEnded(index=index, region=region, side=side, is_driven=is_driven, elapsed_s=elapsed_s, mono_s=0.0)


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """What a query gives, asked without SQLAlchemy."""
    with plain_connection(url) as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]


def run(url: str, *statements: str) -> None:
    """Change something behind the journal's back."""
    with plain_connection(url) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@contextmanager
def plain_connection(url: str) -> Iterator[Any]:
    """The database's own driver."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(file_of(url))) as connection:
            yield connection
    else:
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
            yield connection


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))
