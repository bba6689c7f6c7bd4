"""The first schema."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UP = (
    """
    CREATE SEQUENCE event_positions AS BIGINT
    """,
    """
    CREATE TABLE catchups (
        tenant_id TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        revision BIGINT NOT NULL,
        first TIMESTAMP WITH TIME ZONE NOT NULL,
        last TIMESTAMP WITH TIME ZONE NOT NULL,
        count BIGINT NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
        made_to TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (tenant_id, schedule_id, first)
    )
    """,
    """
    CREATE TABLE cursors (
        name TEXT NOT NULL,
        position BIGINT NOT NULL,
        generation TEXT NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE events (
        position BIGINT NOT NULL,
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        type TEXT NOT NULL,
        subject UUID NOT NULL,
        seq BIGINT NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        correlation_id TEXT,
        traceparent TEXT,
        data JSON NOT NULL,
        PRIMARY KEY (tenant_id, subject, seq)
    )
    """,
    """
    CREATE INDEX events_position_idx ON events (position)
    """,
    """
    CREATE TABLE hearing (
        name TEXT NOT NULL,
        since TIMESTAMP WITH TIME ZONE NOT NULL,
        until TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE jobs (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        queue TEXT NOT NULL,
        definition JSON NOT NULL,
        from_registration BOOLEAN NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        deleted_at TIMESTAMP WITH TIME ZONE,
        version BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE UNIQUE INDEX jobs_name_key ON jobs (tenant_id, name) WHERE deleted_at IS NULL
    """,
    """
    CREATE TABLE lease_terms (
        name TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        holder TEXT NOT NULL,
        began_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (name, epoch)
    )
    """,
    """
    CREATE TABLE leases (
        name TEXT NOT NULL,
        holder TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE misses (
        tenant_id TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        first TIMESTAMP WITH TIME ZONE NOT NULL,
        last TIMESTAMP WITH TIME ZONE NOT NULL,
        count BIGINT NOT NULL,
        rule TEXT NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, schedule_id, first)
    )
    """,
    """
    CREATE TABLE rejected_reports (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        reason TEXT NOT NULL,
        kind TEXT,
        run_id UUID,
        attempt INTEGER,
        worker_id UUID,
        body TEXT,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE TABLE runs (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        schedule_id UUID,
        job_id UUID NOT NULL,
        cause TEXT NOT NULL,
        state TEXT NOT NULL,
        scheduled_for TIMESTAMP WITH TIME ZONE NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        fired_at TIMESTAMP WITH TIME ZONE,
        queued_at TIMESTAMP WITH TIME ZONE,
        started_at TIMESTAMP WITH TIME ZONE,
        finished_at TIMESTAMP WITH TIME ZONE,
        wake_at TIMESTAMP WITH TIME ZONE,
        attempt INTEGER NOT NULL,
        attempts JSON,
        worker_id UUID,
        started_place BIGINT,
        sends INTEGER NOT NULL,
        payload JSON,
        result JSON,
        error JSON,
        reason TEXT,
        progress JSON,
        dedupe_key TEXT,
        labels JSONB,
        correlation_id TEXT,
        traceparent TEXT,
        fired_epoch BIGINT,
        seq BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE UNIQUE INDEX runs_dedupe_key ON runs (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND finished_at IS NULL
    """,
    """
    CREATE UNIQUE INDEX runs_due_time_key ON runs (tenant_id, schedule_id, scheduled_for) WHERE cause IN ('SCHEDULE', 'BACKFILL')
    """,
    """
    CREATE INDEX runs_queued_idx ON runs (tenant_id, job_id) WHERE state = 'QUEUED'
    """,
    """
    CREATE INDEX runs_running_idx ON runs (tenant_id, worker_id) WHERE state = 'RUNNING'
    """,
    """
    CREATE INDEX runs_wake_idx ON runs (wake_at) WHERE wake_at IS NOT NULL
    """,
    """
    CREATE TABLE workers (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        jobs JSON NOT NULL,
        capabilities JSON NOT NULL,
        slots INTEGER NOT NULL,
        running INTEGER NOT NULL,
        registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        beat_at TIMESTAMP WITH TIME ZONE,
        beat_running UUID[],
        beat_stream TEXT,
        beat_seq BIGINT,
        prior_at TIMESTAMP WITH TIME ZONE,
        prior_running UUID[],
        prior_stream TEXT,
        prior_seq BIGINT,
        announced_at TIMESTAMP WITH TIME ZONE,
        seq BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id)
    )
    """,
    """
    CREATE INDEX workers_alive_idx ON workers (last_seen_at) WHERE state <> 'OFFLINE'
    """,
    """
    CREATE TABLE schedules (
        tenant_id TEXT NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        labels JSONB NOT NULL,
        target_kind TEXT NOT NULL,
        job_id UUID,
        definition JSON NOT NULL,
        payload JSON,
        enabled BOOLEAN NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        deleted_at TIMESTAMP WITH TIME ZONE,
        version BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        decided_to TIMESTAMP WITH TIME ZONE,
        next_scheduled_for TIMESTAMP WITH TIME ZONE,
        next_due TIMESTAMP WITH TIME ZONE,
        last_fire_at TIMESTAMP WITH TIME ZONE,
        runs_made BIGINT NOT NULL,
        fired_epoch BIGINT NOT NULL,
        PRIMARY KEY (tenant_id, id),
        CONSTRAINT schedules_job_fkey FOREIGN KEY(tenant_id, job_id) REFERENCES jobs (tenant_id, id)
    )
    """,
    """
    CREATE INDEX schedules_job_idx ON schedules (tenant_id, job_id) WHERE deleted_at IS NULL
    """,
    """
    CREATE UNIQUE INDEX schedules_name_key ON schedules (tenant_id, name) WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX schedules_next_due_idx ON schedules (next_due) WHERE enabled AND next_due IS NOT NULL
    """,
    """
    CREATE TABLE schedule_revisions (
        tenant_id TEXT NOT NULL,
        schedule_id UUID NOT NULL,
        revision BIGINT NOT NULL,
        job_id UUID,
        definition JSON NOT NULL,
        payload JSON,
        enabled BOOLEAN NOT NULL,
        deleted BOOLEAN NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (tenant_id, schedule_id, revision),
        CONSTRAINT schedule_revisions_schedule_fkey FOREIGN KEY(tenant_id, schedule_id) REFERENCES schedules (tenant_id, id)
    )
    """,
)
TABLES = (
    "schedule_revisions",
    "schedules",
    "workers",
    "runs",
    "rejected_reports",
    "misses",
    "leases",
    "lease_terms",
    "jobs",
    "hearing",
    "events",
    "cursors",
    "catchups",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE event_positions")
