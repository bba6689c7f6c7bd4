"""Calendars, their revisions, and which schedules go by which."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE calendars (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        definition JSON NOT NULL,
        includes UUID[] NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        deleted_at TIMESTAMP WITH TIME ZONE,
        version BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE UNIQUE INDEX calendars_name_key ON calendars (tenant_id, name) WHERE deleted_at IS NULL
    """,
    """
    CREATE TABLE calendar_revisions (
        tenant_id TEXT NOT NULL,
        calendar_id UUID NOT NULL,
        revision BIGINT NOT NULL,
        definition JSON NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, calendar_id, revision),
        CONSTRAINT calendar_revisions_calendar_fkey FOREIGN KEY (tenant_id, calendar_id)
            REFERENCES calendars (tenant_id, id)
    )
    """,
    """
    ALTER TABLE schedules
        ADD COLUMN calendar_id UUID,
        ADD CONSTRAINT schedules_calendar_fkey FOREIGN KEY (tenant_id, calendar_id)
            REFERENCES calendars (tenant_id, id)
    """,
    """
    CREATE INDEX schedules_calendar_idx ON schedules (tenant_id, calendar_id, id)
        WHERE calendar_id IS NOT NULL AND deleted_at IS NULL
    """,
)
DOWN = (
    """
    DROP INDEX schedules_calendar_idx
    """,
    """
    ALTER TABLE schedules DROP COLUMN calendar_id
    """,
    """
    DROP TABLE calendar_revisions, calendars
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
