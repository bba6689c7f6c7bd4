"""How far a schedule has come whose calendar moves its due times."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
    ALTER TABLE schedules
        ADD COLUMN armed_from TIMESTAMP WITH TIME ZONE,
        ADD COLUMN ahead JSON
"""
DOWN = """
    ALTER TABLE schedules DROP COLUMN armed_from, DROP COLUMN ahead
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
