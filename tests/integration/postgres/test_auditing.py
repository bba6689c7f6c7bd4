"""The auditor beside a tick on a real database: what fires is right, and what is made to vanish is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import ACME, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.support.stored import store
from uuid_utils.compat import uuid7

from rota.application.audit_once import AuditOnce
from rota.application.catch_up import CatchUpHandler, CatchUpOnce
from rota.application.command import MessageBus
from rota.application.dispatch import LaneCredit, Sender
from rota.application.fire_schedules import FireSchedules, FireSchedulesHandler
from rota.domain.misfire import MisfirePolicy
from rota.domain.schedule import Schedule
from rota.domain.trigger import Cron, FixedRate
from rota.entrypoints.bootstrap.upkeep import wire_audit
from rota.infrastructure.memory.bus import InMemoryNudge, InMemoryWorkerControl, InMemoryWorkLanes
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.postgres.audits import PostgresAudits
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.health import PostgresHealth
from rota.infrastructure.postgres.tables import audit_differences, events, runs, schedules
from rota.infrastructure.postgres.unit_of_work import PostgresBegin


class Service:
    """The tick and the auditor on one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.clock = SettableClock(NOON)
        self.begin = PostgresBegin(engine)
        self.bus = MessageBus()
        sender = Sender(InMemoryWorkLanes(), InMemoryNudge())
        own = (self.begin, self.clock, uuid7)
        self.bus.on(FireSchedules, FireSchedulesHandler(*own, LaneCredit(sender), sender, InMemoryWorkerControl()))
        self.bus.on(CatchUpOnce, CatchUpHandler(*own))
        wire_audit(self.bus, audits=PostgresAudits(engine), begin=self.begin, clock=self.clock)

    async def lead(self) -> None:
        while await self.bus.handle(FireSchedules(1)) or await self.bus.handle(CatchUpOnce()):
            pass

    async def audit(self) -> None:
        while await self.bus.handle(AuditOnce()):
            pass

    async def found(self) -> list[tuple[str, int]]:
        async with transaction(self.engine) as connection:
            query = select(audit_differences.c.kind, audit_differences.c["count"])
            return [(row[0], row[1]) for row in await connection.execute(query)]


def _be_patient(connection: Any, _record: object) -> None:  # Any: SQLAlchemy's face of an asyncpg connection
    """An hour of seconds is decided at once here, on a machine that may be slow."""
    connection.run_async(lambda driver: driver.execute("SET idle_in_transaction_session_timeout = '30s'"))


@pytest.fixture
async def service(engine: AsyncEngine) -> Service:
    event.listen(engine.sync_engine, "connect", _be_patient)
    await engine.dispose()
    made = Service(engine)
    await store(made.begin, a_job())
    return made


async def minutely(service: Service) -> list[Schedule]:
    own = [
        a_schedule(FixedRate(MINUTE, NOON), name="rate"),
        a_schedule(Cron("*/5 * * * *"), name="cron"),
        a_schedule(FixedRate(SECOND, NOON), name="seconds", policy=MisfirePolicy.FIRE_ALL),
        a_schedule(FixedRate(MINUTE, NOON), name="skips", policy=MisfirePolicy.SKIP),
    ]
    await store(service.begin, *own)
    return own


async def test_what_an_outage_leaves_behind_is_right(service: Service) -> None:
    await minutely(service)
    for _ in range(3):
        service.clock.advance(20 * MINUTE + SECOND)
        await service.audit()
        await service.lead()
        await service.audit()
    for _ in range(10):
        await service.audit()

    audit = (await PostgresHealth(service.engine)()).audit
    assert await service.found() == []
    assert (audit.schedules, audit.uncovered) == (4, 0)
    assert audit.audited_to == service.clock.now() - MINUTE


async def test_a_run_that_vanished_is_found_and_told_once(service: Service) -> None:
    rate, *_ = await minutely(service)
    for _ in range(10):
        service.clock.advance(MINUTE)
        await service.lead()
    async with transaction(service.engine) as connection:
        lost = (NOON + 3 * MINUTE, NOON + 4 * MINUTE)
        await connection.execute(delete(runs).where(runs.c.schedule_id == rate.id, runs.c.scheduled_for.in_(lost)))

    await service.audit()
    await service.audit()

    assert await service.found() == [("MISSING", 2)]
    async with transaction(service.engine) as connection:
        told = await connection.execute(select(events.c.subject).where(events.c.type == "schedule.audited"))
        assert [row.subject for row in told] == [rate.id]


async def test_a_tick_that_leaps_over_due_times_is_found(service: Service) -> None:
    """As one with an evaluator that is wrong would: nothing it has written itself tells of them."""
    rate, *_ = await minutely(service)
    await service.lead()
    service.clock.advance(HOUR)
    async with transaction(service.engine) as connection:
        due = service.clock.now() + MINUTE
        leap = {"decided_to": service.clock.now(), "next_scheduled_for": due, "next_due": due}
        await connection.execute(
            update(schedules).where(schedules.c.tenant_id == ACME, schedules.c.id == rate.id).values(leap)
        )
    await service.lead()
    service.clock.advance(timedelta(minutes=5))
    await service.lead()

    await service.audit()

    assert await service.found() == [("MISSING", 60)]
