"""Which runs of a schedule have not ended."""

from __future__ import annotations

import asyncio

from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.contract.given import (
    a_delivery,
    a_keyed_job,
    ids,
    key_of,
    later,
    made,
    now_of,
    over,
    parked,
    put,
    queued,
    quiet,
    ready,
    running,
)
from tests.support.builders import ACME, FAILURE, GLOBEX, NOON, a_job, next_id
from tests.support.stored import store

from rota.application.ports.keys import ScheduleKey
from rota.application.ports.store import Begin
from rota.domain.gates import key_gate, schedule_gate
from rota.domain.ids import ScheduleId
from rota.domain.job import Job
from rota.domain.overlap import Going
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState

SCHEDULE, OTHER = (ScheduleId(next_id()) for _ in range(2))
KEY: ScheduleKey = (ACME, SCHEDULE)


def unfinished(job: Job, schedule_id: ScheduleId = SCHEDULE) -> list[Run]:
    """One of each kind."""
    retrying = running(job, schedule_id=schedule_id)
    retrying.fail(FAILURE, NOON)
    return [
        running(job, schedule_id=schedule_id),
        queued(job, schedule_id=schedule_id),
        ready(job, schedule_id=schedule_id),
        quiet(made(job, due_at=later(1), now=NOON, schedule_id=schedule_id).accept()),
        quiet(retrying),
        parked(job, schedule_gate(schedule_id), schedule_id=schedule_id, cause=Cause.MANUAL),
    ]


async def going(begin: Begin, *keys: ScheduleKey) -> dict[ScheduleKey, Going]:
    async with begin() as work:
        return dict(await work.runs.going(keys))


class GoingContract:
    async def test_all_that_have_not_ended_go_on(self, begin: Begin, job: Job) -> None:
        await put(begin, *unfinished(job), over(job, schedule_id=SCHEDULE), running(job))

        assert await going(begin, KEY) == {KEY: Going(unfinished=6, parked=1, running=1)}

    async def test_each_schedule_has_its_own(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        await put(begin, *unfinished(job), queued(job, schedule_id=OTHER), running(theirs, schedule_id=SCHEDULE))

        found = await going(begin, KEY, (ACME, OTHER), (GLOBEX, SCHEDULE), (GLOBEX, OTHER), KEY)

        assert found == {
            KEY: Going(unfinished=6, parked=1, running=1),
            (ACME, OTHER): Going(unfinished=1),
            (GLOBEX, SCHEDULE): Going(unfinished=1, running=1),
        }

    async def test_schedules_with_none_are_left_out(self, begin: Begin, job: Job) -> None:
        skipped = quiet(made(job, schedule_id=SCHEDULE).accept_skipped("OVERLAP"))
        await put(begin, over(job, schedule_id=SCHEDULE), skipped)

        assert await going(begin, KEY) == {}
        assert await going(begin) == {}

    async def test_who_waits_at_a_keys_gate_does_not_wait_for_the_others(self, begin: Begin) -> None:
        job = a_keyed_job()
        await store(begin, job)
        await put(begin, parked(job, key_gate(job.terms(), '"a"'), customer="a", schedule_id=SCHEDULE))

        assert await going(begin, KEY) == {KEY: Going(unfinished=1)}

    async def test_deliveries_go_on_too(self, begin: Begin) -> None:
        await put(begin, running(a_delivery(), schedule_id=SCHEDULE))

        assert await going(begin, KEY) == {KEY: Going(unfinished=1, running=1)}

    async def test_nothing_is_locked(self, begin: Begin, job: Job) -> None:
        run = running(job, schedule_id=SCHEDULE)
        await put(begin, run)

        async with begin() as one, begin() as another:
            await one.runs.load([key_of(run)])
            assert KEY in await another.runs.going([KEY])
            async with begin() as third:
                assert KEY in await third.runs.going([KEY])


class UnfinishedContract:
    async def test_they_are_handed_out_to_be_changed(self, begin: Begin, job: Job) -> None:
        runs = unfinished(job)
        await put(begin, *runs, over(job, schedule_id=SCHEDULE), running(job))

        async with begin() as work:
            found = await work.runs.unfinished_of([KEY], 100)
            for run in found:
                run.cancel("replaced", NOON)
            await work.commit()

        assert sorted(ids(found)) == sorted(ids(runs))
        assert (await now_of(begin, runs[1])).state is RunState.CANCELLED
        assert await going(begin, KEY) == {KEY: Going(unfinished=1, running=1)}

    async def test_those_of_several_schedules_come_together(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        mine, other, foreign = (running(job, schedule_id=each) for each in (SCHEDULE, OTHER, ScheduleId(next_id())))
        await put(begin, mine, other, foreign, running(theirs, schedule_id=SCHEDULE))

        async with begin() as work:
            found = await work.runs.unfinished_of([KEY, (ACME, OTHER), KEY], 100)
            none = await work.runs.unfinished_of([], 100)

        assert sorted(ids(found)) == sorted(ids([mine, other]))
        assert list(none) == []

    async def test_no_more_come_than_asked_for(self, begin: Begin, job: Job) -> None:
        await put(begin, *unfinished(job), *unfinished(job, OTHER))

        async with begin() as work:
            assert len(await work.runs.unfinished_of([KEY, (ACME, OTHER)], 7)) == 7

    async def test_one_that_ends_while_its_lock_is_waited_for_is_left_out(
        self, begin: Begin, job: Job, somebody_waits: Wait
    ) -> None:
        ends, goes_on = (running(job, schedule_id=SCHEDULE) for _ in range(2))
        await put(begin, ends, goes_on)

        async def ask() -> list[object]:
            async with begin() as work:
                return list(ids(await work.runs.unfinished_of([KEY], 100)))

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(ends)])).values()
            asking = asyncio.create_task(ask())
            await somebody_waits()
            known.succeed(None, NOON)
            await work.commit()

        assert await asking == [goes_on.id]

    async def test_they_are_locked(self, begin: Begin, job: Job, somebody_waits: Wait) -> None:
        run = running(job, schedule_id=SCHEDULE)
        await put(begin, run)

        async def state_of() -> RunState:
            async with begin() as work:
                return (await work.runs.load([key_of(run)]))[key_of(run)].state

        async with begin() as work:
            (known,) = await work.runs.unfinished_of([KEY], 100)
            asking = asyncio.create_task(state_of())
            await somebody_waits()
            known.succeed(None, NOON)
            await work.commit()

        assert await asking is RunState.SUCCEEDED


class TestInMemoryGoing(InMemory, GoingContract):
    pass


class TestPostgresGoing(OnPostgres, GoingContract):
    pass


class TestInMemoryUnfinished(InMemory, UnfinishedContract):
    pass


class TestPostgresUnfinished(OnPostgres, UnfinishedContract):
    pass
