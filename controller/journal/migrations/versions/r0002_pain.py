"""What the person said about pain, and who stopped a device."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the answers, and ``stops.by``: until now only sessions wrote there."""
    op.add_column("stops", sa.Column("by", sa.Text, nullable=False, server_default="session"))
    op.create_index("ix_stops_at_utc", "stops", ["at_utc"])
    op.create_table(
        "pain_answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session", sa.Integer, sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moment", sa.Text, nullable=False),
        sa.Column("score", sa.Integer),
        sa.Column("is_nerve_sign", sa.Boolean, nullable=False),
        sa.Column("region", sa.Text),
        sa.Column("side", sa.Text),
    )
    op.create_index("ix_pain_answers_at_utc", "pain_answers", ["at_utc"])


def downgrade() -> None:
    """Take both away again."""
    op.drop_table("pain_answers")
    op.drop_index("ix_stops_at_utc", "stops")
    with op.batch_alter_table("stops") as stops:
        stops.drop_column("by")
