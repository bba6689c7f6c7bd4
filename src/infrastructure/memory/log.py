"""The event log and its readers' cursors, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from uuid import UUID

from rota.application.json import dump
from rota.application.ports.log import Cursor, LogEntry
from rota.application.views.events import event_data
from rota.domain.aggregate import Aggregate
from rota.domain.ids import TenantId
from rota.infrastructure.memory.tables import InMemoryStore


def append(store: InMemoryStore, changed: Iterable[Aggregate]) -> None:
    """Stores what these aggregates have recorded, in order."""
    entries = store.tables.events
    for aggregate in changed:
        for event in aggregate.pull_events():
            aggregate.seq += 1
            store.tables.last_position += 1
            entries.append(
                LogEntry(
                    position=store.tables.last_position,
                    tenant_id=event.tenant_id,
                    id=store.ids(),
                    type=event.type,
                    subject=event.subject,
                    seq=aggregate.seq,
                    at=event.at,
                    correlation_id=event.correlation_id,
                    traceparent=event.traceparent,
                    data=dump(event_data(event)),
                )
            )


class InMemoryLog:
    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        entries = self._store.tables.events
        begin = bisect_right(entries, position, key=lambda entry: entry.position)
        return entries[begin : begin + limit]

    async def of(self, tenant_id: TenantId, subject: UUID, after_seq: int, limit: int) -> Sequence[LogEntry]:
        own = (each for each in self._store.tables.events if (each.tenant_id, each.subject) == (tenant_id, subject))
        return [entry for entry in own if entry.seq > after_seq][:limit]


class InMemoryCursors:
    def __init__(self) -> None:
        self._cursors: dict[str, Cursor] = {}

    async def read(self, name: str) -> Cursor | None:
        return self._cursors.get(name)

    async def move(self, name: str, cursor: Cursor) -> None:
        self._cursors[name] = cursor
