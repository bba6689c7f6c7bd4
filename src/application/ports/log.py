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


class EventLog(Protocol):
    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        """The next events in order; a reader that keeps the last position skips none, ever."""
        ...


class History(Protocol):
    async def of(self, tenant_id: TenantId, subject: UUID, paging: Paging[int]) -> Page[LogEntry]:
        """The events of one aggregate in order; a place is its `seq`; what retention removed is not there."""
        ...


class Cursors(Protocol):
    async def read(self, name: str) -> Cursor | None: ...

    async def move(self, name: str, cursor: Cursor) -> None: ...
