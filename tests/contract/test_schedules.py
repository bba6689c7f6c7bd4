"""Schedules in a store: names, what is due, and the compare-and-set by which a due time becomes somebody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import got
from tests.support.builders import (
    ACME,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    a_schedule,
    next_id,
)
from tests.support.stored import event_types, state, store

from rota.application.ports.log import EventLog
from rota.application.ports.reads import Paging, Reads, RunFilter
from rota.application.ports.store import Begin
from rota.domain.errors import NameTakenError, NotFoundError
from rota.domain.ids import RunId
from rota.domain.job import Job
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.payload import Json
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.trigger import Cron, FixedRate, OneShot


async def due(begin: Begin, now: datetime, limit: int = 100) -> Sequence[Schedule]:
    async with begin() as work:
        return await work.schedules.due(now, limit)


def decide(schedule: Schedule, now: datetime) -> tuple[Schedule, datetime]:
    """The schedule, decided, with the `due_at` it was read with."""
    assert schedule.next is not None
    read_due = schedule.next.due_at
    schedule.decide(now)
    return schedule, read_due


async def advance(begin: Begin, *decided: tuple[Schedule, datetime], epoch: int = 1) -> list[Schedule]:
    """Those that were stored."""
    async with begin() as work:
        won = await work.schedules.advance(decided, epoch)
        await work.commit()
        return list(won)


async def change(begin: Begin, schedule: Schedule) -> None:
    async with begin() as work:
        known = await work.schedules.get(schedule.tenant_id, schedule.id)
        known.change(replace(known.definition, description="changed"), now=NOON)
        await work.commit()


async def delete(begin: Begin, schedule: Schedule) -> None:
    async with begin() as work:
        known = await work.schedules.get(schedule.tenant_id, schedule.id)
        known.delete(now=NOON)
        await work.commit()


class SchedulesContract:
    # Keeping them

    @pytest.mark.parametrize(
        "trigger",
        [Cron("0 9 * * 1-5"), OneShot(NOON + HOUR), OneShot(datetime(2026, 3, 2, 14)), FixedRate(90 * SECOND)],
    )
    async def test_a_schedule_comes_back_as_it_was(
        self, begin: Begin, job: Job, trigger: Cron | OneShot | FixedRate
    ) -> None:
        schedule = a_schedule(
            trigger,
            job=job,
            tz="Europe/Berlin",
            payload=Json('{"kind": "full",  "rows": 1e2}'),
            labels={"team": "bi", "größe": "½"},
            policy=MisfirePolicy.FIRE_ALL,
            grace=1.5 * SECOND,
            catchup_window=HOUR,
            start_at=NOON,
            end_at=NOON + 48 * HOUR,
            max_runs=7,
        )

        await store(begin, schedule)

        assert state(await got(begin, schedule)) == state(schedule)

    async def test_an_ordinary_one_comes_back_too(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job, enabled=False)

        await store(begin, schedule)

        assert state(await got(begin, schedule)) == state(schedule)

    async def test_changes_come_back(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            known.decide(NOON)
            known.change(replace(known.definition, trigger=Cron("*/5 * * * *"), labels={"a": "b"}), now=NOON)
            known.disable("holidays", now=NOON + SECOND)
            await work.commit()

        assert state(await got(begin, schedule)) == state(known)

    async def test_deciding_alone_is_a_change(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            known.decide(NOON)
            await work.commit()

        again = await got(begin, schedule)
        assert (again.next, again.last_fire_at, again.runs_made) == (known.next, NOON, 1)

    async def test_it_has_the_terms_that_its_job_has_now(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            known.change(replace(known.definition, timeout=HOUR), now=NOON)
            await work.commit()

        assert (await got(begin, schedule)).definition.target.job.timeout == HOUR

    # Finding them

    async def test_an_unknown_one_is_not_found(self, begin: Begin, job: Job) -> None:
        with pytest.raises(NotFoundError):
            await got(begin, a_schedule(job=job))

    async def test_another_tenants_is_not_found(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        with pytest.raises(NotFoundError):
            async with begin() as work:
                await work.schedules.get(GLOBEX, schedule.id)

    async def test_a_deleted_one_is_not_found(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        await delete(begin, schedule)

        with pytest.raises(NotFoundError):
            await got(begin, schedule)

    # Names

    async def test_a_name_is_taken_once(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job, name="daily"))

        with pytest.raises(NameTakenError) as refusal:
            await store(begin, a_schedule(job=job, name="daily"))

        assert (refusal.value.kind, refusal.value.name) == ("schedule", "daily")

    async def test_also_within_one_unit_of_work(self, begin: Begin, job: Job) -> None:
        with pytest.raises(NameTakenError):
            await store(begin, a_schedule(job=job, name="daily"), a_schedule(job=job, name="daily"))

    async def test_another_tenant_may_have_it_too(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)

        await store(begin, a_schedule(job=job, name="daily"), theirs, a_schedule(job=theirs, name="daily"))

    async def test_the_name_of_a_deleted_one_is_free_again(self, begin: Begin, job: Job) -> None:
        deleted = a_schedule(job=job, name="daily")
        await store(begin, deleted)
        await delete(begin, deleted)

        again = a_schedule(job=job, name="daily")
        await store(begin, again)

        assert (await got(begin, again)).definition.name == "daily"

    async def test_a_name_that_is_taken_cannot_be_changed_to(self, begin: Begin, job: Job) -> None:
        taken, other = a_schedule(job=job, name="daily"), a_schedule(job=job, name="weekly")
        await store(begin, taken, other)

        with pytest.raises(NameTakenError):
            async with begin() as work:
                known = await work.schedules.get(ACME, other.id)
                known.change(replace(known.definition, name="daily"), now=NOON)
                await work.commit()

        assert (await got(begin, other)).definition.name == "weekly"

    async def test_a_name_that_was_changed_is_free(self, begin: Begin, job: Job) -> None:
        renamed = a_schedule(job=job, name="daily")
        await store(begin, renamed)

        async with begin() as work:
            known = await work.schedules.get(ACME, renamed.id)
            known.change(replace(known.definition, name="weekly"), now=NOON)
            await work.commit()

        await store(begin, a_schedule(job=job, name="daily"))

    @pytest.mark.parametrize("name", ["a, (b)=(c) 'd' \"e\"", "x" * 200, "日報 ½"])
    async def test_any_name_is_told_as_it_is(self, begin: Begin, job: Job, name: str) -> None:
        await store(begin, a_schedule(job=job, name=name))

        with pytest.raises(NameTakenError) as refusal:
            await store(begin, a_schedule(job=job, name=name))

        assert refusal.value.name == name

    # What is due

    async def test_the_longest_overdue_come_first_and_no_more_than_asked_for(self, begin: Begin, job: Job) -> None:
        made = {age: a_schedule(OneShot(NOON - age * MINUTE), job=job, name=f"{age}") for age in (2, 3, 1, 0)}
        await store(begin, *made.values())

        found = await due(begin, NOON, 3)

        assert [schedule.id for schedule in found] == [made[age].id for age in (3, 2, 1)]

    async def test_a_schedule_is_due_from_its_instant_on(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(OneShot(NOON), job=job)
        await store(begin, schedule)

        assert await due(begin, NOON - SECOND) == []
        assert [each.id for each in await due(begin, NOON)] == [schedule.id]

    async def test_those_of_all_tenants_are_due(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs, a_schedule(job=job), a_schedule(job=theirs))

        assert {each.tenant_id for each in await due(begin, NOON)} == {ACME, GLOBEX}

    async def test_what_is_disabled_or_deleted_or_spent_is_not_due(self, begin: Begin, job: Job) -> None:
        disabled = a_schedule(job=job, name="disabled", enabled=False)
        deleted = a_schedule(job=job, name="deleted")
        spent = a_schedule(OneShot(NOON), job=job, name="spent")
        spent.decide(NOON)
        await store(begin, disabled, deleted, spent)
        await delete(begin, deleted)

        assert await due(begin, NOON + HOUR) == []

    async def test_what_is_due_is_not_locked(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        async with begin() as work:
            await work.schedules.due(NOON, 10)
            await change(begin, schedule)

        assert (await got(begin, schedule)).version == 2

    # Compare-and-set

    async def test_what_stands_as_it_was_read_is_stored(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)

        won = await advance(begin, decide(schedule, NOON), epoch=3)

        assert won == [schedule]
        again = await got(begin, schedule)
        assert (again.next, again.decided_to, again.last_fire_at) == (
            DueTime(NOON + MINUTE, NOON + MINUTE),
            NOON,
            NOON,
        )
        assert (again.runs_made, again.fired_epoch, again.version) == (1, 3, 1)

    async def test_of_two_that_decide_the_same_one_wins(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (mine,), (yours,) = await due(begin, NOON), await due(begin, NOON)

        assert await advance(begin, decide(mine, NOON)) == [mine]
        assert await advance(begin, decide(yours, NOON)) == []

    async def test_a_schedule_that_was_changed_is_not_stored(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        await change(begin, schedule)

        assert await advance(begin, decide(schedule, NOON)) == []

        assert (await got(begin, schedule)).definition.description == "changed"

    async def test_also_when_the_change_left_its_due_time(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(OneShot(NOON), job=job))
        (schedule,) = await due(begin, NOON)
        await change(begin, schedule)
        again = await got(begin, schedule)

        assert again.next == schedule.next
        assert await advance(begin, decide(schedule, NOON)) == []

    async def test_nor_one_that_was_disabled(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).disable("", now=NOON)
            await work.commit()

        assert await advance(begin, decide(schedule, NOON)) == []

    async def test_nor_one_that_was_deleted(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        await delete(begin, schedule)

        assert await advance(begin, decide(schedule, NOON)) == []

    async def test_nor_one_that_was_settled_by_somebody_else(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).decide(NOON)
            await work.commit()

        assert await advance(begin, decide(schedule, NOON)) == []

    async def test_nor_one_that_a_later_leader_has_touched(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        assert await advance(begin, decide(schedule, NOON), epoch=2) == [schedule]
        (schedule,) = await due(begin, NOON + MINUTE)

        assert await advance(begin, decide(schedule, NOON + MINUTE), epoch=1) == []
        (schedule,) = await due(begin, NOON + MINUTE)
        assert await advance(begin, decide(schedule, NOON + MINUTE), epoch=2) == [schedule]

    async def test_one_that_lost_does_not_hold_up_the_others(self, begin: Begin, job: Job) -> None:
        await store(begin, *(a_schedule(job=job, name=name) for name in "abc"))
        read = await due(begin, NOON)
        await change(begin, read[1])

        won = await advance(begin, *(decide(schedule, NOON) for schedule in read))

        assert {each.id for each in won} == {read[0].id, read[2].id}

    async def test_one_that_somebody_else_holds_is_passed_over(self, begin: Begin, job: Job) -> None:
        await store(begin, *(a_schedule(job=job, name=name) for name in "ab"))
        held, free = await due(begin, NOON)

        async with begin() as other:
            await other.schedules.get(ACME, held.id)
            won = await advance(begin, decide(held, NOON), decide(free, NOON))

        assert won == [free]
        assert (await got(begin, held)).runs_made == 0

    async def test_what_was_missed_is_told_of_those_that_were_stored(
        self, begin: Begin, job: Job, log: EventLog
    ) -> None:
        await store(begin, *(a_schedule(job=job, name=name, policy=MisfirePolicy.SKIP) for name in "ab"))
        stored, lost = await due(begin, NOON + HOUR + 40 * SECOND)
        await change(begin, lost)

        won = await advance(begin, *(decide(each, NOON + HOUR + 40 * SECOND) for each in (stored, lost)))

        assert [(each.id, each.seq) for each in won] == [(stored.id, 1)]
        assert await event_types(log) == ["schedule.updated", "run.missed"]
        assert (await got(begin, stored)).seq == 1

    async def test_an_advance_that_is_not_committed_never_happened(self, begin: Begin, job: Job) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)

        async with begin() as work:
            assert await work.schedules.advance([decide(schedule, NOON)], 1)

        (again,) = await due(begin, NOON)
        assert (again.runs_made, again.fired_epoch) == (0, 0)

    async def test_its_runs_are_stored_with_it(self, begin: Begin, job: Job, reads: Reads) -> None:
        await store(begin, a_schedule(job=job))
        (schedule,) = await due(begin, NOON)
        read_due = DueTime(NOON, NOON)

        async with begin() as work:
            won = await work.schedules.advance([decide(schedule, NOON)], 4)
            work.runs.add(won[0].run_for(read_due, RunId(next_id()), now=NOON, epoch=4).accept_queued())
            await work.commit()

        (run,) = (await reads.runs(ACME, RunFilter(), Paging())).items
        assert (run.schedule_id, run.scheduled_for, run.cause, run.fired_epoch) == (
            schedule.id,
            NOON,
            Cause.SCHEDULE,
            4,
        )

    async def test_advancing_nothing_is_nothing(self, begin: Begin) -> None:
        assert await advance(begin) == []

    # Revisions

    async def test_an_earlier_revision_can_be_read(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job, payload=Json("[1]"))
        await store(begin, schedule)
        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            target = replace(known.definition.target, payload=Json("[2]"))
            known.change(replace(known.definition, trigger=FixedRate(HOUR), target=target), now=NOON)
            await work.commit()

        async with begin() as work:
            after, before = await work.schedules.at_revisions([(ACME, schedule.id, 2), (ACME, schedule.id, 1)])

        assert before.definition == schedule.definition
        assert after.definition == known.definition

    async def test_also_of_a_schedule_that_is_deleted(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        await delete(begin, schedule)

        async with begin() as work:
            assert (await work.schedules.at_revisions([(ACME, schedule.id, 1)]))[0].definition == schedule.definition

    async def test_reading_a_revision_changes_nothing(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        await change(begin, schedule)

        async with begin() as work:
            await work.schedules.at_revisions([(ACME, schedule.id, 1)])
            await work.commit()

        assert (await got(begin, schedule)).definition.description == "changed"

    async def test_a_revision_that_never_was_is_not_found(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        for tenant_id, revision in ((ACME, 2), (GLOBEX, 1)):
            with pytest.raises(NotFoundError):
                async with begin() as work:
                    await work.schedules.at_revisions([(tenant_id, schedule.id, revision)])


class TestInMemorySchedules(InMemory, SchedulesContract):
    pass


class TestPostgresSchedules(OnPostgres, SchedulesContract):
    pass
