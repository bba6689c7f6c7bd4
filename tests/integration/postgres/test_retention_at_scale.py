"""A hundred thousand old runs go batch by batch: all of them, nothing else, each batch reading little beside its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import ACME, GLOBEX, JOB_ID, NOON, a_job
from tests.support.stored import store

from rota.application.ports.log import Cursor
from rota.application.remove_old import BATCH, RemoveOld, RemoveOldHandler
from rota.domain.run_events import RunState
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.postgres.cursors import PostgresCursors
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.retention import PostgresRetention
from rota.infrastructure.postgres.run_counts import PostgresRunCounts
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

MANY, KEPT, EVENTS = 100_000, 5_000, 2
DAY = timedelta(days=1)
FIRST = NOON - 40 * DAY

RUNS = """
    INSERT INTO runs (tenant_id, id, job_id, lane, cause, state, scheduled_for, due_at, created_at, finished_at, attempt,
                      sends, priority, awaited, seq)
    SELECT CAST(:tenant AS text), CAST(lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'
           || lpad(to_hex(n), 12, '0') AS uuid), CAST(:job AS uuid), CAST(:job AS uuid)::text, 'API', :state, at, at,
           at, at, 1, 0, 0, false, :events
    FROM generate_series(1, :many) n, LATERAL (SELECT CAST(:at AS timestamptz) + n * interval '1 ms' AS at) made
"""
LOG = """
    INSERT INTO events (position, tenant_id, id, type, subject, seq, at, data)
    SELECT nextval('event_positions'), tenant_id, gen_random_uuid(), 'run.queued', id, n, created_at, '{}'
    FROM runs, generate_series(1, :events) n WHERE tenant_id = :tenant
"""
LEFT = "SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM events) AS events"


@pytest.fixture
async def filled(engine: AsyncEngine) -> None:
    await store(PostgresBegin(engine), a_job(), a_job(tenant_id=GLOBEX))
    async with transaction(engine) as connection:
        given = {"tenant": ACME, "job": JOB_ID, "events": EVENTS}
        await connection.execute(text(RUNS), given | {"state": "DEAD", "at": FIRST - DAY, "many": KEPT})
        await connection.execute(text(RUNS), given | {"state": "SUCCEEDED", "at": FIRST, "many": MANY})
        await connection.execute(text(RUNS), given | {"state": "SUCCEEDED", "at": NOON - DAY, "many": KEPT})
        await connection.execute(text(LOG), {"tenant": ACME, "events": EVENTS})
    await PostgresCursors(engine).move("relay", Cursor(10_000_000))


async def test_all_that_is_old_goes_and_is_counted_for_ever(engine: AsyncEngine, filled: None) -> None:
    clock = SettableClock(NOON)
    handler = RemoveOldHandler(PostgresRetention(engine), clock)
    counts = PostgresRunCounts(engine, most=10 * MANY)
    before = await counts(ACME, None, None)

    batches = []
    while handler.rests_until is None:
        batches.append(await handler(RemoveOld()))

    assert (sum(batches), max(batches)) == (MANY, BATCH)
    async with transaction(engine) as connection:
        left = (await connection.execute(text(LEFT))).one()
    assert (left.runs, left.events) == (2 * KEPT, 2 * KEPT * EVENTS)
    assert await counts(ACME, None, None) == before
    assert before.states == {RunState.SUCCEEDED: MANY + KEPT, RunState.DEAD: KEPT}
