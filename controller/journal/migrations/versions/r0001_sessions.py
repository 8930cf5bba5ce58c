"""Sessions, what was asked of the devices, what they said, and how they stopped."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _session(*, nullable: bool = False) -> sa.Column[int]:
    return sa.Column("session", sa.Integer, sa.ForeignKey("sessions.id"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        _time("started_utc"),
        _time("ended_utc", nullable=True),
        sa.Column("routine", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("is_simulated", sa.Boolean, nullable=False),
        sa.Column("planned_s", sa.Double, nullable=False),
        sa.Column("elapsed_s", sa.Double),
        sa.Column("speed", sa.Double, nullable=False),
        sa.Column("percuss_version", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "session_devices",
        sa.Column("session", sa.Integer, sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, primary_key=True),
        _session(),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("region", sa.Text),
        sa.Column("side", sa.Text),
        sa.Column("is_driven", sa.Boolean, nullable=False),
        sa.Column("planned_s", sa.Double, nullable=False),
        sa.Column("elapsed_s", sa.Double),
        _time("started_utc"),
    )
    op.create_index("ix_steps_session", "steps", ["session"])
    op.create_index("ix_steps_started_utc", "steps", ["started_utc"])
    _make_what_happened()


def _make_what_happened() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer, primary_key=True),
        _session(),
        _time("at_utc"),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("level", sa.BigInteger, nullable=False),
        sa.Column("percent", sa.Double, nullable=False),
        sa.Column("ppm", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_commands_session", "commands", ["session"])
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer, primary_key=True),
        _session(),
        _time("at_utc"),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("running", sa.Boolean),
        sa.Column("ppm", sa.BigInteger),
        sa.Column("battery_pct", sa.Double),
        sa.Column("temperature_c", sa.Double),
    )
    op.create_index("ix_reports_session", "reports", ["session"])
    op.create_table(
        "stops",
        sa.Column("id", sa.Integer, primary_key=True),
        _session(nullable=True),
        _time("at_utc"),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("proof", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("ix_stops_session", "stops", ["session"])
    op.create_table(
        "refusals",
        sa.Column("id", sa.Integer, primary_key=True),
        _session(nullable=True),
        _time("at_utc"),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("refusals", "stops", "reports", "commands", "steps", "session_devices", "sessions"):
        op.drop_table(table)
