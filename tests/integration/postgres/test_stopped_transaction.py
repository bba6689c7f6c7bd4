"""A process that stops in the middle of a transaction cannot hold the road: the database ends it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import ACME, HOUR, NOON, a_job, a_job_definition, a_schedule, next_id
from tests.support.stored import all_events, store

from rota.domain.errors import UnavailableError
from rota.domain.ids import JobId
from rota.domain.job import Job
from rota.domain.trigger import OneShot
from rota.infrastructure.postgres import log
from rota.infrastructure.postgres.engine import transaction, translated
from rota.infrastructure.postgres.log import PostgresLog
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

BEFORE_A_LOCK_TIMEOUT = 4.0
"""Seconds. A lock is waited for up to five, so what is through by now was let through by the other's end."""


async def test_each_connection_asks_for_it(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        shown = [
            await connection.scalar(text(f"SHOW {name}"))
            for name in ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "timezone")
        ]

    assert shown == ["750ms", "5s", "10s", "UTC"]


async def test_who_waits_for_its_rows_gets_them(engine: AsyncEngine) -> None:
    begin = PostgresBegin(engine)
    schedule = a_schedule(OneShot(NOON + HOUR))
    await store(begin, a_job(), schedule)

    with pytest.raises(UnavailableError):
        async with begin() as stopped:
            theirs = await stopped.schedules.get(ACME, schedule.id)
            theirs.disable("stopped before the commit", now=NOON)

            async with asyncio.timeout(BEFORE_A_LOCK_TIMEOUT), begin() as work:
                ours = await work.schedules.get(ACME, schedule.id)
                ours.disable("ours", now=NOON)
                await work.commit()

            await stopped.commit()

    (event,) = await all_events(PostgresLog(engine))
    assert '"reason":"ours"' in event.data


async def test_who_waits_to_append_events_can(engine: AsyncEngine) -> None:
    """The lock on the log is the one that everybody needs."""
    begin = PostgresBegin(engine)
    lost, kept = a_created_job(), a_created_job()

    with pytest.raises(UnavailableError):
        async with translated(), engine.connect() as stopped:
            await log.append(stopped, [lost])

            async with asyncio.timeout(BEFORE_A_LOCK_TIMEOUT):
                await store(begin, kept)

            await stopped.commit()

    assert [entry.subject for entry in await all_events(PostgresLog(engine))] == [kept.id]


async def test_the_pool_recovers_by_itself(engine: AsyncEngine) -> None:
    begin = PostgresBegin(engine)
    with pytest.raises(UnavailableError):
        async with begin() as stopped:
            await stopped.jobs.named(ACME, ["a"])
            async with asyncio.timeout(BEFORE_A_LOCK_TIMEOUT):
                await nobody_idles(engine)
            await stopped.commit()
            await stopped.jobs.named(ACME, ["a"])

    await store(begin, *(a_created_job() for _ in range(3)))

    assert len(await all_events(PostgresLog(engine))) == 3


async def nobody_idles(engine: AsyncEngine) -> None:
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )
    async with transaction(engine) as connection:
        while await connection.scalar(idle):
            await asyncio.sleep(0.01)  # between two looks
            await connection.execute(text("SELECT pg_stat_clear_snapshot()"))


def a_created_job() -> Job:
    """With its event still on it."""
    return Job.create(ACME, JobId(next_id()), a_job_definition(f"job {next_id()}"), now=NOON)
