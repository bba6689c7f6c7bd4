"""Backfills, and how many of their runs are unfinished."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE backfills (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        schedule_id UUID NOT NULL,
        since TIMESTAMP WITH TIME ZONE NOT NULL,
        until TIMESTAMP WITH TIME ZONE NOT NULL,
        max_concurrent INTEGER NOT NULL,
        state TEXT NOT NULL,
        count INTEGER NOT NULL,
        made INTEGER NOT NULL,
        reached TIMESTAMP WITH TIME ZONE,
        reason TEXT,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        next_at TIMESTAMP WITH TIME ZONE NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (tenant_id, id),
        CONSTRAINT backfills_schedule_fkey FOREIGN KEY (tenant_id, schedule_id) REFERENCES schedules (tenant_id, id)
    )
    """,
    """
    CREATE INDEX backfills_running_idx ON backfills (next_at) WHERE state = 'RUNNING'
    """,
    """
    CREATE INDEX runs_backfilled_idx ON runs (tenant_id, schedule_id) WHERE cause = 'BACKFILL' AND finished_at IS NULL
    """,
)
DOWN = (
    """
    DROP INDEX runs_backfilled_idx
    """,
    """
    DROP TABLE backfills
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
