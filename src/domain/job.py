"""A job: a named kind of work that workers carry out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.errors import InvalidError
from rota.domain.ids import JobId, TenantId, printable_name, slug
from rota.domain.json_pointer import POINTER, pointed_at
from rota.domain.labels import check_labels
from rota.domain.payload import Json
from rota.domain.terms import Terms

MAXPOINTER = 500
MAX_RETENTION = timedelta(days=36_600)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition(Terms):
    """What a tenant says of a job.

    `concurrency_key` is a JSON Pointer into the payload: of the runs with the same value there, one goes at a time.
    `payload_schema` is a JSON Schema, kept as its text. `retention` is how long its finished runs are kept.
    """

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    queue: str = "default"
    capabilities: tuple[str, ...] = ()
    concurrency_key: str | None = None
    payload_schema: Json | None = None
    retention: timedelta | None = None

    def __post_init__(self) -> None:
        Terms.__post_init__(self)
        printable_name(self.name)
        check_labels(self.labels)
        slug(self.queue, "queue")
        for capability in self.capabilities:
            printable_name(capability, "capabilities")
        if self.concurrency_key is not None:
            _check_pointer(self.concurrency_key)
        if self.retention is not None and not timedelta(0) <= self.retention <= MAX_RETENTION:
            raise InvalidError("must be from 0 to 100 years", "retentionSec")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms(Terms):
    """What a run needs to know of its job."""

    id: JobId
    name: str
    queue: str
    concurrency_key: str | None = None

    def key_in(self, payload: Json | None) -> str | None:
        """The value that the job's concurrency key points at; None if the job has no key or the payload no such value.

        Values are told apart by their JSON text; what is not there limits nothing.
        """
        if self.concurrency_key is None or payload is None:
            return None
        return _key_at(self.concurrency_key, json.loads(payload))


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
        """What a worker says of the job counts only where a registration made it.

        A worker says nothing of labels, limits, priority, schema and retention: these stay as an operator has set them.
        """
        if not self.from_registration:
            return
        own = replace(
            self.definition,
            name=definition.name,
            queue=definition.queue,
            capabilities=definition.capabilities,
            retry=definition.retry,
            timeout=definition.timeout,
        )
        self.change(own, now=now)

    def delete(self, *, now: datetime) -> None:
        self.deleted_at = now
        self._record(JobDeleted(tenant_id=self.tenant_id, subject=self.id, at=now))

    def terms(self) -> JobTerms:
        return job_terms(self.id, self.definition)

    def snapshot(self) -> JobSnapshot:
        return JobSnapshot(
            id=self.id,
            tenant_id=self.tenant_id,
            definition=self.definition,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


def job_terms(job_id: JobId, definition: JobDefinition) -> JobTerms:
    """The part of a job's definition that its runs obey."""
    return JobTerms(
        id=job_id,
        name=definition.name,
        queue=definition.queue,
        concurrency_key=definition.concurrency_key,
        retry=definition.retry,
        timeout=definition.timeout,
        start_by=definition.start_by,
        deadline=definition.deadline,
        heartbeat_timeout=definition.heartbeat_timeout,
        max_concurrent=definition.max_concurrent,
        rate_limit=definition.rate_limit,
        priority=definition.priority,
    )


def _check_pointer(pointer: str) -> None:
    if len(pointer) > MAXPOINTER or not POINTER.fullmatch(pointer):
        raise InvalidError("must be a JSON Pointer such as /customer/id", "concurrencyKey")


def _key_at(pointer: str, payload: object) -> str | None:
    """What is longer than a key may be is told by its hash."""
    text = pointed_at(pointer, payload)
    return text if text is None or len(text) <= MAXPOINTER else hashlib.sha256(text.encode()).hexdigest()
