"""One transaction: all or none, its events last, in the order of commits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.contract.adapters import Count, InMemory, OnPostgres, Wait
from tests.contract.given import key_of
from tests.support.builders import (
    ACME,
    HOUR,
    MINUTE,
    NOON,
    a_job,
    a_job_definition,
    a_run,
    a_schedule,
    a_worker,
    next_id,
)
from tests.support.stored import all_events, event_types, store

from rota.application.ports.log import EventLog
from rota.application.ports.reads import JobFilter, Paging, Reads, RunFilter, ScheduleFilter, Upcoming
from rota.application.ports.store import Begin, Rejected
from rota.domain.decision import CatchUp, Miss
from rota.domain.errors import ConcurrentChangeError, NameTakenError, NotFoundError
from rota.domain.ids import JobId, RunId
from rota.domain.job import Job
from rota.domain.misfire import Span
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState

EVERYTHING = Paging(limit=200)


def a_created_job(name: str = "reports.daily") -> Job:
    """With its event still on it."""
    return Job.create(ACME, JobId(next_id()), a_job_definition(name), now=NOON)


def a_queued_run(job: Job) -> Run:
    """With its event still on it."""
    return new_run(ACME, RunId(next_id()), job.terms(), Cause.API, now=NOON).accept_queued()


class UnitOfWorkContract:
    async def test_what_is_not_committed_never_happened(
        self, begin: Begin, reads: Reads, log: EventLog, upcoming: Upcoming, rejections: Count
    ) -> None:
        job, span = a_created_job(), Span(NOON, NOON, 1)
        schedule, worker = a_schedule(job=job), a_worker()

        async with begin() as work:
            work.jobs.add(job)
            work.schedules.add(schedule)
            work.runs.add(a_queued_run(job))
            work.workers.add(worker)
            work.misses.add(Miss(ACME, schedule.id, span, "SKIP", NOON))
            work.catch_ups.add(CatchUp(ACME, schedule.id, 1, span, NOON))
            work.reject([Rejected(tenant_id=ACME, reason="no such run")])

        assert (await reads.jobs(ACME, JobFilter(), EVERYTHING)).items == []
        assert (await reads.schedules(ACME, ScheduleFilter(), EVERYTHING)).items == []
        assert (await reads.runs(ACME, RunFilter(), EVERYTHING)).items == []
        assert (await reads.workers(ACME, EVERYTHING)).items == []
        assert (await reads.misses(ACME, schedule.id, Paging(10))).items == []
        assert not await upcoming.has_catch_ups()
        assert await all_events(log) == []
        assert await rejections() == 0

    async def test_a_change_that_is_not_committed_never_happened(
        self, begin: Begin, reads: Reads, log: EventLog
    ) -> None:
        job = a_job()
        await store(begin, job)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            known.change(replace(known.definition, timeout=HOUR), now=NOON)

        assert (await reads.job(ACME, job.id)).version == 1
        assert await all_events(log) == []

    async def test_an_error_undoes_everything(self, begin: Begin, reads: Reads) -> None:
        with pytest.raises(ZeroDivisionError):
            async with begin() as work:
                work.jobs.add(a_created_job())
                raise ZeroDivisionError

        assert (await reads.jobs(ACME, JobFilter(), EVERYTHING)).items == []

    async def test_nobody_sees_anything_before_the_commit(self, begin: Begin, reads: Reads) -> None:
        job = a_job()
        await store(begin, job)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            known.change(replace(known.definition, timeout=HOUR), now=NOON)
            before = await reads.job(ACME, job.id)
            await work.commit()

        assert before.definition.timeout == 5 * MINUTE
        assert (await reads.job(ACME, job.id)).definition.timeout == HOUR

    async def test_a_commit_that_fails_stores_nothing_at_all(self, begin: Begin, reads: Reads, log: EventLog) -> None:
        job = a_job()
        await store(begin, job)

        with pytest.raises(NameTakenError):
            async with begin() as work:
                work.jobs.add(a_created_job("reports.weekly"))
                work.runs.add(a_queued_run(job))
                work.jobs.add(a_created_job(job.definition.name))
                await work.commit()

        assert [each.id for each in (await reads.jobs(ACME, JobFilter(), EVERYTHING)).items] == [job.id]
        assert (await reads.runs(ACME, RunFilter(), EVERYTHING)).items == []
        assert await all_events(log) == []

    # Events

    async def test_events_are_counted_per_aggregate(self, begin: Begin, log: EventLog) -> None:
        job, worker = a_created_job(), a_worker()
        worker.drain(now=NOON)
        worker.give_up("ended", now=NOON)

        await store(begin, job, worker)

        found = await all_events(log)
        assert [(entry.type, entry.seq) for entry in found if entry.subject == job.id] == [("job.created", 1)]
        assert [(entry.type, entry.seq) for entry in found if entry.subject == worker.id] == [
            ("worker.draining", 1),
            ("worker.offline", 2),
        ]

    async def test_the_count_goes_on_with_the_next_commit(self, begin: Begin, log: EventLog) -> None:
        job = a_created_job()
        run = a_queued_run(job)
        await store(begin, job, run)

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(run)])).values()
            known.start(a_worker().id, 1, NOON)
            known.succeed(None, NOON)
            await work.commit()

        found = [entry for entry in await all_events(log) if entry.subject == run.id]
        assert [(entry.type, entry.seq) for entry in found] == [
            ("run.queued", 1),
            ("run.started", 2),
            ("run.succeeded", 3),
        ]
        assert known.seq == 3

    async def test_an_aggregate_knows_afterwards_how_many_of_its_events_are_stored(self, begin: Begin) -> None:
        job = a_created_job()

        await store(begin, job)

        assert (job.seq, job.pull_events()) == (1, [])

    async def test_an_event_is_stored_with_all_it_says(self, begin: Begin, log: EventLog) -> None:
        job = a_created_job()
        run = new_run(
            ACME,
            RunId(next_id()),
            job.terms(),
            Cause.API,
            now=NOON,
            correlation_id="order 17",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ).accept()

        await store(begin, job, run)

        (entry,) = [entry for entry in await all_events(log) if entry.subject == run.id]
        assert (entry.tenant_id, entry.type, entry.at) == (ACME, "run.created", NOON)
        assert (entry.correlation_id, entry.traceparent) == (run.correlation_id, run.traceparent)
        assert json.loads(entry.data) == {
            "runId": str(run.id),
            "scheduleId": None,
            "job": "reports.daily",
            "state": "PENDING",
            "cause": "API",
            "scheduledFor": "2026-03-02T12:00:00Z",
            "dueAt": "2026-03-02T12:00:00Z",
            "firedAt": None,
            "attempt": 0,
            "workerId": None,
            "reason": None,
            "error": None,
        }

    async def test_every_event_has_an_id_of_its_own(self, begin: Begin, log: EventLog) -> None:
        job = a_created_job()
        await store(begin, job, *(a_queued_run(job) for _ in range(20)))

        assert len({entry.id for entry in await all_events(log)}) == 21

    async def test_positions_rise_in_the_order_of_commits(self, begin: Begin, log: EventLog) -> None:
        first, second = a_created_job("first"), a_created_job("second")

        async with begin() as earlier:
            earlier.jobs.add(first)
            await store(begin, second)
            await earlier.commit()

        found = await all_events(log)
        assert [entry.subject for entry in found] == [second.id, first.id]
        assert found[0].position < found[1].position

    async def test_what_did_not_change_says_nothing(self, begin: Begin, log: EventLog) -> None:
        job = a_job()
        run = a_run(job=job)
        await store(begin, job, run)

        async with begin() as work:
            await work.jobs.get(ACME, job.id)
            await work.runs.load([key_of(run)])
            await work.commit()

        assert await event_types(log) == []

    # Those who want the same

    async def test_those_who_get_the_same_thing_take_turns(self, begin: Begin, reads: Reads) -> None:
        job = a_job()
        await store(begin, job)

        async def lengthen() -> None:
            async with begin() as work:
                known = await work.jobs.get(ACME, job.id)
                known.change(replace(known.definition, timeout=known.definition.timeout + MINUTE), now=NOON)
                await work.commit()

        await asyncio.gather(*(lengthen() for _ in range(4)))

        assert (await reads.job(ACME, job.id)).definition.timeout == 9 * MINUTE

    async def test_who_waited_sees_what_the_other_made_of_it(self, begin: Begin, somebody_waits: Wait) -> None:
        job = a_job()
        await store(begin, job)

        async def look() -> int:
            async with begin() as work:
                return (await work.jobs.get(ACME, job.id)).version

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            looking = asyncio.create_task(look())
            await somebody_waits()
            known.change(replace(known.definition, timeout=HOUR), now=NOON)
            await work.commit()

        assert await looking == 2

    async def test_what_is_deleted_while_one_waits_is_not_found(self, begin: Begin, somebody_waits: Wait) -> None:
        job = a_job()
        await store(begin, job)

        async def look() -> Job:
            async with begin() as work:
                return await work.jobs.get(ACME, job.id)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            looking = asyncio.create_task(look())
            await somebody_waits()
            known.delete(now=NOON)
            await work.commit()

        with pytest.raises(NotFoundError):
            await looking

    async def test_leaving_lets_the_next_one_in(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job)

        async with begin() as work:
            await work.jobs.get(ACME, job.id)

        async with begin() as work:
            assert await work.jobs.get(ACME, job.id)

    async def test_a_commit_lets_the_next_one_in_at_once(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job)

        async with asyncio.timeout(5), begin() as first:
            await first.jobs.get(ACME, job.id)
            await first.commit()
            async with begin() as second:
                assert await second.jobs.get(ACME, job.id)

    async def test_of_two_that_wait_for_each_other_one_gives_way(self, begin: Begin, somebody_waits: Wait) -> None:
        one, other = a_job("one"), a_job("other")
        await store(begin, one, other)

        async def take_both(first: Job, second: Job, ready: asyncio.Barrier) -> None:
            async with begin() as work:
                await work.jobs.get(ACME, first.id)
                await ready.wait()
                await work.jobs.get(ACME, second.id)
                await work.commit()

        ready = asyncio.Barrier(2)
        outcomes = await asyncio.gather(
            take_both(one, other, ready), take_both(other, one, ready), return_exceptions=True
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConcurrentChangeError", "NoneType"]

    async def test_the_later_of_two_writers_that_did_not_wait_fails(self, begin: Begin, reads: Reads) -> None:
        job = a_job(from_registration=True)
        await store(begin, job)

        async with begin() as late, begin() as early:
            (seen_late,) = (await late.jobs.named(ACME, [job.definition.name])).values()
            (seen_early,) = (await early.jobs.named(ACME, [job.definition.name])).values()
            seen_early.register(replace(job.definition, timeout=HOUR), now=NOON)
            await early.commit()
            seen_late.register(replace(job.definition, timeout=MINUTE), now=NOON)
            with pytest.raises(ConcurrentChangeError):
                await late.commit()

        assert (await reads.job(ACME, job.id)).definition.timeout == HOUR

    async def test_what_is_asked_for_twice_is_one_thing(self, begin: Begin) -> None:
        job = a_job()
        run = a_run(RunState.QUEUED, job=job)
        await store(begin, job, run)

        async with begin() as work:
            (first,) = (await work.runs.load([key_of(run)])).values()
            first.start(a_worker().id, 1, NOON)
            (second,) = (await work.runs.load([key_of(run)])).values()

            assert second is first

    # Rejected reports

    async def test_reports_that_changed_nothing_are_counted(self, begin: Begin, rejections: Count) -> None:
        async with begin() as work:
            work.reject([Rejected(tenant_id=ACME, reason="no such run", run_id=RunId(next_id()), attempt=2)])
            work.reject([Rejected(tenant_id=ACME, reason="unreadable", body="{", kind="STARTED", worker_id=next_id())])
            await work.commit()

        assert await rejections() == 2


class TestInMemoryUnitOfWork(InMemory, UnitOfWorkContract):
    pass


class TestPostgresUnitOfWork(OnPostgres, UnitOfWorkContract):
    pass
