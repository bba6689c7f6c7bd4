"""Runs that Rota delivers itself: which are to be carried out, which were abandoned, and who has nothing to do with them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import (
    EVENT,
    HTTP,
    QUEUE,
    a_delivery,
    ids,
    key_of,
    later,
    now_of,
    over,
    parked,
    put,
    queued,
    ready,
    running,
)
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, a_beat, a_worker, next_id
from tests.support.stored import store

from rota.application.ports.bus import Lane
from rota.application.ports.health import AskStore
from rota.application.ports.leases import Leases, carrier_lease
from rota.application.ports.queued_runs import QueuedRuns
from rota.application.ports.reads import Paging, Reads, RunFilter
from rota.application.ports.store import Begin
from rota.domain.ids import RunId, WorkerId
from rota.domain.job import Job
from rota.domain.run_events import RunState
from rota.domain.worker import WorkerState


async def deliverable(begin: Begin, limit: int = 100) -> list[RunId]:
    async with begin() as work:
        return ids(await work.runs.deliverable(limit))


async def abandoned(begin: Begin, limit: int = 100) -> list[RunId]:
    async with begin() as work:
        return ids(await work.runs.abandoned(limit))


class DeliverableContract:
    async def test_the_longest_queued_come_first_whosever_they_are(self, begin: Begin) -> None:
        runs = [
            queued(a_delivery(receiver), later(-age), tenant_id=tenant_id)
            for receiver, age, tenant_id in ((EVENT, 1, ACME), (HTTP, 3, GLOBEX), (QUEUE, 2, ACME))
        ]
        await put(begin, *runs)

        assert await deliverable(begin) == ids([runs[1], runs[2], runs[0]])
        assert await deliverable(begin, 2) == ids([runs[1], runs[2]])

    async def test_only_what_is_queued_and_no_workers_is(self, begin: Begin, job: Job) -> None:
        to = a_delivery()
        await put(begin, queued(job), ready(to), running(to), over(to), parked(to, "schedule:a"))

        assert await deliverable(begin) == []

    async def test_what_others_hold_is_passed_over_and_does_not_count(self, begin: Begin) -> None:
        first, second = (queued(a_delivery(), later(minute)) for minute in range(2))
        await put(begin, first, second)

        async with begin() as one, begin() as another:
            assert ids(await one.runs.deliverable(1)) == [first.id]
            assert ids(await another.runs.deliverable(1)) == [second.id]
            assert await deliverable(begin) == []

    async def test_what_is_started_is_deliverable_no_more(self, begin: Begin) -> None:
        run = queued(a_delivery())
        await put(begin, run)

        async with begin() as work:
            (known,) = await work.runs.deliverable(1)
            known.start(WorkerId(next_id()), None, NOON)
            await work.commit()

        assert await deliverable(begin) == []
        assert (await now_of(begin, run)).state is RunState.RUNNING


class AbandonedContract:
    CARRIER = WorkerId(next_id())

    async def test_what_is_carried_by_somebody_who_lives_is_not_abandoned(self, begin: Begin, leases: Leases) -> None:
        await leases.hold(carrier_lease(self.CARRIER), "a process", HOUR)
        await put(begin, running(a_delivery(), self.CARRIER))

        assert await abandoned(begin) == []

    @pytest.mark.parametrize("end", ["released", "expired", "never held", "another's"])
    async def test_what_nobody_carries_any_more_is(self, begin: Begin, leases: Leases, end: str) -> None:
        name = carrier_lease(self.CARRIER)
        if end == "released":
            await leases.hold(name, "a process", HOUR)
            await leases.release(name, "a process")
        elif end == "expired":
            await leases.hold(name, "a process", timedelta(seconds=-1))
        elif end == "another's":
            await leases.hold(carrier_lease(WorkerId(next_id())), "a process", HOUR)
        run = running(a_delivery(), self.CARRIER)
        await put(begin, run)

        assert await abandoned(begin) == [run.id]

    async def test_only_deliveries_that_run_are(self, begin: Begin, job: Job) -> None:
        to = a_delivery()
        await put(begin, running(job, self.CARRIER), queued(to), ready(to), over(to))

        assert await abandoned(begin) == []

    async def test_no_more_come_than_asked_for_and_none_that_others_hold(self, begin: Begin) -> None:
        runs = [running(a_delivery(), self.CARRIER) for _ in range(3)]
        await put(begin, *runs)

        async with begin() as holder:
            await holder.runs.load([key_of(runs[0])])
            assert await abandoned(begin, 1) == [runs[1].id]
            assert await abandoned(begin) == ids(runs[1:])

    async def test_what_is_lost_goes_to_somebody_else(self, begin: Begin) -> None:
        run = running(a_delivery(), self.CARRIER)
        await put(begin, run)

        async with begin() as work:
            for lost in await work.runs.abandoned(10):
                lost.lose(NOON, "its carrier is gone")
            await work.commit()

        assert await abandoned(begin) == []
        assert await deliverable(begin) == [run.id]


class NotForWorkersContract:
    """What is done about workers and the bus concerns no delivery."""

    @pytest.fixture
    def on_the_bus(self, queued: QueuedRuns) -> QueuedRuns:
        return queued

    async def test_a_delivery_is_no_orphan(self, begin: Begin) -> None:
        gone = a_worker(WorkerState.OFFLINE)
        await store(begin, gone)
        await put(begin, running(a_delivery(), gone.id))

        async with begin() as work:
            assert await work.runs.orphaned(10) == []

    async def test_nor_does_a_worker_name_it(self, begin: Begin) -> None:
        worker = a_worker()
        await store(begin, worker)
        await put(begin, running(a_delivery(), worker.id))
        for minute in (1, 2):
            async with begin() as work:
                await work.workers.beat({(ACME, worker.id): a_beat(NOON + minute * MINUTE, seq=100)})
                await work.commit()

        async with begin() as work:
            assert await work.runs.unnamed("2026-01-01T00:00:00+00:00", 1000) == []

    async def test_it_should_not_be_on_the_bus(self, begin: Begin, job: Job, on_the_bus: QueuedRuns) -> None:
        work_for_workers = queued(job, later(-1))
        await put(begin, queued(a_delivery(), later(-1)), work_for_workers)

        assert list(await on_the_bus.lanes(NOON)) == [(Lane(ACME, job.id), 1)]
        assert ids(await on_the_bus.page(later(-2), None, 10)) == [work_for_workers.id]
        assert ids(await on_the_bus.send_anew(NOON, None, None, 10)) == [work_for_workers.id]

    async def test_a_job_that_nobody_knows_is_lonely_and_a_receiver_is_not(
        self, begin: Begin, job: Job, ask_store: AskStore
    ) -> None:
        await put(begin, queued(a_delivery()))
        assert (await ask_store()).lonely_jobs == 0

        await put(begin, queued(job), running(job))
        assert (await ask_store()).lonely_jobs == 1

    async def test_readers_see_it_and_no_job_of_it(self, begin: Begin, job: Job, reads: Reads) -> None:
        delivery, other = queued(a_delivery()), queued(job)
        await put(begin, delivery, other)

        everything = await reads.runs(ACME, RunFilter(), Paging())
        of_the_job = await reads.runs(ACME, RunFilter(job=job.definition.name), Paging())

        assert ids(everything.items) == ids([other, delivery])
        assert ids(of_the_job.items) == [other.id]

    async def test_its_changes_take_no_job(self, begin: Begin) -> None:
        run = queued(a_delivery())
        await put(begin, run)

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(run)])).values()
            known.start(WorkerId(next_id()), None, NOON)
            known.succeed(None, NOON)
            await work.commit()

        assert (await now_of(begin, run)).state is RunState.SUCCEEDED


class TestInMemoryDeliverable(InMemory, DeliverableContract):
    pass


class TestPostgresDeliverable(OnPostgres, DeliverableContract):
    pass


class TestInMemoryAbandoned(InMemory, AbandonedContract):
    pass


class TestPostgresAbandoned(OnPostgres, AbandonedContract):
    pass


class TestInMemoryNotForWorkers(InMemory, NotForWorkersContract):
    pass


class TestPostgresNotForWorkers(OnPostgres, NotForWorkersContract):
    pass
