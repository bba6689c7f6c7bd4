"""Workers in a store, what was heard of them, and since when anybody could hear."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_beat, a_job, a_worker, next_id
from tests.support.stored import state, store

from rota.application.ports.bus import Lane
from rota.application.ports.hearing import Hearing
from rota.application.ports.reads import Reads
from rota.application.ports.store import Begin
from rota.domain.errors import NotFoundError
from rota.domain.ids import RunId, WorkerId
from rota.domain.worker import Beat, Worker, WorkerSnapshot, WorkerState


async def got(begin: Begin, worker: Worker) -> Worker:
    async with begin() as work:
        return await work.workers.get(worker.tenant_id, worker.id)


async def hear(begin: Begin, worker: Worker, beat: Beat) -> list[WorkerSnapshot]:
    """Those that are to be announced."""
    async with begin() as work:
        to_announce = await work.workers.beat({(worker.tenant_id, worker.id): beat})
        await work.commit()
        return list(to_announce)


async def silent_since(begin: Begin, instant: datetime, limit: int = 100) -> list[WorkerId]:
    async with begin() as work:
        return [worker.id for worker in await work.workers.silent_since(instant, limit)]


class WorkersContract:
    # Keeping them

    @pytest.mark.parametrize("worker_state", WorkerState)
    async def test_a_worker_comes_back_as_it_was(self, begin: Begin, worker_state: WorkerState) -> None:
        worker = a_worker(worker_state, name="½ mill", jobs=("a", "日報"), capabilities=("gpu",), slots=7)

        await store(begin, worker)

        assert state(await got(begin, worker)) == state(worker)

    async def test_changes_come_back(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        async with begin() as work:
            known = await work.workers.get(ACME, worker.id)
            known.drain(now=NOON)
            await work.commit()

        assert state(await got(begin, worker)) == state(known)

    async def test_an_unknown_one_is_not_found(self, begin: Begin) -> None:
        with pytest.raises(NotFoundError):
            await got(begin, a_worker())

    async def test_another_tenants_is_not_found(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        with pytest.raises(NotFoundError):
            async with begin() as work:
                await work.workers.get(GLOBEX, worker.id)

    async def test_those_that_exist_are_loaded_and_not_locked(self, begin: Begin) -> None:
        worker, theirs, unknown = a_worker(), a_worker(tenant_id=GLOBEX), a_worker()
        await store(begin, worker, theirs)
        keys = [(each.tenant_id, each.id) for each in (worker, theirs, unknown, worker)]

        async with begin() as holder, begin() as work:
            await holder.workers.get(ACME, worker.id)
            found = await work.workers.load([*keys, (GLOBEX, worker.id)])
            none = await work.workers.load([])

        assert set(found) == set(keys[:2])
        assert none == {}

    async def test_what_is_got_is_locked(self, begin: Begin, somebody_waits: Wait) -> None:
        worker = a_worker()
        await store(begin, worker)

        async with begin() as work:
            known = await work.workers.get(ACME, worker.id)
            waiting = asyncio.create_task(got(begin, worker))
            await somebody_waits()
            known.drain(now=NOON)
            await work.commit()

        assert (await waiting).state is WorkerState.DRAINING

    # Heartbeats (what they say of runs: the contract of `unnamed`)

    async def test_a_heartbeat_says_when_it_was_heard_and_how_much_it_does(self, begin: Begin) -> None:
        worker = a_worker(slots=20)
        await store(begin, worker)

        await hear(begin, worker, a_beat(NOON + SECOND, running=[RunId(next_id()) for _ in range(3)], slots=8))

        heard = await got(begin, worker)
        assert (heard.last_seen_at, heard.running, heard.slots) == (NOON + SECOND, 3, 8)

    async def test_it_changes_nothing_else_and_is_no_event(self, begin: Begin) -> None:
        worker = a_worker(WorkerState.DRAINING)
        await store(begin, worker)

        await hear(begin, worker, a_beat(NOON + SECOND))

        heard = await got(begin, worker)
        assert (heard.state, heard.seq, heard.name, heard.jobs) == (
            WorkerState.DRAINING,
            worker.seq,
            worker.name,
            worker.jobs,
        )

    async def test_a_worker_that_was_given_up_is_left(self, begin: Begin) -> None:
        worker = a_worker(WorkerState.OFFLINE)
        await store(begin, worker)

        assert await hear(begin, worker, a_beat(NOON + HOUR)) == []

        assert (await got(begin, worker)).last_seen_at == NOON

    async def test_an_unknown_worker_is_left(self, begin: Begin) -> None:
        assert await hear(begin, a_worker(), a_beat()) == []

    async def test_many_are_heard_at_once(self, begin: Begin) -> None:
        workers = [a_worker(), a_worker(), a_worker(tenant_id=GLOBEX)]
        await store(begin, *workers)

        async with begin() as work:
            await work.workers.beat(
                {(each.tenant_id, each.id): a_beat(NOON + n * SECOND) for n, each in enumerate(workers)}
            )
            await work.commit()

        assert [(await got(begin, each)).last_seen_at for each in workers] == [NOON + n * SECOND for n in range(3)]

    async def test_none_heard_is_nothing_done(self, begin: Begin) -> None:
        async with begin() as work:
            assert list(await work.workers.beat({})) == []

    async def test_one_that_comes_late_does_not_take_the_worker_back_in_time(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        await hear(begin, worker, a_beat(NOON + MINUTE))
        await hear(begin, worker, a_beat(NOON + SECOND))

        assert (await got(begin, worker)).last_seen_at == NOON + MINUTE

    async def test_a_heartbeat_that_is_not_committed_was_never_heard(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        async with begin() as work:
            await work.workers.beat({(ACME, worker.id): a_beat(NOON + SECOND)})

        assert (await got(begin, worker)).last_seen_at == NOON

    async def test_a_heartbeat_is_not_undone_by_a_worker_that_was_read_before_it(self, begin: Begin) -> None:
        worker = a_worker(slots=20)
        await store(begin, worker)

        async with begin() as work:
            known = await work.workers.get(ACME, worker.id)
            await work.workers.beat({(ACME, worker.id): a_beat(NOON + SECOND, slots=8)})
            known.drain(now=NOON + SECOND)
            await work.commit()

        heard = await got(begin, worker)
        assert (heard.state, heard.last_seen_at, heard.slots) == (WorkerState.DRAINING, NOON + SECOND, 8)

    async def test_the_first_heartbeat_is_announced_and_then_one_a_minute(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        ages = [0, 3, 59, 60, 63, 119, 121]
        announced = [age for age in ages if await hear(begin, worker, a_beat(NOON + age * SECOND))]

        assert announced == [0, 60, 121]

    async def test_it_is_announced_as_it_was_just_heard(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        (announced,) = await hear(begin, worker, a_beat(NOON + SECOND, slots=8, running=[RunId(next_id())]))

        assert announced == replace(worker.snapshot(), last_seen_at=NOON + SECOND, slots=8, running=1)

    # Silence

    async def test_those_not_heard_since_are_silent_the_longest_first(self, begin: Begin) -> None:
        made = {age: a_worker(now=NOON - age * SECOND) for age in (9, 12, 10, 3)}
        await store(begin, *made.values())

        assert await silent_since(begin, NOON - 9 * SECOND) == [made[12].id, made[10].id]
        assert await silent_since(begin, NOON - 9 * SECOND, 1) == [made[12].id]

    async def test_a_draining_worker_may_be_silent_too(self, begin: Begin) -> None:
        draining, gone = a_worker(WorkerState.DRAINING), a_worker(WorkerState.OFFLINE)
        await store(begin, draining, gone)

        assert await silent_since(begin, NOON + HOUR) == [draining.id]

    async def test_a_worker_that_is_heard_is_not_silent(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)

        await hear(begin, worker, a_beat(NOON + HOUR))

        assert await silent_since(begin, NOON + HOUR) == []

    async def test_the_silent_are_locked_and_can_be_given_up(self, begin: Begin, somebody_waits: Wait) -> None:
        worker = a_worker()
        await store(begin, worker)

        async with begin() as work:
            (silent,) = await work.workers.silent_since(NOON + HOUR, 10)
            hearing = asyncio.create_task(hear(begin, worker, a_beat(NOON + HOUR)))
            await somebody_waits()
            silent.give_up("silent for 9 s", now=NOON + HOUR)
            await work.commit()

        assert await hearing == []
        assert (await got(begin, worker)).state is WorkerState.OFFLINE
        assert (await got(begin, worker)).last_seen_at == NOON

    async def test_one_that_somebody_else_judges_is_passed_over(self, begin: Begin) -> None:
        first, second = a_worker(now=NOON - MINUTE), a_worker()
        await store(begin, first, second)

        async with begin() as work:
            await work.workers.silent_since(NOON + HOUR, 1)
            assert await silent_since(begin, NOON + HOUR, 1) == [second.id]

    async def test_giving_up_is_what_readers_see(self, begin: Begin, reads: Reads) -> None:
        worker = a_worker()
        await store(begin, worker)

        async with begin() as work:
            (silent,) = await work.workers.silent_since(NOON + HOUR, 10)
            silent.give_up("silent for 9 s", now=NOON + HOUR)
            await work.commit()

        assert await reads.worker(ACME, worker.id) == silent.snapshot()

    # Where they fetch from

    async def test_a_lane_is_attended_while_a_worker_that_knows_its_job_is_there(self, begin: Begin) -> None:
        known, other, foreign = a_job("known"), a_job("other"), a_job("known", tenant_id=GLOBEX)
        await store(
            begin,
            known,
            other,
            foreign,
            a_worker(jobs=("known", "never made")),
            a_worker(WorkerState.DRAINING, jobs=("known",)),
            a_worker(WorkerState.OFFLINE, jobs=("other",)),
        )

        async with begin() as work:
            assert list(await work.workers.attended()) == [Lane(ACME, known.id)]

    async def test_a_deleted_job_has_no_lane(self, begin: Begin) -> None:
        job = a_job("gone")
        await store(begin, job, a_worker(jobs=("gone",)))

        async with begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        async with begin() as work:
            assert list(await work.workers.attended()) == []


class HearingContract:
    async def test_before_anybody_listened_nothing_was_heard(self, hearing: Hearing) -> None:
        assert await hearing.span() is None

    async def test_one_that_listens_begins_it(self, hearing: Hearing) -> None:
        await hearing.listened(NOON)

        assert await hearing.span() == (NOON, NOON)

    async def test_who_goes_on_listening_makes_it_longer(self, hearing: Hearing) -> None:
        for second in range(4):
            await hearing.listened(NOON + 2 * second * SECOND)

        assert await hearing.span() == (NOON, NOON + 6 * SECOND)

    async def test_a_gap_of_more_than_two_seconds_begins_it_anew(self, hearing: Hearing) -> None:
        await hearing.listened(NOON)

        await hearing.listened(NOON + 2.1 * SECOND)

        assert await hearing.span() == (NOON + 2.1 * SECOND, NOON + 2.1 * SECOND)

    async def test_one_that_lags_behind_takes_nothing_away(self, hearing: Hearing) -> None:
        await hearing.listened(NOON)
        await hearing.listened(NOON + SECOND)

        await hearing.listened(NOON + 0.5 * SECOND)

        assert await hearing.span() == (NOON, NOON + SECOND)


class TestInMemoryWorkers(InMemory, WorkersContract):
    pass


class TestPostgresWorkers(OnPostgres, WorkersContract):
    pass


class TestInMemoryHearing(InMemory, HearingContract):
    pass


class TestPostgresHearing(OnPostgres, HearingContract):
    pass
