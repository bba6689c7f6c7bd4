"""The event log as its readers see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from rota.application.ports.reads import Page, Paging
from rota.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One stored event. `data` is a JSON text; `position` rises in commit order."""

    position: int
    tenant_id: TenantId
    id: UUID
    type: str
    subject: UUID
    seq: int
    at: datetime
    correlation_id: str | None
    traceparent: str | None
    data: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come. `generation` names the life of what it reads or writes, where that matters."""

    position: int
    generation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """`run` and `failed` for `run.failed`, `run` alone for all of an aggregate; None is any."""

    aggregate: str | None = None
    event: str | None = None
    subject: UUID | None = None

    def covers(self, entry: LogEntry) -> bool:
        if self.subject not in (None, entry.subject):
            return False
        if self.aggregate is None:
            return True
        aggregate, _, event = entry.type.partition(".")
        return aggregate == self.aggregate and self.event in (None, event)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was wanted of the log, in order, up to `reached`; `is_end` says that nothing was stored beyond it."""

    entries: Sequence[LogEntry]
    reached: int
    is_end: bool


class EventLog(Protocol):
    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        """The next events in order; a reader that keeps the last position skips none, ever."""
        ...


class History(Protocol):
    async def of(self, tenant_id: TenantId, subject: UUID, paging: Paging[int]) -> Page[LogEntry]:
        """The events of one aggregate in order; a place is its `seq`; what retention removed is not there."""
        ...


class EventReads(Protocol):
    """The log as one tenant reads it. Positions rise in commit order: what lies before one that was read stays so."""

    async def stretch(self, tenant_id: TenantId, wanted: EventFilter, after: int, limit: int) -> Stretch:
        """At most `limit` events beyond `after`. A bounded part of the log is looked at, so there may be fewer, or
        none, before its end.
        """
        ...

    async def last(self) -> int:
        """The last position of all tenants; 0 if there is none."""
        ...


class Cursors(Protocol):
    async def read(self, name: str) -> Cursor | None: ...

    async def move(self, name: str, cursor: Cursor) -> None: ...
