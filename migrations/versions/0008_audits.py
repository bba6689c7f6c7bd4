"""How far the auditor has looked, and what it found."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE audits (
        tenant_id TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        audited_to TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, schedule_id)
    )
    """,
    """
    CREATE TABLE audit_differences (
        tenant_id TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        kind TEXT NOT NULL,
        first TIMESTAMP WITH TIME ZONE NOT NULL,
        last TIMESTAMP WITH TIME ZONE NOT NULL,
        count INTEGER NOT NULL,
        found_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, schedule_id, kind, first)
    )
    """,
    """
    CREATE INDEX audit_differences_found_idx ON audit_differences (found_at)
    """,
    """
    CREATE TABLE audit_rounds (
        name TEXT NOT NULL PRIMARY KEY,
        began_at TIMESTAMP WITH TIME ZONE NOT NULL,
        reached_tenant TEXT,
        reached_id UUID,
        schedules BIGINT NOT NULL,
        uncovered BIGINT NOT NULL,
        due_times BIGINT NOT NULL,
        audited_to TIMESTAMP WITH TIME ZONE,
        last_began_at TIMESTAMP WITH TIME ZONE,
        last_ended_at TIMESTAMP WITH TIME ZONE,
        last_schedules BIGINT,
        last_uncovered BIGINT,
        last_due_times BIGINT,
        last_audited_to TIMESTAMP WITH TIME ZONE
    )
    """,
)
DOWN = (
    """
    DROP TABLE audit_rounds, audit_differences, audits
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
