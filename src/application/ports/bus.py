"""What the use cases need of the bus. It is a transport that may vanish whole; the store is the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from rota.application.ports.log import LogEntry
from rota.domain.ids import JobId, RunId, TenantId, WorkerId
from rota.domain.payload import Json
from rota.domain.worker import WorkerSnapshot


@dataclass(frozen=True, slots=True)
class Lane:
    """One job's work on the bus."""

    tenant_id: TenantId
    job_id: JobId


@dataclass(frozen=True, slots=True)
class LaneAddress:
    """Where a worker fetches a lane's work."""

    stream: str
    consumer: str


@dataclass(frozen=True, slots=True)
class StreamLook:
    """A stream at one moment; `created` names its life, by the time it began (ISO 8601)."""

    created: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class IntakeLook:
    """How far intake has come in the report stream."""

    created: str
    last_seq: int
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """A work message: one attempt of one run, and how often it was sent anew."""

    run_id: RunId
    attempt: int
    sends: int
    tenant_id: TenantId
    job_id: JobId
    job: str
    queue: str
    payload: Json | None
    scheduled_for: datetime
    due_at: datetime
    timeout_sec: float
    deadline: datetime | None
    correlation_id: str | None
    traceparent: str | None


class WorkLanes(Protocol):
    async def send(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        """Publishes all in windows; answers those not acknowledged by the bus, which may be stored all the same."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether sending is worth a try."""
        ...

    async def provide(self, lanes: Iterable[Lane]) -> None:
        """Makes the lanes that are missing. Raises UnavailableError."""
        ...

    def address(self, lane: Lane) -> LaneAddress:
        """Where it is once it is made."""
        ...

    async def remove(self, lane: Lane) -> None: ...

    async def restore(self, lanes: Iterable[Lane]) -> Sequence[Lane]:
        """Makes those anew that are gone, and answers them; what was provided before is looked at again.

        Raises UnavailableError.
        """
        ...

    async def look(self) -> StreamLook:
        """The work stream, made anew if it is gone. Raises UnavailableError."""
        ...

    async def waiting(self, lane: Lane) -> int:
        """Messages not yet acknowledged by a worker; makes the lane if it is gone. Raises UnavailableError."""
        ...

    async def intake(self) -> IntakeLook:
        """The report stream and its reader, made anew if gone. Raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """One message of the report stream, as it came; `place` is its sequence there."""

    subject: str
    body: bytes
    place: int


class ReportInbox(Protocol):
    async def fetch(self, limit: int, timeout: float) -> Sequence[ReportMessage]:
        """What is there; waits up to `timeout` seconds for the first. What is not acknowledged comes again."""
        ...

    async def acknowledge(self, messages: Sequence[ReportMessage]) -> None: ...


class EventFeed(Protocol):
    async def publish(self, entries: Sequence[LogEntry]) -> int:
        """Publishes in order; answers how many, from the first on, the bus has acknowledged."""
        ...


@dataclass(frozen=True, slots=True)
class Control:
    """What a worker is told. `kind` is CANCEL, TIMEOUT, LOST, DRAIN or REGISTER."""

    kind: str
    reason: str
    run_id: RunId | None = None
    attempt: int | None = None


Order: TypeAlias = tuple[TenantId, WorkerId, Control]


class Announce(Protocol):
    async def __call__(self, workers: Sequence[WorkerSnapshot], at: datetime) -> None:
        """Publishes a `worker.heartbeat` for each: it is in no log, and may get lost."""
        ...


class WorkerControl(Protocol):
    async def tell(self, orders: Iterable[Order]) -> None:
        """At most once; what matters is repeated in the answer to the next heartbeat."""
        ...


class Nudge(Protocol):
    def __call__(self) -> None:
        """Wakes the leader, wherever it is; a lost nudge costs at most its next look by itself."""
        ...
