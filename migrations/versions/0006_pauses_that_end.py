"""Schedules that are disabled until an instant."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE schedules ADD COLUMN disabled_until TIMESTAMP WITH TIME ZONE
    """,
    """
    CREATE INDEX schedules_paused_idx ON schedules (disabled_until) WHERE disabled_until IS NOT NULL
    """,
)
DOWN = """
    ALTER TABLE schedules DROP COLUMN disabled_until
"""


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute(DOWN)
