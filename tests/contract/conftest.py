"""What most contracts begin with: a database with this version's schema, and a job in the store."""

from __future__ import annotations

import pytest
from tests.support.builders import a_job
from tests.support.stored import store

from rota.application.ports.store import Begin
from rota.domain.job import Job
from rota.infrastructure.postgres.schema import migrate


@pytest.fixture(scope="module")
def migrated_url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
async def job(begin: Begin) -> Job:
    stored = a_job()
    await store(begin, stored)
    return stored
