"""Twenty thousand runs that wait in one lane cost no more than twenty: the rows that each question reads are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from tests.support.builders import ACME, JOB_ID, NOON, a_job
from tests.support.stored import store

from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.unit_of_work import PostgresBegin, PostgresUnitOfWork

MANY, LANES = 20_000, 20
LANE = (ACME, str(JOB_ID))
SCHEDULE = UUID(int=1)

WAITING = """
    INSERT INTO runs (tenant_id, id, job_id, lane, cause, state, scheduled_for, due_at, created_at, attempt, sends,
                      priority, awaited, seq, rank, schedule_id, parked_on)
    SELECT :tenant, gen_random_uuid(), :job, :lane, 'API', 'PENDING', now(), now(), now(), 0, 0,
           0, true, 1, now(), :schedule, :gate
    FROM generate_series(1, :many)
"""
READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'runs'"


async def fill(connection: AsyncConnection, many: int, **more: object) -> None:
    given = {"tenant": ACME, "job": JOB_ID, "lane": str(JOB_ID), "schedule": None, "gate": None, "many": many}
    await connection.execute(text(WAITING), given | more)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await store(PostgresBegin(engine), a_job())
    async with transaction(engine) as filling:
        await fill(filling, MANY)
        for number in range(LANES):
            await fill(filling, 2, job=None, lane=f"queue:{number}")
        await fill(filling, MANY // 10, schedule=SCHEDULE, gate=f"schedule:{SCHEDULE}")
    async with engine.connect() as asking:
        yield asking


@pytest.fixture
def rows_read(connection: AsyncConnection) -> Callable[[Awaitable[object]], Awaitable[int]]:
    async def count(asking: Awaitable[object]) -> int:
        before = await connection.scalar(text(READ)) or 0
        await asking
        return (await connection.scalar(text(READ)) or 0) - before

    return count


Count = Callable[[Awaitable[object]], Awaitable[int]]


async def test_the_lanes_are_found_by_skipping_and_counted_to_a_bound(
    connection: AsyncConnection, rows_read: Count
) -> None:
    work = PostgresUnitOfWork(connection, KnownOpenDays())

    assert len(await work.waiting.lanes(10)) == LANES + 1
    assert await rows_read(work.waiting.lanes(10)) < 10 + 5 * LANES


async def test_a_turn_is_given_without_looking_at_the_others(connection: AsyncConnection, rows_read: Count) -> None:
    """They have all been due since the same instant, so that only their ids tell them apart."""
    work = PostgresUnitOfWork(connection, KnownOpenDays())

    assert await rows_read(work.waiting.take({LANE: 50})) < 200


async def test_a_change_reads_what_it_changes(connection: AsyncConnection, rows_read: Count) -> None:
    """Whatever the statistics believe: the rows are of one tenant and have all the same `seq`."""
    work = PostgresUnitOfWork(connection, KnownOpenDays())
    for run in await work.waiting.take({LANE: 50}):
        run.go(NOON)

    assert await rows_read(work.runs.write()) < 200


async def test_a_gate_is_judged_without_looking_at_all_behind_it(connection: AsyncConnection, rows_read: Count) -> None:
    work = PostgresUnitOfWork(connection, KnownOpenDays())

    assert await rows_read(work.waiting.open_gates()) < 20
