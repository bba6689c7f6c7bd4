"""What an outage leaves behind: misses, and catch-ups that are still to be made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.domain.decision import CatchUp, Miss
from rota.domain.misfire import Span
from rota.infrastructure.postgres.tables import catchups, misses
from rota.infrastructure.postgres.types import columnwise, inserting

_INSERT_MISSES = inserting(misses, or_nothing=True)
_OLDEST = (
    select(catchups)
    .order_by(catchups.c.decided_at, catchups.c.schedule_id, catchups.c.first)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_FINISH = text(
    """
    DELETE FROM catchups c USING unnest(:tenant_ids ::text[], :schedule_ids ::uuid[], :firsts ::timestamptz[])
        AS done (tenant_id, schedule_id, first)
    WHERE c.tenant_id = done.tenant_id AND c.schedule_id = done.schedule_id AND c.first = done.first
    """
)


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

    async def oldest(self, most: int) -> Sequence[CatchUp]:
        return [_to_catch_up(row) for row in await self._connection.execute(_OLDEST, {"most": most})]

    async def move(self, catch_up: CatchUp, made_to: datetime) -> None:
        await self._connection.execute(update(catchups).where(_same(catch_up)).values(made_to=made_to))

    async def finish(self, catch_ups: Sequence[CatchUp]) -> None:
        if catch_ups:
            keys = {
                "tenant_ids": [each.tenant_id for each in catch_ups],
                "schedule_ids": [each.schedule_id for each in catch_ups],
                "firsts": [each.span.first for each in catch_ups],
            }
            await self._connection.execute(_FINISH, keys)

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


def _to_catch_up(row: Any) -> CatchUp:  # Any: a row of `catchups`
    span = Span(row.first, row.last, row._mapping["count"])
    return CatchUp(row.tenant_id, row.schedule_id, row.revision, span, row.decided_at, row.made_to)


def _same(catch_up: CatchUp) -> ColumnElement[bool]:
    return and_(
        catchups.c.tenant_id == catch_up.tenant_id,
        catchups.c.schedule_id == catch_up.schedule_id,
        catchups.c.first == catch_up.span.first,
    )
