"""The event log, which is the outbox.

Positions come from a sequence, and a sequence alone is no order: a slower transaction commits a smaller
number later, and a reader past it never sees that event. So the events of a transaction are appended by its
last statements, under one advisory lock that is held until the commit: positions rise in commit order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Insert, Row, Select, bindparam, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils import uuid7

from rota.application.json import dump
from rota.application.ports.log import EventFilter, LogEntry, Stretch
from rota.application.ports.meter import Recorded
from rota.application.ports.reads import Page, Paging
from rota.application.views.events import event_data
from rota.domain.aggregate import Aggregate
from rota.domain.ids import TenantId
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.pages import page_of
from rota.infrastructure.postgres.tables import event_positions, events
from rota.infrastructure.postgres.types import Batch

_LOCK = text("SELECT pg_advisory_xact_lock(7073204901)")

_GIVEN = ("tenant_id", "id", "type", "subject", "seq", "at", "correlation_id", "traceparent", "data")


def _append(incoming: FromClause) -> Insert:
    return insert(events).from_select(("position", *_GIVEN), select(event_positions.next_value(), incoming))


_APPEND = Batch(_append, events, *_GIVEN)

_AFTER = (
    select(events).where(events.c.position > bindparam("position")).order_by(events.c.position).limit(bindparam("most"))
)


MOST_LOOKED_AT = 20_000
"""Events of a tenant among which one page of a type is looked for: some 20 ms, however rare it is."""

_LAST = select(func.coalesce(select(func.max(events.c.position)).scalar_subquery(), 0))

_BOUND = select(
    func.coalesce(select(func.max(events.c.position)).scalar_subquery(), 0).label("last"),
    select(events.c.position)
    .where(events.c.tenant_id == bindparam("tenant"), events.c.position > bindparam("after"))
    .order_by(events.c.position)
    .offset(bindparam("looked_at"))
    .limit(1)
    .scalar_subquery()
    .label("cut"),
)
"""The end of the log, and where a tenant's events are too many to be looked at in one go."""


async def append(connection: AsyncConnection, changed: Iterable[Aggregate]) -> Sequence[Recorded]:
    """Stores what these aggregates have recorded, and answers it; only the commit may follow in the transaction."""
    recorded: list[Recorded] = []
    given: dict[str, list[Any]] = {name: [] for name in _GIVEN}  # Any: column values
    for aggregate in changed:
        for event in aggregate.pull_events():
            aggregate.seq += 1
            given["tenant_id"].append(event.tenant_id)
            given["id"].append(str(uuid7()))
            given["type"].append(event.type)
            given["subject"].append(event.subject)
            given["seq"].append(aggregate.seq)
            given["at"].append(event.at)
            given["correlation_id"].append(event.correlation_id)
            given["traceparent"].append(event.traceparent)
            given["data"].append(dump(event_data(event)))
            recorded.append((aggregate, aggregate.seq, event))
    if recorded:
        await connection.execute(_LOCK)
        await connection.execute(*_APPEND(given))
    return recorded


class PostgresLog:
    def __init__(self, engine: AsyncEngine, looked_at: int = MOST_LOOKED_AT) -> None:
        self._engine = engine
        self._looked_at = looked_at

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        async with transaction(self._engine) as connection:
            found = await connection.execute(_AFTER, {"position": position, "most": limit})
            return [LogEntry(*row) for row in found]

    async def of(self, tenant_id: TenantId, subject: UUID, paging: Paging[int]) -> Page[LogEntry]:
        whole = select(events).where(events.c.tenant_id == tenant_id, events.c.subject == subject)
        part = whole.where(events.c.seq > (paging.after or 0)).order_by(events.c.seq)
        async with transaction(self._engine) as connection:
            return await page_of(connection, whole, part, paging, _to_entry, lambda entry: entry.seq)

    async def stretch(self, tenant_id: TenantId, wanted: EventFilter, after: int, limit: int) -> Stretch:
        """The bound is read first: what is stored meanwhile lies beyond it, and so is passed over by nobody."""
        given = {"tenant": tenant_id, "after": after, "looked_at": self._looked_at}
        is_sought = wanted.aggregate is not None and wanted.subject is None  # else each event looked at is an answer
        async with transaction(self._engine) as connection:
            last, cut = (await connection.execute(_BOUND, given)).one() if is_sought else (await _end(connection), None)
            bound = last if cut is None else cut - 1
            found = await connection.execute(_page(tenant_id, wanted, after, bound, limit + 1))
            entries = [LogEntry(*row) for row in found]
        if len(entries) > limit:
            return Stretch(entries[:limit], entries[limit - 1].position, is_end=False)
        return Stretch(entries, max(bound, after), is_end=bound == last)

    async def last(self) -> int:
        async with transaction(self._engine) as connection:
            return await _end(connection)


async def _end(connection: AsyncConnection) -> int:
    return int(await connection.scalar(_LAST))


def _page(tenant: TenantId, wanted: EventFilter, after: int, bound: int, most: int) -> Select[Any]:  # Any: a row
    """Of one aggregate the order of positions is that of `seq`, which has an index."""
    page = select(events).where(events.c.tenant_id == tenant, events.c.position > after, events.c.position <= bound)
    if wanted.aggregate is not None and wanted.event is not None:
        page = page.where(events.c.type == f"{wanted.aggregate}.{wanted.event}")
    elif wanted.aggregate is not None:
        page = page.where(events.c.type.startswith(f"{wanted.aggregate}.", autoescape=True))
    if wanted.subject is None:
        return page.order_by(events.c.position).limit(most)
    return page.where(events.c.subject == wanted.subject).order_by(events.c.seq).limit(most)


def _to_entry(row: Row[Any]) -> LogEntry:
    return LogEntry(**row._mapping)
