"""A heartbeat on the wire, the same over the bus and over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rota.application.take_heartbeats import Heartbeat
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.worker import ReportSeq

MOST_RUNNING = 10_000


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)


class ReportSeqIn(_Wire):
    """`stream` is the creation time of the report stream; its digits below a microsecond are not kept."""

    stream: datetime
    seq: int = Field(ge=0)

    def to_domain(self) -> ReportSeq:
        return ReportSeq(self.stream.astimezone(UTC).isoformat(), self.seq)


class HeartbeatIn(_Wire):
    worker_id: UUID
    at: datetime | None = None
    slots: int = Field(ge=0, le=MOST_RUNNING)
    running: list[UUID] = Field(max_length=MOST_RUNNING)
    report_seq: ReportSeqIn | None = None
    draining: bool = False

    def to_heartbeat(self, tenant_id: TenantId) -> Heartbeat:
        return Heartbeat(
            tenant_id=tenant_id,
            worker_id=WorkerId(self.worker_id),
            slots=self.slots,
            running=frozenset(map(RunId, self.running)),
            report_seq=self.report_seq.to_domain() if self.report_seq else None,
            draining=self.draining,
        )
