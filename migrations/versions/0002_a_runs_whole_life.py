"""A run's whole life: lanes and gates, deliveries, limits, cancellation."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE runs
        ALTER COLUMN job_id DROP NOT NULL,
        ADD COLUMN delivery JSON,
        ADD COLUMN lane TEXT,
        ADD COLUMN cancel_requested_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN cancel_acknowledged_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN rank TIMESTAMP WITH TIME ZONE,
        ADD COLUMN parked_on TEXT,
        ADD COLUMN retry_of UUID,
        ADD COLUMN fingerprint TEXT,
        ADD COLUMN priority INTEGER NOT NULL DEFAULT 0,
        ADD COLUMN concurrency_key TEXT,
        ADD COLUMN awaited BOOLEAN NOT NULL DEFAULT false
    """,
    """
    UPDATE runs SET lane = job_id::text
    """,
    """
    ALTER TABLE runs
        ALTER COLUMN lane SET NOT NULL,
        ALTER COLUMN priority DROP DEFAULT,
        ALTER COLUMN awaited DROP DEFAULT
    """,
    """
    DROP INDEX runs_queued_idx
    """,
    """
    DROP INDEX runs_dedupe_key
    """,
    """
    CREATE UNIQUE INDEX runs_dedupe_key ON runs (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND finished_at IS NULL AND cause <> 'EVENT'
    """,
    """
    CREATE INDEX runs_ready_idx ON runs (tenant_id, lane, rank, id) WHERE rank IS NOT NULL AND parked_on IS NULL
    """,
    """
    CREATE INDEX runs_parked_idx ON runs (tenant_id, parked_on, rank, id) WHERE parked_on IS NOT NULL
    """,
    """
    CREATE INDEX runs_active_idx ON runs (tenant_id, lane, state) WHERE state IN ('QUEUED', 'RUNNING')
    """,
    """
    CREATE UNIQUE INDEX runs_key_idx ON runs (tenant_id, job_id, concurrency_key) WHERE concurrency_key IS NOT NULL AND state IN ('QUEUED', 'RUNNING')
    """,
    """
    CREATE INDEX runs_unfinished_idx ON runs (tenant_id, schedule_id, parked_on) WHERE schedule_id IS NOT NULL AND finished_at IS NULL
    """,
    """
    CREATE INDEX runs_deliver_idx ON runs (state, queued_at) WHERE job_id IS NULL AND state IN ('QUEUED', 'RUNNING')
    """,
    """
    CREATE INDEX runs_retry_of_idx ON runs (tenant_id, retry_of) WHERE retry_of IS NOT NULL
    """,
    """
    CREATE INDEX runs_dead_idx ON runs (tenant_id, fingerprint) WHERE state = 'DEAD'
    """,
    """
    CREATE TABLE rate_limits (
        tenant_id TEXT NOT NULL,
        lane TEXT NOT NULL,
        spent_until TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, lane)
    )
    """,
    """
    ALTER TABLE schedules ADD COLUMN delivery JSON, ADD COLUMN trigger_kind TEXT
    """,
    """
    UPDATE schedules SET trigger_kind = definition #>> '{trigger,type}'
    """,
    """
    ALTER TABLE schedules ALTER COLUMN trigger_kind SET NOT NULL
    """,
    """
    ALTER TABLE schedule_revisions ADD COLUMN delivery JSON
    """,
    """
    CREATE INDEX schedules_resting_idx ON schedules (tenant_id, id) WHERE trigger_kind = 'FIXED_DELAY' AND enabled AND next_due IS NULL
    """,
    """
    CREATE INDEX schedules_listening_idx ON schedules (tenant_id, id) WHERE trigger_kind = 'EVENT' AND enabled
    """,
)
DOWN = (
    # What the earlier version cannot read goes; what waits for its turn waits for its time again.
    """
    DELETE FROM runs WHERE job_id IS NULL
    """,
    """
    UPDATE runs SET wake_at = CASE WHEN state = 'QUEUED' THEN NULL ELSE now() END
    WHERE rank IS NOT NULL OR (state = 'QUEUED' AND wake_at IS NOT NULL)
    """,
    """
    UPDATE schedules SET enabled = false, deleted_at = coalesce(deleted_at, now())
    WHERE job_id IS NULL OR trigger_kind NOT IN ('CRON', 'ONE_SHOT', 'FIXED_RATE')
    """,
    """
    DROP INDEX schedules_listening_idx
    """,
    """
    DROP INDEX schedules_resting_idx
    """,
    """
    ALTER TABLE schedule_revisions DROP COLUMN delivery
    """,
    """
    ALTER TABLE schedules DROP COLUMN delivery, DROP COLUMN trigger_kind
    """,
    """
    DROP TABLE rate_limits
    """,
    """
    DROP INDEX runs_dead_idx, runs_retry_of_idx, runs_deliver_idx, runs_unfinished_idx, runs_key_idx, runs_active_idx, runs_parked_idx, runs_ready_idx
    """,
    """
    CREATE INDEX runs_queued_idx ON runs (tenant_id, job_id) WHERE state = 'QUEUED'
    """,
    # Several schedules may have heard one message: there its id is no key.
    """
    UPDATE runs SET dedupe_key = NULL WHERE cause = 'EVENT'
    """,
    """
    DROP INDEX runs_dedupe_key
    """,
    """
    CREATE UNIQUE INDEX runs_dedupe_key ON runs (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND finished_at IS NULL
    """,
    """
    ALTER TABLE runs
        ALTER COLUMN job_id SET NOT NULL,
        DROP COLUMN delivery,
        DROP COLUMN lane,
        DROP COLUMN cancel_requested_at,
        DROP COLUMN cancel_acknowledged_at,
        DROP COLUMN rank,
        DROP COLUMN parked_on,
        DROP COLUMN retry_of,
        DROP COLUMN fingerprint,
        DROP COLUMN priority,
        DROP COLUMN concurrency_key,
        DROP COLUMN awaited
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
