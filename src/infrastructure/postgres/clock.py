"""The database's clock, carried between reads by this machine's monotonic time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.infrastructure.postgres.engine import transaction


class DatabaseClock:
    """Every process that shares the database shares its now, whatever its own wall clock says.

    `read` it before the first use and every second or so. A reading counts from the end of its round trip, so
    this clock may lag behind the database's by that much and never runs ahead of it: nothing fires early. A step
    back is not followed; the clock stands still until time has caught up.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._base = datetime.fromtimestamp(0, UTC)
        self._taken_at = 0.0
        self._latest = self._base

    async def read(self) -> None:
        async with transaction(self._engine) as connection:
            base = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
            answered = time.monotonic()
        self._base, self._taken_at = base, answered

    def now(self) -> datetime:
        present = self._base + timedelta(seconds=time.monotonic() - self._taken_at)
        self._latest = max(self._latest, present)
        return self._latest
