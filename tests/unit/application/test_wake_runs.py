"""Runs whose time has come: for an attempt, or for the end of what has overrun a limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_worker
from tests.unit.application.house import House, states

from rota.application.change_job import ChangeJob
from rota.application.ports.bus import Control
from rota.application.take_reports import ReportKind
from rota.application.wake_runs import BATCH, WakeRuns
from rota.domain.attempt import Outcome, Progress
from rota.domain.job import Job
from rota.domain.run_events import RunState
from rota.domain.run_life import AGEING, TIMEOUT_SLACK

TIMEOUT = 5 * MINUTE
JUST = timedelta(microseconds=1)


class TestAFirstAttempt:
    async def test_begins_when_the_run_is_due(self, house: House) -> None:
        job = a_job()
        run = a_run(job=job, due_at=NOON + HOUR)
        await house.has(job, run)

        house.clock.set(NOON + HOUR - JUST)
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
        await house.has(job, a_run(job=job, due_at=NOON + HOUR))
        house.clock.advance(HOUR)

        assert [await house.handle(WakeRuns()), await house.handle(WakeRuns())] == [1, 0]
        assert len(await house.taken(job)) == 1

    async def test_is_passed_over_while_somebody_else_holds_the_run(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job, due_at=NOON + HOUR))
        house.clock.advance(HOUR)
        async with house.begin() as work:
            await work.runs.waking(house.clock.now(), BATCH)

            assert await house.handle(WakeRuns()) == 0

        assert await house.handle(WakeRuns()) == 1

    async def test_goes_with_a_thousand_others_at_most(self, house: House) -> None:
        job = a_job()
        await house.has(job, *(a_run(job=job, due_at=NOON + HOUR) for _ in range(BATCH + 1)))
        house.clock.advance(HOUR)

        assert [await house.handle(WakeRuns()) for _ in range(3)] == [BATCH, 1, 0]


class TestTheNextAttempt:
    async def test_begins_when_the_backoff_is_over(self, house: House) -> None:
        job = a_job()
        run = a_run(RunState.RETRYING, job=job)
        await house.has(job, run)

        house.clock.set(NOON + 10 * SECOND - JUST)
        assert await house.handle(WakeRuns()) == 0
        house.clock.set(NOON + 10 * SECOND)
        assert await house.handle(WakeRuns()) == 1

        woken = await house.only_run()
        assert (woken.state, woken.attempt, woken.worker_id) == (RunState.QUEUED, 2, None)
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]
        assert house.control.told == []


class TestWithoutCredit:
    """The run is lined up, and gets its turn from whoever gives turns."""

    async def test_a_run_that_comes_due_waits_for_its_turn(self, house: House) -> None:
        job = a_job(max_concurrent=1)
        run = a_run(job=job, due_at=NOON + HOUR)
        await house.has(job, run)
        house.clock.set(NOON + HOUR + MINUTE)

        assert [await house.handle(WakeRuns()), await house.handle(WakeRuns())] == [1, 0]

        waits = await house.only_run()
        assert (waits.state, waits.rank, waits.wake_at) == (RunState.PENDING, NOON + HOUR, None)
        assert await house.taken(job) == []
        assert await house.events() == []
        assert (await house.dispatch()).moved == 1
        assert [item.run_id for item in await house.taken(job)] == [run.id]

    async def test_its_priority_is_worth_so_many_minutes_of_waiting(self, house: House) -> None:
        job = a_job(max_concurrent=1)
        await house.has(job, a_run(job=job, due_at=NOON + HOUR, priority=5))
        house.clock.advance(HOUR)

        await house.handle(WakeRuns())

        assert (await house.only_run()).rank == NOON + HOUR - 5 * AGEING

    async def test_a_backoff_that_is_over_puts_it_behind_those_who_wait_already(self, house: House) -> None:
        job = a_job(max_concurrent=1)
        await house.has(job, a_run(RunState.RETRYING, job=job))
        house.clock.set(NOON + MINUTE)

        await house.handle(WakeRuns())

        waits = await house.only_run()
        assert (waits.state, waits.rank, waits.next_attempt_at) == (RunState.RETRYING, NOON + MINUTE, None)

    async def test_while_the_bus_is_down_every_run_waits_and_none_is_woken_over_and_over(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job, due_at=NOON + SECOND))
        house.clock.advance(SECOND)
        house.lanes.up = False

        assert [await house.handle(WakeRuns()), await house.handle(WakeRuns())] == [1, 0]
        assert (await house.only_run()).state is RunState.PENDING

        house.lanes.up = True
        assert (await house.dispatch()).moved == 1

    @pytest.mark.parametrize(
        ("limits", "looked_at"),
        [
            ({"start_by": 10 * SECOND}, NOON + 10 * SECOND),
            ({"deadline": MINUTE}, NOON + MINUTE),
            ({"start_by": 10 * SECOND, "deadline": MINUTE}, NOON + 10 * SECOND),
        ],
    )
    async def test_it_is_looked_at_again_when_a_limit_ends(
        self, house: House, limits: dict[str, Any], looked_at: object
    ) -> None:
        job = a_job(max_concurrent=1, **limits)
        await house.has(job, a_run(job=job, due_at=NOON, now=NOON - HOUR))

        await house.handle(WakeRuns())

        assert (await house.only_run()).wake_at == looked_at


class TestTooLate:
    """What waits or runs beyond a limit ends; each limit has its own type of error."""

    async def test_a_run_that_was_not_started_in_time_is_dead(self, house: House) -> None:
        job = a_job(start_by=10 * SECOND)
        await house.has(job, a_run(RunState.QUEUED, job=job))

        house.clock.set(NOON + 10 * SECOND - JUST)
        await house.handle(WakeRuns())
        assert (await house.only_run()).state is RunState.QUEUED
        house.clock.set(NOON + 10 * SECOND)
        await house.handle(WakeRuns())

        dead = await house.only_run()
        assert (dead.state, dead.error and dead.error.type) == (RunState.DEAD, "StartByExceeded")
        assert [(ended.number, ended.outcome) for ended in dead.attempts] == [(1, Outcome.TIMED_OUT)]
        assert house.control.told == []

    async def test_one_that_waits_for_its_turn_too_and_it_never_had_an_attempt(self, house: House) -> None:
        job = a_job(start_by=10 * SECOND, max_concurrent=1)
        await house.has(job, a_run(job=job))
        house.clock.set(NOON + 10 * SECOND)

        assert await house.handle(WakeRuns()) == 1

        dead = await house.only_run()
        assert (dead.state, dead.attempts, dead.rank) == (RunState.DEAD, (), None)
        assert await house.event_types() == ["run.dead"]

    async def test_once_started_it_is_never_too_late_to_start(self, house: House) -> None:
        job = a_job(start_by=10 * SECOND)
        run = a_run(RunState.QUEUED, job=job)
        await house.has(job, run)
        await house.start(run)
        await house.fail(run)

        house.clock.set(NOON + 10 * SECOND)
        await house.handle(WakeRuns())

        assert (await house.only_run()).state is RunState.QUEUED

    @pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
    async def test_a_run_beyond_its_deadline_is_dead_whatever_attempts_it_had_left(
        self, house: House, state: RunState
    ) -> None:
        job, worker = a_job(deadline=MINUTE, max_attempts=9), a_worker()
        run = a_run(state, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        house.clock.set(NOON + MINUTE)

        assert await house.handle(WakeRuns()) == 1

        dead = await house.only_run()
        assert (dead.state, dead.error and dead.error.type) == (RunState.DEAD, "DeadlineExceeded")
        assert [order.kind for _, _, order in house.control.told] == (["TIMEOUT"] if state is RunState.RUNNING else [])

    async def test_a_handler_that_says_nothing_for_too_long_has_failed(self, house: House) -> None:
        job = a_job(heartbeat_timeout=10 * SECOND)
        run = a_run(RunState.QUEUED, job=job)
        await house.has(job, run)
        await house.start(run)
        house.clock.set(NOON + 8 * SECOND)
        await house.report(ReportKind.PROGRESS, run, progress=Progress(0.5))

        house.clock.set(NOON + 18 * SECOND - JUST)
        assert await house.handle(WakeRuns()) == 0
        house.clock.set(NOON + 18 * SECOND)
        assert await house.handle(WakeRuns()) == 1

        ended = await house.only_run()
        assert (ended.state, ended.error and ended.error.type) == (RunState.RETRYING, "HeartbeatTimeout")

    async def test_what_a_job_does_not_retry_includes_what_the_server_found(self, house: House) -> None:
        job = a_job(timeout=TIMEOUT, not_on=("Timeout",))
        await house.has(job, a_run(RunState.RUNNING, job=job))
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)

        await house.handle(WakeRuns())

        assert (await house.only_run()).state is RunState.DEAD


class TestALimitThatWasProlonged:
    """The job was changed after the run had been told when to be looked at."""

    async def prolonged(self, house: House, job: Job, **limits: timedelta) -> None:
        await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, **limits))
        )

    async def test_leaves_the_attempt_alone_until_it_ends(self, house: House) -> None:
        job = a_job(timeout=MINUTE)
        await house.has(job, a_run(RunState.RUNNING, job=job))
        await self.prolonged(house, job, timeout=HOUR)

        house.clock.set(NOON + MINUTE + TIMEOUT_SLACK)
        await house.handle(WakeRuns())

        kept = await house.only_run()
        assert (kept.state, kept.wake_at) == (RunState.RUNNING, NOON + HOUR + TIMEOUT_SLACK)
        assert house.control.told == []

    async def test_leaves_a_run_on_the_bus_alone_too_and_sends_it_no_second_time(self, house: House) -> None:
        job = a_job(start_by=MINUTE)
        await house.has(job, a_run(RunState.QUEUED, job=job))
        await self.prolonged(house, job, start_by=HOUR)

        house.clock.set(NOON + MINUTE)
        assert [await house.handle(WakeRuns()), await house.handle(WakeRuns())] == [1, 0]

        kept = await house.only_run()
        assert (kept.state, kept.wake_at) == (RunState.QUEUED, NOON + HOUR)
        assert house.sender.is_idle


class TestAnOverlongAttempt:
    async def test_ends_a_while_after_its_time_is_up_and_its_worker_is_told(self, house: House) -> None:
        job, worker = a_job(timeout=TIMEOUT), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)

        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK - JUST)
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
        await house.has(job, a_run(RunState.RUNNING, job=job))
        house.lanes.up = False
        house.clock.set(NOON + TIMEOUT + TIMEOUT_SLACK)

        assert await house.handle(WakeRuns()) == 1

        assert states(await house.runs()) == [RunState.RETRYING]


async def test_only_workers_of_overlong_attempts_are_told_anything(house: House) -> None:
    job, slow, failed = a_job(timeout=SECOND), a_worker(), a_worker()
    overlong = a_run(RunState.RUNNING, job=job, worker_id=slow.id)
    waits = a_run(RunState.RETRYING, job=job, worker_id=failed.id)
    assert waits.error == FAILURE
    await house.has(job, slow, failed, overlong, waits, a_run(job=job, due_at=NOON + SECOND))
    house.clock.advance(MINUTE)

    assert await house.handle(WakeRuns()) == 3

    assert [(worker_id, order.kind, order.run_id) for _, worker_id, order in house.control.told] == [
        (slow.id, "TIMEOUT", overlong.id)
    ]
