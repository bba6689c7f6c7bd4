"""Intake: a report counts only for the current attempt and from its owner; all others change nothing and are counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import orjson
import pytest
from tests.support.builders import (
    ACME,
    FAILURE,
    GLOBEX,
    HOUR,
    NOON,
    SECOND,
    a_job,
    a_run,
    a_schedule,
    a_worker,
    next_id,
)
from tests.unit.application.house import House

from rota.application.cancel_run import CancelRun
from rota.application.fire_schedules import FireSchedules
from rota.application.ports.bus import ReportMessage
from rota.application.ports.store import Rejected
from rota.application.take_reports import Report, ReportKind, TakeReports
from rota.domain.attempt import Outcome, Progress, RunError
from rota.domain.ids import RunId, WorkerId
from rota.domain.job import Job
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.trigger import FixedDelay
from rota.domain.worker import Worker, WorkerState
from rota.entrypoints.bus.reports import to_take_reports

STARTED, PROGRESS, SUCCEEDED, FAILED, CANCELLED, RELEASED = (
    ReportKind.STARTED,
    ReportKind.PROGRESS,
    ReportKind.SUCCEEDED,
    ReportKind.FAILED,
    ReportKind.CANCELLED,
    ReportKind.RELEASED,
)
FINAL = [SUCCEEDED, FAILED, CANCELLED, RELEASED]

places = count(1)


def a_report(kind: ReportKind, run: Run, worker: Worker, attempt: int = 1, **more: Any) -> Report:
    """`more` is what else a Report says."""
    return Report(
        tenant_id=more.pop("tenant_id", run.tenant_id),
        run_id=run.id,
        attempt=attempt,
        worker_id=worker.id,
        kind=kind,
        place=next(places),
        **more,
    )


async def take(house: House, *reports: Report) -> None:
    await house.handle(TakeReports(reports))


async def a_queued(house: House, *workers: Worker, job: Job | None = None) -> Run:
    job = job or a_job()
    run = a_run(RunState.QUEUED, job=job)
    await house.has(job, run, *workers)
    return run


async def a_running(house: House, worker: Worker, *others: Worker, job: Job | None = None) -> Run:
    job = job or a_job()
    run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
    await house.has(job, worker, *others, run)
    return run


def orders(house: House) -> list[tuple[WorkerId, str, RunId | None, int | None]]:
    return [(worker_id, order.kind, order.run_id, order.attempt) for _, worker_id, order in house.control.told]


async def is_untouched(house: House, run: Run, events: Sequence[str]) -> bool:
    now = await house.run(run.id)
    return (now.state, now.attempt, now.worker_id) == (run.state, run.attempt, run.worker_id) and (
        await house.event_types() == events
    )


class TestStarted:
    async def test_makes_its_worker_the_owner_of_the_attempt(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)
        house.clock.advance(SECOND)
        report = a_report(STARTED, run, worker)

        await take(house, report)

        now = await house.only_run()
        assert (now.state, now.worker_id, now.started_at) == (RunState.RUNNING, worker.id, NOON + SECOND)
        assert now.started_place == report.place
        assert (await house.event_types())[-1] == "run.started"
        assert (house.rejected, house.control.told) == ([], [])

    async def test_of_a_second_worker_changes_nothing_and_is_answered_by_lost(self, house: House) -> None:
        first, second = a_worker(), a_worker()
        run = await a_running(house, first, second)
        before = await house.event_types()

        await take(house, a_report(STARTED, run, second))

        assert await is_untouched(house, run, before)
        assert orders(house) == [(second.id, "LOST", run.id, 1)]
        assert [(each.run_id, each.worker_id, each.kind) for each in house.rejected] == [(run.id, second.id, "STARTED")]

    async def test_of_two_workers_in_one_batch_makes_the_first_the_owner(self, house: House) -> None:
        first, second = a_worker(), a_worker()
        run = await a_queued(house, first, second)

        await take(house, a_report(STARTED, run, first), a_report(STARTED, run, second))

        assert (await house.only_run()).worker_id == first.id
        assert orders(house) == [(second.id, "LOST", run.id, 1)]

    async def test_said_again_by_the_owner_changes_nothing_and_is_not_answered(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        before = await house.event_types()

        await take(house, a_report(STARTED, run, worker))

        assert await is_untouched(house, run, before)
        assert orders(house) == []
        assert len(house.rejected) == 1

    @pytest.mark.parametrize("ended", [RunState.SUCCEEDED, RunState.DEAD, RunState.RETRYING])
    async def test_said_again_after_the_attempt_has_ended_is_not_answered_either(
        self, house: House, ended: RunState
    ) -> None:
        """The stream delivers at least once, so an old message may come behind a later one."""
        job, worker = a_job(), a_worker()
        run = a_run(ended, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        before = await house.event_types()

        await take(house, a_report(STARTED, run, worker))

        assert await is_untouched(house, run, before)
        assert orders(house) == []

    async def test_of_an_attempt_that_is_over_is_answered_by_lost(self, house: House) -> None:
        slow, quick = a_worker(), a_worker()
        run = await a_running(house, slow, quick)
        await take(house, a_report(RELEASED, run, slow), a_report(STARTED, run, quick, attempt=2))
        house.control.told.clear()

        await take(house, a_report(STARTED, run, slow, attempt=1))

        assert orders(house) == [(slow.id, "LOST", run.id, 1)]
        now = await house.only_run()
        assert (now.attempt, now.worker_id) == (2, quick.id)

    async def test_of_an_attempt_that_is_yet_to_come_changes_nothing(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)
        before = await house.event_types()

        await take(house, a_report(STARTED, run, worker, attempt=2))

        assert await is_untouched(house, run, before)
        assert orders(house) == [(worker.id, "LOST", run.id, 2)]

    async def test_of_a_draining_worker_counts(self, house: House) -> None:
        worker = a_worker(WorkerState.DRAINING)
        run = await a_queued(house, worker)

        await take(house, a_report(STARTED, run, worker))

        assert (await house.only_run()).worker_id == worker.id


class TestStartedByAWorkerThatWasGivenUp:
    async def test_ends_the_attempt_without_counting_it_and_makes_the_worker_register(self, house: House) -> None:
        job, worker = a_job(max_attempts=1), a_worker(WorkerState.OFFLINE)
        run = await a_queued(house, worker, job=job)

        await take(house, a_report(STARTED, run, worker))

        now = await house.only_run()
        assert (now.state, now.attempt, now.worker_id) == (RunState.QUEUED, 2, None)
        assert [ended.outcome for ended in now.attempts] == [Outcome.RELEASED]
        assert orders(house) == [(worker.id, "REGISTER", None, None)]
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]

    async def test_so_does_a_worker_that_nobody_knows(self, house: House) -> None:
        run = await a_queued(house)

        await take(house, a_report(STARTED, run, a_worker()))

        assert (await house.only_run()).attempt == 2
        assert [kind for _, kind, _, _ in orders(house)] == ["REGISTER"]

    async def test_and_its_later_words_on_that_attempt_count_for_nothing(self, house: House) -> None:
        worker = a_worker(WorkerState.OFFLINE)
        run = await a_queued(house, worker)

        await take(house, a_report(STARTED, run, worker), a_report(SUCCEEDED, run, worker))

        now = await house.only_run()
        assert (now.state, now.attempt) == (RunState.QUEUED, 2)
        assert [each.kind for each in house.rejected] == ["SUCCEEDED"]


class TestSucceeded:
    async def test_ends_the_run_with_its_result(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        house.clock.advance(SECOND)

        await take(house, a_report(SUCCEEDED, run, worker, result=Json('{"rows": 3}')))

        now = await house.only_run()
        assert (now.state, now.result, now.finished_at) == (RunState.SUCCEEDED, '{"rows": 3}', NOON + SECOND)
        assert (await house.event_types())[-1] == "run.succeeded"

    async def test_twice_counts_once(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        report = a_report(SUCCEEDED, run, worker, result=Json("1"))
        await take(house, report)
        house.clock.advance(SECOND)

        await take(house, report)

        now = await house.only_run()
        assert (now.result, now.finished_at) == ("1", NOON)
        assert (await house.event_types()).count("run.succeeded") == 1
        assert len(house.rejected) == 1

    async def test_twice_in_one_batch_counts_once(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(SUCCEEDED, run, worker), a_report(SUCCEEDED, run, worker))

        assert (await house.event_types()).count("run.succeeded") == 1
        assert len(house.rejected) == 1


class TestFailed:
    async def test_waits_out_the_backoff_and_wakes_the_leader_for_it(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(FAILED, run, worker, error=FAILURE))

        now = await house.only_run()
        assert (now.state, now.error, now.next_attempt_at) == (RunState.RETRYING, FAILURE, NOON + 10 * SECOND)
        assert house.nudge.count == 1
        assert (await house.event_types())[-2:] == ["run.failed", "run.retrying"]

    async def test_the_worker_may_say_how_long_to_wait(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(FAILED, run, worker, error=FAILURE, retry_after=timedelta(seconds=77)))

        assert (await house.only_run()).next_attempt_at == NOON + 77 * SECOND

    async def test_for_good_is_the_end_of_the_run(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(FAILED, run, worker, error=FAILURE, retryable=False))

        now = await house.only_run()
        assert (now.state, now.error) == (RunState.DEAD, FAILURE)
        assert house.nudge.count == 0

    async def test_on_the_last_attempt_is_the_end_of_the_run(self, house: House) -> None:
        job, worker = a_job(max_attempts=1), a_worker()
        run = await a_running(house, worker, job=job)

        await take(house, a_report(FAILED, run, worker, error=FAILURE, retry_after=SECOND))

        assert (await house.only_run()).state is RunState.DEAD

    async def test_with_an_error_that_the_job_does_not_retry_is_the_end_of_the_run(self, house: House) -> None:
        job, worker = a_job(max_attempts=9, not_on=("ValueError", "KeyError")), a_worker()
        run = await a_running(house, worker, job=job)

        await take(house, a_report(FAILED, run, worker, error=RunError("KeyError", "'customer'"), retry_after=SECOND))

        now = await house.only_run()
        assert (now.state, now.error and now.error.type) == (RunState.DEAD, "KeyError")

    async def test_with_another_error_is_tried_again(self, house: House) -> None:
        job, worker = a_job(not_on=("ValueError",)), a_worker()
        run = await a_running(house, worker, job=job)

        await take(house, a_report(FAILED, run, worker, error=RunError("ValueErrorGroup", "two")))

        assert (await house.only_run()).state is RunState.RETRYING

    @pytest.mark.parametrize("retry_after", [None, 45 * SECOND])
    async def test_so_late_that_the_next_attempt_would_overrun_the_deadline_is_the_end_of_the_run(
        self, house: House, retry_after: timedelta | None
    ) -> None:
        job, worker = a_job(deadline=40 * SECOND), a_worker()
        run = await a_running(house, worker, job=job)
        house.clock.advance(30 * SECOND)

        await take(house, a_report(FAILED, run, worker, error=FAILURE, retry_after=retry_after))

        now = await house.only_run()
        assert (now.state, now.error and now.error.type) == (RunState.DEAD, "DeadlineExceeded")
        assert [ended.error for ended in now.attempts] == [FAILURE]

    async def test_before_that_is_tried_again(self, house: House) -> None:
        job, worker = a_job(deadline=40 * SECOND + SECOND), a_worker()
        run = await a_running(house, worker, job=job)
        house.clock.advance(30 * SECOND)

        await take(house, a_report(FAILED, run, worker, error=FAILURE))

        assert (await house.only_run()).next_attempt_at == NOON + 40 * SECOND

    async def test_without_a_reason_counts_too(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(FAILED, run, worker))

        assert (await house.only_run()).error == RunError("Unknown", "the worker gave no reason")


class TestCancelled:
    async def test_ends_a_run_that_was_asked_to_stop(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))

        await take(house, a_report(CANCELLED, run, worker))

        now = await house.only_run()
        assert (now.state, [ended.outcome for ended in now.attempts]) == (RunState.CANCELLED, [Outcome.CANCELLED])
        assert (await house.event_types())[-2:] == ["run.cancelrequested", "run.cancelled"]

    async def test_that_nobody_had_asked_for_is_a_failure(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(CANCELLED, run, worker))

        now = await house.only_run()
        assert (now.state, now.error and now.error.type) == (RunState.RETRYING, "Cancelled")

    async def test_counts_once(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))

        await take(house, a_report(CANCELLED, run, worker), a_report(CANCELLED, run, worker))

        assert (await house.event_types()).count("run.cancelled") == 1
        assert [each.kind for each in house.rejected] == ["CANCELLED"]


class TestTheAcknowledgementOfACancellation:
    """It comes with PROGRESS, with or without any."""

    @pytest.fixture
    def worker(self) -> Worker:
        return a_worker()

    @pytest.fixture
    async def run(self, house: House, worker: Worker) -> Run:
        run = await a_running(house, worker)
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))
        house.clock.advance(SECOND)
        return run

    async def test_is_kept_with_its_time_and_is_nobodys_news(self, house: House, run: Run, worker: Worker) -> None:
        before = await house.event_types()

        await take(house, a_report(PROGRESS, run, worker, cancelling=True))

        now = await house.only_run()
        assert (now.state, now.cancel_requested_at, now.cancel_acknowledged_at) == (
            RunState.RUNNING,
            NOON,
            NOON + SECOND,
        )
        assert await house.event_types() == before
        assert house.rejected == []

    async def test_counts_the_first_time(self, house: House, run: Run, worker: Worker) -> None:
        await take(house, a_report(PROGRESS, run, worker, cancelling=True))
        house.clock.advance(SECOND)

        await take(house, a_report(PROGRESS, run, worker, cancelling=True))

        assert (await house.only_run()).cancel_acknowledged_at == NOON + SECOND

    async def test_may_come_with_progress(self, house: House, run: Run, worker: Worker) -> None:
        await take(house, a_report(PROGRESS, run, worker, cancelling=True, progress=Progress(0.9)))

        now = await house.only_run()
        assert (now.cancel_acknowledged_at, now.progress) == (NOON + SECOND, Progress(0.9))

    async def test_is_not_said_by_progress_alone(self, house: House, run: Run, worker: Worker) -> None:
        await take(house, a_report(PROGRESS, run, worker, progress=Progress(0.9)))

        assert (await house.only_run()).cancel_acknowledged_at is None

    async def test_means_nothing_where_nobody_had_asked(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(PROGRESS, run, worker, cancelling=True))

        assert (await house.only_run()).cancel_acknowledged_at is None

    async def test_counts_for_nothing_from_a_worker_that_is_not_the_owner(self, house: House, run: Run) -> None:
        other = a_worker()
        await house.has(other)

        await take(house, a_report(PROGRESS, run, other, cancelling=True))

        assert (await house.only_run()).cancel_acknowledged_at is None
        assert [each.worker_id for each in house.rejected] == [other.id]

    async def test_is_read_from_the_wire(self, house: House, run: Run, worker: Worker) -> None:
        heard = said(run, worker) | {"kind": "PROGRESS", "cancelling": True}

        await house.handle(to_take_reports([message([heard])]))

        assert (await house.only_run()).cancel_acknowledged_at == NOON + SECOND


class TestReleased:
    async def test_queues_the_run_again_at_once_without_counting_the_attempt(self, house: House) -> None:
        job, worker = a_job(max_attempts=1), a_worker()
        run = await a_running(house, worker, job=job)

        await take(house, a_report(RELEASED, run, worker))

        now = await house.only_run()
        assert (now.state, now.attempt, [ended.outcome for ended in now.attempts]) == (
            RunState.QUEUED,
            2,
            [Outcome.RELEASED],
        )
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]

    async def test_twice_releases_once(self, house: House) -> None:
        job, worker = a_job(), a_worker()
        run = await a_running(house, worker, job=job)
        report = a_report(RELEASED, run, worker)

        await take(house, report)
        await take(house, report)

        assert (await house.only_run()).attempt == 2
        assert len(await house.taken(job)) == 1

    async def test_and_taken_up_by_another_in_one_batch_is_sent_no_more(self, house: House) -> None:
        job, one, two = a_job(), a_worker(), a_worker()
        run = await a_running(house, one, two, job=job)

        await take(house, a_report(RELEASED, run, one), a_report(STARTED, run, two, attempt=2))

        assert (await house.only_run()).worker_id == two.id
        assert await house.taken(job) == []


class TestProgress:
    async def test_is_kept_and_told(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(PROGRESS, run, worker, progress=Progress(0.5, "half")))

        now = await house.only_run()
        assert (now.state, now.progress) == (RunState.RUNNING, Progress(0.5, "half"))
        assert (await house.event_types())[-1] == "run.progressed"

    async def test_of_an_attempt_without_an_owner_changes_nothing(self, house: House) -> None:
        """Only a final report implies STARTED."""
        worker = a_worker()
        run = await a_queued(house, worker)
        before = await house.event_types()

        await take(house, a_report(PROGRESS, run, worker, progress=Progress(0.5)))

        assert await is_untouched(house, run, before)
        assert [each.kind for each in house.rejected] == ["PROGRESS"]


class TestAnImpliedStart:
    async def test_success_before_started(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await take(house, a_report(SUCCEEDED, run, worker))

        now = await house.only_run()
        assert (now.state, now.worker_id, now.started_at) == (RunState.SUCCEEDED, worker.id, NOON)
        assert (await house.event_types())[-2:] == ["run.started", "run.succeeded"]

    async def test_failure_before_started(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await take(house, a_report(FAILED, run, worker, error=FAILURE))

        assert (await house.only_run()).state is RunState.RETRYING
        assert (await house.event_types())[-3:] == ["run.started", "run.failed", "run.retrying"]

    async def test_release_before_started(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await take(house, a_report(RELEASED, run, worker))

        now = await house.only_run()
        assert (now.state, now.attempt) == (RunState.QUEUED, 2)

    async def test_a_stop_before_started_that_nobody_had_asked_for(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await take(house, a_report(CANCELLED, run, worker))

        assert (await house.event_types())[-3:] == ["run.started", "run.failed", "run.retrying"]

    async def test_the_started_that_follows_is_not_answered(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await take(house, a_report(SUCCEEDED, run, worker), a_report(STARTED, run, worker))

        assert orders(house) == []
        assert (await house.only_run()).state is RunState.SUCCEEDED


class TestTheLeaderIsWoken:
    """For what it must do soon: to begin the next attempt, and to let go on what waited for an end."""

    @pytest.mark.parametrize("kind", FINAL)
    @pytest.mark.parametrize(
        "limits", [{"max_concurrent": 1}, {"concurrency_key": "/customer"}], ids=["max_concurrent", "concurrency_key"]
    )
    async def test_by_the_end_of_a_run_that_others_wait_for(
        self, house: House, kind: ReportKind, limits: dict[str, Any]
    ) -> None:
        job, worker = a_job(**limits), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id, payload=Json('{"customer": 7}'))
        await house.has(job, worker, run)

        await take(house, a_report(kind, run, worker, retryable=False))

        assert house.nudge.count == 1

    @pytest.mark.parametrize(
        "more", [{"overlap": Overlap.SKIP}, {"trigger": FixedDelay(HOUR)}], ids=["overlap", "delay"]
    )
    async def test_by_the_end_of_a_run_that_its_schedule_waits_for(self, house: House, more: dict[str, Any]) -> None:
        worker = a_worker()
        await house.has(a_job(), worker, a_schedule(**more))
        await house.handle(FireSchedules(epoch=1))

        await take(house, a_report(SUCCEEDED, await house.only_run(), worker))

        assert house.nudge.count == 1

    async def test_by_the_end_of_no_other(self, house: House) -> None:
        worker = a_worker()
        run = await a_running(house, worker)

        await take(house, a_report(SUCCEEDED, run, worker))

        assert house.nudge.count == 0

    async def test_by_no_word_of_a_run_that_goes_on(self, house: House) -> None:
        job, worker = a_job(max_concurrent=1), a_worker()
        run = await a_queued(house, worker, job=job)

        await take(house, a_report(STARTED, run, worker))
        await take(house, a_report(PROGRESS, run, worker, progress=Progress(0.5)))

        assert house.nudge.count == 0

    async def test_once_for_a_batch(self, house: House) -> None:
        job, worker = a_job(max_concurrent=3), a_worker()
        runs = [a_run(RunState.RUNNING, job=job, worker_id=worker.id) for _ in range(3)]
        await house.has(job, worker, *runs)

        await take(house, *(a_report(SUCCEEDED, run, worker) for run in runs))

        assert house.nudge.count == 1


@pytest.mark.parametrize("kind", [*FINAL, PROGRESS])
class TestWhatDoesNotCount:
    async def test_from_a_worker_that_is_not_the_owner(self, house: House, kind: ReportKind) -> None:
        owner, other = a_worker(), a_worker()
        run = await a_running(house, owner, other)
        before = await house.event_types()

        await take(house, a_report(kind, run, other))

        assert await is_untouched(house, run, before)
        assert [(each.worker_id, each.kind) for each in house.rejected] == [(other.id, kind)]

    async def test_of_an_earlier_attempt(self, house: House, kind: ReportKind) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        await take(house, a_report(RELEASED, run, worker), a_report(STARTED, run, worker, attempt=2))
        now, before = await house.only_run(), await house.event_types()

        await take(house, a_report(kind, run, worker, attempt=1))

        assert await is_untouched(house, now, before)
        assert [(each.attempt, each.kind) for each in house.rejected] == [(1, kind)]

    @pytest.mark.parametrize("over", [RunState.SUCCEEDED, RunState.DEAD, RunState.RETRYING])
    async def test_of_an_attempt_that_has_ended(self, house: House, kind: ReportKind, over: RunState) -> None:
        job, worker = a_job(), a_worker()
        run = a_run(over, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        before = await house.event_types()

        await take(house, a_report(kind, run, worker))

        assert await is_untouched(house, run, before)
        assert len(house.rejected) == 1

    @pytest.mark.parametrize("before_any", [RunState.PENDING, RunState.CANCELLED])
    async def test_of_a_run_that_has_no_attempt(self, house: House, kind: ReportKind, before_any: RunState) -> None:
        job, worker = a_job(), a_worker()
        run = a_run(before_any, job=job)
        await house.has(job, worker, run)
        before = await house.event_types()

        await take(house, a_report(kind, run, worker))

        assert await is_untouched(house, run, before)

    async def test_of_a_run_that_nobody_knows(self, house: House, kind: ReportKind) -> None:
        await take(house, a_report(kind, a_run(RunState.QUEUED), a_worker()))

        assert await house.events() == []
        assert [(each.reason, each.kind) for each in house.rejected] == [("no such run", kind)]

    async def test_of_another_tenants_run(self, house: House, kind: ReportKind) -> None:
        worker = a_worker()
        run = await a_running(house, worker)
        before = await house.event_types()

        await take(house, a_report(kind, run, worker, tenant_id=GLOBEX))

        assert await is_untouched(house, run, before)
        assert [(each.tenant_id, each.reason) for each in house.rejected] == [(GLOBEX, "no such run")]


async def test_a_whole_life_fits_into_one_batch(house: House) -> None:
    worker = a_worker()
    run = await a_queued(house, worker)

    await take(
        house,
        a_report(STARTED, run, worker),
        a_report(PROGRESS, run, worker, progress=Progress(0.5)),
        a_report(RELEASED, run, worker),
        a_report(STARTED, run, worker, attempt=2),
        a_report(SUCCEEDED, run, worker, attempt=2),
    )

    assert await house.event_types() == [
        "run.started",
        "run.progressed",
        "run.queued",
        "run.started",
        "run.succeeded",
    ]
    assert house.rejected == []


async def test_one_report_that_does_not_count_holds_up_no_other(house: House) -> None:
    worker = a_worker()
    run = await a_queued(house, worker)

    await take(house, a_report(SUCCEEDED, a_run(RunState.QUEUED), worker), a_report(SUCCEEDED, run, worker))

    assert (await house.only_run()).state is RunState.SUCCEEDED
    assert len(house.rejected) == 1


class TestWhatCannotBeRead:
    """It is kept with its reason, and what stands beside it is taken."""

    async def test_is_kept(self, house: House) -> None:
        kept = Rejected(tenant_id=ACME, reason="not JSON", body="{")

        await house.handle(TakeReports((), (kept,)))

        assert house.rejected == [kept]

    @pytest.mark.parametrize("body", [b"", b"{", b"null", b"{}", b"17", b"\xff", b'["' + b"\xed\xa0\x80" + b'"]'])
    async def test_a_message_that_is_no_list(self, house: House, body: bytes) -> None:
        await house.handle(to_take_reports([ReportMessage("scheduler.report.acme", body, 1)]))

        (kept,) = house.rejected
        assert kept.tenant_id == ACME
        assert kept.reason
        assert kept.body is not None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "DONE"},
            {"kind": None},
            {"kind": []},
            {"runId": "17"},
            {"runId": 17},
            {"runId": None},
            {"workerId": ["a"]},
            {"attempt": 0},
            {"attempt": "1"},
            {"attempt": 2**40},
            {"error": "it broke"},
            {"error": {"retryAfterSec": "soon"}},
            {"error": {"retryAfterSec": {}}},
            {"progress": "half"},
            {"progress": []},
            {"result": "x" * 300_000},
        ],
        ids=lambda wrong: orjson.dumps(wrong).decode()[:40],
    )
    async def test_a_report_with_a_wrong_field(self, house: House, wrong: dict[str, object]) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)
        good = said(run, worker)

        await house.handle(to_take_reports([message([said(run, worker) | wrong, good])]))

        assert (await house.only_run()).state is RunState.SUCCEEDED
        (kept,) = house.rejected
        assert kept.reason.startswith("unreadable")

    @pytest.mark.parametrize("other", [None, 17, "STARTED", [], ["a"]])
    async def test_an_item_that_is_no_report(self, house: House, other: object) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)

        await house.handle(to_take_reports([message([other, said(run, worker)])]))

        assert (await house.only_run()).state is RunState.SUCCEEDED
        assert len(house.rejected) == 1

    async def test_a_result_nested_without_measure(self, house: House) -> None:
        worker = a_worker()
        run = await a_queued(house, worker)
        deep = b'{"kind":"SUCCEEDED","attempt":1,"runId":"%s","workerId":"%s","result":%s}' % (
            str(next_id()).encode(),
            str(worker.id).encode(),
            b"[" * 600 + b"]" * 600,
        )
        body = b"[" + deep + b"," + orjson.dumps(said(run, worker)) + b"]"

        await house.handle(to_take_reports([ReportMessage("scheduler.report.acme", body, 1)]))

        assert (await house.only_run()).state is RunState.SUCCEEDED
        assert len(house.rejected) == 1


def said(run: Run, worker: Worker) -> dict[str, object]:
    """A success as it stands in a message."""
    return {"runId": str(run.id), "attempt": 1, "workerId": str(worker.id), "kind": "SUCCEEDED"}


def message(reports: Sequence[object]) -> ReportMessage:
    return ReportMessage("scheduler.report.acme", orjson.dumps(reports), 1)
