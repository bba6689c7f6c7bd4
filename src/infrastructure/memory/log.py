"""The event log and its readers' cursors, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from rota.application.json import dump
from rota.application.ports.log import Cursor, EventFilter, LogEntry, Stretch
from rota.application.ports.meter import Recorded
from rota.application.ports.reads import Page, Paging
from rota.application.views.events import event_data
from rota.domain.aggregate import Aggregate
from rota.domain.ids import TenantId
from rota.infrastructure.memory.pages import page_by
from rota.infrastructure.memory.tables import InMemoryStore


def append(store: InMemoryStore, changed: Iterable[Aggregate]) -> Sequence[Recorded]:
    """Stores what these aggregates have recorded, in order, and answers it."""
    recorded: list[Recorded] = []
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
            recorded.append((aggregate, aggregate.seq, event))
    return recorded


class InMemoryLog:
    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        entries = self._store.tables.events
        begin = bisect_right(entries, position, key=lambda entry: entry.position)
        return entries[begin : begin + limit]

    async def of(self, tenant_id: TenantId, subject: UUID, paging: Paging[int]) -> Page[LogEntry]:
        own = (each for each in self._store.tables.events if (each.tenant_id, each.subject) == (tenant_id, subject))
        return page_by(own, paging, lambda entry: entry.seq)

    async def stretch(self, tenant_id: TenantId, wanted: EventFilter, after: int, limit: int) -> Stretch:
        entries = self._store.tables.events
        begin = bisect_right(entries, after, key=lambda entry: entry.position)
        own = (entry for entry in entries[begin:] if entry.tenant_id == tenant_id and wanted.covers(entry))
        found = list(islice(own, limit + 1))
        if len(found) > limit:
            return Stretch(found[:limit], found[limit - 1].position, is_end=False)
        return Stretch(found, max(self._store.tables.last_position, after), is_end=True)

    async def last(self) -> int:
        return self._store.tables.last_position


class InMemoryCursors:
    def __init__(self) -> None:
        self._cursors: dict[str, Cursor] = {}

    async def read(self, name: str) -> Cursor | None:
        return self._cursors.get(name)

    async def move(self, name: str, cursor: Cursor) -> None:
        self._cursors[name] = cursor
