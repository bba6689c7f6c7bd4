"""A database with this version's schema for each module that asks, and an engine as the service opens it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.infrastructure.postgres.engine import open_engine, transaction
from rota.infrastructure.postgres.schema import migrate
from rota.infrastructure.postgres.tables import metadata


@pytest.fixture(scope="module")
def migrated_url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
async def engine(migrated_url: str) -> AsyncIterator[AsyncEngine]:
    """On empty tables."""
    engine = open_engine(migrated_url, size=20)
    async with transaction(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    yield engine
    await engine.dispose()
