"""What a heartbeat tells of its worker, and what the worker is told in answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, SECOND, a_job, a_run, a_worker, next_id
from tests.unit.application.house import House

from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat, TakeHeartbeats
from rota.application.wake_runs import WakeRuns
from rota.domain.ids import RunId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.run_life import TIMEOUT_SLACK
from rota.domain.worker import ReportSeq, Worker, WorkerState


def a_heartbeat(
    worker: Worker, running: Iterable[Run] = (), *, slots: int = 20, draining: bool = False, seq: int = 1
) -> Heartbeat:
    return Heartbeat(
        tenant_id=worker.tenant_id,
        worker_id=worker.id,
        slots=slots,
        running=frozenset(run.id for run in running),
        report_seq=ReportSeq("2026-01-01T00:00:00+00:00", seq),
        draining=draining,
    )


async def beat(house: House, *beats: Heartbeat) -> Sequence[Sequence[Control]]:
    return await house.handle(TakeHeartbeats(beats))


def told(orders: Sequence[Control]) -> list[tuple[str, RunId | None, int | None]]:
    return [(order.kind, order.run_id, order.attempt) for order in orders]


class TestWhatItTells:
    async def test_that_the_worker_lives(self, house: House) -> None:
        worker, run = a_worker(), a_run(RunState.QUEUED, job=a_job())
        await house.has(a_job(), worker, run)
        house.clock.advance(3 * SECOND)

        assert await beat(house, a_heartbeat(worker, [run], slots=7)) == [[]]

        seen = await house.reads.worker(ACME, worker.id)
        assert (seen.last_seen_at, seen.slots, seen.running, seen.state) == (
            NOON + 3 * SECOND,
            7,
            1,
            WorkerState.ONLINE,
        )

    async def test_is_in_no_log(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)

        await beat(house, a_heartbeat(worker))

        assert await house.events() == []

    async def test_is_announced_at_first_and_then_once_a_minute(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)

        for _ in range(41):  # two minutes
            await beat(house, a_heartbeat(worker))
            house.clock.advance(3 * SECOND)

        assert [(each.id, at) for each, at in house.announce.announced] == [
            (worker.id, NOON),
            (worker.id, NOON + 60 * SECOND),
            (worker.id, NOON + 120 * SECOND),
        ]

    async def test_each_of_a_batch_gets_its_own_answer(self, house: House) -> None:
        well, gone, draining = a_worker(), a_worker(WorkerState.OFFLINE), a_worker(WorkerState.DRAINING)
        await house.has(well, gone, draining)

        answers = await beat(house, a_heartbeat(draining), a_heartbeat(well), a_heartbeat(gone))

        assert [told(orders) for orders in answers] == [
            [("DRAIN", None, None)],
            [],
            [("REGISTER", None, None)],
        ]


class TestRegister:
    async def test_is_told_to_a_worker_that_was_given_up(self, house: House) -> None:
        worker = a_worker(WorkerState.OFFLINE)
        await house.has(worker)
        house.clock.advance(SECOND)

        assert told((await beat(house, a_heartbeat(worker)))[0]) == [("REGISTER", None, None)]

        seen = await house.reads.worker(ACME, worker.id)
        assert (seen.state, seen.last_seen_at) == (WorkerState.OFFLINE, NOON)
        assert house.announce.announced == []

    async def test_is_told_to_one_that_nobody_knows(self, house: House) -> None:
        assert told((await beat(house, a_heartbeat(a_worker())))[0]) == [("REGISTER", None, None)]

    async def test_is_told_to_one_of_another_tenant(self, house: House) -> None:
        theirs = a_worker(tenant_id=GLOBEX)
        await house.has(theirs)
        forged = a_heartbeat(a_worker(worker_id=theirs.id))

        assert told((await beat(house, forged))[0]) == [("REGISTER", None, None)]
        assert (await house.reads.worker(GLOBEX, theirs.id)).slots == 20


class TestDrain:
    async def test_is_told_until_the_worker_says_that_it_drains(self, house: House) -> None:
        worker = a_worker(WorkerState.DRAINING)
        await house.has(worker)

        assert told((await beat(house, a_heartbeat(worker)))[0]) == [("DRAIN", None, None)]
        assert told((await beat(house, a_heartbeat(worker)))[0]) == [("DRAIN", None, None)]
        assert told((await beat(house, a_heartbeat(worker, draining=True)))[0]) == []


class TestLost:
    async def test_is_not_told_of_what_is_its_own(self, house: House) -> None:
        job, worker = a_job(), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)

        assert told((await beat(house, a_heartbeat(worker, [run])))[0]) == []

    async def test_is_not_told_before_started_is_stored(self, house: House) -> None:
        """A worker names a run from before its STARTED."""
        job, worker = a_job(), a_worker()
        run = a_run(RunState.QUEUED, job=job)
        await house.has(job, worker, run)

        assert told((await beat(house, a_heartbeat(worker, [run])))[0]) == []

    async def test_is_not_told_of_a_run_that_nobody_knows(self, house: House) -> None:
        """Its store may have been restored from an older copy: then the reports have the word."""
        worker = a_worker()
        await house.has(worker)

        assert told((await beat(house, a_heartbeat(worker, [a_run(RunState.QUEUED)])))[0]) == []

    async def test_is_told_of_what_another_carries_out(self, house: House) -> None:
        job, owner, other = a_job(), a_worker(), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=owner.id)
        await house.has(job, owner, other, run)

        answers = await beat(house, a_heartbeat(other, [run]), a_heartbeat(owner, [run]))

        assert [told(orders) for orders in answers] == [[("LOST", run.id, 1)], []]

    @pytest.mark.parametrize("over", [RunState.SUCCEEDED, RunState.DEAD, RunState.RETRYING])
    async def test_is_told_of_what_is_over(self, house: House, over: RunState) -> None:
        job, worker = a_job(), a_worker()
        run = a_run(over, job=job, worker_id=worker.id)
        await house.has(job, worker, run)

        assert told((await beat(house, a_heartbeat(worker, [run])))[0]) == [("LOST", run.id, 1)]

    async def test_repeats_a_timeout_whose_order_got_lost(self, house: House) -> None:
        job, worker = a_job(timeout=SECOND), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        house.clock.advance(SECOND + TIMEOUT_SLACK)
        await house.handle(WakeRuns())

        assert told((await beat(house, a_heartbeat(worker, [run])))[0]) == [("LOST", run.id, 1)]

    async def test_names_the_attempt_that_is_over_when_the_next_one_is_under_way(self, house: House) -> None:
        """The present attempt may be this worker's own: it has perhaps fetched it and not said so yet."""
        job, worker = a_job(), a_worker()
        run = a_run(RunState.RETRYING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        house.clock.advance(timedelta(seconds=10))
        await house.handle(WakeRuns())

        assert told((await beat(house, a_heartbeat(worker, [run])))[0]) == [("LOST", run.id, 1)]

    async def test_is_told_of_each_run_it_is_true_of(self, house: House) -> None:
        job, worker = a_job(), a_worker()
        own = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        lost = [a_run(RunState.RUNNING, job=job, worker_id=WorkerId(next_id())) for _ in range(2)]
        await house.has(job, worker, own, *lost)

        (orders,) = await beat(house, a_heartbeat(worker, [own, *lost]))

        assert {run_id for _, run_id, _ in told(orders)} == {run.id for run in lost}
