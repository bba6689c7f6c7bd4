"""What each operation is for, in words; what it takes and answers, the routes themselves tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TAGS: Final[Mapping[str, str]] = {
    "schedules": "When something is due, and what is fired then. Backfills, previews and explanations belong here.",
    "jobs": "Named kinds of work that workers carry out, with retry, timeout and concurrency policy.",
    "runs": "Single executions: from being made, through their attempts, to a final state. Dead letters are runs too.",
    "workers": "Remote processes that take runs of the jobs they know, send heartbeats and report results.",
    "calendars": "Open and closed days, built from weekday rules, holidays, closures and extra open days.",
    "events": "The event log: everything that happened, in the order in which it was committed.",
    "health": "How the service is, for people and for machines.",
    "documents": "What is said on the bus, described for machines.",
}

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "create_schedule": (
        "Create a schedule",
        "A `name` is unique in a tenant; that of a deleted schedule is free again. The job of a JOB target must exist. "
        "No due time lies before the creation (ONE_SHOT excepted).",
    ),
    "create_schedules": (
        "Create many schedules",
        "A bare list of at most 1,000, all or none. A fault is named with its place in the list: `17.trigger.cron`.",
    ),
    "list_schedules": (
        "List schedules",
        "The newest first. `name` is a prefix; of several `label`s all must be there.",
    ),
    "preview": (
        "Preview due times",
        "The first `count` due times of a trigger not before `from`, as a schedule made now would have them. "
        "Stores nothing.",
    ),
    "read_schedule": ("Read a schedule", "With its next and last fire. The `ETag` is its `version`."),
    "change_schedule": (
        "Change a schedule",
        "A merge patch (RFC 7396): what is left out stays, null is a field's default, `trigger` and `target` are "
        "replaced whole. What was due before the change is decided by the old definition.",
    ),
    "delete_schedule": (
        "Delete a schedule",
        "It fires no more and its name is free again; its runs and their history can still be read.",
    ),
    "enable_schedule": (
        "Enable a schedule",
        "`catchUp` says which of the due times of the pause are run: none, the last, or all.",
    ),
    "disable_schedule": ("Disable a schedule", "It fires no more until it is enabled, or until the instant `until`."),
    "skip_fires": (
        "Skip the next fires",
        "The next fires, or one, will not come; each has a SKIPPED run at once. Nothing else of the schedule changes.",
    ),
    "trigger_schedule": (
        "Fire a schedule now",
        "Makes a run of cause MANUAL, also of a disabled schedule. Under overlap SKIP with a run going it is 409.",
    ),
    "list_fires": ("List the next fires", "As a preview answers them, for the schedule as it stands."),
    "list_misses": (
        "List misses",
        "The latest first. A miss tells of due times in [`first`, `last`] that the misfire policy did not run.",
    ),
    "explain": (
        "Explain a fire",
        "Why the schedule did or will fire at that instant, or not: each rule that was asked, in order.",
    ),
    "list_schedule_events": (
        "List a schedule's events",
        "Its own history, the oldest first; that of its runs is each run's.",
    ),
    "backfill_schedule": (
        "Backfill a schedule",
        "Makes a run for each due time in [`from`, `to`) that has none: missed ones included, skipped ones not. "
        "A dry run only counts them.",
    ),
    "read_backfill": ("Read a backfill", "How far it has come, and what has become of its runs."),
    "cancel_backfill": ("Cancel a backfill", "It makes no more runs; those that it has made go on."),
    "create_job": ("Create a job", "A `name` is unique in a tenant, and workers know the job by it."),
    "list_jobs": ("List jobs", "The newest first. `name` is a prefix, `queue` is not."),
    "read_job": ("Read a job", "The `ETag` is its `version`."),
    "change_job": (
        "Change a job",
        "A merge patch (RFC 7396): what is left out stays, null is a field's default. The name cannot be changed. "
        "Runs that are made from now on go by the new terms.",
    ),
    "delete_job": ("Delete a job", "A job that a schedule or an unfinished run needs is 409."),
    "create_calendar": (
        "Create a calendar",
        "An extra open day wins over everything, then a closure, a holiday, a weekday that is no working day, "
        "then what is included.",
    ),
    "list_calendars": ("List calendars", "The newest first. `name` is a prefix."),
    "read_calendar": ("Read a calendar", "The `ETag` is its `version`."),
    "change_calendar": (
        "Change a calendar",
        "A merge patch (RFC 7396). The answer tells which schedules' next fires move; with `dryRun` nothing changes.",
    ),
    "delete_calendar": ("Delete a calendar", "One that a schedule or another calendar needs is 409."),
    "list_days": ("List days", "Each day from `from` to `to`, both included: whether it is open, and why."),
    "export_calendar": ("Export closed days", "As all-day events of an iCalendar file (RFC 5545)."),
    "import_days": (
        "Import closed days",
        "What an iCalendar file (RFC 5545) says of closed days is added to the calendar's own; with `dryRun` nothing "
        "changes. Events that say nothing of closed days are left out, and the answer tells why.",
    ),
    "create_run": (
        "Run a job",
        "At once, or at `runAt`. A `dedupeKey` held by a run that is not final answers that run, with 200.",
    ),
    "create_runs": ("Run many jobs", "A bare list of at most 1,000, all or none; `dedupeKey` counts here too."),
    "list_runs": (
        "List runs",
        "The newest first. `from` (included) and `to` (excluded) judge `scheduledFor`; of several states or causes one "
        "is enough, of several labels all must be there. Runs of deleted schedules are listed too.",
    ),
    "read_run": ("Read a run", "With its attempts."),
    "list_run_events": ("List a run's events", "Its history, the oldest first."),
    "cancel_run": (
        "Cancel a run",
        "One that has not started is CANCELLED at once; a running one when its worker has stopped it.",
    ),
    "retry_run": ("Run it again", "Makes a new run of cause RETRY, whose `retryOf` is this one, which must be final."),
    "list_dead_letters": (
        "List dead letters",
        "Runs whose attempts are used up, in groups of those that failed alike; the biggest group first.",
    ),
    "redrive_runs": (
        "Redrive dead letters",
        "Makes a new run of cause RETRY for each dead letter that the filter finds, at a bounded pace. A dry run only "
        "counts them.",
    ),
    "read_redrive": ("Read a redrive", "How far it has come."),
    "cancel_redrive": ("Cancel a redrive", "It makes no more runs; those that it has made go on."),
    "count_runs": ("Count runs by state", "With those that retention has removed."),
    "list_rejected_reports": ("List rejected reports", "What workers reported and was not taken, the newest first."),
    "register_worker": (
        "Register a worker",
        "Makes jobs that are missing, and answers how to reach the bus and where the jobs' work lies. A worker that "
        "registers again is another worker.",
    ),
    "take_heartbeat": (
        "Send a heartbeat",
        "What workers otherwise say on the bus, for those that cannot reach it. The answer is what they must do.",
    ),
    "drain_worker": ("Drain a worker", "It is to take no new runs, and to finish or hand back those that it has."),
    "list_workers": ("List workers", "The newest first."),
    "read_worker": ("Read a worker", "Its state, its jobs, and how many of its slots are taken."),
    "read_health": ("Look at the health", "200 whatever it says: that it could be said is the call's success."),
    "is_ready": ("Ask whether it is ready", "For a load balancer: whether this process can answer calls. No token."),
    "is_live": ("Ask whether it is alive", "For whoever restarts it: whether this process answers at all. No token."),
    "read_metrics": ("Read metrics", "Prometheus text. Of the whole service and all tenants, whichever is asked."),
    "asyncapi": ("Read the AsyncAPI document", "AsyncAPI 3.0: what is said and heard on the bus, with its shapes."),
}
"""By the operation's id: its summary and its description. One that is not here says it in its own docstring."""

PARAMETERS: Final[Mapping[str, str]] = {
    "tenantId": "Must be the caller's tenant; may be left out.",
    "X-Tenant-Id": "The tenant: needed with a token for all of them (`*`), otherwise it must be the token's.",
    "X-Correlation-Id": "Kept with what the call makes, and answered: 1 to 128 printable ASCII characters.",
    "traceparent": "W3C Trace Context, handed on to what the call makes. One that cannot be read is none.",
    "Idempotency-Key": "The same key within 24 hours is the same call again, and has the first one's answer.",
    "If-Match": "The `ETag` that the change is meant for; if another stands by now, the answer is 412.",
    "limit": "At most so many items (50 unless said). Not together with `page`.",
    "cursor": "The `nextCursor` of the page before. Not together with `page`.",
    "page": "The number of the page, from 1; adds `page`, `pageSize` and `total` to the answer.",
    "pageSize": "How many items a numbered page has (50 unless said).",
    "name": "What the name begins with.",
    "label": "`key:value`; may be said several times, and then all must be there.",
    "enabled": "Only those that are, or are not.",
    "kind": "Only those with a target of that kind.",
    "queue": "Only those of that queue.",
    "scheduleId": "Only those of that schedule.",
    "job": "Only those of the job of that name.",
    "workerId": "Only those whose last attempt that worker had.",
    "state": "Only those in that state; may be said several times.",
    "cause": "Only those of that cause; may be said several times.",
    "fingerprint": "Only those whose failures have that fingerprint: 16 hexadecimal digits.",
    "from": "From then on, included.",
    "to": "Up to then.",
    "count": "How many are wanted (10 unless said).",
    "at": "The instant that is asked about: the trigger's own, or that at which it is acted on.",
    "redriven": "Whether those count too that were retried.",
    "dryRun": "Whether to answer what would come of it, and change nothing.",
    "schedule_id": "The schedule's id.",
    "job_id": "The job's id.",
    "run_id": "The run's id.",
    "worker_id": "The worker's id.",
    "calendar_id": "The calendar's id.",
    "backfill_id": "The backfill's id.",
    "redrive_id": "The redrive's id.",
    "after": "Only what comes after that place in the log.",
    "type": "Only events of that type.",
    "subject": "Only events of the aggregate with that id.",
    "Last-Event-ID": "The last event that was received; what came since is sent first.",
}
"""By its name; a parameter that describes itself is left as it is."""
