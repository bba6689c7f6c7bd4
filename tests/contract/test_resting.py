"""Schedules that no clock wakes: those that wait for the end of their last run, and those that listen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.contract.given import HTTP, a_delivery, got, later, over, put, queued, quiet, ready, running
from tests.support.builders import ACME, FAILURE, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.support.stored import event_types, state, store

from rota.application.ports.log import EventLog
from rota.application.ports.store import Begin
from rota.domain.ids import ScheduleId
from rota.domain.job import Job
from rota.domain.misfire import DueTime
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay, OnEvent


def at_rest(job: Job, name: str = "daily-report", **more: Any) -> Schedule:  # Any: as of `a_schedule`
    """It has fired at NOON, and is due again a minute after the end of that."""
    schedule = a_schedule(FixedDelay(MINUTE), job=job, name=name, **more)
    schedule.decide(NOON)
    schedule.pull_events()
    return schedule


def fired(run: Run, schedule: Schedule) -> Run:
    """Its run of a due time."""
    run.schedule_id, run.cause = schedule.id, Cause.SCHEDULE
    return run


async def rested(begin: Begin, limit: int = 100) -> dict[ScheduleId, datetime]:
    async with begin() as work:
        return {schedule.id: at for schedule, at in await work.schedules.rested(limit)}


class RestedContract:
    async def test_the_end_of_the_last_run_is_told(self, begin: Begin, job: Job) -> None:
        schedule = at_rest(job)
        await store(begin, schedule)
        await put(begin, fired(over(job, NOON, ended_at=later(5)), schedule))

        assert await rested(begin) == {schedule.id: later(5)}

    @pytest.mark.parametrize("run", [queued, running, ready])
    async def test_while_it_goes_on_nothing_is(self, begin: Begin, job: Job, run: Any) -> None:
        schedule = at_rest(job)
        await store(begin, schedule)
        await put(begin, fired(run(job), schedule), fired(over(job, later(-9)), schedule))

        assert await rested(begin) == {}

    async def test_the_last_is_the_latest_by_its_due_time(self, begin: Begin, job: Job) -> None:
        schedule = at_rest(job)
        await store(begin, schedule)
        late = fired(over(job, later(-1), ended_at=later(9)), schedule)
        last = fired(over(job, NOON, ended_at=later(5)), schedule)
        await put(begin, last, late)

        assert await rested(begin) == {schedule.id: later(5)}

    async def test_any_end_counts(self, begin: Begin, job: Job) -> None:
        dead, cancelled = at_rest(job, "dead"), at_rest(job, "cancelled")
        await store(begin, dead, cancelled)
        died = fired(running(job), dead)
        died.fail(FAILURE, later(2), retryable=False)
        stopped = fired(queued(job), cancelled)
        stopped.cancel("", later(3))
        await put(begin, quiet(died), quiet(stopped))

        assert await rested(begin) == {dead.id: later(2), cancelled.id: later(3)}

    @pytest.mark.parametrize("cause", [Cause.MANUAL, Cause.RETRY, Cause.BACKFILL])
    async def test_only_runs_of_due_times_count(self, begin: Begin, job: Job, cause: Cause) -> None:
        schedule = at_rest(job)
        await store(begin, schedule)
        beside = running(job, at=later(7), schedule_id=schedule.id, cause=cause)
        await put(begin, fired(over(job, NOON, ended_at=later(5)), schedule), beside)

        assert await rested(begin) == {schedule.id: later(5)}

    async def test_without_any_run_the_last_change_counts(self, begin: Begin, job: Job) -> None:
        schedule = at_rest(job)
        schedule.updated_at = later(3)
        await store(begin, schedule)

        assert await rested(begin) == {schedule.id: later(3)}

    async def test_what_has_something_to_come_does_not_rest(self, begin: Begin, job: Job) -> None:
        to_come = a_schedule(FixedDelay(MINUTE), job=job)
        await store(
            begin, to_come, a_schedule(job=job, name="by the clock"), a_schedule(OnEvent("a"), job=job, name="e")
        )

        assert await rested(begin) == {}

    async def test_nor_what_is_disabled_or_deleted(self, begin: Begin, job: Job) -> None:
        disabled, deleted = at_rest(job, "disabled"), at_rest(job, "deleted")
        await store(begin, disabled, deleted)
        async with begin() as work:
            (await work.schedules.get(ACME, disabled.id)).disable("", now=NOON)
            (await work.schedules.get(ACME, deleted.id)).delete(now=NOON)
            await work.commit()

        assert await rested(begin) == {}

    @pytest.mark.parametrize(
        ("bounds", "ended_at"),
        [
            ({"max_runs": 1}, NOON),
            ({"end_at": later(3)}, later(2)),
            ({"end_at": later(3)}, later(2) + SECOND),
            ({"end_at": NOON + timedelta(microseconds=1)}, NOON - MINUTE),
        ],
    )
    async def test_nor_what_has_come_to_its_end(
        self, begin: Begin, job: Job, bounds: dict[str, Any], ended_at: datetime
    ) -> None:
        schedule = at_rest(job, **bounds)
        await store(begin, schedule)
        await put(begin, fired(over(job, NOON, ended_at=ended_at), schedule))

        assert await rested(begin) == {}

    @pytest.mark.parametrize(("bounds"), [{"max_runs": 2}, {"end_at": later(3)}])
    async def test_until_its_end_it_goes_on(self, begin: Begin, job: Job, bounds: dict[str, Any]) -> None:
        schedule = at_rest(job, **bounds)
        await store(begin, schedule)
        await put(begin, fired(over(job, NOON, ended_at=later(2) - SECOND), schedule))

        assert list(await rested(begin)) == [schedule.id]

    async def test_those_of_all_tenants_and_targets_are_told(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        foreign, mine = at_rest(theirs), at_rest(job)
        await store(begin, theirs, foreign, mine)
        await put(begin, fired(over(a_delivery(HTTP), NOON, ended_at=later(1)), mine))

        assert await rested(begin) == {mine.id: later(1), foreign.id: NOON}

    async def test_no_more_are_told_than_asked_for(self, begin: Begin, job: Job) -> None:
        await store(begin, *(at_rest(job, name) for name in "abc"))

        assert len(await rested(begin, 2)) == 2

    async def test_what_others_hold_is_passed_over_and_does_not_count(self, begin: Begin, job: Job) -> None:
        schedules = [at_rest(job, name) for name in "abc"]
        await store(begin, *schedules)

        async with begin() as holder:
            await holder.schedules.get(ACME, schedules[0].id)
            assert set(await rested(begin, 2)) == {schedules[1].id, schedules[2].id}

    async def test_what_is_told_is_held(self, begin: Begin, job: Job) -> None:
        await store(begin, at_rest(job))

        async with begin() as one:
            assert await one.schedules.rested(10)
            assert await rested(begin) == {}

    async def test_what_goes_on_is_stored_and_is_nobodys_news(self, begin: Begin, job: Job, log: EventLog) -> None:
        schedules = [at_rest(job, name) for name in "ab"]
        await store(begin, *schedules)

        async with begin() as work:
            for schedule, ended_at in await work.schedules.rested(10):
                schedule.run_ended(ended_at)
            await work.commit()

        for schedule in schedules:
            again = await got(begin, schedule)
            due = later(1)
            assert state(again) == state(schedule) | {"next": DueTime(due, due)}
        assert await rested(begin) == {}
        assert await event_types(log) == []

    async def test_once_decided_it_rests_again(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(FixedDelay(MINUTE), job=job))
        async with begin() as work:
            (schedule,) = await work.schedules.due(NOON, 10)
            schedule.decide(NOON)
            assert await work.schedules.advance([(schedule, NOON)], 1)
            await work.commit()

        assert (await got(begin, schedule)).next is None
        assert list(await rested(begin)) == [schedule.id]


async def paused(begin: Begin, now: datetime, limit: int = 100) -> list[ScheduleId]:
    async with begin() as work:
        return [schedule.id for schedule in await work.schedules.paused(now, limit)]


def until(at: datetime, job: Job, name: str = "daily") -> Schedule:
    schedule = a_schedule(job=job, name=name)
    schedule.disable("", now=NOON, until=at)
    schedule.pull_events()
    return schedule


class PausedContract:
    async def test_those_whose_pause_is_over_are_told_the_earliest_first(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        third, first, second = until(later(3), job, "c"), until(later(1), job, "a"), until(later(2), theirs)
        for_good, enabled = until(later(1), job, "d"), a_schedule(job=job, name="e")
        for_good.disable("", now=NOON)
        await store(begin, theirs, third, first, second, for_good, enabled)

        assert await paused(begin, later(1) - SECOND) == []
        assert await paused(begin, later(2)) == [first.id, second.id]
        assert await paused(begin, later(9)) == [first.id, second.id, third.id]
        assert await paused(begin, later(9), 1) == [first.id]

    async def test_what_others_hold_is_passed_over_and_what_is_told_is_held(self, begin: Begin, job: Job) -> None:
        one, other = until(later(1), job, "a"), until(later(2), job, "b")
        await store(begin, one, other)

        async with begin() as holder:
            await holder.schedules.get(ACME, one.id)
            assert await paused(begin, later(2), 1) == [other.id]
        async with begin() as holder:
            assert len(await holder.schedules.paused(later(2), 10)) == 2
            assert await paused(begin, later(2)) == []

    async def test_what_goes_on_is_told_no_more(self, begin: Begin, job: Job, log: EventLog) -> None:
        schedule, deleted = until(later(1), job, "a"), until(later(1), job, "b")
        await store(begin, schedule, deleted)

        async with begin() as work:
            for each in await work.schedules.paused(later(2), 10):
                if each.id == schedule.id:
                    each.resume(now=later(2))
                else:
                    each.delete(now=later(2))
            await work.commit()

        assert await paused(begin, later(9)) == []
        again = await got(begin, schedule)
        assert (again.enabled, again.disabled_until, again.next) == (True, None, DueTime(later(1), later(1)))
        assert sorted(await event_types(log)) == ["schedule.deleted", "schedule.enabled"]


class HoldingContract:
    async def test_nobody_else_makes_runs_of_them_meanwhile(self, begin: Begin, job: Job, somebody_waits: Wait) -> None:
        held, free = (a_schedule(job=job, name=name) for name in "ab")
        await store(begin, held, free)

        async def take(schedule: Schedule) -> Schedule:
            return await got(begin, schedule)

        async with begin() as work:
            await work.schedules.hold([(ACME, held.id)])
            assert (await take(free)).id == free.id
            waiting = asyncio.create_task(take(held))
            await somebody_waits()
            async with begin() as another:
                (mine, yours) = await another.schedules.due(NOON, 10)
                decided = [(each, NOON) for each in (mine, yours)]
                for each in (mine, yours):
                    each.decide(NOON)
                assert [won.id for won in await another.schedules.advance(decided, 1)] == [free.id]
            await work.commit()

        assert (await waiting).id == held.id

    async def test_who_holds_them_may_decide_them(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))

        async with begin() as work:
            (schedule,) = await work.schedules.due(NOON, 10)
            await work.schedules.hold([(ACME, schedule.id)])
            schedule.decide(NOON)
            assert await work.schedules.advance([(schedule, NOON)], 1) == [schedule]
            await work.commit()

        assert (await got(begin, schedule)).runs_made == 1

    async def test_who_does_not_wait_holds_what_is_free(self, begin: Begin, job: Job) -> None:
        held, free, unknown = (a_schedule(job=job, name=name) for name in "abc")
        await store(begin, held, free)
        keys = [(ACME, each.id) for each in (unknown, free, held)]

        async with begin() as work, begin() as another, begin() as third:
            await work.schedules.hold([(ACME, held.id)])
            assert set(await another.schedules.hold_free(keys)) == {(ACME, free.id)}
            assert set(await third.schedules.hold_free(keys)) == set()
            assert set(await work.schedules.hold_free(keys)) == {(ACME, held.id)}
            assert set(await work.schedules.hold_free([])) == set()

    async def test_they_are_held_until_the_end_of_the_work(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            await work.schedules.hold([(ACME, schedule.id)])

        assert await got(begin, schedule)

    async def test_two_that_want_the_same_do_not_wait_in_a_ring(self, begin: Begin, job: Job) -> None:
        schedules = [a_schedule(job=job, name=str(n)) for n in range(10)]
        await store(begin, *schedules)
        keys = [(ACME, schedule.id) for schedule in schedules]

        async def hold(wanted: list[tuple[Any, ScheduleId]]) -> None:
            async with begin() as work:
                await work.schedules.hold(wanted)
                await work.commit()

        await asyncio.gather(*(hold(wanted) for _ in range(4) for wanted in (keys, keys[::-1])))

    async def test_what_is_unknown_or_nothing_is_not_waited_for(self, begin: Begin, job: Job) -> None:
        async with begin() as work:
            await work.schedules.hold([])
            await work.schedules.hold([(ACME, a_schedule(job=job).id)])


class ListeningContract:
    async def test_all_that_listen_are_told_whosever_they_are(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        mine, foreign = a_schedule(OnEvent("orders.*"), job=job), a_schedule(OnEvent("orders.>"), job=theirs)
        await store(begin, theirs, mine, foreign, a_schedule(job=job, name="by the clock"))

        async with begin() as work:
            found = await work.schedules.listening()

        assert {each.id: state(each) for each in found} == {each.id: state(each) for each in (mine, foreign)}

    async def test_what_is_disabled_or_deleted_does_not_listen(self, begin: Begin, job: Job) -> None:
        disabled = a_schedule(OnEvent("a"), job=job, name="disabled", enabled=False)
        deleted = a_schedule(OnEvent("a"), job=job, name="deleted")
        await store(begin, disabled, deleted)
        async with begin() as work:
            (await work.schedules.get(ACME, deleted.id)).delete(now=NOON)
            await work.commit()

        async with begin() as work:
            assert list(await work.schedules.listening()) == []

    async def test_what_comes_to_listen_listens(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        heard = []
        for trigger in (OnEvent("a"), FixedDelay(HOUR)):
            async with begin() as work:
                known = await work.schedules.get(ACME, schedule.id)
                known.change(replace(known.definition, trigger=trigger), now=NOON)
                await work.commit()
            async with begin() as work:
                heard.append([each.id for each in await work.schedules.listening()])

        assert heard == [[schedule.id], []]

    async def test_they_are_not_locked(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(OnEvent("a"), job=job)
        await store(begin, schedule)

        async with begin() as work:
            await work.schedules.listening()
            assert await got(begin, schedule)


class FiredContract:
    async def test_a_schedule_that_was_also_got_knows_when_it_fired(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            await work.schedules.get(ACME, schedule.id)
            await work.schedules.fired([(ACME, schedule.id)], later(1))
            await work.commit()

        assert (await got(begin, schedule)).last_fire_at == later(1)


class TestInMemoryRested(InMemory, RestedContract):
    pass


class TestPostgresRested(OnPostgres, RestedContract):
    pass


class TestInMemoryHolding(InMemory, HoldingContract):
    pass


class TestPostgresHolding(OnPostgres, HoldingContract):
    pass


class TestInMemoryListening(InMemory, ListeningContract):
    pass


class TestPostgresListening(OnPostgres, ListeningContract):
    pass


class TestInMemoryFired(InMemory, FiredContract):
    pass


class TestPostgresFired(OnPostgres, FiredContract):
    pass


class TestInMemoryPaused(InMemory, PausedContract):
    pass


class TestPostgresPaused(OnPostgres, PausedContract):
    pass
