"""Bring a journal up to date. Alembic is imported only for one that is not."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, Engine, inspect, text

from controller.errors import JournalError
from controller.journal.places import VARIABLE, Place

KNOWN = ("0001", "0002", "0003")
"""Every revision, oldest first, so that alembic is not needed to tell an old journal from one of the future."""

HEAD = KNOWN[-1]

_LOCK = 0x70657263
"""The number of PostgreSQL's lock for upgrades: "perc"."""

# Alembic's context is one for the whole process.
_upgrading = threading.Lock()


def bring_up_to_date(engine: Engine, place: Place) -> None:
    """Make the tables, or change those of an older percuss; nothing when they are as they should be.

    It is one transaction: a journal never stays half changed. Raises JournalError for a journal of a newer percuss,
    and what SQLAlchemy raises.
    """
    with engine.connect() as connection:
        if _is_up_to_date(connection, place):
            return
    with _upgrading, engine.execution_options(is_writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # Somebody else may have done it while this one waited for its turn.
        if not _is_up_to_date(connection, place):
            upgrade(connection, HEAD)


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "controller.journal:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _is_up_to_date(connection: Connection, place: Place) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in KNOWN:
        raise JournalError(
            f"was written by a newer percuss (revision {revision}; this one knows up to {HEAD}).",
            where=place.where,
            fix=f"Install the newer percuss again, or name another journal with {VARIABLE}.",
        )
    return bool(revision == HEAD)
