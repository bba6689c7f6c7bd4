"""The auditor's book: what is on record of a schedule, how far it was looked at, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import change, later, put, ran
from tests.support.builders import ACME, GLOBEX, MINUTE, NOON, a_calendar, a_job, a_schedule
from tests.support.stored import store

from rota.application.ports.audits import Audits
from rota.application.ports.health import AskStore
from rota.application.ports.retention import Retention
from rota.application.ports.store import Begin
from rota.domain.audit.account import MOST, Account, Recorded, Verdict
from rota.domain.audit.round import AuditRound, Coverage, Difference, DifferenceKind
from rota.domain.calendars.definition import Weekday
from rota.domain.calendars.open_days import open_days_of
from rota.domain.decision import CatchUp, Miss
from rota.domain.job import Job
from rota.domain.misfire import Span
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import FixedRate
from rota.infrastructure.memory.audits import InMemoryAudits
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.audits import PostgresAudits

JUST = timedelta(microseconds=1)


class InMemoryBook(InMemory):
    @pytest.fixture
    def audits(self, store: InMemoryStore) -> Audits:
        return InMemoryAudits(store)


class BookOnPostgres(OnPostgres):
    @pytest.fixture
    def audits(self, engine: AsyncEngine) -> Audits:
        return PostgresAudits(engine)


@pytest.fixture
async def schedule(begin: Begin, job: Job) -> Schedule:
    """Minutely, from noon on."""
    own = a_schedule()
    await store(begin, own)
    return own


async def account(audits: Audits, horizon: float = 30) -> Account:
    (only,) = await audits.accounts(None, later(horizon), 10)
    return only


async def audited(audits: Audits, schedule: Schedule, to: datetime) -> None:
    await audits.keep({(schedule.tenant_id, schedule.id): to}, [], AuditRound(began_at=NOON))


def minutes(runs: Sequence[Recorded]) -> list[float]:
    return [(run.scheduled_for - NOON) / MINUTE for run in runs]


class AuditsContract:
    async def test_a_schedule_is_looked_at_from_its_creation_on(
        self, begin: Begin, audits: Audits, schedule: Schedule
    ) -> None:
        await put(begin, ran(schedule, 1), ran(schedule, 3), ran(schedule, 2, Cause.BACKFILL))
        await put(begin, ran(schedule, 4, Cause.MANUAL), ran(schedule, 31))

        found = await account(audits)

        assert (found.schedule.id, found.schedule.definition) == (schedule.id, schedule.definition)
        assert (found.schedule.next, found.schedule.version) == (schedule.next, 1)
        assert (found.since, found.until, found.audited_to, found.horizon) == (NOON, None, NOON - JUST, later(30))
        assert found.runs == (
            Recorded(later(1), later(1)),
            Recorded(later(2), later(2), is_own=False),
            Recorded(later(3), later(3)),
        )
        assert (found.covered, found.is_deleted, found.is_known) == ((), False, True)

    async def test_and_then_from_where_it_was_looked_at(self, begin: Begin, audits: Audits, schedule: Schedule) -> None:
        await put(begin, *(ran(schedule, minute) for minute in range(6)))
        await audited(audits, schedule, later(3))

        found = await account(audits)

        assert (found.audited_to, minutes(found.runs)) == (later(3), [4, 5])

    async def test_no_more_runs_are_handed_over_than_are_looked_at(
        self, begin: Begin, audits: Audits, schedule: Schedule
    ) -> None:
        await put(begin, *(ran(schedule, n / 60) for n in range(MOST + 5)))

        found = await account(audits)

        assert len(found.runs) == MOST + 1
        assert [run.scheduled_for for run in found.runs] == [later(n / 60) for n in range(MOST + 1)]

    async def test_what_was_missed_or_is_set_aside_is_told(
        self, begin: Begin, audits: Audits, schedule: Schedule
    ) -> None:
        for first, last in ((0, 1), (3, 8), (12, 14), (31, 32)):
            span = Span(later(first), later(last), last - first + 1)
            await store(begin, Miss(ACME, schedule.id, span, "SKIP", later(33)))
        await store(begin, CatchUp(ACME, schedule.id, 1, Span(later(20), later(25), 6), later(33)))
        await audited(audits, schedule, later(5))

        found = await account(audits)

        assert sorted(found.covered) == [(later(3), later(8)), (later(12), later(14)), (later(20), later(25))]

    async def test_by_the_definition_that_was_in_force_there(
        self, begin: Begin, audits: Audits, schedule: Schedule
    ) -> None:
        await change(begin, schedule, 10, trigger=FixedRate(5 * MINUTE, NOON))
        await change(begin, schedule, 20, description="better")
        await put(begin, *(ran(schedule, minute) for minute in (5, 10, 15, 25)))

        spans = []
        for _ in range(3):
            found = await account(audits)
            ends = found.until and (found.until - NOON) / MINUTE
            spans.append((found.schedule.version, (found.since - NOON) / MINUTE, ends, minutes(found.runs)))
            await audited(audits, schedule, (found.until or found.horizon) - JUST)

        assert spans == [(1, 0, 10, [5]), (2, 10, 20, [10, 15]), (3, 20, None, [25])]

    async def test_with_whether_it_was_enabled(self, begin: Begin, audits: Audits, schedule: Schedule) -> None:
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).disable("", now=later(5))
            await work.commit()

        assert (await account(audits)).schedule.enabled
        await audited(audits, schedule, later(5) - JUST)
        assert not (await account(audits)).schedule.enabled

    async def test_a_deleted_one_to_its_end_and_no_further(
        self, begin: Begin, audits: Audits, schedule: Schedule
    ) -> None:
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).delete(now=later(5))
            await work.commit()

        found = await account(audits)
        assert (found.until, found.is_deleted) == (later(5), False)
        await audited(audits, schedule, later(5) - JUST)

        assert await audits.accounts(None, later(30), 10) == []

    async def test_with_what_its_calendar_says_since_it_was_changed(
        self, begin: Begin, audits: Audits, job: Job
    ) -> None:
        calendar = a_calendar(working_days=frozenset(Weekday))
        open_days = open_days_of(calendar.id, {calendar.id: calendar.definition})
        schedule = a_schedule(calendar=CalendarRule(calendar.id), open_days=open_days)
        await store(begin, calendar, schedule)
        found = await account(audits)
        assert (found.since, found.schedule.open_days and found.schedule.open_days.definition) == (
            NOON,
            calendar.definition,
        )

        async with begin() as work:
            standing = await work.schedules.get(ACME, schedule.id)
            standing.recalendar(open_days, now=later(10))
            await work.commit()

        found = await account(audits)
        assert (found.since, found.audited_to, found.is_known) == (later(10), later(10), True)

    async def test_what_a_calendar_said_to_an_earlier_definition_is_not_known(
        self, begin: Begin, audits: Audits, job: Job
    ) -> None:
        calendar = a_calendar(working_days=frozenset(Weekday))
        open_days = open_days_of(calendar.id, {calendar.id: calendar.definition})
        schedule = a_schedule(calendar=CalendarRule(calendar.id), open_days=open_days)
        await store(begin, calendar, schedule)
        await change(begin, schedule, 10, description="better")

        assert (await account(audits)).is_known is False
        await audited(audits, schedule, later(10) - JUST)
        assert (await account(audits)).is_known is True

    async def test_schedules_come_in_turn(self, begin: Begin, audits: Audits, job: Job) -> None:
        other = a_job(tenant_id=GLOBEX)
        own = [a_schedule(name=f"s{n}") for n in range(3)]
        foreign = a_schedule(job=other)
        await store(begin, other, *own, foreign)

        first = await audits.accounts(None, later(30), 2)
        second = await audits.accounts((ACME, first[-1].schedule.id), later(30), 2)
        third = await audits.accounts((GLOBEX, second[-1].schedule.id), later(30), 2)

        told = [[each.schedule.id for each in part] for part in (first, second, third)]
        assert told == [[own[0].id, own[1].id], [own[2].id, foreign.id], []]

    async def test_what_retention_removed_is_told(
        self, begin: Begin, audits: Audits, retention: Retention, schedule: Schedule
    ) -> None:
        gone = [ran(schedule, minute) for minute in (1, 4, 2)]
        await put(begin, *gone)
        keys = [(ACME, schedule.id), (GLOBEX, schedule.id)]
        assert await audits.removed_to(keys) == {}

        await retention.remove_runs(ACME, [run.id for run in gone])

        assert await audits.removed_to(keys) == {(ACME, schedule.id): later(4)}

    async def test_what_was_found_long_ago_goes(
        self, audits: Audits, retention: Retention, ask_store: AskStore, schedule: Schedule
    ) -> None:
        now = datetime.now(tz=NOON.tzinfo)
        spans = [(Span(later(n), later(n), 1), now - n * timedelta(hours=1)) for n in range(3)]
        found = [Difference(ACME, schedule.id, DifferenceKind.EXTRA, span, at) for span, at in spans]
        await audits.keep({}, found, AuditRound(began_at=NOON))

        assert await retention.remove_differences(now - timedelta(minutes=90), 10) == 1
        assert await retention.remove_differences(now, 1) == 1
        assert (await ask_store()).audit.differences == 1

    async def test_the_round_is_kept_as_it_is(self, audits: Audits, schedule: Schedule) -> None:
        assert _state(await audits.round(NOON)) == _state(AuditRound(began_at=NOON))
        standing = AuditRound(began_at=NOON)
        standing.advance((ACME, schedule.id), [Verdict(audited_to=later(3), judged=4)])
        await audits.keep({}, [], standing)
        assert _state(await audits.round(later(9))) == _state(standing)

        standing.end(later(10))
        await audits.keep({}, [], standing)

        kept = await audits.round(later(11))
        assert _state(kept) == _state(standing)
        assert kept.last == Coverage(schedules=1, uncovered=0, due_times=4, audited_to=later(3))

    async def test_health_tells_of_the_last_round_and_of_what_was_found(
        self, audits: Audits, ask_store: AskStore, schedule: Schedule
    ) -> None:
        assert (await ask_store()).audit.ended_at is None
        standing = AuditRound(began_at=NOON)
        standing.advance((ACME, schedule.id), [Verdict(audited_to=later(3), judged=4)])
        standing.end(later(1))
        young = datetime.now(tz=NOON.tzinfo)
        found = Difference(ACME, schedule.id, DifferenceKind.MISSING, Span(later(1), later(2), 2), young)
        await audits.keep({(ACME, schedule.id): later(3)}, [found], standing)
        await audits.keep({}, [found], standing)

        audit = (await ask_store()).audit

        assert (audit.ended_at, audit.took_sec, audit.schedules, audit.due_times) == (later(1), 60, 1, 4)
        assert (audit.uncovered, audit.audited_to, audit.differences) == (0, later(3), 1)


def _state(standing: AuditRound) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in AuditRound.__slots__}


class TestInMemoryAudits(InMemoryBook, AuditsContract):
    pass


class TestPostgresAudits(BookOnPostgres, AuditsContract):
    pass
