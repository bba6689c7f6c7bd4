"""Jobs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from rota.application.json import dump, load
from rota.application.views import job_view
from rota.domain.job import JobDefinition, JobSnapshot
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.entrypoints.http.wire.base import Answer, Body, Name, NotYet, Seconds, Wire, inside, seconds
from rota.entrypoints.http.wire.patch import Document, patched

Capabilities = Annotated[list[Name], Field(default_factory=list, max_length=100)]


class BackoffIn(Wire):
    kind: Annotated[BackoffKind, Field(strict=False)] = BackoffKind.EXPONENTIAL
    initial_sec: Seconds = 1
    factor: float = Field(default=2, ge=1, le=100)
    max_sec: Seconds = 3600
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
    max_attempts: int = Field(default=3, ge=1, le=1000)
    not_on: Annotated[object, NotYet([])] = Field(default_factory=list)
    backoff: BackoffIn = BackoffIn()

    def to_policy(self) -> RetryPolicy:
        with inside("backoff"):
            backoff = self.backoff.to_backoff()
        return RetryPolicy(max_attempts=self.max_attempts, backoff=backoff)


class KnownJobIn(Wire):
    """A job as a worker that registers knows it: it makes one that is missing."""

    name: Name
    queue: str = "default"
    capabilities: Capabilities
    retry: RetryIn = RetryIn()
    timeout_sec: Seconds = 300

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
    start_by_sec: Annotated[object, NotYet(None)] = None
    deadline_sec: Annotated[object, NotYet(None)] = None
    heartbeat_timeout_sec: Annotated[object, NotYet(None)] = None
    max_concurrent: Annotated[object, NotYet(None)] = None
    concurrency_key: Annotated[object, NotYet(None)] = None
    rate_limit: Annotated[object, NotYet(None)] = None
    priority: Annotated[object, NotYet(0)] = 0
    payload_schema: Annotated[object, NotYet(None)] = None
    retention_sec: Annotated[object, NotYet(None)] = None


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


class JobOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    queue: str
    capabilities: list[str]
    retry: RetryOut
    timeout_sec: float
    start_by_sec: float | None
    deadline_sec: float | None
    heartbeat_timeout_sec: float | None
    max_concurrent: int | None
    concurrency_key: str | None
    rate_limit: dict[str, Any] | None
    priority: Literal[0]
    payload_schema: Any
    retention_sec: float | None
    created_at: datetime
    updated_at: datetime
    version: int
