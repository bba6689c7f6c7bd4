"""Runs whose time has come: a first attempt, the next one, or the end of an overlong one."""

from __future__ import annotations

from datetime import timedelta

from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_worker
from tests.unit.application.house import House, states

from rota.application.ports.bus import Control
from rota.application.wake_runs import BATCH, WakeRuns
from rota.domain.attempt import Outcome
from rota.domain.run import TIMEOUT_SLACK
from rota.domain.run_events import RunState

TIMEOUT = 5 * MINUTE


class TestAFirstAttempt:
    async def test_begins_when_the_run_is_due(self, house: House) -> None:
        job = a_job()
        run = a_run(job=job, due_at=NOON + HOUR)
        await house.has(job, run)

        house.clock.set(NOON + HOUR - timedelta(microseconds=1))
        assert await house.handle(WakeRuns()) == 0
        house.clock.set(NOON + HOUR)
        assert await house.handle(WakeRuns()) == 1

        woken = await house.only_run()
        assert (woken.state, woken.attempt, woken.fired_at, woken.queued_at) == (
            RunState.QUEUED,
            1,
            NOON + HOUR,
            NOON + HOUR,
        )
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 1)]

    async def test_begins_once(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job))

        assert [await house.handle(WakeRuns()), await house.handle(WakeRuns())] == [1, 0]
        assert len(await house.taken(job)) == 1

    async def test_waits_while_the_bus_is_down(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job))
        house.lanes.up = False

        assert await house.handle(WakeRuns()) == 0
        assert (await house.only_run()).state is RunState.PENDING

        house.lanes.up = True
        assert await house.handle(WakeRuns()) == 1

    async def test_is_passed_over_while_somebody_else_holds_the_run(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job))
        async with house.begin() as work:
            await work.runs.waking(house.clock.now(), BATCH)

            assert await house.handle(WakeRuns()) == 0

        assert await house.handle(WakeRuns()) == 1

    async def test_goes_with_a_thousand_others_at_most(self, house: House) -> None:
        job = a_job()
        await house.has(job, *(a_run(job=job) for _ in range(BATCH + 1)))

        assert [await house.handle(WakeRuns()) for _ in range(3)] == [BATCH, 1, 0]


class TestTheNextAttempt:
    async def test_begins_when_the_backoff_is_over(self, house: House) -> None:
        job = a_job()
        run = a_run(RunState.RETRYING, job=job)
        await house.has(job, run)

        house.clock.set(NOON + 10 * SECOND - timedelta(microseconds=1))
        assert await house.handle(WakeRuns()) == 0
        house.clock.set(NOON + 10 * SECOND)
        assert await house.handle(WakeRuns()) == 1

        woken = await house.only_run()
        assert (woken.state, woken.attempt, woken.worker_id) == (RunState.QUEUED, 2, None)
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]
        assert house.control.told == []


class TestAnOverlongAttempt:
    async def test_ends_a_while_after_its_time_is_up_and_its_worker_is_told(self, house: House) -> None:
        job, worker = a_job(timeout=TIMEOUT), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)

        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK - timedelta(microseconds=1))
        assert await house.handle(WakeRuns()) == 0
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)
        assert await house.handle(WakeRuns()) == 1

        ended = await house.only_run()
        assert (ended.state, ended.attempts[0].outcome) == (RunState.RETRYING, Outcome.TIMED_OUT)
        assert house.control.told == [
            (ACME, worker.id, Control("TIMEOUT", "the attempt's time is up", run.id, 1)),
        ]
        assert await house.taken(job) == []

    async def test_is_followed_by_the_next_after_the_backoff(self, house: House) -> None:
        job = a_job(timeout=TIMEOUT)
        run = a_run(RunState.RUNNING, job=job)
        await house.has(job, run)
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)
        await house.handle(WakeRuns())

        house.clock.advance(10 * SECOND)
        await house.handle(WakeRuns())

        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]

    async def test_is_the_end_of_the_run_when_it_was_the_last(self, house: House) -> None:
        job = a_job(timeout=TIMEOUT, max_attempts=1)
        await house.has(job, a_run(RunState.RUNNING, job=job))
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)

        await house.handle(WakeRuns())

        dead = await house.only_run()
        assert (dead.state, dead.finished_at, dead.error and dead.error.type) == (
            RunState.DEAD,
            house.clock.now(),
            "Timeout",
        )
        assert (await house.event_types())[-2:] == ["run.failed", "run.dead"]

    async def test_ends_while_the_bus_is_down_too(self, house: House) -> None:
        job = a_job(timeout=TIMEOUT)
        await house.has(job, a_run(RunState.RUNNING, job=job), a_run(job=job))
        house.lanes.up = False
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)

        assert await house.handle(WakeRuns()) == 1

        assert sorted(states(await house.runs())) == [RunState.PENDING, RunState.RETRYING]


async def test_only_workers_of_overlong_attempts_are_told_anything(house: House) -> None:
    job, slow, failed = a_job(timeout=SECOND), a_worker(), a_worker()
    overlong = a_run(RunState.RUNNING, job=job, worker_id=slow.id)
    waits = a_run(RunState.RETRYING, job=job, worker_id=failed.id)
    assert waits.error == FAILURE
    await house.has(job, slow, failed, overlong, waits, a_run(job=job))
    house.clock.advance(MINUTE)

    assert await house.handle(WakeRuns()) == 3

    assert [(worker_id, order.kind, order.run_id) for _, worker_id, order in house.control.told] == [
        (slow.id, "TIMEOUT", overlong.id)
    ]
