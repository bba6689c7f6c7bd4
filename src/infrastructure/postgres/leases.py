"""Leases as rows, judged by the database's clock alone.

    free or expired ──hold──> held (epoch + 1) ──hold by the holder──> held (same epoch)
                                  │
                                  └──release by the holder, or expiry──> free

One statement decides, comparing `clock_timestamp()` (not `now()`, which is the transaction's beginning); who only
looks whether the lease is free writes nothing. Each change of holder opens a new term; the terms are kept, so that
every epoch can be traced to its holder.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.leases import Term
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import leases

_HOLD = text(
    """
    WITH held AS (
        INSERT INTO leases AS l (name, holder, epoch, expires_at)
        SELECT :name, :holder, 1, clock_timestamp() + :length
        WHERE NOT EXISTS (
            SELECT FROM leases WHERE name = :name AND holder <> :holder AND expires_at >= clock_timestamp()
        )
        ON CONFLICT (name) DO UPDATE SET
            holder = excluded.holder,
            epoch = l.epoch + CASE WHEN l.holder = excluded.holder AND l.expires_at > '-infinity' THEN 0 ELSE 1 END,
            expires_at = clock_timestamp() + :length
        WHERE l.holder = excluded.holder OR l.expires_at < clock_timestamp()
        RETURNING name, holder, epoch
    ), term AS (
        INSERT INTO lease_terms (name, epoch, holder, began_at)
        SELECT name, epoch, holder, clock_timestamp() FROM held
        ON CONFLICT (name, epoch) DO NOTHING
        RETURNING epoch
    )
    SELECT held.epoch, term.epoch IS NOT NULL AS is_new FROM held LEFT JOIN term ON true
    """
)

_RELEASE = text("UPDATE leases SET expires_at = '-infinity' WHERE name = :name AND holder = :holder")


class PostgresLeases:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
        async with transaction(self._engine) as connection:
            given = {"name": name, "holder": holder, "length": length}
            row = (await connection.execute(_HOLD, given)).one_or_none()
            return None if row is None else Term(row.epoch, row.is_new)

    async def release(self, name: str, holder: str) -> None:
        async with transaction(self._engine) as connection:
            await connection.execute(_RELEASE, {"name": name, "holder": holder})

    async def epoch(self, name: str) -> int:
        async with transaction(self._engine) as connection:
            return await connection.scalar(select(leases.c.epoch).where(leases.c.name == name)) or 0
