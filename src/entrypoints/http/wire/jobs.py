"""Jobs on the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from rota.application.json import dump, load
from rota.application.views.jobs import job_view
from rota.domain.job import JobDefinition, JobSnapshot
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.terms import MAX_TIMEOUT, RateLimit
from rota.entrypoints.http.wire.base import (
    Answer,
    Body,
    Count,
    Labels,
    Name,
    PayloadSchema,
    Priority,
    Queue,
    Seconds,
    Text,
    Timeout,
    Whole,
    Wire,
    bounds,
    inside,
    seconds,
    seconds_or_none,
)
from rota.entrypoints.http.wire.patch import Document, patched

_LENGTH: Final = bounds(0, MAX_TIMEOUT.total_seconds())

Names = Annotated[list[Name], Field(max_length=100)]


class BackoffIn(Wire):
    kind: Annotated[BackoffKind, Field(strict=False)] = BackoffKind.EXPONENTIAL
    initial_sec: Annotated[Seconds, _LENGTH] = 1
    factor: float = Field(default=2, ge=1, le=100)
    max_sec: Annotated[Seconds, _LENGTH] = 3600
    jitter: float = Field(default=0.1, ge=0, le=1)

    def to_backoff(self) -> Backoff:
        return Backoff(
            kind=self.kind,
            initial=seconds(self.initial_sec),
            factor=self.factor,
            longest=seconds(self.max_sec),
            jitter=self.jitter,
        )


class RetryIn(Wire):
    max_attempts: Whole = Field(default=3, ge=1, le=1000)
    not_on: Names = Field(default_factory=list)
    backoff: BackoffIn = BackoffIn()

    def to_policy(self) -> RetryPolicy:
        with inside("backoff"):
            backoff = self.backoff.to_backoff()
        return RetryPolicy(max_attempts=self.max_attempts, backoff=backoff, not_on=tuple(self.not_on))


class RateLimitIn(Wire):
    """A bucket of `count` starts that refills evenly over `perSec`."""

    count: Annotated[Count, bounds(1, 1_000_000)]
    per_sec: Annotated[Seconds, bounds(0.001, MAX_TIMEOUT.total_seconds())]

    def to_limit(self) -> RateLimit:
        return RateLimit(self.count, seconds(self.per_sec))


class KnownJobIn(Wire):
    """A job as a worker that registers knows it: it makes one that is missing."""

    name: Name
    queue: Queue = "default"
    capabilities: Names = Field(default_factory=list)
    retry: RetryIn = RetryIn()
    timeout_sec: Timeout = 300

    def to_definition(self) -> JobDefinition:
        """Raises InvalidError."""
        with inside("retry"):
            retry = self.retry.to_policy()
        return JobDefinition(
            name=self.name,
            queue=self.queue,
            capabilities=tuple(self.capabilities),
            retry=retry,
            timeout=seconds(self.timeout_sec),
        )


class JobIn(KnownJobIn, Body):
    """A job, as it is created; null is no limit."""

    labels: Labels
    start_by_sec: Timeout | None = None
    deadline_sec: Timeout | None = None
    heartbeat_timeout_sec: Timeout | None = None
    max_concurrent: Annotated[Count, bounds(1, 1_000_000)] | None = None
    concurrency_key: Text | None = Field(
        default=None, examples=["/customer/id"], json_schema_extra={"format": "json-pointer"}
    )
    rate_limit: RateLimitIn | None = None
    priority: Priority = 0
    payload_schema: PayloadSchema = None
    retention_sec: Seconds | None = None

    def to_definition(self) -> JobDefinition:
        with inside("rateLimit"):
            rate_limit = None if self.rate_limit is None else self.rate_limit.to_limit()
        return replace(
            super().to_definition(),
            labels=self.labels,
            start_by=seconds_or_none(self.start_by_sec),
            deadline=seconds_or_none(self.deadline_sec),
            heartbeat_timeout=seconds_or_none(self.heartbeat_timeout_sec),
            max_concurrent=self.max_concurrent,
            concurrency_key=self.concurrency_key,
            rate_limit=rate_limit,
            priority=self.priority,
            payload_schema=self.payload_schema,
            retention=seconds_or_none(self.retention_sec),
        )


def revised_job(standing: JobSnapshot, patch: Document) -> JobDefinition:
    """Raises InvalidError."""
    return patched(JobIn, load(dump(job_view(standing))), patch).to_definition()


class BackoffOut(Answer):
    kind: BackoffKind
    initial_sec: float
    factor: float
    max_sec: float
    jitter: float


class RetryOut(Answer):
    max_attempts: int
    not_on: list[str]
    backoff: BackoffOut


class RateLimitOut(Answer):
    count: int
    per_sec: float


class JobOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    labels: dict[str, str]
    queue: str
    capabilities: list[str]
    retry: RetryOut
    timeout_sec: float
    start_by_sec: float | None
    deadline_sec: float | None
    heartbeat_timeout_sec: float | None
    max_concurrent: int | None
    concurrency_key: str | None
    rate_limit: RateLimitOut | None
    priority: int
    payload_schema: dict[str, Any] | None
    retention_sec: float | None
    created_at: datetime
    updated_at: datetime
    version: int
