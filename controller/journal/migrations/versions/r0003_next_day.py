"""What the person said about the day after, in words beside a score."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the words; the moment ``next_day`` is one more value of an old column."""
    op.add_column("pain_answers", sa.Column("note", sa.Text))


def downgrade() -> None:
    """Take them away again, with the answers that an older percuss does not know."""
    op.execute("DELETE FROM pain_answers WHERE moment = 'next_day'")
    with op.batch_alter_table("pain_answers") as pain_answers:
        pain_answers.drop_column("note")
