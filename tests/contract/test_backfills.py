"""Backfills in the store, and what it tells of a schedule's past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import change, later, over, put, ran, running
from tests.support.builders import ACME, GLOBEX, MINUTE, NOON, a_calendar, a_job, a_schedule, next_id
from tests.support.stored import store

from rota.application.ports.backfills import BackfillReads
from rota.application.ports.log import Cursors
from rota.application.ports.retention import Retention
from rota.application.ports.store import Begin
from rota.domain.backfill import Backfill, BackfillState, Reign
from rota.domain.calendars.definition import Weekday
from rota.domain.calendars.open_days import open_days_of
from rota.domain.decision import CatchUp, Miss
from rota.domain.errors import NotFoundError
from rota.domain.ids import BackfillId
from rota.domain.job import Job
from rota.domain.misfire import Span
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import FixedRate, OneShot
from rota.infrastructure.memory.backfills import InMemoryBackfillReads
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.backfills import PostgresBackfillReads


class InMemoryFilling(InMemory):
    @pytest.fixture
    def looks(self, store: InMemoryStore) -> BackfillReads:
        return InMemoryBackfillReads(store)


class FillingOnPostgres(OnPostgres):
    @pytest.fixture
    def looks(self, engine: AsyncEngine) -> BackfillReads:
        return PostgresBackfillReads(engine)


@pytest.fixture
async def schedule(begin: Begin, job: Job) -> Schedule:
    """Minutely, from noon on."""
    return await stored(begin, a_schedule())


async def stored(begin: Begin, schedule: Schedule) -> Schedule:
    await store(begin, schedule)
    return schedule


def a_backfill(of: Schedule, *, now: float = 60, max_concurrent: int = 2, **more: Any) -> Backfill:
    backfill = Backfill.ask(
        of.tenant_id,
        BackfillId(next_id()),
        of.id,
        since=NOON,
        until=NOON + 30 * MINUTE,
        max_concurrent=max_concurrent,
        now=later(now),
    )
    backfill.take(30)
    for name, value in more.items():
        setattr(backfill, name, value)
    return backfill


async def ask(begin: Begin, *backfills: Backfill) -> None:
    async with begin() as work:
        for backfill in backfills:
            work.backfills.add(backfill)
        await work.commit()


async def ready(begin: Begin) -> tuple[BackfillId, int] | None:
    async with begin() as work:
        found = await work.backfills.ready()
        return found and (found[0].id, found[1])


def filled(backfill: Backfill, run: Run) -> Run:
    run.schedule_id, run.cause, run.correlation_id = backfill.schedule_id, Cause.BACKFILL, str(backfill.id)
    return run


async def reigns(begin: Begin, of: Schedule, since: float, until: float) -> Sequence[Reign]:
    async with begin() as work:
        return await work.backfills.reigns(of.tenant_id, of.id, later(since), later(until))


def span_of(reign: Reign) -> tuple[Any, ...]:
    return tuple(each and (each - NOON) / MINUTE for each in (reign.since, reign.until))


class BackfillsContract:
    async def test_a_backfill_is_kept_as_it_is(self, begin: Begin, looks: BackfillReads, schedule: Schedule) -> None:
        asked = a_backfill(schedule)
        await ask(begin, asked)

        async with begin() as work:
            found = await work.backfills.get(ACME, asked.id)
            assert _state(found) == _state(asked)
            found.advance(later(3), made=4, is_last=False, now=later(61))
            await work.commit()

        look = await looks.backfill(ACME, asked.id)
        assert _state(look.backfill) == _state(found)
        assert (look.backfill.made, look.backfill.reached, look.backfill.next_at) == (4, later(3), later(61))

    async def test_what_is_not_committed_never_happened(
        self, begin: Begin, looks: BackfillReads, schedule: Schedule
    ) -> None:
        asked = a_backfill(schedule)
        async with begin() as work:
            work.backfills.add(asked)

        with pytest.raises(NotFoundError):
            await looks.backfill(ACME, asked.id)

    async def test_another_tenants_is_none(self, begin: Begin, looks: BackfillReads, schedule: Schedule) -> None:
        asked = a_backfill(schedule)
        await ask(begin, asked)

        with pytest.raises(NotFoundError):
            await looks.backfill(GLOBEX, asked.id)
        async with begin() as work:
            with pytest.raises(NotFoundError):
                await work.backfills.get(GLOBEX, asked.id)

    async def test_the_one_that_waits_longest_goes_on(self, begin: Begin, schedule: Schedule) -> None:
        first, second = a_backfill(schedule, next_at=later(2)), a_backfill(schedule, next_at=later(1))
        await ask(begin, first, second, a_backfill(schedule, state=BackfillState.CANCELLED, next_at=later(0)))

        assert await ready(begin) == (second.id, 0)

    async def test_one_that_somebody_works_on_is_passed_over(self, begin: Begin, schedule: Schedule) -> None:
        asked = a_backfill(schedule)
        await ask(begin, asked)

        async with begin() as work:
            assert await work.backfills.ready() is not None
            assert await ready(begin) is None

    async def test_it_waits_while_it_has_runs_enough_that_are_unfinished(
        self, begin: Begin, schedule: Schedule
    ) -> None:
        full, other = a_backfill(schedule, next_at=later(0)), a_backfill(schedule, next_at=later(1))
        await ask(begin, full, other)
        await put(begin, *(filled(full, running(a_job(), at=later(n))) for n in range(2)))
        await put(begin, filled(other, running(a_job(), at=later(5))), filled(other, over(a_job(), later(6))))

        assert await ready(begin) == (other.id, 1)

    @pytest.mark.parametrize("overlap", [each for each in Overlap if each is not Overlap.ALLOW])
    async def test_it_waits_for_any_run_where_they_may_not_overlap(
        self, begin: Begin, job: Job, overlap: Overlap
    ) -> None:
        schedule = await stored(begin, a_schedule(overlap=overlap))
        asked = a_backfill(schedule)
        await ask(begin, asked)
        assert await ready(begin) == (asked.id, 0)

        await put(begin, running(job, at=later(1), schedule_id=schedule.id, cause=Cause.MANUAL))

        assert await ready(begin) is None

    async def test_that_of_a_deleted_schedule_goes_on_to_its_end(self, begin: Begin, schedule: Schedule) -> None:
        asked = a_backfill(schedule)
        await ask(begin, asked)
        await put(begin, *(filled(asked, running(a_job(), at=later(n))) for n in range(2)))
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).delete(now=later(61))
            await work.commit()

        assert await ready(begin) == (asked.id, 2)
        (*_, last) = await reigns(begin, schedule, 0, 30)
        assert last.is_deleted

    async def test_what_has_become_of_its_runs_is_told(
        self, begin: Begin, looks: BackfillReads, schedule: Schedule
    ) -> None:
        asked, other = a_backfill(schedule, reached=later(9)), a_backfill(schedule)
        await ask(begin, asked, other)
        await put(begin, *(filled(asked, over(a_job(), later(n))) for n in range(3)))
        await put(begin, filled(asked, running(a_job(), at=later(4))), filled(other, over(a_job(), later(5))))
        await put(begin, ran(schedule, 6))

        look = await looks.backfill(ACME, asked.id)

        assert (look.unfinished, look.succeeded, look.dead, look.cancelled) == (1, 3, 0, 0)

    async def test_who_changes_it_sees_what_has_become_of_its_runs(self, begin: Begin, schedule: Schedule) -> None:
        backfill = a_backfill(schedule)
        await ask(begin, backfill)
        await put(begin, filled(backfill, running(a_job())))

        async with begin() as work:
            own = await work.backfills.get(ACME, backfill.id)
            own.advance(NOON, made=1, is_last=False, now=later(61))
            own.cancel("enough", later(62))
            look = await work.backfills.look(own)

        assert (look.backfill.state, look.unfinished, look.succeeded) == (BackfillState.CANCELLED, 1, 0)

    async def test_those_that_are_long_over_go(
        self, begin: Begin, looks: BackfillReads, retention: Retention, schedule: Schedule
    ) -> None:
        old, young, going = (a_backfill(schedule) for _ in range(3))
        old.cancel("", later(100))
        young.cancel("", later(200))
        await ask(begin, old, young, going)

        assert await retention.remove_backfills(later(150), 10) == 1
        assert await retention.remove_backfills(later(150), 10) == 0
        with pytest.raises(NotFoundError):
            await looks.backfill(ACME, old.id)
        assert (await looks.backfill(ACME, young.id)).backfill.id == young.id


class ThePastContract:
    async def test_tells_which_definition_was_in_force_when(self, begin: Begin, schedule: Schedule) -> None:
        await change(begin, schedule, 10, trigger=FixedRate(5 * MINUTE, NOON))
        await change(begin, schedule, 20, description="better")

        found = await reigns(begin, schedule, 5, 15)

        assert [span_of(each) for each in found] == [(0, 10), (10, 20), (20, None)]
        assert [each.schedule.version for each in found] == [1, 2, 3]
        assert [each.schedule.definition.trigger for each in found] == [
            FixedRate(MINUTE, NOON),
            FixedRate(5 * MINUTE, NOON),
            FixedRate(5 * MINUTE, NOON),
        ]
        assert {each.schedule.created_at for each in found} == {NOON}

    async def test_leaves_out_what_was_over_or_not_yet(self, begin: Begin, schedule: Schedule) -> None:
        for minute in (10, 20, 30, 40):
            await change(begin, schedule, minute, description=str(minute))

        found = await reigns(begin, schedule, 20, 30)

        assert [span_of(each) for each in found] == [(20, 30), (40, None)]

    async def test_has_a_one_shots_later_definitions_too(self, begin: Begin, job: Job) -> None:
        schedule = await stored(begin, a_schedule(OneShot(NOON + 50 * MINUTE)))
        await change(begin, schedule, 40, trigger=OneShot(NOON + 5 * MINUTE))
        await change(begin, schedule, 41, description="moved")

        found = await reigns(begin, schedule, 0, 10)

        assert [span_of(each) for each in found] == [(0, 40), (40, 41), (41, None)]

    async def test_tells_what_its_calendar_said_when(self, begin: Begin, job: Job) -> None:
        calendar = a_calendar(working_days=frozenset(Weekday))
        await store(begin, calendar)
        schedule = a_schedule(
            calendar=CalendarRule(calendar.id), open_days=open_days_of(calendar.id, {calendar.id: calendar.definition})
        )
        await store(begin, schedule)
        async with begin() as work:
            standing = await work.calendars.get(ACME, calendar.id)
            standing.change(replace(standing.definition, working_days=frozenset({Weekday.SU})), now=later(10))
            await work.commit()

        found = await reigns(begin, schedule, 0, 60)

        assert [span_of(each) for each in found] == [(0, 10), (10, None)]
        open_on = [each.schedule.open_days and each.schedule.open_days.is_open(NOON.date()) for each in found]
        assert open_on == [True, False]

    async def test_tells_whether_it_was_enabled(self, begin: Begin, schedule: Schedule) -> None:
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).disable("", now=later(5))
            await work.commit()

        found = await reigns(begin, schedule, 0, 10)

        assert [each.schedule.enabled for each in found] == [True, False]

    async def test_tells_how_far_due_times_are_on_record(self, begin: Begin, schedule: Schedule) -> None:
        await change(begin, schedule, 10, description="better")
        await change(begin, schedule, 20, description="best")
        await put(begin, ran(schedule, 3), ran(schedule, 8, Cause.MANUAL), ran(schedule, 9, Cause.BACKFILL))
        await store(begin, Miss(ACME, schedule.id, Span(later(12), later(15), 4), "SKIP", later(16)))

        found = await reigns(begin, schedule, 0, 60)

        assert [each.recorded_to for each in found] == [later(3), later(15), None]

    async def test_tells_which_due_times_have_a_run(self, begin: Begin, schedule: Schedule) -> None:
        await put(begin, *(ran(schedule, minute) for minute in (1, 2, 5)))
        await put(begin, ran(schedule, 3, Cause.BACKFILL), ran(schedule, 4, Cause.MANUAL))

        async with begin() as work:
            taken = await work.backfills.taken(ACME, schedule.id, later(2), later(5))
            others = await work.backfills.taken(GLOBEX, schedule.id, later(2), later(5))

        assert (taken, others) == ({later(2), later(3)}, set())

    async def test_tells_what_is_set_aside(self, begin: Begin, schedule: Schedule) -> None:
        await store(begin, CatchUp(ACME, schedule.id, 1, Span(later(2), later(5), 4), later(30)))

        async with begin() as work:
            assert await work.backfills.caught_up(ACME, schedule.id) == [(later(2), later(5))]
            assert await work.backfills.caught_up(GLOBEX, schedule.id) == []

    async def test_tells_how_far_its_runs_were_removed(
        self, begin: Begin, cursors: Cursors, retention: Retention, schedule: Schedule
    ) -> None:
        gone = [ran(schedule, minute) for minute in (1, 4, 2)]
        await put(begin, *gone)
        async with begin() as work:
            assert await work.backfills.removed_to(ACME, schedule.id) is None

        assert await retention.remove_runs(ACME, [run.id for run in gone]) == 3

        async with begin() as work:
            assert await work.backfills.removed_to(ACME, schedule.id) == later(4)
            assert await work.backfills.removed_to(GLOBEX, schedule.id) is None


def _state(backfill: Backfill) -> dict[str, Any]:
    return {name: getattr(backfill, name) for name in Backfill.__slots__}


class TestInMemoryBackfills(InMemoryFilling, BackfillsContract):
    pass


class TestPostgresBackfills(FillingOnPostgres, BackfillsContract):
    pass


class TestThePastInMemory(InMemoryFilling, ThePastContract):
    pass


class TestThePastOnPostgres(FillingOnPostgres, ThePastContract):
    pass
