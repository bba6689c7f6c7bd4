"""Calls with an idempotency key, and their answers."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE keyed_calls (
        tenant_id TEXT NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        key TEXT NOT NULL,
        asked BYTEA NOT NULL,
        holder UUID NOT NULL,
        held_until TIMESTAMP WITH TIME ZONE NOT NULL,
        made_at TIMESTAMP WITH TIME ZONE NOT NULL,
        status INTEGER,
        headers JSON,
        body BYTEA,
        PRIMARY KEY (tenant_id, method, path, key)
    )
    """,
    """
    CREATE INDEX keyed_calls_made_idx ON keyed_calls (made_at)
    """,
)
DOWN = (
    """
    DROP TABLE keyed_calls
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
