"""Workers on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from rota.application.batches import each
from rota.application.register_worker import RegisterWorker
from rota.application.take_heartbeats import Heartbeat
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.worker import MAX_SLOTS, ReportSeq, WorkerState
from rota.entrypoints.http.wire.base import (
    MOST_ITEMS,
    Answer,
    Body,
    Count,
    Instant,
    Name,
    Whole,
    Wire,
    inside,
)
from rota.entrypoints.http.wire.jobs import KnownJobIn, Names


def _uuid(text: object) -> UUID:
    try:
        return UUID(text if isinstance(text, str) else "")
    except ValueError as error:
        raise PydanticCustomError("uuid", "must be a UUID") from error


Id = Annotated[UUID, PlainValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]


class RegisterIn(Body):
    name: Name | None = None
    jobs: list[KnownJobIn] = Field(max_length=MOST_ITEMS)
    capabilities: Names = Field(default_factory=list)
    slots: Whole = Field(ge=1, le=MAX_SLOTS)

    def to_command(self, tenant: TenantId) -> RegisterWorker:
        """Raises InvalidError, also for a job that is named twice."""
        names = [job.name for job in self.jobs]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise InvalidError("is named twice", f"jobs.{index}.name")
        with inside("jobs"):
            jobs = each(self.jobs, KnownJobIn.to_definition, indexed=True)
        return RegisterWorker(
            tenant_id=tenant,
            name=self.name,
            jobs=jobs,
            capabilities=tuple(self.capabilities),
            slots=self.slots,
        )


class ReportSeqIn(Wire):
    """`stream` is the creation time of the report stream; its digits below a microsecond are not kept."""

    stream: Instant
    seq: Count


class HeartbeatIn(Body):
    """`at` is the worker's own time and judges nothing."""

    worker_id: Id | None = None
    at: Instant | None = None
    slots: Whole = Field(ge=0, le=MAX_SLOTS)
    running: list[Id] = Field(default_factory=list, max_length=MAX_SLOTS)
    report_seq: ReportSeqIn | None = None
    draining: bool = False

    def to_heartbeat(self, tenant: TenantId, worker_id: WorkerId) -> Heartbeat:
        """Raises InvalidError if it names another worker."""
        if self.worker_id not in (None, worker_id):
            raise InvalidError("must be the worker of the path", "workerId")
        place = self.report_seq
        return Heartbeat(
            tenant_id=tenant,
            worker_id=worker_id,
            slots=self.slots,
            running=frozenset(map(RunId, self.running)),
            report_seq=ReportSeq(place.stream.isoformat(), place.seq) if place else None,
            draining=self.draining,
        )


class DrainIn(Body):
    """Nothing is said beyond who is to drain."""


class CredentialsOut(Answer):
    user: str
    password: str


class LaneOut(Answer):
    job: str
    stream: str
    consumer: str


class RegisteredOut(Answer):
    worker_id: UUID
    tenant_id: str
    nats_url: str
    credentials: CredentialsOut
    heartbeat_sec: float
    lanes: list[LaneOut]


class ControlOut(Answer):
    kind: Literal["CANCEL", "TIMEOUT", "LOST", "DRAIN", "REGISTER"]
    run_id: UUID | None
    attempt: int | None
    reason: str


class WorkerOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    state: WorkerState
    jobs: list[str]
    capabilities: list[str]
    slots: int
    running: int
    last_seen_at: datetime
