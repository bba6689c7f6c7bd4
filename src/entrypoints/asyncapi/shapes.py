"""What messages on the bus look like: for the AsyncAPI document, and for nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from rota.application.take_reports import ReportKind
from rota.domain.audit.round import DifferenceKind
from rota.domain.pause import MakeUp
from rota.domain.run_events import Cause, RunState
from rota.entrypoints.http.wire.base import Answer
from rota.entrypoints.http.wire.runs import ProgressOut, RunErrorOut
from rota.entrypoints.http.wire.schedules import DueTimeOut
from rota.entrypoints.http.wire.workers import WorkerOut


class CloudEvent(Answer):
    """CloudEvents 1.0, structured, in JSON. `sequence` is the event's position in the log, rising in commit order;
    `aggregateseq` counts 1, 2, 3 … per aggregate. `subject` is the aggregate's id. The message's id is the event's.
    """

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    subject: UUID
    time: datetime
    datacontenttype: Literal["application/json"]
    tenantid: str
    sequence: int | None = None
    aggregateseq: int | None = None
    correlationid: str | None = None
    traceparent: str | None = None


class RunData(Answer):
    """The run as it stood right after the event. `job` is null for a delivery."""

    run_id: UUID
    schedule_id: UUID | None
    job: str | None
    state: RunState
    cause: Cause
    scheduled_for: datetime
    due_at: datetime
    fired_at: datetime | None
    attempt: int
    worker_id: UUID | None
    reason: str | None
    error: RunErrorOut | None


class RunProgressData(RunData):
    progress: ProgressOut


class MissedData(Answer):
    """Due times that the misfire policy did not run. The event's `subject` is the schedule's id."""

    first: datetime
    last: datetime
    count: int
    rule: str


class AuditedData(Answer):
    """The auditor found something else on record than should be."""

    difference: DifferenceKind
    first: datetime
    last: datetime
    count: int


class EnabledData(Answer):
    version: int
    reason: str
    next_fire_at: datetime | None
    catch_up: MakeUp


class DisabledData(Answer):
    """`until` null is for good."""

    version: int
    reason: str
    until: datetime | None


class SkippedData(Answer):
    due_times: list[DueTimeOut]
    next_fire_at: datetime | None
    reason: str


class VersionData(Answer):
    version: int


class NoData(Answer):
    """Nothing beyond the event itself."""


class WorkerData(WorkerOut):
    reason: str


class WorkOut(Answer):
    """One attempt of one run. The message's id is `runId:attempt`, or `runId:attempt:n` when it was proven lost."""

    run_id: UUID
    attempt: int
    tenant_id: str
    job: str
    queue: str
    payload: Any
    scheduled_for: datetime
    due_at: datetime
    timeout_sec: float
    deadline: datetime | None
    idempotency_key: str
    correlation_id: str | None
    traceparent: str | None


class ReportErrorIn(Answer):
    type: str
    message: str
    retryable: bool = True
    retry_after_sec: float | None = None
    stack: str | None = None


class ReportProgressIn(Answer):
    fraction: float = Field(ge=0, le=1)
    note: str = ""


class ReportIn(Answer):
    """`result` goes with SUCCEEDED, `error` with FAILED, `progress` with PROGRESS."""

    run_id: UUID
    attempt: int
    worker_id: UUID
    kind: ReportKind
    at: datetime
    result: Any = None
    error: ReportErrorIn | None = None
    progress: ReportProgressIn | None = None


class TopicEvent(Answer):
    """CloudEvents 1.0 of a target of kind EVENT: its `type` is the topic, its `id` the run's, `data` the payload."""

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    subject: UUID | None = None
    time: datetime
    scheduledfor: datetime
    datacontenttype: Literal["application/json"]
    tenantid: str
    correlationid: str | None = None
    traceparent: str | None = None
    data: Any
