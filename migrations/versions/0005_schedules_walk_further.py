"""How far a schedule has come whose calendar moves its due times, and until when one rests."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE schedules
        ADD COLUMN armed_from TIMESTAMP WITH TIME ZONE,
        ADD COLUMN ahead JSON,
        ADD COLUMN disabled_until TIMESTAMP WITH TIME ZONE
    """,
    """
    CREATE INDEX schedules_paused_idx ON schedules (disabled_until) WHERE disabled_until IS NOT NULL
    """,
)
DOWN = (
    """
    ALTER TABLE schedules DROP COLUMN armed_from, DROP COLUMN ahead, DROP COLUMN disabled_until
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
