"""A job: a named kind of work that workers carry out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.errors import InvalidError
from rota.domain.ids import JobId, TenantId, printable_name, slug
from rota.domain.retry import RetryPolicy

MAX_TIMEOUT = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """What a tenant says of a job. `timeout` is per attempt."""

    name: str
    queue: str = "default"
    capabilities: tuple[str, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: timedelta = timedelta(seconds=300)

    def __post_init__(self) -> None:
        printable_name(self.name)
        slug(self.queue, "queue")
        if not timedelta(0) < self.timeout <= MAX_TIMEOUT:
            raise InvalidError("must be more than 0 and at most 366 days", "timeoutSec")
        for capability in self.capabilities:
            printable_name(capability, "capabilities")


@dataclass(frozen=True, slots=True)
class JobTerms:
    """What a run needs to know of its job."""

    id: JobId
    name: str
    queue: str
    timeout: timedelta
    retry: RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """All that a reader sees of a job, at one version."""

    id: JobId
    tenant_id: TenantId
    definition: JobDefinition
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreated(DomainEvent):
    type: ClassVar[str] = "job.created"
    job: JobSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdated(DomainEvent):
    type: ClassVar[str] = "job.updated"
    job: JobSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeleted(DomainEvent):
    type: ClassVar[str] = "job.deleted"


@dataclass(slots=True, kw_only=True, eq=False)
class Job(Aggregate):
    """`from_registration` is set on a job that a worker's registration made: only such are updated by one."""

    id: JobId
    definition: JobDefinition
    created_at: datetime
    updated_at: datetime
    version: int = 1
    from_registration: bool = False
    deleted_at: datetime | None = None

    @classmethod
    def create(
        cls,
        tenant_id: TenantId,
        job_id: JobId,
        definition: JobDefinition,
        *,
        now: datetime,
        from_registration: bool = False,
    ) -> Job:
        job = cls(
            tenant_id=tenant_id,
            id=job_id,
            definition=definition,
            created_at=now,
            updated_at=now,
            from_registration=from_registration,
        )
        job._record(JobCreated(tenant_id=tenant_id, subject=job_id, at=now, job=job.snapshot()))
        return job

    def change(self, definition: JobDefinition, *, now: datetime) -> None:
        """A definition equal to the present one changes nothing. The name is the job's identity to workers."""
        if definition == self.definition:
            return
        if definition.name != self.definition.name:
            raise InvalidError("cannot be changed: workers know the job by it; create another job", "name")
        self.definition = definition
        self.updated_at = now
        self.version += 1
        self._record(JobUpdated(tenant_id=self.tenant_id, subject=self.id, at=now, job=self.snapshot()))

    def register(self, definition: JobDefinition, *, now: datetime) -> None:
        """What a worker says of the job counts only where a registration made it."""
        if self.from_registration:
            self.change(definition, now=now)

    def delete(self, *, now: datetime) -> None:
        self.deleted_at = now
        self._record(JobDeleted(tenant_id=self.tenant_id, subject=self.id, at=now))

    def terms(self) -> JobTerms:
        own = self.definition
        return JobTerms(self.id, own.name, own.queue, own.timeout, own.retry)

    def snapshot(self) -> JobSnapshot:
        return JobSnapshot(
            id=self.id,
            tenant_id=self.tenant_id,
            definition=self.definition,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )
