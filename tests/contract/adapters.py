"""The two adapters of the storage ports. A contract is a class of tests; each runs once beside each of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.health import AskStore
from rota.application.ports.hearing import Hearing
from rota.application.ports.leases import Leases
from rota.application.ports.log import Cursors, EventLog, History
from rota.application.ports.queued_runs import QueuedRuns
from rota.application.ports.reads import Reads, Upcoming
from rota.application.ports.retention import Retention
from rota.application.ports.store import Begin
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.memory.health import InMemoryHealth
from rota.infrastructure.memory.hearing import InMemoryHearing
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.log import InMemoryCursors, InMemoryLog
from rota.infrastructure.memory.queued import InMemoryQueuedRuns
from rota.infrastructure.memory.reads import InMemoryReads, InMemoryUpcoming
from rota.infrastructure.memory.retention import InMemoryRetention
from rota.infrastructure.memory.store import InMemoryBegin
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.cursors import PostgresCursors
from rota.infrastructure.postgres.engine import open_engine, transaction
from rota.infrastructure.postgres.health import PostgresHealth
from rota.infrastructure.postgres.hearing import PostgresHearing
from rota.infrastructure.postgres.leases import PostgresLeases
from rota.infrastructure.postgres.log import PostgresLog
from rota.infrastructure.postgres.queued import PostgresQueuedRuns
from rota.infrastructure.postgres.reads import PostgresReads, PostgresUpcoming
from rota.infrastructure.postgres.retention import PostgresRetention
from rota.infrastructure.postgres.tables import metadata, rejected_reports
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

Wait: TypeAlias = Callable[[], Awaitable[None]]
Count: TypeAlias = Callable[[], Awaitable[int]]

PATIENCE = 20
"""Seconds until what a test waits for is taken to never come."""


class InMemory:
    @pytest.fixture
    def leases(self) -> InMemoryLeases:
        return InMemoryLeases(SettableClock())

    @pytest.fixture
    def store(self, leases: InMemoryLeases) -> InMemoryStore:
        return InMemoryStore(leases=leases)

    @pytest.fixture
    def begin(self, store: InMemoryStore) -> Begin:
        return InMemoryBegin(store)

    @pytest.fixture
    def log(self, store: InMemoryStore) -> EventLog:
        return InMemoryLog(store)

    @pytest.fixture
    def history(self, store: InMemoryStore) -> History:
        return InMemoryLog(store)

    @pytest.fixture
    def cursors(self) -> Cursors:
        return InMemoryCursors()

    @pytest.fixture
    def retention(self, store: InMemoryStore, cursors: Cursors) -> Retention:
        return InMemoryRetention(store, cursors)

    @pytest.fixture
    def reads(self, store: InMemoryStore) -> Reads:
        return InMemoryReads(store)

    @pytest.fixture
    def upcoming(self, store: InMemoryStore) -> Upcoming:
        return InMemoryUpcoming(store)

    @pytest.fixture
    def queued(self, store: InMemoryStore) -> QueuedRuns:
        return InMemoryQueuedRuns(store)

    @pytest.fixture
    def ask_store(self, store: InMemoryStore, leases: InMemoryLeases, cursors: Cursors) -> AskStore:
        return InMemoryHealth(store, leases, cursors)

    @pytest.fixture
    def hearing(self) -> Hearing:
        return InMemoryHearing()

    @pytest.fixture
    def somebody_waits(self, store: InMemoryStore) -> Wait:
        """Comes back once a unit of work waits for another's lock."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not store.locks.somebody_waits:
                    await asyncio.sleep(0)

        return wait

    @pytest.fixture
    def rejections(self, store: InMemoryStore) -> Count:
        async def count() -> int:
            return len(store.tables.rejected)

        return count


class OnPostgres:
    @pytest.fixture
    async def engine(self, migrated_url: str) -> AsyncIterator[AsyncEngine]:
        """On an empty database, with every table there."""
        engine = open_engine(migrated_url)
        event.listen(engine.sync_engine, "connect", _be_patient)
        async with transaction(engine) as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(table.delete())
        yield engine
        await engine.dispose()

    @pytest.fixture
    def begin(self, engine: AsyncEngine) -> Begin:
        return PostgresBegin(engine)

    @pytest.fixture
    def log(self, engine: AsyncEngine) -> EventLog:
        return PostgresLog(engine)

    @pytest.fixture
    def history(self, engine: AsyncEngine) -> History:
        return PostgresLog(engine)

    @pytest.fixture
    def cursors(self, engine: AsyncEngine) -> Cursors:
        return PostgresCursors(engine)

    @pytest.fixture
    def retention(self, engine: AsyncEngine) -> Retention:
        return PostgresRetention(engine)

    @pytest.fixture
    def reads(self, engine: AsyncEngine) -> Reads:
        return PostgresReads(engine)

    @pytest.fixture
    def upcoming(self, engine: AsyncEngine) -> Upcoming:
        return PostgresUpcoming(engine)

    @pytest.fixture
    def queued(self, engine: AsyncEngine) -> QueuedRuns:
        return PostgresQueuedRuns(engine)

    @pytest.fixture
    def ask_store(self, engine: AsyncEngine) -> AskStore:
        return PostgresHealth(engine)

    @pytest.fixture
    def leases(self, engine: AsyncEngine) -> Leases:
        return PostgresLeases(engine)

    @pytest.fixture
    def hearing(self, engine: AsyncEngine) -> Hearing:
        return PostgresHearing(engine)

    @pytest.fixture
    def somebody_waits(self, engine: AsyncEngine) -> Wait:
        """Comes back once a unit of work waits for another's lock."""
        ask = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )

        async def do_they() -> bool:
            async with transaction(engine) as connection:  # a new one for each look: within one the view stands still
                return bool(await connection.scalar(ask))

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not await do_they():
                    await asyncio.sleep(0.005)

        return wait

    @pytest.fixture
    def rejections(self, engine: AsyncEngine) -> Count:
        async def count() -> int:
            async with transaction(engine) as connection:
                return await connection.scalar(select(func.count()).select_from(rejected_reports)) or 0

        return count


def _be_patient(connection: Any, _record: object) -> None:  # Any: SQLAlchemy's face of an asyncpg connection
    """A test holds a transaction while others wait for it, on a machine that may be slow."""
    connection.run_async(lambda driver: driver.execute("SET idle_in_transaction_session_timeout = '30s'"))
