"""How far each reader has come."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.log import Cursor
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import cursors


class PostgresCursors:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, name: str) -> Cursor | None:
        async with transaction(self._engine) as connection:
            row = (await connection.execute(select(cursors).where(cursors.c.name == name))).one_or_none()
            return None if row is None else Cursor(row.position, row.generation)

    async def move(self, name: str, cursor: Cursor) -> None:
        values = {"position": cursor.position, "generation": cursor.generation, "updated_at": func.clock_timestamp()}
        statement = (
            insert(cursors).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
        )
        async with transaction(self._engine) as connection:
            await connection.execute(statement)
