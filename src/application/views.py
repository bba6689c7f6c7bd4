"""How a thing looks to those outside: the JSON of the contract, for answers and for events alike.

Values are plain: dict, list, str, int, float, bool, None, and also datetime (aware, UTC), UUID and
Json, which whoever serialises writes as RFC 3339 with `Z`, as text, and as the JSON it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from rota.application.ports.bus import Control
from rota.domain.aggregate import DomainEvent
from rota.domain.attempt import Attempt, Progress, RunError
from rota.domain.job import JobCreated, JobDeleted, JobSnapshot, JobUpdated
from rota.domain.misfire import Misfire, Span
from rota.domain.payload import Json
from rota.domain.retry import RetryPolicy
from rota.domain.run import Run
from rota.domain.run_events import RunEvent, RunProgressed, RunState
from rota.domain.schedule import Miss
from rota.domain.schedule_events import (
    RunsMissed,
    ScheduleCreated,
    ScheduleDeleted,
    ScheduleDisabled,
    ScheduleEnabled,
    ScheduleSnapshot,
    ScheduleUpdated,
)
from rota.domain.trigger import Cron, FixedRate, OneShot, Trigger
from rota.domain.worker import WorkerEvent, WorkerSnapshot

View: TypeAlias = dict[str, object]


class RawJson:
    """Marks a text that is JSON already."""

    __slots__ = ("text",)

    def __init__(self, text: Json | None) -> None:
        self.text = text or "null"


def schedule_view(schedule: ScheduleSnapshot) -> View:
    own = schedule.definition
    return {
        "id": schedule.id,
        "tenantId": schedule.tenant_id,
        "name": own.name,
        "description": own.description,
        "labels": own.labels,
        "tz": own.tz,
        "enabled": schedule.enabled,
        "trigger": trigger_view(own.trigger),
        "target": {"kind": own.target.kind, "job": own.target.job.name, "payload": RawJson(own.target.payload)},
        "calendar": None,
        "misfire": misfire_view(own.misfire),
        "overlap": "ALLOW",
        "jitterSec": 0,
        "startAt": own.start_at,
        "endAt": own.end_at,
        "maxRuns": own.max_runs,
        "priority": None,
        "nextFireAt": schedule.next_fire_at,
        "lastFireAt": schedule.last_fire_at,
        "createdAt": schedule.created_at,
        "updatedAt": schedule.updated_at,
        "version": schedule.version,
    }


def trigger_view(trigger: Trigger) -> View:
    match trigger:
        case Cron():
            return {"type": trigger.kind, "cron": trigger.cron}
        case OneShot():
            return {"type": trigger.kind, "startAt": trigger.start_at}
        case FixedRate():
            return {"type": trigger.kind, "everySec": seconds(trigger.every), "anchorAt": trigger.anchor_at}
    raise AssertionError(f"a trigger without a view: {trigger!r}")


def misfire_view(misfire: Misfire) -> View:
    window = misfire.catchup_window
    return {
        "policy": misfire.policy,
        "graceSec": seconds(misfire.grace),
        "catchupWindowSec": None if window is None else seconds(window),
    }


def miss_view(miss: Miss) -> View:
    return {**span_view(miss.span), "rule": miss.rule, "decidedAt": miss.decided_at}


def span_view(span: Span) -> View:
    return {"first": span.first, "last": span.last, "count": span.count}


def job_view(job: JobSnapshot) -> View:
    own = job.definition
    return {
        "id": job.id,
        "tenantId": job.tenant_id,
        "name": own.name,
        "queue": own.queue,
        "capabilities": list(own.capabilities),
        "retry": retry_view(own.retry),
        "timeoutSec": seconds(own.timeout),
        "startBySec": None,
        "deadlineSec": None,
        "heartbeatTimeoutSec": None,
        "maxConcurrent": None,
        "concurrencyKey": None,
        "rateLimit": None,
        "priority": 0,
        "payloadSchema": None,
        "retentionSec": None,
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "version": job.version,
    }


def retry_view(retry: RetryPolicy) -> View:
    backoff = retry.backoff
    return {
        "maxAttempts": retry.max_attempts,
        "notOn": [],
        "backoff": {
            "kind": backoff.kind,
            "initialSec": seconds(backoff.initial),
            "factor": backoff.factor,
            "maxSec": seconds(backoff.longest),
            "jitter": backoff.jitter,
        },
    }


def run_view(run: Run) -> View:
    return {
        "id": run.id,
        "tenantId": run.tenant_id,
        "scheduleId": run.schedule_id,
        "job": run.job.name,
        "cause": run.cause,
        "state": run.state,
        "scheduledFor": run.scheduled_for,
        "dueAt": run.due_at,
        "firedAt": run.fired_at,
        "queuedAt": run.queued_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "nextAttemptAt": run.next_attempt_at,
        "cancelRequestedAt": None,
        "attempt": run.attempt,
        "attempts": [attempt_view(ended) for ended in run.attempts] + current_attempt_view(run),
        "workerId": run.worker_id,
        "retryOf": None,
        "payload": RawJson(run.payload),
        "result": RawJson(run.result),
        "error": error_view(run.error),
        "reason": run.reason,
        "progress": run.progress and progress_view(run.progress),
        "labels": run.labels,
        "priority": 0,
        "dedupeKey": run.dedupe_key,
        "correlationId": run.correlation_id,
        "traceparent": run.traceparent,
        "createdAt": run.created_at,
    }


def attempt_view(ended: Attempt) -> View:
    return {
        "attempt": ended.number,
        "workerId": ended.worker_id,
        "queuedAt": ended.queued_at,
        "startedAt": ended.started_at,
        "finishedAt": ended.finished_at,
        "outcome": ended.outcome,
        "error": error_view(ended.error),
    }


def current_attempt_view(run: Run) -> list[View]:
    """The attempt that has not ended, or has ended in success; none while the run waits for the next."""
    if run.state not in (RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED):
        return []
    return [
        {
            "attempt": run.attempt,
            "workerId": run.worker_id,
            "queuedAt": run.queued_at,
            "startedAt": run.started_at,
            "finishedAt": run.finished_at,
            "outcome": "SUCCEEDED" if run.state is RunState.SUCCEEDED else None,
            "error": None,
        }
    ]


def progress_view(progress: Progress) -> View:
    return {"value": progress.value, "note": progress.note}


def error_view(error: RunError | None) -> View | None:
    return None if error is None else {"type": error.type, "message": error.message, "stack": error.stack}


def worker_view(worker: WorkerSnapshot) -> View:
    return {
        "id": worker.id,
        "tenantId": worker.tenant_id,
        "name": worker.name,
        "state": worker.state,
        "jobs": list(worker.jobs),
        "capabilities": list(worker.capabilities),
        "slots": worker.slots,
        "running": worker.running,
        "lastSeenAt": worker.last_seen_at,
    }


def control_view(order: Control) -> View:
    return {"kind": order.kind, "runId": order.run_id, "attempt": order.attempt, "reason": order.reason}


def event_data(event: DomainEvent) -> View:
    """The `data` of the event's CloudEvent."""
    if isinstance(event, RunProgressed):
        return {**run_event_data(event), "progress": progress_view(event.progress)}
    if isinstance(event, RunEvent):
        return run_event_data(event)
    match event:
        case ScheduleCreated() | ScheduleUpdated():
            return schedule_view(event.schedule)
        case ScheduleEnabled():
            return {"version": event.version, "reason": event.reason, "nextFireAt": event.next_fire_at}
        case ScheduleDisabled():
            return {"version": event.version, "reason": event.reason}
        case ScheduleDeleted():
            return {"version": event.version}
        case RunsMissed():
            return {**span_view(event.span), "rule": event.rule}
        case JobCreated() | JobUpdated():
            return job_view(event.job)
        case JobDeleted():
            return {}
        case WorkerEvent():
            return {**worker_view(event.worker), "reason": event.reason}
    raise AssertionError(f"an event without a view: {event!r}")


def run_event_data(event: RunEvent) -> View:
    return {
        "runId": event.subject,
        "scheduleId": event.schedule_id,
        "job": event.job,
        "state": event.state,
        "cause": event.cause,
        "scheduledFor": event.scheduled_for,
        "dueAt": event.due_at,
        "firedAt": event.fired_at,
        "attempt": event.attempt,
        "workerId": event.worker_id,
        "reason": event.reason,
        "error": error_view(event.error),
    }


def seconds(length: timedelta) -> float | int:
    """Decimal seconds; whole ones as an integer."""
    value = length.total_seconds()
    return int(value) if value.is_integer() else value
