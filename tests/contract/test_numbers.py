"""How much there is of what changes all the time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import ACME, GLOBEX, MINUTE, NOON, a_job, a_job_definition, a_run, a_worker, next_id
from tests.support.stored import store

from rota.application.ports.leases import Leases
from rota.application.ports.log import Cursor, Cursors, EventLog
from rota.application.ports.numbers import AskNumbers
from rota.application.ports.store import Begin
from rota.domain.ids import JobId
from rota.domain.job import Job
from rota.domain.run_events import RunState
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.numbers import InMemoryNumbers
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.numbers import PostgresNumbers


class NumbersContract:
    async def test_nothing_is_nothing(self, numbers: AskNumbers) -> None:
        found = await numbers()

        assert (dict(found.runs), list(found.queues), dict(found.workers)) == ({}, [], {})
        assert (found.slots, found.used, found.relay_lag, dict(found.epochs)) == (0, 0, timedelta(0), {})
        assert found.is_complete

    async def test_runs_that_are_not_final_are_counted_by_state_whatever_they_wait_for(
        self, begin: Begin, numbers: AskNumbers
    ) -> None:
        job = a_job()
        states = (RunState.QUEUED, RunState.QUEUED, RunState.RUNNING, RunState.RETRYING, RunState.SUCCEEDED)
        later = a_run(job=job, due_at=NOON + MINUTE)

        await store(begin, job, a_run(job=job), later, *(a_run(state, job=job) for state in states))

        assert dict((await numbers()).runs) == {
            RunState.PENDING: 2,
            RunState.QUEUED: 2,
            RunState.RUNNING: 1,
            RunState.RETRYING: 1,
        }

    async def test_a_queue_is_as_deep_as_runs_wait_in_it_to_be_carried_out(
        self, begin: Begin, numbers: AskNumbers
    ) -> None:
        mail, other = a_job(queue="mail"), a_job(tenant_id=GLOBEX, queue="mail")
        waiting = [a_run(RunState.QUEUED, job=mail), a_run(job=mail), a_run(RunState.QUEUED, job=other)]

        await store(
            begin, mail, other, *waiting, a_run(RunState.RUNNING, job=mail), a_run(job=mail, due_at=NOON + MINUTE)
        )

        (queue,) = (await numbers()).queues
        assert (queue.queue, queue.depth) == ("mail", 3)
        assert queue.oldest >= timedelta(0)

    async def test_a_priority_makes_nobody_wait_longer(self, begin: Begin, numbers: AskNumbers) -> None:
        job = a_job()

        await store(begin, job, a_run(job=job, priority=9), a_run(job=job, priority=-9))

        with_priorities = (await numbers()).queues[0].oldest
        await store(begin, a_run(job=job))
        assert (await numbers()).queues[0].oldest - with_priorities < MINUTE

    async def test_slots_are_those_of_workers_that_are_there(self, begin: Begin, numbers: AskNumbers) -> None:
        gone = a_worker(slots=100)
        gone.state = WorkerState.OFFLINE

        await store(begin, a_worker(slots=4), a_worker(slots=6), gone)

        found = await numbers()
        assert (found.slots, found.used) == (10, 0)
        assert dict(found.workers) == {WorkerState.ONLINE: 2, WorkerState.OFFLINE: 1}

    async def test_the_relay_lags_by_the_age_of_the_first_event_it_has_not_told(
        self, begin: Begin, numbers: AskNumbers, log: EventLog, cursors: Cursors
    ) -> None:
        await store(begin, Job.create(ACME, JobId(next_id()), a_job_definition(), now=NOON))
        before = (await numbers()).relay_lag
        await cursors.move("relay", Cursor((await log.after(0, 10))[-1].position))

        assert before > timedelta(0)
        assert (await numbers()).relay_lag == timedelta(0)

    async def test_epochs_are_the_leases_own(self, numbers: AskNumbers, leases: Leases) -> None:
        for holder in ("a", "b"):
            await leases.hold("leader", holder, MINUTE)
            await leases.release("leader", holder)

        assert dict((await numbers()).epochs) == {"leader": 2}


class TestInMemoryNumbers(InMemory, NumbersContract):
    @pytest.fixture
    def numbers(self, store: InMemoryStore, leases: InMemoryLeases, cursors: Cursors) -> AskNumbers:
        return InMemoryNumbers(store, leases, cursors, SettableClock(NOON + 2 * MINUTE))


class TestPostgresNumbers(OnPostgres, NumbersContract):
    @pytest.fixture
    def numbers(self, engine: AsyncEngine) -> AskNumbers:
        return PostgresNumbers(engine)

    async def test_where_more_wait_than_are_counted_it_says_so(self, begin: Begin, engine: AsyncEngine) -> None:
        job = a_job()

        await store(begin, job, *(a_run(RunState.QUEUED, job=job) for _ in range(5)))

        found = await PostgresNumbers(engine, most=3)()
        assert (found.is_complete, found.runs[RunState.QUEUED]) == (False, 3)
