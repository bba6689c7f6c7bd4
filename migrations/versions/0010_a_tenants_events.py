"""A tenant's own events, in the order of the log: for those who read and follow it over HTTP."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whoever writes events waits while it is built. On a large log build it beforehand, under this name, CONCURRENTLY.
    op.execute("CREATE INDEX IF NOT EXISTS events_tenant_idx ON events (tenant_id, position)")


def downgrade() -> None:
    op.execute("DROP INDEX events_tenant_idx")
