"""A run is to stop: at once where nobody is at work on it; else its worker is asked, and has a while to obey."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.builders import ACME, FAILURE, GLOBEX, NOON, SECOND, a_job, a_run, a_worker, next_id
from tests.unit.application.house import House

from rota.application.cancel_run import CancelRun
from rota.application.follow_ends import FollowEnds
from rota.application.judge_workers import JudgeWorkers
from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat, TakeHeartbeats
from rota.application.take_reports import ReportKind
from rota.application.wake_runs import WakeRuns
from rota.domain.attempt import Outcome, Progress
from rota.domain.delivery import Delivery, EventReceiver
from rota.domain.errors import NotFoundError, TransitionError
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.run_life import CANCEL_GRACE
from rota.domain.worker import Worker, WorkerState


def cancel(run: Run, reason: str = "not needed", tenant_id: TenantId = ACME) -> CancelRun:
    return CancelRun(tenant_id=tenant_id, run_id=run.id, reason=reason)


async def has(house: House, state: RunState, *, job: Job | None = None, worker: Worker | None = None) -> Run:
    job = job or a_job()
    run = a_run(state, job=job, worker_id=worker.id if worker else None)
    await house.has(job, *([worker] if worker else []), run)
    return run


def order(run: Run, worker_id: WorkerId, reason: str = "not needed") -> tuple[TenantId, WorkerId, Control]:
    return (ACME, worker_id, Control("CANCEL", reason, run.id, 1))


class TestARunThatNobodyIsAtWorkOn:
    @pytest.mark.parametrize("state", [RunState.PENDING, RunState.QUEUED, RunState.RETRYING])
    async def test_is_cancelled_at_once_and_no_worker_is_told(self, house: House, state: RunState) -> None:
        run = await has(house, state)
        house.clock.advance(SECOND)

        answer = await house.handle(cancel(run))

        over = await house.again(run)
        assert (answer.id, answer.state) == (run.id, RunState.CANCELLED)
        assert (over.state, over.reason, over.finished_at) == (RunState.CANCELLED, "not needed", NOON + SECOND)
        assert (over.cancel_requested_at, over.wake_at, over.rank) == (NOON + SECOND, None, None)
        assert (await house.event_types())[-1] == "run.cancelled"
        assert house.control.told == []

    async def test_never_has_another_attempt(self, house: House) -> None:
        job = a_job()
        run = await has(house, RunState.RETRYING, job=job)
        await house.handle(cancel(run))
        house.clock.advance(60 * SECOND)

        await house.handle(WakeRuns())
        await house.dispatch()

        assert await house.taken(job) == []

    async def test_keeps_the_attempt_that_nobody_started(self, house: House) -> None:
        run = await has(house, RunState.QUEUED)

        await house.handle(cancel(run))

        (ended,) = (await house.again(run)).attempts
        assert (ended.number, ended.worker_id, ended.started_at, ended.outcome) == (1, None, None, Outcome.CANCELLED)

    async def test_is_lost_to_a_worker_that_had_just_taken_it(self, house: House) -> None:
        run = await has(house, RunState.QUEUED)
        await house.handle(cancel(run))

        await house.start(run)

        assert (await house.again(run)).state is RunState.CANCELLED
        assert [(control.kind, control.run_id) for _, _, control in house.control.told] == [("LOST", run.id)]

    async def test_leaves_the_line_at_a_gate(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer"))
        runs = [a_run(job=a_job(concurrency_key="/customer"), payload=Json('{"customer": 7}')) for _ in range(3)]
        await house.has(*runs)
        await house.dispatch()

        await house.handle(cancel(runs[1]))
        await house.succeed(runs[0])
        await house.handle(FollowEnds())
        await house.dispatch()

        assert [(await house.again(run)).state for run in runs] == [
            RunState.SUCCEEDED,
            RunState.CANCELLED,
            RunState.QUEUED,
        ]

    async def test_wakes_the_leader_for_what_waited_for_its_end(self, house: House) -> None:
        run = await has(house, RunState.QUEUED)

        await house.handle(cancel(run))

        assert house.nudge.count == 1

    async def test_may_be_a_delivery(self, house: House) -> None:
        run = a_run(delivery=Delivery(receiver=EventReceiver("orders.paid")))
        await house.has(run)

        await house.handle(cancel(run))

        assert (await house.again(run)).state is RunState.CANCELLED


class TestARunningRun:
    @pytest.fixture
    def worker(self) -> Worker:
        return a_worker()

    @pytest.fixture
    async def run(self, house: House, worker: Worker) -> Run:
        return await has(house, RunState.RUNNING, worker=worker)

    async def test_is_only_asked_and_its_worker_is_told(self, house: House, run: Run, worker: Worker) -> None:
        house.clock.advance(SECOND)

        answer = await house.handle(cancel(run))

        asked = await house.again(run)
        assert (answer.state, answer.cancel_requested_at) == (RunState.RUNNING, NOON + SECOND)
        assert (asked.state, asked.cancel_requested_at, asked.finished_at) == (RunState.RUNNING, NOON + SECOND, None)
        assert house.control.told == [order(run, worker.id)]
        assert (await house.event_types())[-1] == "run.cancelrequested"

    async def test_asked_again_is_told_again_and_nothing_else_changes(
        self, house: House, run: Run, worker: Worker
    ) -> None:
        await house.handle(cancel(run))
        house.clock.advance(SECOND)

        await house.handle(cancel(run, "in a hurry"))

        asked = await house.again(run)
        assert (asked.cancel_requested_at, asked.reason) == (NOON, "not needed")
        assert house.control.told == [order(run, worker.id)] * 2
        assert (await house.event_types()).count("run.cancelrequested") == 1

    async def test_without_a_reason_is_told_so(self, house: House, run: Run, worker: Worker) -> None:
        await house.handle(cancel(run, ""))

        assert house.control.told == [order(run, worker.id, "cancelled")]

    async def test_is_told_again_in_the_answer_to_each_heartbeat_that_names_it(
        self, house: House, run: Run, worker: Worker
    ) -> None:
        assert await beat(house, worker, [run]) == []
        await house.handle(cancel(run))

        for _ in range(2):
            assert await beat(house, worker, [run]) == [Control("CANCEL", "not needed", run.id, 1)]
        assert await beat(house, worker, []) == []

    async def test_is_cancelled_when_its_worker_says_so(self, house: House, run: Run) -> None:
        await house.handle(cancel(run))
        house.clock.advance(SECOND)

        await house.report(ReportKind.CANCELLED, run)

        over = await house.again(run)
        assert (over.state, over.reason, over.finished_at) == (RunState.CANCELLED, "not needed", NOON + SECOND)
        assert [ended.outcome for ended in over.attempts] == [Outcome.CANCELLED]
        assert (await house.event_types())[-1] == "run.cancelled"

    async def test_that_succeeds_first_has_succeeded(self, house: House, run: Run) -> None:
        await house.handle(cancel(run))

        await house.report(ReportKind.SUCCEEDED, run, result=Json("1"))
        await house.report(ReportKind.CANCELLED, run)

        over = await house.again(run)
        assert (over.state, over.result) == (RunState.SUCCEEDED, "1")
        assert "run.cancelled" not in await house.event_types()
        house.clock.advance(2 * CANCEL_GRACE)
        assert await house.handle(WakeRuns()) == 0

    async def test_that_was_cancelled_first_can_succeed_no_more(self, house: House, run: Run) -> None:
        await house.handle(cancel(run))

        await house.report(ReportKind.CANCELLED, run)
        await house.report(ReportKind.SUCCEEDED, run)

        assert (await house.again(run)).state is RunState.CANCELLED
        assert [each.kind for each in house.rejected] == ["SUCCEEDED"]

    @pytest.mark.parametrize("retryable", [True, False])
    async def test_that_fails_is_cancelled_and_not_tried_again(self, house: House, run: Run, retryable: bool) -> None:
        await house.handle(cancel(run))

        await house.fail(run, retryable=retryable)

        over = await house.again(run)
        assert (over.state, over.error) == (RunState.CANCELLED, FAILURE)
        assert (await house.event_types())[-2:] == ["run.failed", "run.cancelled"]

    async def test_that_is_handed_back_is_cancelled_and_not_queued_again(self, house: House, run: Run) -> None:
        await house.handle(cancel(run))

        await house.report(ReportKind.RELEASED, run)

        assert (await house.again(run)).state is RunState.CANCELLED
        assert house.sender.is_idle

    async def test_whose_worker_is_gone_is_cancelled(self, house: House) -> None:
        run = await has(house, RunState.RUNNING, worker=a_worker(WorkerState.OFFLINE))
        await house.handle(cancel(run))

        await house.handle(JudgeWorkers())

        over = await house.again(run)
        assert (over.state, [ended.outcome for ended in over.attempts]) == (RunState.CANCELLED, [Outcome.LOST])


class TestAHandlerThatDoesNotStop:
    @pytest.fixture
    def worker(self) -> Worker:
        return a_worker()

    @pytest.fixture
    async def run(self, house: House, worker: Worker) -> Run:
        run = await has(house, RunState.RUNNING, worker=worker)
        await house.handle(cancel(run))
        return run

    async def test_is_given_up_after_a_grace(self, house: House, run: Run) -> None:
        house.clock.set(NOON + CANCEL_GRACE - SECOND)
        assert await house.handle(WakeRuns()) == 0

        house.clock.set(NOON + CANCEL_GRACE)
        assert await house.handle(WakeRuns()) == 1

        over = await house.again(run)
        assert (over.state, over.finished_at) == (RunState.CANCELLED, NOON + CANCEL_GRACE)
        assert [ended.outcome for ended in over.attempts] == [Outcome.CANCELLED]
        assert (await house.event_types()).count("run.cancelled") == 1

    async def test_is_told_that_it_has_lost_the_run(self, house: House, run: Run, worker: Worker) -> None:
        house.clock.set(NOON + CANCEL_GRACE)
        await house.handle(WakeRuns())

        assert [order.kind for order in await beat(house, worker, [run])] == ["LOST"]

    async def test_gains_no_time_by_acknowledging_or_by_telling_progress(self, house: House, run: Run) -> None:
        house.clock.advance(CANCEL_GRACE - SECOND)
        await house.report(ReportKind.PROGRESS, run, cancelling=True, progress=Progress(0.9))

        house.clock.advance(SECOND)
        await house.handle(WakeRuns())

        assert (await house.again(run)).state is RunState.CANCELLED

    async def test_can_succeed_no_more(self, house: House, run: Run, worker: Worker) -> None:
        house.clock.set(NOON + CANCEL_GRACE)
        await house.handle(WakeRuns())

        await house.succeed(run)

        assert (await house.again(run)).state is RunState.CANCELLED
        assert len(house.rejected) == 1


class TestIsRefused:
    @pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED, RunState.SKIPPED])
    async def test_for_a_run_that_has_ended(self, house: House, state: RunState) -> None:
        run = await has(house, state)
        before = await house.event_types()

        with pytest.raises(TransitionError):
            await house.handle(cancel(run))

        assert (await house.again(run)).state is state
        assert await house.event_types() == before
        assert (house.control.told, house.nudge.count) == ([], 0)

    async def test_for_one_that_nobody_knows(self, house: House) -> None:
        with pytest.raises(NotFoundError):
            await house.handle(CancelRun(tenant_id=ACME, run_id=RunId(next_id())))

    async def test_for_another_tenants(self, house: House) -> None:
        run = await has(house, RunState.QUEUED)

        with pytest.raises(NotFoundError):
            await house.handle(cancel(run, tenant_id=GLOBEX))

        assert (await house.again(run)).state is RunState.QUEUED


async def beat(house: House, worker: Worker, running: Sequence[Run]) -> Sequence[Control]:
    """The answer to a heartbeat that names these runs."""
    said = Heartbeat(
        tenant_id=ACME,
        worker_id=worker.id,
        slots=20,
        running=frozenset(run.id for run in running),
        report_seq=None,
    )
    (orders,) = await house.handle(TakeHeartbeats([said]))
    return orders
