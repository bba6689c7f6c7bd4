"""The event log, which is the outbox.

Positions come from a sequence, and a sequence alone is no order: a slower transaction commits a smaller
number later, and a reader past it never sees that event. So the events of a transaction are appended by its
last statements, under one advisory lock that is held until the commit: positions rise in commit order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Insert, bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils import uuid7

from rota.application.json import dump
from rota.application.ports.log import LogEntry
from rota.application.views.events import event_data
from rota.domain.aggregate import Aggregate
from rota.domain.ids import TenantId
from rota.infrastructure.postgres.engine import transaction
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

_OF = (
    select(events)
    .where(
        events.c.tenant_id == bindparam("tenant"),
        events.c.subject == bindparam("subject"),
        events.c.seq > bindparam("seq"),
    )
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)


async def append(connection: AsyncConnection, changed: Iterable[Aggregate]) -> None:
    """Stores what these aggregates have recorded; nothing may follow it in the transaction but the commit."""
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
    if given["id"]:
        await connection.execute(_LOCK)
        await connection.execute(*_APPEND(given))


class PostgresLog:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        async with transaction(self._engine) as connection:
            found = await connection.execute(_AFTER, {"position": position, "most": limit})
            return [LogEntry(*row) for row in found]

    async def of(self, tenant_id: TenantId, subject: UUID, after_seq: int, limit: int) -> Sequence[LogEntry]:
        given = {"tenant": tenant_id, "subject": subject, "seq": after_seq, "most": limit}
        async with transaction(self._engine) as connection:
            return [LogEntry(*row) for row in await connection.execute(_OF, given)]
