"""A database with this version's schema, for each module that asks."""

from __future__ import annotations

import pytest

from rota.infrastructure.postgres.schema import migrate


@pytest.fixture(scope="module")
def migrated_url(database_url: str) -> str:
    migrate(database_url)
    return database_url
