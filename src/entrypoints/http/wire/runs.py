"""Runs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from rota.application.create_runs import RunDraft
from rota.domain.attempt import Outcome
from rota.domain.run_events import Cause, RunState
from rota.entrypoints.http.wire.base import (
    Answer,
    Body,
    Instant,
    JobName,
    Labels,
    Name,
    Note,
    Payload,
    PayloadOrNull,
    Priority,
)


class RunIn(Body):
    """A run that is asked for; without `runAt`, at once."""

    job: JobName
    payload: Payload = None
    run_at: Instant | None = None
    dedupe_key: Name | None = None
    labels: Labels
    priority: Priority | None = None

    def to_draft(self) -> RunDraft:
        return RunDraft(
            job=self.job,
            payload=self.payload,
            run_at=self.run_at,
            dedupe_key=self.dedupe_key,
            labels=self.labels,
            priority=self.priority,
        )


class CancelIn(Body):
    reason: Note = ""


class RunAgainIn(Body):
    """A payload, be it null, replaces the old one."""

    payload: PayloadOrNull = None


class RunErrorOut(Answer):
    type: str
    message: str
    stack: str | None


class ProgressOut(Answer):
    value: float
    note: str


class AttemptOut(Answer):
    """`outcome` is null while the attempt goes on; `answer` is what the receiver of a delivery said."""

    attempt: int
    worker_id: UUID | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    outcome: Outcome | str | None
    error: RunErrorOut | None
    answer: Any


class RunOut(Answer):
    """`job` is null where `target` is not JOB. `fingerprint` is the same for failures that are alike."""

    id: UUID
    tenant_id: str
    schedule_id: UUID | None
    job: str | None
    target: Literal["JOB", "EVENT", "HTTP", "QUEUE"]
    cause: Cause
    state: RunState
    scheduled_for: datetime
    due_at: datetime
    fired_at: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None
    cancel_requested_at: datetime | None
    cancel_acknowledged_at: datetime | None
    attempt: int
    attempts: list[AttemptOut]
    worker_id: UUID | None
    retry_of: UUID | None
    payload: Any
    result: Any
    error: RunErrorOut | None
    fingerprint: str | None
    reason: str | None
    progress: ProgressOut | None
    labels: dict[str, str]
    priority: int
    dedupe_key: str | None
    correlation_id: str | None
    traceparent: str | None
    created_at: datetime
