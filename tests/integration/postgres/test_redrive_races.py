"""However many leaders make the runs of however many redrives at once: each dead letter has one new run."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import ACME, NOON, a_job
from tests.support.ended import ended, keep
from tests.support.stored import store
from uuid_utils.compat import uuid7

from rota.application.command import MessageBus
from rota.application.redrive_once import RedriveOnce, RedriveOnceHandler
from rota.application.redrive_runs import RedriveRuns, RedriveRunsHandler
from rota.application.retry_run import RetryRun, RetryRunHandler
from rota.domain.redrive import LetterFilter, RedriveState, RedriveTerms
from rota.domain.run_events import RunState
from rota.infrastructure.memory.bus import InMemoryNudge
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.postgres.dead_letters import PostgresDeadLetters
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import runs
from rota.infrastructure.postgres.unit_of_work import PostgresBegin
from rota.infrastructure.schemas import JsonSchemaRules

LETTERS, REDRIVES, LEADERS = 200, 3, 4


class Service:
    """The use cases on one database, as several processes would have them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.clock = SettableClock(NOON)
        begin, rules, nudge = PostgresBegin(engine), JsonSchemaRules(), InMemoryNudge()
        self.bus = MessageBus()
        self.bus.on(RedriveRuns, RedriveRunsHandler(begin, self.clock, uuid7, rules, nudge))
        self.bus.on(RedriveOnce, RedriveOnceHandler(begin, self.clock, uuid7))
        self.bus.on(RetryRun, RetryRunHandler(begin, self.clock, uuid7, rules, nudge))

    async def ask(self) -> Any:
        terms = RedriveTerms(per_sec=20)
        return await self.bus.handle(RedriveRuns(tenant_id=ACME, wanted=LetterFilter(), terms=terms))

    async def lead(self) -> None:
        """Until nothing is left for a while."""
        idle = 0
        while idle < 20:
            idle = 0 if await self.bus.handle(RedriveOnce()) else idle + 1
            self.clock.advance(timedelta(milliseconds=200))


@pytest.fixture
async def service(engine: AsyncEngine) -> Service:
    begin = PostgresBegin(engine)
    await store(begin, a_job())
    await keep(begin, *(ended(RunState.DEAD) for _ in range(LETTERS)))
    return Service(engine)


async def retries(engine: AsyncEngine) -> Counter[Any]:
    """How often each run was retried."""
    async with transaction(engine) as connection:
        return Counter(await connection.scalars(select(runs.c.retry_of).where(runs.c.retry_of.is_not(None))))


async def test_each_dead_letter_has_one_new_run(engine: AsyncEngine, service: Service) -> None:
    asked = [await service.ask() for _ in range(REDRIVES)]

    await asyncio.gather(*(service.lead() for _ in range(LEADERS)))

    made = await retries(engine)
    assert (len(made), set(made.values())) == (LETTERS, {1})
    looks = [await PostgresDeadLetters(engine).redrive(ACME, each.id) for each in asked]
    assert {look.redrive.state for look in looks} == {RedriveState.DONE}
    assert sum(look.redrive.made for look in looks) == LETTERS
    assert {look.redrive.made + look.redrive.passed for look in looks} == {LETTERS}


async def test_also_where_somebody_retries_them_by_hand_meanwhile(engine: AsyncEngine, service: Service) -> None:
    """A redrive adds none to what was retried; who retries by hand what was redriven means it."""
    asked = await service.ask()
    async with transaction(engine) as connection:
        letters = list(await connection.scalars(select(runs.c.id)))

    async def by_hand() -> None:
        for run_id in letters[::4]:
            await service.bus.handle(RetryRun(tenant_id=ACME, run_id=run_id))

    await asyncio.gather(service.lead(), service.lead(), by_hand())

    redrive = (await PostgresDeadLetters(engine).redrive(ACME, asked.id)).redrive
    made = await retries(engine)
    assert (redrive.state, len(made)) == (RedriveState.DONE, LETTERS)
    assert redrive.made + len(letters[::4]) == sum(made.values())
    assert sum(times - 1 for times in made.values()) == redrive.made - (LETTERS - len(letters[::4]))
