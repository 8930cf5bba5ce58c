"""What the journal keeps, as tables. The migrations lead here; a test says that they do."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

MAX_CHARACTERS = 4000
"""Longer texts are cut: a reason is a sentence, and nothing that a device says may fill the disk."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC: text without a zone in SQLite, ``timestamptz`` in PostgreSQL."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Make it UTC. Raises ValueError for a time without a zone, which could mean any."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is no time for the journal")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give it back as UTC; PostgreSQL answers in the zone of its session."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text that every database takes: without NUL and halves of characters, and not endless."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be kept."""
        if value is None:
            return None
        whole = value[:MAX_CHARACTERS].replace("\0", "\ufffd")
        return whole.encode("utf-8", "replace").decode("utf-8")


metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_utc", UtcTime, nullable=False),
    Column("ended_utc", UtcTime),
    Column("routine", PlainText, nullable=False),
    Column("outcome", PlainText),
    Column("reason", PlainText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("planned_s", Double, nullable=False),
    Column("elapsed_s", Double),
    Column("speed", Double, nullable=False),
    Column("percuss_version", PlainText, nullable=False),
    # Numbers rise for ever, also when the newest sessions were deleted: dose limits go by them.
    sqlite_autoincrement=True,
)

session_devices = Table(
    "session_devices",
    metadata,
    Column("session", ForeignKey("sessions.id"), primary_key=True),
    Column("role", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("profile", PlainText, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("index", Integer, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("region", PlainText),
    Column("side", PlainText),
    Column("is_driven", Boolean, nullable=False),
    Column("planned_s", Double, nullable=False),
    Column("elapsed_s", Double),
    # Dose limits ask for the steps since a time, at each start.
    Column("started_utc", UtcTime, nullable=False, index=True),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("at_utc", UtcTime, nullable=False),
    Column("device", PlainText, nullable=False),
    Column("channel", PlainText, nullable=False),
    Column("level", BigInteger, nullable=False),
    Column("percent", Double, nullable=False),
    Column("ppm", BigInteger, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("at_utc", UtcTime, nullable=False),
    Column("device", PlainText, nullable=False),
    Column("running", Boolean),
    Column("ppm", BigInteger),
    Column("battery_pct", Double),
    Column("temperature_c", Double),
)

stops = Table(
    "stops",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id"), index=True),
    # What the guardian wrote is looked up by its time, so that nothing is taken twice.
    Column("at_utc", UtcTime, nullable=False, index=True),
    Column("device", PlainText, nullable=False),
    Column("proof", PlainText, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Before this column there were only those of sessions.
    Column("by", PlainText, nullable=False, server_default="session"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id")),
    Column("at_utc", UtcTime, nullable=False),
    Column("reason", PlainText, nullable=False),
)

pain_answers = Table(
    "pain_answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", ForeignKey("sessions.id"), nullable=False),
    # Asked for since a time, at each start.
    Column("at_utc", UtcTime, nullable=False, index=True),
    Column("moment", PlainText, nullable=False),
    Column("score", Integer),
    Column("is_nerve_sign", Boolean, nullable=False),
    Column("region", PlainText),
    Column("side", PlainText),
    # What was said in words, the day after.
    Column("note", PlainText),
)
