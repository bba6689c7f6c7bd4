"""How a run and its attempts look to those outside."""

from __future__ import annotations

from rota.application.views.values import RawJson, View
from rota.domain.attempt import Attempt, Progress, RunError
from rota.domain.run import Run
from rota.domain.run_events import RunState


def run_view(run: Run) -> View:
    """`job` is null, and `target` says what it is instead, where Rota delivers itself."""
    return {
        "id": run.id,
        "tenantId": run.tenant_id,
        "scheduleId": run.schedule_id,
        "job": run.job and run.job.name,
        "target": "JOB" if run.delivery is None else run.delivery.receiver.kind,
        "cause": run.cause,
        "state": run.state,
        "scheduledFor": run.scheduled_for,
        "dueAt": run.due_at,
        "firedAt": run.fired_at,
        "queuedAt": run.queued_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "nextAttemptAt": run.next_attempt_at,
        "cancelRequestedAt": run.cancel_requested_at,
        "cancelAcknowledgedAt": run.cancel_acknowledged_at,
        "attempt": run.attempt,
        "attempts": [attempt_view(ended) for ended in run.attempts] + current_attempt_view(run),
        "workerId": run.worker_id,
        "retryOf": run.retry_of,
        "payload": RawJson(run.payload),
        "result": RawJson(run.result),
        "error": error_view(run.error),
        "fingerprint": run.fingerprint,
        "reason": run.reason,
        "progress": run.progress and progress_view(run.progress),
        "labels": run.labels,
        "priority": run.priority,
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
        "answer": RawJson(ended.answer),
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
            "answer": RawJson(run.result if run.delivery else None),
        }
    ]


def progress_view(progress: Progress) -> View:
    return {"value": progress.value, "note": progress.note}


def error_view(error: RunError | None) -> View | None:
    return None if error is None else {"type": error.type, "message": error.message, "stack": error.stack}
