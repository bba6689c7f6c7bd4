"""Positions rise in the order of commits, so a reader that keeps its last position never skips an event.

A number from a sequence alone is no such order: the first test shows how it goes wrong, the others that ours does not.
"""

from __future__ import annotations

import asyncio
import random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from tests.support.builders import ACME, NOON, a_job_definition, next_id
from tests.support.stored import store

from rota.domain.ids import JobId
from rota.domain.job import Job
from rota.infrastructure.postgres import log
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.log import PostgresLog
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

WAITERS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def a_created_job() -> Job:
    """With its event still on it."""
    return Job.create(ACME, JobId(next_id()), a_job_definition(f"job {next_id()}"), now=NOON)


async def take_your_time(connection: AsyncConnection) -> None:
    """A slow transaction, though not a stopped one."""
    await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


async def somebody_waits(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        while not await connection.scalar(WAITERS):
            await asyncio.sleep(0.005)  # between two looks


async def test_a_sequence_alone_lets_a_reader_skip_what_a_slow_transaction_commits_later(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("DROP TABLE IF EXISTS naive"))
        await connection.execute(text("CREATE TABLE naive (position BIGSERIAL PRIMARY KEY, word TEXT)"))
    read = text("SELECT position, word FROM naive WHERE position > :position ORDER BY position")
    seen: list[str] = []

    async with transaction(engine) as slow:
        await take_your_time(slow)
        await slow.execute(text("INSERT INTO naive (word) VALUES ('slow')"))
        async with transaction(engine) as quick:
            await quick.execute(text("INSERT INTO naive (word) VALUES ('quick')"))
        async with transaction(engine) as reader:
            (first,) = await reader.execute(read, {"position": 0})
        seen.append(first.word)
    async with transaction(engine) as reader:
        seen += [row.word for row in await reader.execute(read, {"position": first.position})]
        await reader.execute(text("DROP TABLE naive"))

    assert seen == ["quick"]


async def test_behind_a_slow_transaction_the_quick_one_waits_and_nothing_is_skipped(engine: AsyncEngine) -> None:
    events, begin = PostgresLog(engine), PostgresBegin(engine)
    slow_job, quick_job = a_created_job(), a_created_job()

    async with transaction(engine) as slow:
        await take_your_time(slow)
        await log.append(slow, [slow_job])
        quick = asyncio.create_task(store(begin, quick_job))
        async with asyncio.timeout(4):
            await somebody_waits(engine)
        meanwhile = await events.after(0, 10)
    await quick

    found = await events.after(0, 10)
    assert meanwhile == []
    assert [entry.subject for entry in found] == [slow_job.id, quick_job.id]


async def test_a_transaction_that_is_undone_holds_up_nobody_and_leaves_only_a_hole(engine: AsyncEngine) -> None:
    events, begin = PostgresLog(engine), PostgresBegin(engine)
    jobs = [a_created_job() for _ in range(2)]

    await store(begin, jobs[0])
    async with engine.connect() as undone:
        await log.append(undone, [a_created_job(), a_created_job()])
        await undone.rollback()
    await store(begin, jobs[1])

    assert [entry.subject for entry in await events.after(0, 10)] == [job.id for job in jobs]


async def test_a_transaction_that_writes_no_event_waits_for_nobody(engine: AsyncEngine) -> None:
    async with transaction(engine) as slow:
        await take_your_time(slow)
        await log.append(slow, [a_created_job()])
        async with asyncio.timeout(4), PostgresBegin(engine)() as work:
            await work.jobs.named(ACME, ["nobody knows"])
            await work.commit()


async def test_a_reader_beside_many_writers_of_every_pace_sees_each_event_once_and_in_order(
    engine: AsyncEngine,
) -> None:
    """Half of them dawdle before they append, half after: the order of beginnings is not that of commits."""
    chance = random.Random(1)
    events = PostgresLog(engine)
    pace = [(chance.random() / 50, chance.random() / 100, chance.randint(1, 4)) for _ in range(60)]
    committed: list[JobId] = []
    seen: list[JobId] = []
    positions: list[int] = []

    some = asyncio.Semaphore(12)

    async def write(before: float, after: float, count: int) -> None:
        jobs = [a_created_job() for _ in range(count)]
        async with some, transaction(engine) as connection:
            await dawdle(connection, before)
            await log.append(connection, jobs)
            await dawdle(connection, after)
        committed.extend(job.id for job in jobs)

    async def read() -> None:
        for entry in await events.after(positions[-1] if positions else 0, 7):
            positions.append(entry.position)
            seen.append(JobId(entry.subject))

    async with asyncio.timeout(60), asyncio.TaskGroup() as writers:
        writing = [writers.create_task(write(*each)) for each in pace]
        while not all(task.done() for task in writing):
            await read()
    for _ in committed:
        await read()

    assert positions == sorted(set(positions))
    assert len(seen) == len(committed)
    assert set(seen) == set(committed)


async def dawdle(connection: AsyncConnection, seconds: float) -> None:
    """In the database, where nobody sees it as idle."""
    await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
