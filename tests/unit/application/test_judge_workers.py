"""Who is still there. Silence counts only while somebody listened; a run is lost only by the rule of two heartbeats."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from tests.support.builders import ACME, SECOND, a_job, a_run, a_worker
from tests.unit.application.house import House

from rota.application.judge_workers import HEARTBEAT, SILENCE, JudgeWorkers
from rota.application.take_heartbeats import Heartbeat, TakeHeartbeats
from rota.domain.attempt import Outcome
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.worker import ReportSeq, Worker, WorkerState
from rota.infrastructure.memory.bus import life

JUST = timedelta(microseconds=1)


async def listen(house: House, seconds: float) -> None:
    """Time goes by, and heartbeats could be heard."""
    for _ in range(int(seconds * 2)):
        await house.hearing.listened(house.clock.now())
        house.clock.advance(SECOND / 2)
    await house.hearing.listened(house.clock.now())


async def state_of(house: House, worker: Worker) -> WorkerState:
    return (await house.reads.worker(ACME, worker.id)).state


class TestASilentWorker:
    async def test_is_given_up_after_three_silent_periods(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)
        assert 3 * HEARTBEAT == SILENCE

        await listen(house, 9)
        await house.handle(JudgeWorkers())
        assert await state_of(house, worker) is WorkerState.ONLINE

        await listen(house, 0.5)
        await house.handle(JudgeWorkers())
        assert await state_of(house, worker) is WorkerState.OFFLINE
        assert await house.event_types() == ["worker.offline"]

    async def test_is_given_up_while_it_drains_as_well(self, house: House) -> None:
        worker = a_worker(WorkerState.DRAINING)
        await house.has(worker)

        await listen(house, 10)
        await house.handle(JudgeWorkers())

        assert await state_of(house, worker) is WorkerState.OFFLINE

    async def test_is_given_up_once(self, house: House) -> None:
        await house.has(a_worker())
        await listen(house, 10)

        await house.handle(JudgeWorkers())
        await house.handle(JudgeWorkers())

        assert await house.event_types() == ["worker.offline"]

    async def test_that_beats_is_kept(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)

        for _ in range(5):
            await listen(house, 8)
            await beat(house, worker)
            await house.handle(JudgeWorkers())

        assert await state_of(house, worker) is WorkerState.ONLINE


class TestSilenceThatNobodyCouldBreak:
    async def test_counts_for_nothing_when_nobody_listened(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)
        house.clock.advance(timedelta(hours=1))

        await house.handle(JudgeWorkers())

        assert await state_of(house, worker) is WorkerState.ONLINE

    async def test_counts_for_nothing_until_somebody_has_listened_long_enough(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)
        house.clock.advance(timedelta(hours=1))

        await listen(house, 8.5)
        await house.handle(JudgeWorkers())
        assert await state_of(house, worker) is WorkerState.ONLINE

        await listen(house, 0.5)
        await house.handle(JudgeWorkers())
        assert await state_of(house, worker) is WorkerState.OFFLINE

    async def test_begins_anew_after_an_interruption(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)

        await listen(house, 8)
        house.clock.advance(3 * SECOND)
        await listen(house, 8)
        await house.handle(JudgeWorkers())

        assert await state_of(house, worker) is WorkerState.ONLINE

    async def test_counts_only_up_to_the_last_moment_of_listening(self, house: House) -> None:
        worker = a_worker()
        await house.has(worker)
        await listen(house, 5)
        await beat(house, worker)
        await listen(house, 5)
        house.clock.advance(timedelta(hours=1))

        await house.handle(JudgeWorkers())

        assert await state_of(house, worker) is WorkerState.ONLINE


class TestTheRunsOfAWorkerThatWasGivenUp:
    async def test_are_tried_again_at_once_and_the_lost_attempt_counts(self, house: House) -> None:
        job, worker = a_job(), a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await house.has(job, worker, run)
        await listen(house, 10)

        await house.handle(JudgeWorkers())

        now = await house.only_run()
        assert (now.state, now.attempt, now.worker_id) == (RunState.QUEUED, 2, None)
        assert (now.attempts[0].outcome, now.attempts[0].worker_id) == (Outcome.LOST, worker.id)
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]

    async def test_are_dead_when_no_attempt_is_left(self, house: House) -> None:
        job, worker = a_job(max_attempts=1), a_worker(WorkerState.OFFLINE)
        await house.has(job, worker, a_run(RunState.RUNNING, job=job, worker_id=worker.id))

        await house.handle(JudgeWorkers())

        now = await house.only_run()
        assert (now.state, now.error and now.error.type) == (RunState.DEAD, "WorkerLost")
        assert await house.taken(job) == []

    async def test_leave_the_runs_of_others_alone(self, house: House) -> None:
        job, gone, there = a_job(), a_worker(WorkerState.OFFLINE), a_worker()
        lost = a_run(RunState.RUNNING, job=job, worker_id=gone.id)
        kept = a_run(RunState.RUNNING, job=job, worker_id=there.id)
        await house.has(job, gone, there, lost, kept)

        await house.handle(JudgeWorkers())

        assert (await house.run(lost.id)).attempt == 2
        assert (await house.run(kept.id)).state is RunState.RUNNING

    async def test_are_judged_while_the_bus_is_down_too(self, house: House) -> None:
        job, worker = a_job(), a_worker(WorkerState.OFFLINE)
        await house.has(job, worker, a_run(RunState.RUNNING, job=job, worker_id=worker.id))
        house.lanes.up = False

        await house.handle(JudgeWorkers())

        assert (await house.only_run()).state is RunState.QUEUED


async def beat(
    house: House,
    worker: Worker,
    running: Iterable[Run] = (),
    seq: int | None = None,
    stream: str = "2026-01-01T00:00:00+00:00",
) -> None:
    await house.handle(
        TakeHeartbeats(
            [
                Heartbeat(
                    tenant_id=worker.tenant_id,
                    worker_id=worker.id,
                    slots=20,
                    running=frozenset(run.id for run in running),
                    report_seq=None if seq is None else ReportSeq(stream, seq),
                )
            ]
        )
    )


class TestARunThatItsLivingWorkerDoesNotName:
    """Its STARTED stands at place 3 of the report stream, and intake has come to place 5."""

    @pytest.fixture
    def job(self) -> Job:
        return a_job()

    @pytest.fixture
    def worker(self) -> Worker:
        return a_worker()

    @pytest.fixture
    async def run(self, house: House, job: Job, worker: Worker) -> Run:
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id, place=3)
        await house.has(job, worker, run)
        for _ in range(5):
            house.reports.publish("scheduler.report.acme", b"[]")
        await house.reports.acknowledge(await house.reports.fetch(5, 0))
        return run

    async def beats(
        self, house: House, worker: Worker, running: Iterable[Run] = (), seq: int | None = None, stream: str = life(1)
    ) -> None:
        """Three seconds after whatever was before."""
        house.clock.advance(HEARTBEAT)
        await beat(house, worker, running, seq, stream)

    async def is_lost(self, house: House) -> bool:
        await house.handle(JudgeWorkers())
        return (await house.only_run()).attempt == 2

    async def test_in_two_heartbeats_is_lost_and_tried_again(
        self, house: House, job: Job, worker: Worker, run: Run
    ) -> None:
        await self.beats(house, worker, seq=3)
        await self.beats(house, worker, seq=3)

        assert await self.is_lost(house)
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 2)]
        now = await house.only_run()
        assert now.attempts[0].outcome is Outcome.LOST
        assert await state_of(house, worker) is WorkerState.ONLINE

    async def test_in_one_heartbeat_is_kept(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, [run], seq=3)
        await self.beats(house, worker, seq=3)

        assert not await self.is_lost(house)

    async def test_and_then_names_again_is_kept(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, seq=3)
        await self.beats(house, worker, [run], seq=3)

        assert not await self.is_lost(house)

    async def test_in_its_only_heartbeat_is_kept(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, seq=3)

        assert not await self.is_lost(house)

    async def test_in_a_heartbeat_from_before_its_start_is_kept(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, seq=2)
        await self.beats(house, worker, seq=3)

        assert not await self.is_lost(house)

    async def test_by_a_worker_that_has_reported_nothing_is_kept(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, seq=None)
        await self.beats(house, worker, seq=None)

        assert not await self.is_lost(house)

    async def test_is_kept_while_intake_has_not_come_to_the_later_heartbeat(
        self, house: House, worker: Worker, run: Run
    ) -> None:
        """Its success may stand between here and there."""
        house.reports.publish("scheduler.report.acme", b"[]")
        await self.beats(house, worker, seq=3)
        await self.beats(house, worker, seq=6)

        assert not await self.is_lost(house)
        await house.reports.acknowledge(await house.reports.fetch(5, 0))
        assert await self.is_lost(house)

    async def test_is_kept_while_the_bus_is_down(self, house: House, worker: Worker, run: Run) -> None:
        await self.beats(house, worker, seq=3)
        await self.beats(house, worker, seq=3)
        house.lanes.up = False

        assert not await self.is_lost(house)

    async def test_after_the_stream_was_lost_counts_places_of_its_earlier_life_as_passed(
        self, house: House, worker: Worker, run: Run
    ) -> None:
        house.reports.lose_everything()
        await self.beats(house, worker, seq=1, stream="2026-01-01T00:00:00+00:00")
        await self.beats(house, worker, seq=1, stream="2026-01-01T00:00:00+00:00")

        assert await self.is_lost(house)

    async def test_in_heartbeats_of_before_its_start_was_stored_is_kept(
        self, house: House, worker: Worker, run: Run
    ) -> None:
        """It may have come and gone between them and the store: then its success is already on its way."""
        await beat(house, worker, seq=3)
        await self.beats(house, worker, seq=3)
        assert not await self.is_lost(house)

        await self.beats(house, worker, seq=3)
        assert await self.is_lost(house)

    async def test_that_started_in_an_earlier_life_of_the_stream_counts_as_passed_too(
        self, house: House, worker: Worker, run: Run
    ) -> None:
        while house.reports.look().created <= run.created_at.isoformat():
            house.reports.lose_everything()
        stream = house.reports.look().created
        house.clock.set(datetime.fromisoformat(stream))

        await self.beats(house, worker, seq=0, stream=stream)
        await self.beats(house, worker, seq=0, stream=stream)

        assert await self.is_lost(house)
