"""Dead letters, read straight from the tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, Text, cast, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.dead_letters import DeadGroup, GroupPlace, RedriveLook
from rota.application.ports.reads import Page, Paging
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, TenantId
from rota.domain.redrive import LetterFilter
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.letters import NEVER_RETRIED, letters
from rota.infrastructure.postgres.pages import page_of
from rota.infrastructure.postgres.redrives import dead_of, to_redrive
from rota.infrastructure.postgres.runs import PostgresRuns
from rota.infrastructure.postgres.tables import redrives, runs
from rota.infrastructure.postgres.types import Big, Instant, Str, Uuid

_COUNT = func.count().label("count")
_LAST = func.max(runs.c.finished_at).label("last")
_NEWEST = cast(func.max(cast(runs.c.id, Text)), Uuid).label("newest")  # only Postgres 18 has a max of UUIDs
_PLACE = tuple_(_COUNT, _LAST, runs.c.fingerprint)


class PostgresDeadLetters:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def groups(
        self, tenant_id: TenantId, wanted: LetterFilter, paging: Paging[GroupPlace], *, retried: bool = False
    ) -> Page[DeadGroup]:
        whole = _groups(tenant_id, wanted, retried)
        async with transaction(self._engine) as connection:
            found = await page_of(connection, whole, _after(whole, paging.after), paging, lambda row: row, _place)
            examples = await PostgresRuns(connection).peek((tenant_id, row.newest) for row in found.items)
        groups = [
            DeadGroup(
                fingerprint=row.fingerprint,
                count=row._mapping["count"],
                first=row.first,
                last=row.last,
                example=examples[tenant_id, row.newest],
            )
            for row in found.items
            if (tenant_id, row.newest) in examples
        ]
        return Page(groups, found.next_after, found.total)

    async def count(self, tenant_id: TenantId, wanted: LetterFilter, most: int) -> int:
        found = select(literal(1)).select_from(runs).where(*letters(tenant_id, wanted), NEVER_RETRIED).limit(most)
        async with transaction(self._engine) as connection:
            return await connection.scalar(select(func.count()).select_from(found.subquery())) or 0

    async def redrive(self, tenant_id: TenantId, redrive_id: RedriveId) -> RedriveLook:
        query = select(redrives).where(redrives.c.tenant_id == tenant_id, redrives.c.id == redrive_id)
        async with transaction(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise NotFoundError("redrive", redrive_id)
            dead = await connection.scalar(dead_of(tenant_id, redrive_id))
        return RedriveLook(to_redrive(row), dead or 0)


def _groups(tenant_id: TenantId, wanted: LetterFilter, retried: bool) -> Select[Any]:  # Any: a row of five
    first = func.min(runs.c.finished_at).label("first")
    query = select(runs.c.fingerprint, _COUNT, first, _LAST, _NEWEST).where(*letters(tenant_id, wanted))
    if not retried:
        query = query.where(NEVER_RETRIED)
    return query.group_by(runs.c.fingerprint)


def _after(groups: Select[Any], after: GroupPlace | None) -> Select[Any]:
    if after is not None:
        place = tuple_(literal(after.count, Big), literal(after.last, Instant), literal(after.fingerprint, Str))
        groups = groups.having(place > _PLACE)
    return groups.order_by(_COUNT.desc(), _LAST.desc(), runs.c.fingerprint.desc())


def _place(row: Row[Any]) -> GroupPlace:
    return GroupPlace(row._mapping["count"], row.last, row.fingerprint)
