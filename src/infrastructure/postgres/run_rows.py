"""Runs as rows, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Row, Select, select, true

from rota.application.json import dump, load
from rota.domain.attempt import Attempt, Outcome, Progress, RunError
from rota.domain.ids import WorkerId
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.infrastructure.postgres.definitions import dump_delivery, job_terms, load_delivery
from rota.infrastructure.postgres.tables import jobs, runs
from rota.infrastructure.postgres.values import instant

WITH_JOB = select(runs, jobs.c.definition.label("job_definition")).select_from(
    runs.outerjoin(jobs, (jobs.c.tenant_id == runs.c.tenant_id) & (jobs.c.id == runs.c.job_id))
)
"""Every query for runs starts here: what a run does next depends on its job's terms. A delivery brings its own."""


def with_job(wanted: FromClause, found: FromClause) -> Select[Any]:
    """As WITH_JOB, of the runs that were found for each wanted."""
    same_job = (jobs.c.tenant_id == found.c.tenant_id) & (jobs.c.id == found.c.job_id)
    every_one = wanted.join(found, true()).outerjoin(jobs, same_job)
    return select(found, jobs.c.definition.label("job_definition")).select_from(every_one)


COLUMNS = tuple(column.name for column in runs.columns)
CHANGING = (
    "state",
    "fired_at",
    "queued_at",
    "started_at",
    "finished_at",
    "cancel_requested_at",
    "cancel_acknowledged_at",
    "wake_at",
    "rank",
    "parked_on",
    "attempt",
    "attempts",
    "worker_id",
    "started_place",
    "sends",
    "result",
    "error",
    "fingerprint",
    "reason",
    "progress",
    "seq",
)
"""What may change once it is made."""

STATES = {state.value: state for state in RunState}
_CAUSES = {cause.value: cause for cause in Cause}


def to_run(row: Row[Any]) -> Run:
    """`row` is of WITH_JOB. Taken apart by place, which costs a third of doing it by name."""
    (
        tenant_id, run_id, schedule_id, job_id, delivery, _lane, cause, state, scheduled_for, due_at, created_at,
        fired_at, queued_at, started_at, finished_at, cancel_requested_at, cancel_acknowledged_at, wake_at, rank,
        parked_on, attempt, attempts, worker_id, started_place, sends, retry_of, payload, result, error, fingerprint,
        reason, progress, priority, concurrency_key, dedupe_key, awaited, labels, correlation_id, traceparent,
        fired_epoch, seq, job_definition,
    ) = tuple(row)  # fmt: skip
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        seq=seq,
        schedule_id=schedule_id,
        job=None if job_id is None else job_terms(job_id, job_definition),
        delivery=None if delivery is None else load_delivery(delivery),
        cause=_CAUSES[cause],
        state=STATES[state],
        scheduled_for=scheduled_for,
        due_at=due_at,
        created_at=created_at,
        fired_at=fired_at,
        queued_at=queued_at,
        started_at=started_at,
        finished_at=finished_at,
        cancel_requested_at=cancel_requested_at,
        cancel_acknowledged_at=cancel_acknowledged_at,
        wake_at=wake_at,
        rank=rank,
        parked_on=parked_on,
        attempt=attempt,
        attempts=_load_attempts(attempts) if attempts else (),
        worker_id=worker_id,
        started_place=started_place,
        sends=sends,
        retry_of=retry_of,
        payload=payload,
        result=result,
        error=_load_error(load(error)) if error else None,
        fingerprint=fingerprint,
        reason=reason,
        progress=Progress(**load(progress)) if progress else None,
        priority=priority,
        concurrency_key=concurrency_key,
        dedupe_key=dedupe_key,
        is_awaited=awaited,
        labels=load(labels) if labels else {},
        correlation_id=correlation_id,
        traceparent=traceparent,
        fired_epoch=fired_epoch,
    )


def from_run(run: Run) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": run.tenant_id,
        "id": run.id,
        "schedule_id": run.schedule_id,
        "job_id": None if run.job is None else run.job.id,
        "delivery": None if run.delivery is None else dump_delivery(run.delivery),
        "lane": run.lane,
        "cause": run.cause,
        "scheduled_for": run.scheduled_for,
        "due_at": run.due_at,
        "created_at": run.created_at,
        "retry_of": run.retry_of,
        "payload": run.payload,
        "priority": run.priority,
        "concurrency_key": run.concurrency_key,
        "dedupe_key": run.dedupe_key,
        "awaited": run.is_awaited,
        "labels": dump(run.labels) if run.labels else None,
        "correlation_id": run.correlation_id,
        "traceparent": run.traceparent,
        "fired_epoch": run.fired_epoch,
        **changing(run),
    }


def changing(run: Run) -> dict[str, Any]:  # Any: column values
    """The columns of CHANGING."""
    return {
        "state": run.state,
        "fired_at": run.fired_at,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "cancel_requested_at": run.cancel_requested_at,
        "cancel_acknowledged_at": run.cancel_acknowledged_at,
        "wake_at": run.wake_at,
        "rank": run.rank,
        "parked_on": run.parked_on,
        "attempt": run.attempt,
        "attempts": _dump_attempts(run.attempts) if run.attempts else None,
        "worker_id": run.worker_id,
        "started_place": run.started_place,
        "sends": run.sends,
        "result": run.result,
        "error": dump(_dump_error(run.error)) if run.error else None,
        "fingerprint": run.fingerprint,
        "reason": run.reason,
        "progress": dump({"value": run.progress.value, "note": run.progress.note}) if run.progress else None,
        "seq": run.next_seq,
    }


def _dump_error(error: RunError | None) -> dict[str, Any] | None:  # Any: JSON
    return None if error is None else {"type": error.type, "message": error.message, "stack": error.stack}


def _load_error(stored: dict[str, Any] | None) -> RunError | None:  # Any: JSON
    return None if stored is None else RunError(stored["type"], stored["message"], stored["stack"])


def _dump_attempts(attempts: tuple[Attempt, ...]) -> str:
    return dump(
        [
            {
                "number": ended.number,
                "worker_id": ended.worker_id,
                "queued_at": ended.queued_at,
                "started_at": ended.started_at,
                "finished_at": ended.finished_at,
                "outcome": ended.outcome,
                "error": _dump_error(ended.error),
                "answer": ended.answer,
            }
            for ended in attempts
        ]
    )


def _load_attempts(text: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            number=stored["number"],
            worker_id=stored["worker_id"] and WorkerId(UUID(stored["worker_id"])),
            queued_at=instant(stored["queued_at"]),
            started_at=instant(stored["started_at"]),
            finished_at=datetime.fromisoformat(stored["finished_at"]),
            outcome=Outcome(stored["outcome"]),
            error=_load_error(stored["error"]),
            answer=stored.get("answer"),
        )
        for stored in load(text)
    )
