"""Redrives of dead letters, and the counts of runs that retention removed."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE redrives (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        wanted JSON NOT NULL,
        per_sec DOUBLE PRECISION NOT NULL,
        most INTEGER NOT NULL,
        stop_after INTEGER NOT NULL,
        payload JSON,
        state TEXT NOT NULL,
        count INTEGER NOT NULL,
        made INTEGER NOT NULL,
        passed INTEGER NOT NULL,
        reached UUID,
        reason TEXT,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        next_at TIMESTAMP WITH TIME ZONE NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE INDEX redrives_running_idx ON redrives (next_at) WHERE state = 'RUNNING'
    """,
    """
    CREATE TABLE redrive_runs (
        tenant_id TEXT NOT NULL,
        redrive_id UUID NOT NULL,
        run_id UUID NOT NULL,
        made_id UUID,
        PRIMARY KEY (tenant_id, redrive_id, run_id)
    )
    """,
    """
    CREATE TABLE removed_runs (
        tenant_id TEXT NOT NULL,
        lane TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        state TEXT NOT NULL,
        count BIGINT NOT NULL,
        last_scheduled_for TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, lane, schedule_id, state)
    )
    """,
    """
    CREATE INDEX runs_dead_again_idx ON runs (tenant_id, retry_of) WHERE state = 'DEAD' AND retry_of IS NOT NULL
    """,
)
DOWN = (
    """
    DROP INDEX runs_dead_again_idx
    """,
    """
    DROP TABLE removed_runs, redrive_runs, redrives
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
