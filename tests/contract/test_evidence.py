"""What is kept of how a schedule came to fire: its versions, and the records of one due time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import put, quiet
from tests.support.builders import (
    ACME,
    DAY,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_calendar,
    a_job,
    a_schedule,
    a_schedule_definition,
    next_id,
)
from tests.support.stored import state, store

from rota.application.ports.evidence import Evidence
from rota.application.ports.store import Begin
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition, Closure
from rota.domain.decision import CatchUp, Miss
from rota.domain.explaining.verdict import NOTHING
from rota.domain.ids import CalendarId, RunId, ScheduleId
from rota.domain.misfire import DueTime, Span
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import FixedRate, OnEvent
from rota.infrastructure.memory.clock import CountingIds, SettableClock
from rota.infrastructure.memory.evidence import InMemoryEvidence
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.evidence import PostgresEvidence

MANY = 10


@pytest.fixture
async def schedule(begin: Begin) -> Schedule:
    made = a_schedule()
    await store(begin, a_job(), made)
    return made


async def change(begin: Begin, schedule: Schedule, every: timedelta, now: Any) -> None:
    async with begin() as work:
        own = await work.schedules.get(ACME, schedule.id)
        own.change(a_schedule_definition(FixedRate(every, NOON)), now=now)
        await work.commit()


def run_of(schedule: Schedule, scheduled_for: Any, cause: Cause = Cause.SCHEDULE) -> Run:
    due = DueTime(scheduled_for, scheduled_for)
    return quiet(schedule.run_for(due, RunId(next_id()), now=scheduled_for, epoch=1, cause=cause).accept())


class EvidenceContract:
    # Versions

    async def test_the_version_in_force_comes_first_and_then_what_followed(
        self, begin: Begin, evidence: Evidence, schedule: Schedule
    ) -> None:
        await change(begin, schedule, HOUR, NOON + HOUR)
        await change(begin, schedule, DAY, NOON + DAY)

        first, second, third = await evidence.versions(ACME, schedule.id, NOON + MINUTE, MANY)

        assert [each.version for each in (first, second, third)] == [1, 2, 3]
        assert [each.updated_at for each in (first, second, third)] == [NOON, NOON + HOUR, NOON + DAY]
        assert [each.definition.trigger for each in (first, second, third)] == [
            FixedRate(every, NOON) for every in (MINUTE, HOUR, DAY)
        ]
        assert {each.created_at for each in (first, second, third)} == {NOON}

    async def test_a_version_is_in_force_from_its_first_moment_on(
        self, begin: Begin, evidence: Evidence, schedule: Schedule
    ) -> None:
        await change(begin, schedule, HOUR, NOON + HOUR)

        at_change = await evidence.versions(ACME, schedule.id, NOON + HOUR, MANY)
        just_before = await evidence.versions(ACME, schedule.id, NOON + HOUR - SECOND, 0)

        assert [each.version for each in at_change] == [2]
        assert [each.version for each in just_before] == [1]

    async def test_before_the_first_it_is_the_first_that_comes(self, evidence: Evidence, schedule: Schedule) -> None:
        assert [each.version for each in await evidence.versions(ACME, schedule.id, NOON - DAY, MANY)] == [1]

    async def test_disabling_is_a_version(self, begin: Begin, evidence: Evidence, schedule: Schedule) -> None:
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).disable("holidays", now=NOON + HOUR)
            await work.commit()

        assert [each.enabled for each in await evidence.versions(ACME, schedule.id, NOON, MANY)] == [True, False]

    async def test_the_end_of_a_pause_is_told_while_it_lasts(
        self, begin: Begin, evidence: Evidence, schedule: Schedule
    ) -> None:
        async def ends() -> list[datetime | None]:
            return [each.disabled_until for each in await evidence.versions(ACME, schedule.id, NOON, MANY)]

        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).disable("holidays", now=NOON + HOUR, until=NOON + DAY)
            await work.commit()
        meanwhile = await ends()
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).resume(now=NOON + DAY)
            await work.commit()

        assert meanwhile == [None, NOON + DAY]
        assert await ends() == [None, None, None]

    async def test_what_is_unknown_or_anothers_has_none(self, evidence: Evidence, schedule: Schedule) -> None:
        assert list(await evidence.versions(ACME, ScheduleId(next_id()), NOON, MANY)) == []
        assert list(await evidence.versions(GLOBEX, schedule.id, NOON, MANY)) == []

    async def test_a_version_has_what_its_calendar_said_then(self, begin: Begin, evidence: Evidence) -> None:
        holidays = a_calendar("holidays")
        own = a_calendar("DE-BY", includes=(CalendarId(holidays.id),))
        rule = CalendarRule(CalendarId(own.id))
        await store(begin, a_job(), holidays)
        await store(begin, own)
        schedule = a_schedule(calendar=rule)
        await store(begin, schedule)
        await _close(begin, holidays, NOON + HOUR)

        (before,), (after,) = [await evidence.versions(ACME, schedule.id, NOON + at, MANY) for at in (MINUTE, 2 * HOUR)]

        assert before.open_days is not None
        assert after.open_days is not None
        assert before.open_days.name == "DE-BY"
        assert before.open_days.is_open((NOON + DAY).date())
        assert not after.open_days.is_open((NOON + DAY).date())

    # Records

    async def test_of_what_nothing_is_kept_nothing_is_told(self, evidence: Evidence, schedule: Schedule) -> None:
        assert await evidence.record(ACME, schedule.id, NOON) == NOTHING

    @pytest.mark.parametrize("cause", [Cause.SCHEDULE, Cause.BACKFILL])
    async def test_the_run_of_a_due_time(
        self, begin: Begin, evidence: Evidence, schedule: Schedule, cause: Cause
    ) -> None:
        run = run_of(schedule, NOON, cause)
        await put(begin, run, run_of(schedule, NOON + MINUTE))

        found = (await evidence.record(ACME, schedule.id, NOON)).run

        assert found is not None
        assert state(found) == state(run)
        assert (await evidence.record(GLOBEX, schedule.id, NOON)).run is None

    async def test_the_run_before_it(self, begin: Begin, evidence: Evidence, schedule: Schedule) -> None:
        runs = [run_of(schedule, NOON + n * MINUTE) for n in range(3)]
        by_hand = quiet(schedule.run_now(RunId(next_id()), now=NOON + 90 * SECOND).accept())
        await put(begin, *runs, by_hand)

        first, last = [await evidence.record(ACME, schedule.id, NOON + n * MINUTE) for n in (0, 2)]

        assert first.earlier is None
        assert last.earlier is not None
        assert last.earlier.id == runs[1].id

    async def test_a_run_by_hand_is_of_no_due_time(self, begin: Begin, evidence: Evidence, schedule: Schedule) -> None:
        await put(begin, quiet(schedule.run_now(RunId(next_id()), now=NOON).accept()))

        assert await evidence.record(ACME, schedule.id, NOON) == NOTHING

    async def test_the_miss_and_the_catch_up_that_cover_it(
        self, begin: Begin, evidence: Evidence, schedule: Schedule
    ) -> None:
        span, later = Span(NOON, NOON + MINUTE, 2), Span(NOON + HOUR, NOON + HOUR + MINUTE, 2)
        miss = Miss(ACME, schedule.id, span, "SKIP", NOON + HOUR)
        catch_up = CatchUp(ACME, schedule.id, 1, later, NOON + 2 * HOUR)
        await store(begin, miss, catch_up)

        for at in (NOON, NOON + MINUTE):
            record = await evidence.record(ACME, schedule.id, at)
            assert (record.miss, record.catch_up) == (miss, None)
        for at in (NOON + HOUR, NOON + HOUR + MINUTE):
            record = await evidence.record(ACME, schedule.id, at)
            assert (record.miss, record.catch_up) == (None, catch_up)
        assert await evidence.record(ACME, schedule.id, NOON + 2 * MINUTE) == NOTHING
        assert await evidence.record(GLOBEX, schedule.id, NOON) == NOTHING

    # Messages

    async def test_the_first_run_that_a_message_caused(self, begin: Begin, evidence: Evidence) -> None:
        schedule = a_schedule(OnEvent("topic.acme.orders"))
        await store(begin, a_job(), schedule)
        ids = CountingIds(SettableClock(NOON))  # an id says when it was made, and that is gone by
        heard = [
            quiet(schedule.run_now(RunId(ids()), now=NOON + at * SECOND, cause=Cause.EVENT).accept()) for at in (2, 1)
        ]
        by_hand = quiet(schedule.run_now(RunId(ids()), now=NOON).accept())
        await put(begin, *heard, by_hand)

        found = await evidence.heard(ACME, schedule.id, NOON, NOON + MINUTE)

        assert found is not None
        assert found.id == heard[1].id
        assert await evidence.heard(ACME, schedule.id, NOON, NOON + SECOND) is None
        assert await evidence.heard(GLOBEX, schedule.id, NOON, NOON + MINUTE) is None


async def _close(begin: Begin, calendar: Calendar, now: Any) -> None:
    closure = Closure((NOON + DAY).date(), (NOON + DAY).date(), "Inventory")
    async with begin() as work:
        own = await work.calendars.get(ACME, calendar.id)
        own.change(CalendarDefinition(name="holidays", closures=(closure,)), now=now)
        await work.commit()


class TestInMemoryEvidence(InMemory, EvidenceContract):
    @pytest.fixture
    def evidence(self, store: InMemoryStore) -> Evidence:
        return InMemoryEvidence(store)


class TestPostgresEvidence(OnPostgres, EvidenceContract):
    @pytest.fixture
    def evidence(self, engine: AsyncEngine) -> Evidence:
        return PostgresEvidence(engine)
