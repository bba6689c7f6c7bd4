"""Since when heartbeats could be heard: silence counts only while somebody listened."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import hearing

_NAME = "heartbeats"
_BROKEN_AFTER = timedelta(seconds=2)


class PostgresHearing:
    """One row, moved by whoever listens. A gap of two seconds without any listener begins a new hearing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def listened(self, now: datetime) -> None:
        fresh = insert(hearing).values(name=_NAME, since=now, until=now)
        unbroken = hearing.c.until >= fresh.excluded.until - _BROKEN_AFTER
        statement = fresh.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "since": case((unbroken, hearing.c.since), else_=fresh.excluded.since),
                "until": func.greatest(hearing.c.until, fresh.excluded.until),
            },
        )
        async with transaction(self._engine) as connection:
            await connection.execute(statement)

    async def span(self) -> tuple[datetime, datetime] | None:
        async with transaction(self._engine) as connection:
            row = (await connection.execute(select(hearing).where(hearing.c.name == _NAME))).one_or_none()
            return None if row is None else (row.since, row.until)
