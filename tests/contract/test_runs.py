"""Runs in a store: one to a due time, one to a dedupe key, and who may take which."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.contract.given import ids, key_of
from tests.support.builders import (
    ACME,
    FAILURE,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_beat,
    a_job,
    a_run,
    a_worker,
    next_id,
)
from tests.support.stored import STORABLE, all_events, event_types, state, store

from rota.application.ports.keys import RunKey
from rota.application.ports.log import EventLog
from rota.application.ports.store import Begin
from rota.domain.attempt import Progress, RunError
from rota.domain.errors import ConcurrentChangeError
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState
from rota.domain.worker import Beat, Worker, WorkerState

SCHEDULE = ScheduleId(next_id())


async def loaded(begin: Begin, *runs: Run) -> Mapping[RunKey, Run]:
    async with begin() as work:
        return await work.runs.load(map(key_of, runs))


async def again(begin: Begin, run: Run) -> Run:
    return (await loaded(begin, run))[key_of(run)]


async def add(begin: Begin, *runs: Run) -> list[RunId]:
    """The ids of those that were refused."""
    async with begin() as work:
        for run in runs:
            work.runs.add(run)
        await work.commit()
        return ids(work.runs.refused())


async def waking(begin: Begin, now: datetime, limit: int = 100) -> list[RunId]:
    async with begin() as work:
        return ids(await work.runs.waking(now, limit))


def fired(
    job: Job,
    scheduled_for: datetime = NOON,
    *,
    cause: Cause = Cause.SCHEDULE,
    schedule_id: ScheduleId | None = SCHEDULE,
) -> Run:
    """A run of a due time, with its event still on it."""
    return new_run(
        job.tenant_id,
        RunId(next_id()),
        job.terms(),
        cause,
        now=NOON,
        scheduled_for=scheduled_for,
        schedule_id=schedule_id,
    ).accept()


def keyed(job: Job, key: str | None) -> Run:
    """A run under a dedupe key, with its event still on it."""
    return new_run(job.tenant_id, RunId(next_id()), job.terms(), Cause.API, now=NOON, dedupe_key=key).accept()


class RunsContract:
    # Keeping them

    @pytest.mark.parametrize("run_state", STORABLE)
    async def test_a_run_comes_back_as_it_was(self, begin: Begin, job: Job, run_state: RunState) -> None:
        run = a_run(run_state, job=job)

        await store(begin, run)

        assert state(await again(begin, run)) == state(run)

    async def test_with_all_it_carries(self, begin: Begin, job: Job) -> None:
        run = new_run(
            ACME,
            RunId(next_id()),
            job.terms(),
            Cause.SCHEDULE,
            now=NOON,
            due_at=NOON - SECOND,
            scheduled_for=NOON - MINUTE,
            fired_at=NOON,
            schedule_id=SCHEDULE,
            payload=Json('{"rows":  1e2, "große": null}'),
            dedupe_key="order 17",
            labels={"team": "bi", "größe": "½"},
            correlation_id="abc",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            fired_epoch=7,
        ).accept()
        run.pull_events()

        await store(begin, run)

        assert state(await again(begin, run)) == state(run)

    async def test_changes_come_back(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.RUNNING, job=job, payload=Json("[1]"))
        await store(begin, run)

        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
            known.fail(RunError("IOError", "gone", stack="a\nb"), NOON)
            known.go(NOON + MINUTE)
            known.start(WorkerId(next_id()), 18, NOON + MINUTE)
            known.note_progress(Progress(0.5, "half"), NOON + MINUTE)
            known.lose(NOON + MINUTE, "silent")
            known.release(NOON + MINUTE, "draining")
            known.start(WorkerId(next_id()), 2**40, NOON + HOUR)
            known.note_progress(Progress(1 / 3, "½"), NOON + HOUR)
            known.succeed(Json('{"done":  true}'), NOON + HOUR)
            await work.commit()

        assert state(await again(begin, run)) == state(known)

    async def test_progress_comes_back_while_it_runs(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.RUNNING, job=job)
        await store(begin, run)

        async with begin() as work:
            (await work.runs.load([key_of(run)]))[key_of(run)].note_progress(Progress(0.25, "a quarter"), NOON)
            await work.commit()

        assert (await again(begin, run)).progress == Progress(0.25, "a quarter")

    async def test_it_obeys_its_job_as_the_job_is_now(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.QUEUED, job=job)
        await store(begin, run)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            known.change(replace(known.definition, timeout=HOUR), now=NOON)
            await work.commit()

        assert (await again(begin, run)).job.timeout == HOUR

    # Finding them

    async def test_those_that_exist_are_loaded(self, begin: Begin, job: Job) -> None:
        known, other, unknown = (a_run(job=job) for _ in range(3))
        await store(begin, known, other)

        found = await loaded(begin, known, unknown, known)

        assert list(found) == [key_of(known)]

    async def test_another_tenants_are_not(self, begin: Begin, job: Job) -> None:
        run = a_run(job=job)
        await store(begin, run)

        async with begin() as work:
            assert await work.runs.load([(GLOBEX, run.id)]) == {}
            assert await work.runs.peek([(GLOBEX, run.id)]) == {}

    async def test_runs_of_several_tenants_are_loaded_together(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        runs = [a_run(job=job), a_run(job=theirs)]
        await store(begin, theirs, *runs)

        assert set(await loaded(begin, *runs)) == set(map(key_of, runs))

    async def test_nothing_asked_for_is_nothing_found(self, begin: Begin) -> None:
        async with begin() as work:
            assert await work.runs.load([]) == {}
            assert await work.runs.peek([]) == {}

    async def test_what_is_loaded_is_locked(self, begin: Begin, job: Job, somebody_waits: Wait) -> None:
        run = a_run(RunState.QUEUED, job=job)
        await store(begin, run)

        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
            waiting = asyncio.create_task(again(begin, run))
            await somebody_waits()
            known.start(WorkerId(next_id()), 1, NOON)
            await work.commit()

        assert (await waiting).state is RunState.RUNNING

    async def test_peeking_waits_for_nobody_and_changes_nothing(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.QUEUED, job=job)
        await store(begin, run)

        async with begin() as holder, begin() as reader:
            await holder.runs.load([key_of(run)])
            seen = (await reader.runs.peek([key_of(run)]))[key_of(run)]
            seen.start(WorkerId(next_id()), 1, NOON)
            await reader.commit()

        assert (await again(begin, run)).state is RunState.QUEUED

    # One run to a due time

    @pytest.mark.parametrize("second", [Cause.SCHEDULE, Cause.BACKFILL])
    @pytest.mark.parametrize("first", [Cause.SCHEDULE, Cause.BACKFILL])
    async def test_a_due_time_has_one_run(self, begin: Begin, job: Job, first: Cause, second: Cause) -> None:
        run, double = fired(job, cause=first), fired(job, cause=second)

        assert await add(begin, run) == []
        assert await add(begin, double) == [double.id]

        assert list(await loaded(begin, run, double)) == [key_of(run)]

    async def test_what_is_refused_leaves_no_event(self, begin: Begin, job: Job, log: EventLog) -> None:
        run, double, other = fired(job), fired(job), fired(job, NOON + MINUTE)

        await add(begin, run)
        await add(begin, double, other)

        assert [entry.subject for entry in await all_events(log)] == [run.id, other.id]
        assert double.seq == 0

    async def test_also_two_in_one_unit_of_work(self, begin: Begin, job: Job, log: EventLog) -> None:
        run, double = fired(job), fired(job)

        assert await add(begin, run, double) == [double.id]

        assert await event_types(log) == ["run.created"]

    async def test_also_when_the_first_is_over_long_since(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.SUCCEEDED, job=job, cause=Cause.SCHEDULE, schedule_id=SCHEDULE)
        double = fired(job)
        await store(begin, run)

        assert await add(begin, double) == [double.id]

    async def test_other_schedules_and_instants_have_their_own(self, begin: Begin, job: Job) -> None:
        runs = [fired(job), fired(job, NOON + SECOND), fired(job, schedule_id=ScheduleId(next_id()))]

        assert await add(begin, *runs) == []

    @pytest.mark.parametrize("cause", [Cause.MANUAL, Cause.API, Cause.EVENT, Cause.RETRY])
    async def test_runs_of_other_causes_are_not_of_a_due_time(self, begin: Begin, job: Job, cause: Cause) -> None:
        assert await add(begin, fired(job), fired(job, cause=cause), fired(job, cause=cause)) == []

    async def test_what_was_refused_is_told_only_of_the_unit_of_work_it_was_added_to(
        self, begin: Begin, job: Job
    ) -> None:
        run = fired(job)
        await add(begin, run)
        await add(begin, fired(job))

        assert await add(begin, fired(job, NOON + MINUTE)) == []

    # One run to a dedupe key

    async def test_a_key_is_held_by_one_run_at_a_time(self, begin: Begin, job: Job) -> None:
        run, double = keyed(job, "order 17"), keyed(job, "order 17")

        assert await add(begin, run) == []
        with pytest.raises(ConcurrentChangeError):
            await add(begin, double)

    async def test_also_within_one_unit_of_work(self, begin: Begin, job: Job, log: EventLog) -> None:
        run, double = keyed(job, "order 17"), keyed(job, "order 17")

        with pytest.raises(ConcurrentChangeError):
            await add(begin, run, double)

        assert await all_events(log) == [before for before in await all_events(log) if before.subject == job.id]

    async def test_other_tenants_keys_are_their_own(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)

        assert await add(begin, keyed(job, "order 17"), keyed(theirs, "order 17")) == []

    async def test_runs_without_a_key_do_not_get_in_each_others_way(self, begin: Begin, job: Job) -> None:
        assert await add(begin, keyed(job, None), keyed(job, None)) == []

    async def test_a_run_that_is_over_lets_go_of_its_key(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.RUNNING, job=job, dedupe_key="order 17")
        await store(begin, run)
        async with begin() as work:
            (await work.runs.load([key_of(run)]))[key_of(run)].succeed(None, NOON)
            await work.commit()

        assert await add(begin, keyed(job, "order 17")) == []

    async def test_who_holds_a_key_is_known(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        holder, other = keyed(job, "order 17"), keyed(job, "order 18")
        over = a_run(RunState.SUCCEEDED, job=job, dedupe_key="order 19")
        await store(begin, theirs, holder, other, over, keyed(theirs, "order 17"))

        async with begin() as work:
            found = await work.runs.holding(ACME, ["order 17", "order 19", "order 20"])
            none = await work.runs.holding(ACME, [])

        assert {key: run.id for key, run in found.items()} == {"order 17": holder.id}
        assert none == {}

    # Waking

    async def test_those_whose_time_has_come_wake_the_earliest_first(self, begin: Begin, job: Job) -> None:
        made = {age: a_run(job=job, now=NOON - HOUR, due_at=NOON - age * MINUTE) for age in (1, 3, 2, -1)}
        await store(begin, *made.values())

        assert await waking(begin, NOON) == [made[3].id, made[2].id, made[1].id]
        assert await waking(begin, NOON, 2) == [made[3].id, made[2].id]

    async def test_a_run_wakes_from_its_instant_on(self, begin: Begin, job: Job) -> None:
        run = a_run(job=job, due_at=NOON + HOUR)
        await store(begin, run)

        assert await waking(begin, NOON + HOUR - SECOND) == []
        assert await waking(begin, NOON + HOUR) == [run.id]

    async def test_backoffs_and_overlong_attempts_wake_too(self, begin: Begin, job: Job) -> None:
        retrying, running = a_run(RunState.RETRYING, job=job), a_run(RunState.RUNNING, job=job)
        await store(begin, retrying, running)

        assert await waking(begin, NOON + HOUR) == [retrying.id, running.id]

    @pytest.mark.parametrize("run_state", [RunState.QUEUED, *(each for each in STORABLE if each.is_final)])
    async def test_what_waits_for_nothing_never_wakes(self, begin: Begin, job: Job, run_state: RunState) -> None:
        await store(begin, a_run(run_state, job=job))

        assert await waking(begin, NOON + 1000 * HOUR) == []

    async def test_what_was_woken_does_not_wake_again(self, begin: Begin, job: Job) -> None:
        run = a_run(job=job, due_at=NOON + MINUTE)
        await store(begin, run)

        async with begin() as work:
            (woken,) = await work.runs.waking(NOON + MINUTE, 10)
            woken.line_up(NOON + MINUTE)
            await work.commit()

        assert await waking(begin, NOON + HOUR) == []
        assert (await again(begin, run)).rank == NOON + MINUTE

    async def test_what_others_hold_is_passed_over_and_does_not_count(self, begin: Begin, job: Job) -> None:
        first, second = (a_run(job=job, now=NOON - HOUR, due_at=due) for due in (NOON - MINUTE, NOON))
        await store(begin, first, second)

        async with begin() as one:
            assert ids(await one.runs.waking(NOON, 1)) == [first.id]
            async with begin() as another:
                assert ids(await another.runs.waking(NOON, 1)) == [second.id]
                assert await waking(begin, NOON, 1) == []

    # Runs without a worker

    async def test_the_runs_of_a_worker_that_was_given_up_are_orphans(self, begin: Begin, job: Job) -> None:
        gone, here = a_worker(WorkerState.OFFLINE), a_worker()
        orphan = a_run(RunState.RUNNING, job=job, worker_id=gone.id)
        carried = a_run(RunState.RUNNING, job=job, worker_id=here.id)
        over = a_run(RunState.SUCCEEDED, job=job, worker_id=gone.id)
        waits = a_run(RunState.RETRYING, job=job, worker_id=gone.id)
        await store(begin, gone, here, orphan, carried, over, waits)

        async with begin() as work:
            assert ids(await work.runs.orphaned(10)) == [orphan.id]

    async def test_no_more_orphans_come_than_asked_for(self, begin: Begin, job: Job) -> None:
        gone = a_worker(WorkerState.OFFLINE)
        await store(begin, gone, *(a_run(RunState.RUNNING, job=job, worker_id=gone.id) for _ in range(3)))

        async with begin() as work:
            assert len(await work.runs.orphaned(2)) == 2

    async def test_an_orphan_that_somebody_holds_is_passed_over(self, begin: Begin, job: Job) -> None:
        gone = a_worker(WorkerState.OFFLINE)
        orphan = a_run(RunState.RUNNING, job=job, worker_id=gone.id)
        await store(begin, gone, orphan)

        async with begin() as holder, begin() as work:
            await holder.runs.load([key_of(orphan)])
            assert await work.runs.orphaned(10) == []

    async def test_a_lost_orphan_is_none_any_more(self, begin: Begin, job: Job) -> None:
        gone = a_worker(WorkerState.OFFLINE)
        await store(begin, gone, a_run(RunState.RUNNING, job=job, worker_id=gone.id))

        async with begin() as work:
            for run in await work.runs.orphaned(10):
                run.lose(NOON, "its worker was given up")
            await work.commit()

        async with begin() as work:
            assert await work.runs.orphaned(10) == []

    async def test_two_that_change_a_run_take_turns(self, begin: Begin, job: Job) -> None:
        run = a_run(RunState.RUNNING, job=job)
        await store(begin, run)

        async def finish() -> str:
            async with begin() as work:
                known = (await work.runs.load([key_of(run)]))[key_of(run)]
                if known.state.is_final:
                    return "late"
                known.succeed(None, NOON)
                await work.commit()
                return "first"

        assert sorted(await asyncio.gather(finish(), finish())) == ["first", "late"]


class UnnamedContract:
    """A run is lost when two heartbeats that should have named it have not, and intake has passed the later one.

    The run's STARTED stands at place 10 of the stream's present life.
    """

    LIFE = "2026-01-02T00:00:00+00:00"

    @pytest.fixture
    def worker(self) -> Worker:
        return a_worker()

    @pytest.fixture
    async def run(self, begin: Begin, job: Job, worker: Worker) -> Run:
        started = a_run(RunState.RUNNING, job=job, worker_id=worker.id, place=10)
        await store(begin, worker, started)
        return started

    @staticmethod
    async def hear(begin: Begin, worker: Worker, *beats: Beat) -> None:
        for beat in beats:
            async with begin() as work:
                await work.workers.beat({(worker.tenant_id, worker.id): beat})
                await work.commit()

    async def unnamed(self, begin: Begin, intake_floor: int = 100) -> list[RunId]:
        async with begin() as work:
            return ids(await work.runs.unnamed(self.LIFE, intake_floor))

    def beat(
        self,
        seq: int | None = 10,
        *,
        naming: Iterable[Run] = (),
        stream: str = LIFE,
        at: datetime = NOON + timedelta(hours=1),
    ) -> Beat:
        return a_beat(at, seq=seq, running=ids(naming), stream=stream)

    async def test_twice_not_named_is_unnamed(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat())

        assert await self.unnamed(begin) == [run.id]

    async def test_heartbeats_from_before_its_start_tell_nothing(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(at=NOON - timedelta(hours=1)), self.beat())

        assert await self.unnamed(begin) == []

    async def test_a_place_in_an_earlier_life_of_the_stream_is_passed(
        self, begin: Begin, worker: Worker, run: Run
    ) -> None:
        born = (NOON + timedelta(minutes=30)).isoformat()
        await self.hear(begin, worker, self.beat(1, stream=born), self.beat(1, stream=born))

        async with begin() as work:
            assert ids(await work.runs.unnamed(born, 100)) == [run.id]

    async def test_once_is_not_enough(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat())

        assert await self.unnamed(begin) == []

    async def test_what_one_of_the_last_two_names_is_carried(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat(naming=[run]))
        assert await self.unnamed(begin) == []

        await self.hear(begin, worker, self.beat())
        assert await self.unnamed(begin) == []

        await self.hear(begin, worker, self.beat())
        assert await self.unnamed(begin) == [run.id]

    async def test_naming_others_is_not_naming_it(self, begin: Begin, worker: Worker, run: Run, job: Job) -> None:
        other = a_run(RunState.RUNNING, job=job, worker_id=worker.id, place=10)
        await store(begin, other)
        await self.hear(begin, worker, self.beat(naming=[other]), self.beat(naming=[other]))

        assert await self.unnamed(begin) == [run.id]

    @pytest.mark.parametrize("seqs", [(9, 10), (10, 9), (9, 9)])
    async def test_a_heartbeat_from_before_the_start_says_nothing(
        self, begin: Begin, worker: Worker, run: Run, seqs: tuple[int, int]
    ) -> None:
        await self.hear(begin, worker, *(self.beat(seq) for seq in seqs))

        assert await self.unnamed(begin) == []

    @pytest.mark.parametrize("seqs", [(None, 10), (10, None), (None, None)])
    async def test_nor_does_one_of_a_worker_that_has_reported_nothing(
        self, begin: Begin, worker: Worker, run: Run, seqs: tuple[int | None, int | None]
    ) -> None:
        await self.hear(begin, worker, *(self.beat(seq) for seq in seqs))

        assert await self.unnamed(begin) == []

    async def test_intake_must_have_passed_the_later_one(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(12), self.beat(15))

        assert await self.unnamed(begin, intake_floor=14) == []
        assert await self.unnamed(begin, intake_floor=15) == [run.id]

    async def test_what_an_earlier_life_of_the_stream_held_is_passed(
        self, begin: Begin, worker: Worker, run: Run
    ) -> None:
        await self.hear(
            begin,
            worker,
            self.beat(3, stream="2026-01-01T00:00:00+00:00"),
            self.beat(4, stream="2026-01-01T00:00:00+00:00"),
        )

        assert await self.unnamed(begin, intake_floor=0) == [run.id]

    async def test_a_worker_that_was_given_up_is_another_matter(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat())
        async with begin() as work:
            (await work.workers.get(ACME, worker.id)).give_up("silent", now=NOON)
            await work.commit()

        assert await self.unnamed(begin) == []

    async def test_a_draining_worker_is_a_living_one(self, begin: Begin, worker: Worker, run: Run) -> None:
        async with begin() as work:
            (await work.workers.get(ACME, worker.id)).drain(now=NOON)
            await work.commit()
        await self.hear(begin, worker, self.beat(), self.beat())

        assert await self.unnamed(begin) == [run.id]

    async def test_only_what_runs_can_go_unnamed(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat())
        async with begin() as work:
            (await work.runs.load([key_of(run)]))[key_of(run)].fail(FAILURE, NOON)
            await work.commit()

        assert await self.unnamed(begin) == []

    async def test_a_run_whose_start_has_no_place_is_left_to_its_timeout(
        self, begin: Begin, worker: Worker, run: Run, job: Job
    ) -> None:
        await store(begin, a_run(RunState.RUNNING, job=job, worker_id=worker.id, place=None))
        await self.hear(begin, worker, self.beat(), self.beat())

        assert await self.unnamed(begin) == [run.id]

    async def test_what_somebody_holds_is_not_waited_for(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat())

        async with begin() as holder:
            await holder.runs.load([key_of(run)])
            assert await self.unnamed(begin) == []

    async def test_what_is_found_can_be_lost(self, begin: Begin, worker: Worker, run: Run) -> None:
        await self.hear(begin, worker, self.beat(), self.beat())

        async with begin() as work:
            for found in await work.runs.unnamed(self.LIFE, 100):
                found.lose(NOON, "its worker no longer names it")
            await work.commit()

        assert (await again(begin, run)).state is RunState.QUEUED
        assert await self.unnamed(begin) == []


class TestInMemoryRuns(InMemory, RunsContract):
    pass


class TestPostgresRuns(OnPostgres, RunsContract):
    pass


class TestInMemoryUnnamed(InMemory, UnnamedContract):
    pass


class TestPostgresUnnamed(OnPostgres, UnnamedContract):
    pass
