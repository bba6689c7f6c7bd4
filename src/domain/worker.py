"""A worker: a remote process that takes runs of the jobs it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import RunId, TenantId, WorkerId, printable_name

MAX_SLOTS = 10_000


class WorkerState(StrEnum):
    ONLINE = "ONLINE"
    DRAINING = "DRAINING"
    OFFLINE = "OFFLINE"


@dataclass(frozen=True, slots=True)
class ReportSeq:
    """How far a worker's reports have been acknowledged: a place in one life of the report stream."""

    stream: str
    seq: int

    def is_past(self, place: int, stream: str) -> bool:
        """Whether it covers `place` of `stream`; whatever an earlier life of the stream held counts as passed."""
        return self.stream != stream or self.seq >= place


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat, as it was received."""

    at: datetime
    slots: int
    running: frozenset[RunId]
    report_seq: ReportSeq | None
    draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """All that a reader sees of a worker."""

    id: WorkerId
    tenant_id: TenantId
    name: str
    state: WorkerState
    jobs: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    running: int
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent(DomainEvent):
    worker: WorkerSnapshot
    reason: str = ""


class WorkerRegistered(WorkerEvent):
    __slots__ = ()
    type: ClassVar[str] = "worker.registered"


class WorkerDraining(WorkerEvent):
    __slots__ = ()
    type: ClassVar[str] = "worker.draining"


class WorkerOffline(WorkerEvent):
    __slots__ = ()
    type: ClassVar[str] = "worker.offline"


@dataclass(slots=True, kw_only=True, eq=False)
class Worker(Aggregate):
    """OFFLINE is final: a worker that was given up must register again, as another worker.

    The last two heartbeats are kept, since a run is lost only when both do not name it.
    """

    id: WorkerId
    name: str
    jobs: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    registered_at: datetime
    last_seen_at: datetime
    state: WorkerState = WorkerState.ONLINE
    running: int = 0

    @classmethod
    def register(
        cls,
        tenant_id: TenantId,
        worker_id: WorkerId,
        *,
        name: str,
        jobs: tuple[str, ...],
        capabilities: tuple[str, ...],
        slots: int,
        now: datetime,
    ) -> Worker:
        printable_name(name)
        if not 1 <= slots <= MAX_SLOTS:
            raise InvalidError(f"must be from 1 to {MAX_SLOTS:,}", "slots")
        worker = cls(
            tenant_id=tenant_id,
            id=worker_id,
            name=name,
            jobs=jobs,
            capabilities=capabilities,
            slots=slots,
            registered_at=now,
            last_seen_at=now,
        )
        worker._note(WorkerRegistered, now)
        return worker

    def drain(self, *, now: datetime) -> None:
        """No new runs from here on. Draining twice changes nothing."""
        if self.state is WorkerState.OFFLINE:
            raise TransitionError("worker", self.id, self.state, "drain")
        if self.state is WorkerState.ONLINE:
            self.state = WorkerState.DRAINING
            self._note(WorkerDraining, now)

    def give_up(self, reason: str, *, now: datetime) -> None:
        """It was silent for too long, or has ended; its attempts are lost. Giving up twice changes nothing."""
        if self.state is not WorkerState.OFFLINE:
            self.state = WorkerState.OFFLINE
            self.running = 0
            self._note(WorkerOffline, now, reason)

    def _note(self, event: type[WorkerEvent], now: datetime, reason: str = "") -> None:
        self._record(event(tenant_id=self.tenant_id, subject=self.id, at=now, worker=self.snapshot(), reason=reason))

    def snapshot(self) -> WorkerSnapshot:
        return WorkerSnapshot(
            id=self.id,
            tenant_id=self.tenant_id,
            name=self.name,
            state=self.state,
            jobs=self.jobs,
            capabilities=self.capabilities,
            slots=self.slots,
            running=self.running,
            last_seen_at=self.last_seen_at,
        )
