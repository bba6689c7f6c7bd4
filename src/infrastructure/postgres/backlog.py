"""What an outage leaves behind: misses, and catch-ups that are still to be made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.domain.misfire import Span
from rota.domain.schedule import CatchUp, Miss
from rota.infrastructure.postgres.tables import catchups, misses
from rota.infrastructure.postgres.types import columnwise, inserting

_INSERT_MISSES = inserting(misses, or_nothing=True)
_OLDEST = select(catchups).order_by(catchups.c.decided_at).limit(1).with_for_update(skip_locked=True)


def to_miss(row: Any) -> Miss:  # Any: a row of `misses`
    span = Span(row.first, row.last, row._mapping["count"])
    return Miss(row.tenant_id, row.schedule_id, span, row.rule, row.decided_at)


class PostgresMisses:
    """A ONE_SHOT that is given its old instant again may be missed again: the first record stays."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Miss] = []

    def add(self, miss: Miss) -> None:
        self._added.append(miss)

    async def write(self) -> None:
        if not self._added:
            return
        values = [
            {
                "tenant_id": miss.tenant_id,
                "schedule_id": miss.schedule_id,
                "first": miss.span.first,
                "last": miss.span.last,
                "count": miss.span.count,
                "rule": miss.rule,
                "decided_at": miss.decided_at,
            }
            for miss in self._added
        ]
        await self._connection.execute(*_INSERT_MISSES(columnwise(values)))


class PostgresCatchUps:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[CatchUp] = []

    def add(self, catch_up: CatchUp) -> None:
        self._added.append(catch_up)

    async def oldest(self) -> CatchUp | None:
        row = (await self._connection.execute(_OLDEST)).one_or_none()
        if row is None:
            return None
        span = Span(row.first, row.last, row._mapping["count"])
        return CatchUp(row.tenant_id, row.schedule_id, row.revision, span, row.decided_at, row.made_to)

    async def move(self, catch_up: CatchUp, made_to: datetime) -> None:
        await self._connection.execute(update(catchups).where(_same(catch_up)).values(made_to=made_to))

    async def finish(self, catch_up: CatchUp) -> None:
        await self._connection.execute(delete(catchups).where(_same(catch_up)))

    async def write(self) -> None:
        if not self._added:
            return
        await self._connection.execute(
            insert(catchups).on_conflict_do_nothing(),
            [
                {
                    "tenant_id": catch_up.tenant_id,
                    "schedule_id": catch_up.schedule_id,
                    "revision": catch_up.revision,
                    "first": catch_up.span.first,
                    "last": catch_up.span.last,
                    "count": catch_up.span.count,
                    "decided_at": catch_up.decided_at,
                    "made_to": catch_up.made_to,
                }
                for catch_up in self._added
            ],
        )


def _same(catch_up: CatchUp) -> ColumnElement[bool]:
    return and_(
        catchups.c.tenant_id == catch_up.tenant_id,
        catchups.c.schedule_id == catch_up.schedule_id,
        catchups.c.first == catch_up.span.first,
    )
