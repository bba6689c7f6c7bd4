"""Every table. `tenant_id` leads every primary, unique and foreign key of tenant data.

Runs and events have no foreign keys: they are the hot path, and their parents are never deleted under them.
State is in no index of its own; partial indexes hold only what a loop asks for.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from rota.infrastructure.postgres.types import Big, Instant, JsonbText, JsonText, Str, Uuid

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Str, nullable=False),
    Column("queue", Str, nullable=False),
    Column("definition", JsonText(), nullable=False),
    Column("from_registration", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("version", Big, nullable=False),
    Column("seq", Big, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)
Index("jobs_name_key", jobs.c.tenant_id, jobs.c.name, unique=True, postgresql_where=jobs.c.deleted_at.is_(None))

calendars = Table(
    "calendars",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Str, nullable=False),
    Column("definition", JsonText(), nullable=False),
    Column("includes", ARRAY(Uuid), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("version", Big, nullable=False),
    Column("seq", Big, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)
Index(
    "calendars_name_key",
    calendars.c.tenant_id,
    calendars.c.name,
    unique=True,
    postgresql_where=calendars.c.deleted_at.is_(None),
)

calendar_revisions = Table(
    "calendar_revisions",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("calendar_id", Uuid, nullable=False),
    Column("revision", Big, nullable=False),
    Column("definition", JsonText(), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "calendar_id", "revision"),
    ForeignKeyConstraint(
        ["tenant_id", "calendar_id"], ["calendars.tenant_id", "calendars.id"], name="calendar_revisions_calendar_fkey"
    ),
)

schedules = Table(
    "schedules",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Str, nullable=False),
    Column("labels", JsonbText(), nullable=False),
    Column("trigger_kind", Str, nullable=False),
    Column("target_kind", Str, nullable=False),
    Column("job_id", Uuid),
    Column("delivery", JsonText()),
    Column("calendar_id", Uuid),
    Column("definition", JsonText(), nullable=False),
    Column("payload", JsonText()),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("version", Big, nullable=False),
    Column("seq", Big, nullable=False),
    Column("decided_to", Instant),
    Column("armed_from", Instant),
    Column("ahead", JsonText()),
    Column("next_scheduled_for", Instant),
    Column("next_due", Instant),
    Column("last_fire_at", Instant),
    Column("runs_made", Big, nullable=False),
    Column("fired_epoch", Big, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="schedules_job_fkey"),
    ForeignKeyConstraint(
        ["tenant_id", "calendar_id"], ["calendars.tenant_id", "calendars.id"], name="schedules_calendar_fkey"
    ),
)
Index(
    "schedules_name_key",
    schedules.c.tenant_id,
    schedules.c.name,
    unique=True,
    postgresql_where=schedules.c.deleted_at.is_(None),
)
Index(
    "schedules_next_due_idx",
    schedules.c.next_due,
    postgresql_where=text("enabled AND next_due IS NOT NULL"),
)
Index(
    "schedules_paused_idx",
    schedules.c.disabled_until,
    postgresql_where=text("disabled_until IS NOT NULL"),
)
Index(
    "schedules_resting_idx",
    schedules.c.tenant_id,
    schedules.c.id,
    postgresql_where=text("trigger_kind = 'FIXED_DELAY' AND enabled AND next_due IS NULL"),
)
Index(
    "schedules_listening_idx",
    schedules.c.tenant_id,
    schedules.c.id,
    postgresql_where=text("trigger_kind = 'EVENT' AND enabled"),
)
Index(
    "schedules_job_idx",
    schedules.c.tenant_id,
    schedules.c.job_id,
    postgresql_where=schedules.c.deleted_at.is_(None),
)
Index(
    "schedules_calendar_idx",
    schedules.c.tenant_id,
    schedules.c.calendar_id,
    schedules.c.id,
    postgresql_where=text("calendar_id IS NOT NULL AND deleted_at IS NULL"),
)

schedule_revisions = Table(
    "schedule_revisions",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("revision", Big, nullable=False),
    Column("job_id", Uuid),
    Column("delivery", JsonText()),
    Column("definition", JsonText(), nullable=False),
    Column("payload", JsonText()),
    Column("enabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "schedule_id", "revision"),
    ForeignKeyConstraint(
        ["tenant_id", "schedule_id"], ["schedules.tenant_id", "schedules.id"], name="schedule_revisions_schedule_fkey"
    ),
)

runs = Table(
    "runs",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("schedule_id", Uuid),
    Column("job_id", Uuid),
    Column("delivery", JsonText()),
    Column("lane", Str, nullable=False),
    Column("cause", Str, nullable=False),
    Column("state", Str, nullable=False),
    Column("scheduled_for", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("fired_at", Instant),
    Column("queued_at", Instant),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("cancel_requested_at", Instant),
    Column("cancel_acknowledged_at", Instant),
    Column("wake_at", Instant),
    Column("rank", Instant),
    Column("parked_on", Str),
    Column("attempt", Integer, nullable=False),
    Column("attempts", JsonText()),
    Column("worker_id", Uuid),
    Column("started_place", Big),
    Column("sends", Integer, nullable=False),
    Column("retry_of", Uuid),
    Column("payload", JsonText()),
    Column("result", JsonText()),
    Column("error", JsonText()),
    Column("fingerprint", Str),
    Column("reason", Str),
    Column("progress", JsonText()),
    Column("priority", Integer, nullable=False),
    Column("concurrency_key", Str),
    Column("dedupe_key", Str),
    Column("awaited", Boolean, nullable=False),
    Column("labels", JsonbText()),
    Column("correlation_id", Str),
    Column("traceparent", Str),
    Column("fired_epoch", Big),
    Column("seq", Big, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)
Index(
    "runs_due_time_key",
    runs.c.tenant_id,
    runs.c.schedule_id,
    runs.c.scheduled_for,
    unique=True,
    postgresql_where=text("cause IN ('SCHEDULE', 'BACKFILL')"),
)
Index(
    "runs_dedupe_key",
    runs.c.tenant_id,
    runs.c.dedupe_key,
    unique=True,
    postgresql_where=text("dedupe_key IS NOT NULL AND finished_at IS NULL AND cause <> 'EVENT'"),
)
Index("runs_wake_idx", runs.c.wake_at, postgresql_where=runs.c.wake_at.is_not(None))
Index(
    "runs_ready_idx",
    runs.c.tenant_id,
    runs.c.lane,
    runs.c.rank,
    runs.c.id,
    postgresql_where=text("rank IS NOT NULL AND parked_on IS NULL"),
)
Index(
    "runs_parked_idx",
    runs.c.tenant_id,
    runs.c.parked_on,
    runs.c.rank,
    runs.c.id,
    postgresql_where=runs.c.parked_on.is_not(None),
)
Index(
    "runs_active_idx",
    runs.c.tenant_id,
    runs.c.lane,
    runs.c.state,
    postgresql_where=text("state IN ('QUEUED', 'RUNNING')"),
)
Index(
    "runs_key_idx",
    runs.c.tenant_id,
    runs.c.job_id,
    runs.c.concurrency_key,
    unique=True,
    postgresql_where=text("concurrency_key IS NOT NULL AND state IN ('QUEUED', 'RUNNING')"),
)
Index(
    "runs_unfinished_idx",
    runs.c.tenant_id,
    runs.c.schedule_id,
    runs.c.parked_on,
    postgresql_where=text("schedule_id IS NOT NULL AND finished_at IS NULL"),
)
Index(
    "runs_deliver_idx",
    runs.c.state,
    runs.c.queued_at,
    postgresql_where=text("job_id IS NULL AND state IN ('QUEUED', 'RUNNING')"),
)
Index("runs_retry_of_idx", runs.c.tenant_id, runs.c.retry_of, postgresql_where=runs.c.retry_of.is_not(None))
Index("runs_dead_idx", runs.c.tenant_id, runs.c.fingerprint, postgresql_where=text("state = 'DEAD'"))
Index(
    "runs_dead_again_idx",
    runs.c.tenant_id,
    runs.c.retry_of,
    postgresql_where=text("state = 'DEAD' AND retry_of IS NOT NULL"),
)
Index(
    "runs_backfilled_idx",
    runs.c.tenant_id,
    runs.c.schedule_id,
    postgresql_where=text("cause = 'BACKFILL' AND finished_at IS NULL"),
)
Index("runs_running_idx", runs.c.tenant_id, runs.c.worker_id, postgresql_where=text("state = 'RUNNING'"))

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("lane", Str, nullable=False),
    Column("spent_until", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "lane"),
)

misses = Table(
    "misses",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("count", Big, nullable=False),
    Column("rule", Str, nullable=False),
    Column("decided_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "schedule_id", "first"),
)

catchups = Table(
    "catchups",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("revision", Big, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("count", Big, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("made_to", Instant),
    PrimaryKeyConstraint("tenant_id", "schedule_id", "first"),
)

workers = Table(
    "workers",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Str, nullable=False),
    Column("state", Str, nullable=False),
    Column("jobs", JsonText(), nullable=False),
    Column("capabilities", JsonText(), nullable=False),
    Column("slots", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("beat_at", Instant),
    Column("beat_running", ARRAY(Uuid)),
    Column("beat_stream", Str),
    Column("beat_seq", Big),
    Column("prior_at", Instant),
    Column("prior_running", ARRAY(Uuid)),
    Column("prior_stream", Str),
    Column("prior_seq", Big),
    Column("announced_at", Instant),
    Column("seq", Big, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)
Index("workers_alive_idx", workers.c.last_seen_at, postgresql_where=text("state <> 'OFFLINE'"))

event_positions = Sequence("event_positions", metadata=metadata, data_type=Big)

events = Table(
    "events",
    metadata,
    Column("position", Big, nullable=False),
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("type", Str, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("seq", Big, nullable=False),
    Column("at", Instant, nullable=False),
    Column("correlation_id", Str),
    Column("traceparent", Str),
    Column("data", JsonText(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "subject", "seq"),
)
Index("events_position_idx", events.c.position)
Index("events_tenant_idx", events.c.tenant_id, events.c.position)

rejected_reports = Table(
    "rejected_reports",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Str, nullable=False),
    Column("kind", Str),
    Column("run_id", Uuid),
    Column("attempt", Integer),
    Column("worker_id", Uuid),
    Column("body", Str),
    PrimaryKeyConstraint("tenant_id", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Str, primary_key=True),
    Column("holder", Str, nullable=False),
    Column("epoch", Big, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

lease_terms = Table(
    "lease_terms",
    metadata,
    Column("name", Str, nullable=False),
    Column("epoch", Big, nullable=False),
    Column("holder", Str, nullable=False),
    Column("began_at", Instant, nullable=False),
    PrimaryKeyConstraint("name", "epoch"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Str, primary_key=True),
    Column("position", Big, nullable=False),
    Column("generation", Str, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

hearing = Table(
    "hearing",
    metadata,
    Column("name", Str, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)

redrives = Table(
    "redrives",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("wanted", JsonText(), nullable=False),
    Column("per_sec", Double, nullable=False),
    Column("most", Integer, nullable=False),
    Column("stop_after", Integer, nullable=False),
    Column("payload", JsonText()),
    Column("state", Str, nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("reached", Uuid),
    Column("reason", Str),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("finished_at", Instant),
    PrimaryKeyConstraint("tenant_id", "id"),
)
Index("redrives_running_idx", redrives.c.next_at, postgresql_where=text("state = 'RUNNING'"))

redrive_runs = Table(
    "redrive_runs",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("redrive_id", Uuid, nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("made_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "redrive_id", "run_id"),
)

backfills = Table(
    "backfills",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("max_concurrent", Integer, nullable=False),
    Column("state", Str, nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("reached", Instant),
    Column("reason", Str),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("finished_at", Instant),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "schedule_id"], ["schedules.tenant_id", "schedules.id"], name="backfills_schedule_fkey"
    ),
)
Index("backfills_running_idx", backfills.c.next_at, postgresql_where=text("state = 'RUNNING'"))

audits = Table(
    "audits",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("audited_to", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "schedule_id"),
)

audit_differences = Table(
    "audit_differences",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("kind", Str, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("count", Integer, nullable=False),
    Column("found_at", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "schedule_id", "kind", "first"),
)
Index("audit_differences_found_idx", audit_differences.c.found_at)

audit_rounds = Table(
    "audit_rounds",
    metadata,
    Column("name", Str, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("reached_tenant", Str),
    Column("reached_id", Uuid),
    Column("schedules", Big, nullable=False),
    Column("uncovered", Big, nullable=False),
    Column("due_times", Big, nullable=False),
    Column("audited_to", Instant),
    Column("last_began_at", Instant),
    Column("last_ended_at", Instant),
    Column("last_schedules", Big),
    Column("last_uncovered", Big),
    Column("last_due_times", Big),
    Column("last_audited_to", Instant),
)

keyed_calls = Table(
    "keyed_calls",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("method", Str, nullable=False),
    Column("path", Str, nullable=False),
    Column("key", Str, nullable=False),
    Column("asked", LargeBinary, nullable=False),
    Column("holder", Uuid, nullable=False),
    Column("held_until", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("status", Integer),
    Column("headers", JsonText()),
    Column("body", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "method", "path", "key"),
)
Index("keyed_calls_made_idx", keyed_calls.c.made_at)

removed_runs = Table(
    "removed_runs",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("lane", Str, nullable=False),
    Column("schedule_id", Uuid, nullable=False),
    Column("state", Str, nullable=False),
    Column("count", Big, nullable=False),
    Column("last_scheduled_for", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "lane", "schedule_id", "state"),
)
