"""A database that takes no writes at present (a standby, a disk that filled up) is one that is away."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.domain.errors import UnavailableError
from rota.infrastructure.postgres.engine import translated


@pytest.mark.parametrize(
    "statement", ["SELECT FROM jobs FOR UPDATE", "INSERT INTO leases VALUES ('x', 'y', 1, now())", "DELETE FROM runs"]
)
async def test_it_is_waited_for(engine: AsyncEngine, statement: str) -> None:
    with pytest.raises(UnavailableError):
        async with translated(), engine.connect() as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text(statement))
