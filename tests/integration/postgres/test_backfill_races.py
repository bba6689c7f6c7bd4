"""However many leaders work on however many backfills beside the tick: each due time has one run."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import ACME, MINUTE, NOON, a_job, a_schedule
from tests.support.stored import store
from uuid_utils.compat import uuid7

from rota.application.backfill_once import BackfillOnce
from rota.application.backfill_schedule import BackfillSchedule
from rota.application.catch_up import CatchUpHandler, CatchUpOnce
from rota.application.command import MessageBus
from rota.domain.backfill import BackfillState
from rota.domain.misfire import MisfirePolicy
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedRate
from rota.entrypoints.bootstrap.upkeep import wire_backfills
from rota.infrastructure.memory.bus import InMemoryNudge, InMemoryWorkerControl
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.postgres.backfills import PostgresBackfillReads
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import runs
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

MINUTES, BACKFILLS, LEADERS = 400, 3, 4


class Service:
    """The use cases on one database, as several processes would have them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.clock = SettableClock(NOON + MINUTES * MINUTE)
        self.begin = PostgresBegin(engine)
        self.bus = MessageBus()
        own: Any = {"clock": self.clock, "control": InMemoryWorkerControl(), "nudge": InMemoryNudge()}
        wire_backfills(self.bus, begin=self.begin, loops=self.begin, ids=uuid7, **own)
        self.bus.on(CatchUpOnce, CatchUpHandler(self.begin, self.clock, uuid7))

    async def ask(self, schedule: Schedule, first: int, last: int) -> Any:
        since, until = NOON + first * MINUTE, NOON + last * MINUTE
        asked = BackfillSchedule(tenant_id=ACME, schedule_id=schedule.id, since=since, until=until, max_concurrent=1000)
        return await self.bus.handle(asked)

    async def lead(self) -> None:
        """Until nothing is left for a while."""
        idle = 0
        while idle < 20:
            dealt_with = await self.bus.handle(CatchUpOnce()) or await self.bus.handle(BackfillOnce())
            idle = 0 if dealt_with else idle + 1
            await asyncio.sleep(0)


@pytest.fixture
def service(engine: AsyncEngine) -> Service:
    return Service(engine)


async def due_times(engine: AsyncEngine) -> Counter[Any]:
    async with transaction(engine) as connection:
        return Counter(await connection.scalars(select(runs.c.scheduled_for)))


async def test_each_due_time_has_one_run(engine: AsyncEngine, service: Service) -> None:
    schedule = a_schedule(policy=MisfirePolicy.SKIP)
    await store(service.begin, a_job(), schedule)

    asked = [await service.ask(schedule, n * 50, 300 + n * 50) for n in range(BACKFILLS)]
    await asyncio.gather(*(service.lead() for _ in range(LEADERS)))

    made = await due_times(engine)
    assert (len(made), set(made.values())) == (401, {1})
    looks = [await PostgresBackfillReads(engine).backfill(ACME, each.id) for each in asked]
    assert {look.backfill.state for look in looks} == {BackfillState.DONE}
    assert sum(look.unfinished for look in looks) == 400
    assert looks[0].backfill.count == 300


async def test_also_where_an_outage_is_being_caught_up(engine: AsyncEngine, service: Service) -> None:
    """What is set aside keeps its cause; of the rest, which lay in a disabled stretch, each is filled in."""
    schedule = a_schedule(FixedRate(MINUTE, NOON), policy=MisfirePolicy.FIRE_ALL, now=NOON + 200 * MINUTE)
    schedule.created_at = NOON
    await store(service.begin, a_job(), schedule)

    asked = await service.ask(schedule, 0, MINUTES)
    await asyncio.gather(*(service.lead() for _ in range(LEADERS)))

    made = await due_times(engine)
    assert (len(made), set(made.values())) == (201, {1})
    assert asked.count == 0


async def test_a_leader_that_stops_in_the_middle_is_made_up_for(engine: AsyncEngine, service: Service) -> None:
    schedule = a_schedule(policy=MisfirePolicy.SKIP)
    await store(service.begin, a_job(), schedule)
    asked = await service.ask(schedule, 0, 150)

    async with service.begin() as work:  # locked by one that is stopped
        assert await work.backfills.ready() is not None
        assert await service.bus.handle(BackfillOnce()) == 0
    await service.lead()

    look = await PostgresBackfillReads(engine).backfill(ACME, asked.id)
    assert (look.backfill.state, look.backfill.made, look.unfinished) == (BackfillState.DONE, 150, 150)


async def test_the_pace_counts_what_is_unfinished_in_the_table(engine: AsyncEngine, service: Service) -> None:
    schedule = a_schedule(policy=MisfirePolicy.SKIP)
    await store(service.begin, a_job(), schedule)
    asked = BackfillSchedule(
        tenant_id=ACME, schedule_id=schedule.id, since=NOON, until=NOON + 20 * MINUTE, max_concurrent=3
    )
    backfill = await service.bus.handle(asked)
    seen = []
    for _ in range(4):
        await service.lead()
        look = await PostgresBackfillReads(engine).backfill(ACME, backfill.id)
        seen.append((look.backfill.made, look.unfinished))
        async with transaction(engine) as connection:
            ended = {"state": "SUCCEEDED", "finished_at": service.clock.now() + timedelta(seconds=1)}
            await connection.execute(update(runs).where(runs.c.cause == "BACKFILL").values(ended))

    assert seen == [(3, 3), (6, 3), (9, 3), (12, 3)]
