"""What is over is found and removed, with its events and never with anything that is needed; counts stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import HTTP, a_delivery, quiet
from tests.support.builders import (
    ACME,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    a_job,
    a_run,
    a_schedule,
    a_schedule_definition,
    a_worker,
    next_id,
)
from tests.support.ended import ended, id_of, keep
from tests.support.stored import all_events, store

from rota.application.ports.log import Cursor, Cursors, EventLog
from rota.application.ports.reads import Paging, Reads
from rota.application.ports.rejections import Rejections
from rota.application.ports.retention import Retention, TenantRuns
from rota.application.ports.run_counts import Counted, RunCounts
from rota.application.ports.store import Begin, Rejected
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job
from rota.domain.redrive import LetterFilter, Redrive, RedriveTerms
from rota.domain.retention import FinishedRun
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.clock import CountingIds, SettableClock
from rota.infrastructure.memory.rejections import InMemoryRejections
from rota.infrastructure.memory.run_counts import InMemoryRunCounts
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.rejections import PostgresRejections
from rota.infrastructure.postgres.run_counts import PostgresRunCounts

DAY = timedelta(days=1)
LATER = NOON + 1000 * DAY
EVER = 1_000_000
FEW = 3
"""How many runs are counted at most, in the tests of that bound."""


class InMemoryOld(InMemory):
    @pytest.fixture
    def store(self) -> InMemoryStore:
        return InMemoryStore(CountingIds(SettableClock(NOON)))

    @pytest.fixture
    def counts(self, store: InMemoryStore) -> RunCounts:
        return InMemoryRunCounts(store)

    @pytest.fixture
    def few_counts(self, store: InMemoryStore) -> RunCounts:
        return InMemoryRunCounts(store, FEW)

    @pytest.fixture
    def rejected(self, store: InMemoryStore) -> Rejections:
        return InMemoryRejections(store)


class OldOnPostgres(OnPostgres):
    @pytest.fixture
    def counts(self, engine: AsyncEngine) -> RunCounts:
        return PostgresRunCounts(engine)

    @pytest.fixture
    def few_counts(self, engine: AsyncEngine) -> RunCounts:
        return PostgresRunCounts(engine, FEW)

    @pytest.fixture
    def rejected(self, engine: AsyncEngine) -> Rejections:
        return PostgresRejections(engine)


@pytest.fixture
async def published(cursors: Cursors) -> None:
    """The relay has published all that there will be."""
    await cursors.move("relay", Cursor(EVER))


async def is_there(reads: Reads, run: Run) -> bool:
    try:
        await reads.run(run.tenant_id, run.id)
    except NotFoundError:
        return False
    return True


async def subjects(log: EventLog) -> set[object]:
    return {entry.subject for entry in await all_events(log)}


class FindingContract:
    async def test_without_runs_there_are_no_tenants(self, retention: Retention) -> None:
        assert await retention.tenants() == []

    async def test_each_tenant_with_its_oldest_run_and_its_jobs_shortest_word(
        self, begin: Begin, retention: Retention
    ) -> None:
        jobs = [
            a_job("a", retention=HOUR),
            a_job("b", retention=MINUTE),
            a_job("c"),
            a_job("d", tenant_id=GLOBEX),
            a_job("e", tenant_id=TenantId("unused"), retention=timedelta(0)),
        ]
        await store(begin, *jobs)
        await keep(
            begin,
            ended(job=jobs[3], at=NOON + DAY),
            ended(job=jobs[3], at=NOON + HOUR),
            *(ended(job=jobs[0], at=NOON + n * MINUTE) for n in (2, 1, 3)),
        )

        found = await retention.tenants()

        assert found == [TenantRuns(ACME, NOON + MINUTE, MINUTE), TenantRuns(GLOBEX, NOON + HOUR, None)]

    async def test_runs_are_looked_at_as_they_were_made_in_windows(
        self, begin: Begin, retention: Retention, job: Job
    ) -> None:
        runs = [ended(at=NOON + n * MINUTE) for n in range(5)]
        await keep(begin, *runs)

        first = await retention.runs(ACME, LATER, None, 2)
        second = await retention.runs(ACME, LATER, first.last, 2)
        third = await retention.runs(ACME, LATER, second.last, 2)

        found = [run.id for window in (first, second, third) for run in window.finished]
        assert found == [run.id for run in runs]
        assert [each.last for each in (first, second, third)] == [runs[1].id, runs[3].id, None]

    async def test_what_was_made_at_that_instant_or_later_is_not_looked_at(
        self, begin: Begin, retention: Retention, job: Job
    ) -> None:
        runs = [ended(at=NOON + n * MINUTE) for n in range(3)]
        await keep(begin, *runs)

        window = await retention.runs(ACME, NOON + MINUTE, None, 10)

        assert [run.id for run in window.finished] == [runs[0].id]

    async def test_what_has_not_ended_is_passed_over_but_counts_for_the_window(
        self, begin: Begin, retention: Retention, job: Job
    ) -> None:
        waiting = quiet(a_run(run_id=RunId(id_of(NOON)), job=job))
        over = ended(at=NOON + MINUTE)
        await keep(begin, waiting, over)

        first = await retention.runs(ACME, LATER, None, 1)
        second = await retention.runs(ACME, LATER, first.last, 2)

        assert (list(first.finished), first.last) == ([], waiting.id)
        assert [run.id for run in second.finished] == [over.id]

    async def test_each_is_told_with_its_state_its_end_and_its_jobs_word(
        self, begin: Begin, retention: Retention, job: Job
    ) -> None:
        kept = a_job("kept", retention=90 * MINUTE)
        await store(begin, kept)
        runs = [
            ended(RunState.DEAD, NOON + HOUR, made_at=NOON),
            ended(RunState.SUCCEEDED, NOON + 2 * MINUTE, job=kept),
            ended(RunState.SKIPPED, NOON + 3 * MINUTE, delivery=a_delivery(HTTP)),
        ]
        await keep(begin, *runs)

        window = await retention.runs(ACME, LATER, None, 10)

        assert list(window.finished) == [
            FinishedRun(id=runs[0].id, state=RunState.DEAD, finished_at=NOON + HOUR),
            FinishedRun(id=runs[1].id, state=RunState.SUCCEEDED, finished_at=NOON + 2 * MINUTE, kept_for=90 * MINUTE),
            FinishedRun(id=runs[2].id, state=RunState.SKIPPED, finished_at=NOON + 3 * MINUTE),
        ]

    async def test_tenants_never_mix(self, begin: Begin, retention: Retention, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        run, other = ended(), ended(job=theirs)
        await keep(begin, run, other)

        window = await retention.runs(ACME, LATER, None, 10)

        assert [each.id for each in window.finished] == [run.id]
        assert await retention.remove_runs(ACME, [other.id]) == 0


class RemovingContract:
    async def test_a_run_goes_with_all_its_events_and_leaves_the_others(
        self, begin: Begin, retention: Retention, reads: Reads, log: EventLog, published: None, job: Job
    ) -> None:
        old, young = ended(), ended()
        await keep(begin, old, young)
        before = await all_events(log)

        assert await retention.remove_runs(ACME, [old.id]) == 1

        assert (await is_there(reads, old), await is_there(reads, young)) == (False, True)
        assert await all_events(log) == [entry for entry in before if entry.subject != old.id]
        assert [entry.type for entry in before if entry.subject == old.id] == [
            "run.queued",
            "run.started",
            "run.succeeded",
        ]

    async def test_removing_again_removes_nothing(
        self, begin: Begin, retention: Retention, counts: RunCounts, published: None, job: Job
    ) -> None:
        run = ended()
        await keep(begin, run)
        await retention.remove_runs(ACME, [run.id])

        assert await retention.remove_runs(ACME, [run.id]) == 0
        assert await counts(ACME, None, None) == Counted({RunState.SUCCEEDED: 1}, True)

    async def test_positions_rise_on_after_all_events_are_gone(
        self, begin: Begin, retention: Retention, log: EventLog, published: None, job: Job
    ) -> None:
        run, later = ended(), ended()
        await keep(begin, run)
        last = (await all_events(log))[-1].position
        await retention.remove_runs(ACME, [run.id])

        await keep(begin, later)

        assert {entry.subject for entry in await log.after(last, 10)} == {later.id}

    async def test_what_has_not_ended_stays(
        self, begin: Begin, retention: Retention, reads: Reads, published: None, job: Job
    ) -> None:
        run = quiet(a_run(job=job))
        await keep(begin, run)

        assert await retention.remove_runs(ACME, [run.id]) == 0
        assert await is_there(reads, run)

    async def test_what_listeners_have_not_been_told_stays(
        self, begin: Begin, retention: Retention, log: EventLog, cursors: Cursors, job: Job
    ) -> None:
        run = ended()
        await keep(begin, run)
        last = (await all_events(log))[-1].position

        untold = await retention.remove_runs(ACME, [run.id])
        await cursors.move("relay", Cursor(last - 1))
        half_told = await retention.remove_runs(ACME, [run.id])
        await cursors.move("relay", Cursor(last))
        told = await retention.remove_runs(ACME, [run.id])

        assert (untold, half_told, told) == (0, 0, 1)

    async def test_what_somebody_holds_is_passed_over_at_once(
        self, begin: Begin, retention: Retention, reads: Reads, published: None, job: Job
    ) -> None:
        held, free = ended(RunState.DEAD), ended()
        await keep(begin, held, free)

        async with begin() as work:
            await work.runs.load([(ACME, held.id)])
            removed = await retention.remove_runs(ACME, [held.id, free.id])

        assert (removed, await is_there(reads, held)) == (1, True)

    async def test_a_retry_stays_as_long_as_what_it_retried(
        self, begin: Begin, retention: Retention, reads: Reads, published: None, job: Job
    ) -> None:
        letter = ended(RunState.DEAD)
        retry = ended(retry_of=letter.id)
        await keep(begin, letter, retry)

        assert await retention.remove_runs(ACME, [retry.id]) == 0
        assert await retention.remove_runs(ACME, [letter.id]) == 1
        assert await retention.remove_runs(ACME, [retry.id]) == 1
        assert not await is_there(reads, retry)

    async def test_a_dead_letter_stays_as_long_as_a_redrive_has_yet_to_come_to_it(
        self, begin: Begin, retention: Retention, published: None, job: Job
    ) -> None:
        letters = [ended(RunState.DEAD, NOON + n * MINUTE) for n in range(2)]
        await keep(begin, *letters)
        redrive = Redrive.ask(ACME, RedriveId(next_id()), LetterFilter(), RedriveTerms(), now=NOON)
        async with begin() as work:
            redrive.take(await work.redrives.add(redrive))
            await work.commit()

        keys = [run.id for run in letters]
        before = await retention.remove_runs(ACME, keys)
        async with begin() as work:
            own = await work.redrives.get(ACME, redrive.id)
            own.advance(letters[0].id, made=0, passed=1, now=NOON)
            await work.commit()
        between = await retention.remove_runs(ACME, keys)
        async with begin() as work:
            (await work.redrives.get(ACME, redrive.id)).cancel("", NOON)
            await work.commit()
        after = await retention.remove_runs(ACME, keys)

        assert (before, between, after) == (0, 1, 1)

    async def test_the_last_run_of_a_schedule_that_counts_a_delay_from_its_end_stays(
        self, begin: Begin, retention: Retention, published: None, job: Job
    ) -> None:
        schedule = a_schedule(FixedDelay(HOUR), job=job)
        await store(begin, schedule)
        first, last = (
            ended(
                at=NOON + n * MINUTE,
                schedule_id=schedule.id,
                scheduled_for=NOON + n * MINUTE,
                cause=Cause.SCHEDULE,
            )
            for n in range(2)
        )
        await keep(begin, first, last)
        async with begin() as work:  # decided, so it rests until the end is seen
            (own,) = await work.schedules.due(NOON + HOUR, 10)
            own.decide(NOON)
            await work.schedules.advance([(own, NOON)], 1)
            await work.commit()

        resting = await retention.remove_runs(ACME, [first.id, last.id])
        async with begin() as work:
            ((own, ended_at),) = await work.schedules.rested(10)
            own.run_ended(ended_at)
            await work.commit()
        going_on = await retention.remove_runs(ACME, [first.id, last.id])

        assert (resting, ended_at, going_on) == (1, NOON + MINUTE, 1)

    async def test_a_removed_due_time_is_not_due_again(
        self, begin: Begin, retention: Retention, reads: Reads, published: None, job: Job
    ) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        async with begin() as work:
            (own,) = await work.schedules.due(NOON, 10)
            (due,) = own.decide(NOON).fire
            run = own.run_for(due, RunId(id_of(NOON)), now=NOON, epoch=1)
            run.accept_queued()
            run.start(WorkerId(next_id()), 1, NOON)
            run.succeed(None, NOON)
            await work.schedules.advance([(own, NOON)], 1)
            work.runs.add(run)
            await work.commit()

        assert await retention.remove_runs(ACME, [run.id]) == 1

        stored = await reads.schedule(ACME, schedule.id)
        assert stored.decided_to == NOON
        assert stored.next is not None
        assert stored.next.scheduled_for == NOON + MINUTE
        async with begin() as work:
            assert await work.schedules.due(NOON + MINUTE - timedelta(microseconds=1), 10) == []


class CountsContract:
    async def test_where_there_is_nothing_nothing_is_counted(self, counts: RunCounts) -> None:
        assert await counts(ACME, None, None) == Counted({}, True)

    async def test_removed_runs_go_on_counting(
        self, begin: Begin, retention: Retention, counts: RunCounts, published: None, job: Job
    ) -> None:
        mail, schedule_id = a_job("mail"), ScheduleId(next_id())
        theirs = a_job("mail", tenant_id=GLOBEX)
        await store(begin, mail, theirs)
        runs = [
            ended(),
            ended(RunState.DEAD),
            ended(job=mail),
            ended(RunState.DEAD, job=mail, schedule_id=schedule_id),
            ended(RunState.SKIPPED, job=mail, schedule_id=schedule_id),
            ended(RunState.CANCELLED, delivery=a_delivery(HTTP), schedule_id=schedule_id),
            quiet(a_run(job=mail, schedule_id=schedule_id)),
        ]
        await keep(begin, *runs, ended(job=theirs))

        async def counted() -> list[Counted]:
            return [
                await counts(ACME, None, None),
                await counts(ACME, "mail", None),
                await counts(ACME, None, schedule_id),
                await counts(ACME, "mail", schedule_id),
                await counts(ACME, "unknown", None),
            ]

        before = await counted()
        for run in runs:
            await retention.remove_runs(ACME, [run.id])

        assert await counted() == before
        states = RunState
        assert [each.states for each in before] == [
            {states.SUCCEEDED: 2, states.DEAD: 2, states.SKIPPED: 1, states.CANCELLED: 1, states.PENDING: 1},
            {states.SUCCEEDED: 1, states.DEAD: 1, states.SKIPPED: 1, states.PENDING: 1},
            {states.DEAD: 1, states.SKIPPED: 1, states.CANCELLED: 1, states.PENDING: 1},
            {states.DEAD: 1, states.SKIPPED: 1, states.PENDING: 1},
            {},
        ]

    async def test_of_many_only_the_newest_are_counted_and_that_is_said(
        self, begin: Begin, few_counts: RunCounts, job: Job
    ) -> None:
        await keep(begin, ended(RunState.DEAD, NOON), *(ended(at=NOON + n * MINUTE) for n in range(1, FEW)))
        complete = await few_counts(ACME, None, None)

        await keep(begin, ended(at=NOON + HOUR))
        bounded = await few_counts(ACME, None, None)

        assert complete == Counted({RunState.DEAD: 1, RunState.SUCCEEDED: FEW - 1}, True)
        assert not bounded.is_complete
        assert sum(bounded.states.values()) >= FEW


class DefinitionsContract:
    """Events of schedules and jobs."""

    async def changed(self, begin: Begin, job: Job, times: int) -> ScheduleId:
        """A schedule that was created, disabled, enabled, and so on, an hour apart: so many events."""
        definition = a_schedule_definition(job=job)
        schedule = Schedule.create(ACME, ScheduleId(next_id()), definition, now=NOON)
        await store(begin, schedule)
        for n in range(1, times):
            async with begin() as work:
                own = await work.schedules.get(ACME, schedule.id)
                if n % 2:
                    own.disable("", now=NOON + n * HOUR)
                else:
                    own.enable("", now=NOON + n * HOUR)
                await work.commit()
        return schedule.id

    async def describe(self, begin: Begin, schedule_id: ScheduleId, at: datetime) -> None:
        async with begin() as work:
            own = await work.schedules.get(ACME, schedule_id)
            own.change(replace(own.definition, description=str(at)), now=at)
            await work.commit()

    async def test_only_what_was_ever_changed_has_any_that_could_go(
        self, begin: Begin, retention: Retention, job: Job
    ) -> None:
        other = a_job("mail")
        await store(begin, other, a_schedule(job=job, name="never changed"))
        schedule_id = await self.changed(begin, job, 2)
        async with begin() as work:
            own = await work.jobs.get(ACME, other.id)
            own.change(replace(own.definition, queue="other"), now=NOON)
            await work.commit()

        found = await retention.definitions(None, 10)

        assert set(found) == {(ACME, schedule_id), (ACME, other.id)}
        assert [*await retention.definitions(None, 1), *await retention.definitions(found[0], 1)] == list(found)
        assert await retention.definitions(found[-1], 10) == []

    async def test_old_ones_go_once_a_later_one_tells_the_whole(
        self, begin: Begin, retention: Retention, log: EventLog, published: None, job: Job
    ) -> None:
        schedule_id = await self.changed(begin, job, 4)
        nothing_tells = await retention.remove_events({(ACME, schedule_id): LATER}, 100)
        await self.describe(begin, schedule_id, NOON + 9 * HOUR)

        removed = await retention.remove_events({(ACME, schedule_id): NOON + 2 * HOUR}, 100)

        left = [(entry.type, entry.seq) for entry in await all_events(log) if entry.subject == schedule_id]
        assert (nothing_tells, removed) == (0, 2)
        assert left == [("schedule.enabled", 3), ("schedule.disabled", 4), ("schedule.updated", 5)]

    async def test_the_last_that_tells_the_whole_stays_and_what_follows_it(
        self, begin: Begin, retention: Retention, log: EventLog, published: None, job: Job
    ) -> None:
        schedule_id = await self.changed(begin, job, 2)
        await self.describe(begin, schedule_id, NOON + 2 * HOUR)
        await self.describe(begin, schedule_id, NOON + 3 * HOUR)
        async with begin() as work:
            (await work.schedules.get(ACME, schedule_id)).delete(now=NOON + 4 * HOUR)
            await work.commit()

        await retention.remove_events({(ACME, schedule_id): LATER}, 100)

        left = [entry.type for entry in await all_events(log) if entry.subject == schedule_id]
        assert left == ["schedule.updated", "schedule.deleted"]

    async def test_they_go_oldest_first_so_that_there_is_never_a_gap(
        self, begin: Begin, retention: Retention, log: EventLog, published: None, job: Job
    ) -> None:
        schedule_id = await self.changed(begin, job, 5)
        await self.describe(begin, schedule_id, NOON + 9 * HOUR)

        removed = await retention.remove_events({(ACME, schedule_id): LATER}, 2)

        left = [entry.seq for entry in await all_events(log) if entry.subject == schedule_id]
        assert (removed, left) == (2, [3, 4, 5, 6])

    async def test_what_was_not_published_stays(
        self, begin: Begin, retention: Retention, log: EventLog, cursors: Cursors, job: Job
    ) -> None:
        schedule_id = await self.changed(begin, job, 3)
        await self.describe(begin, schedule_id, NOON + 9 * HOUR)
        first = (await all_events(log))[0]
        await cursors.move("relay", Cursor(first.position))

        assert await retention.remove_events({(ACME, schedule_id): LATER}, 100) == 1

    async def test_what_is_not_named_stays(self, begin: Begin, retention: Retention, published: None, job: Job) -> None:
        schedule_id = await self.changed(begin, job, 3)
        await self.describe(begin, schedule_id, NOON + 9 * HOUR)

        assert await retention.remove_events({}, 100) == 0
        assert await retention.remove_events({(GLOBEX, schedule_id): LATER}, 100) == 0


class OthersContract:
    async def test_an_offline_worker_goes_with_its_events_once_it_is_old(
        self, begin: Begin, retention: Retention, reads: Reads, log: EventLog, published: None
    ) -> None:
        old, young = a_worker(WorkerState.OFFLINE), a_worker(WorkerState.OFFLINE, now=NOON + HOUR)
        alive = a_worker()
        await store(begin, old, young, alive)

        removed = await retention.remove_workers(NOON + MINUTE, 10)

        left = await reads.workers(ACME, Paging())
        assert (removed, {each.id for each in left.items}) == (1, {young.id, alive.id})
        assert old.id not in await subjects(log)

    async def test_but_not_before_its_runs_are_lost_and_its_end_was_published(
        self, begin: Begin, retention: Retention, cursors: Cursors, job: Job
    ) -> None:
        worker = a_worker()
        run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
        await store(begin, worker, run)
        async with begin() as work:
            (await work.workers.get(ACME, worker.id)).give_up("silent", now=NOON)
            await work.commit()

        unpublished = await retention.remove_workers(LATER, 10)
        await cursors.move("relay", Cursor(EVER))
        named = await retention.remove_workers(LATER, 10)
        async with begin() as work:
            for each in await work.runs.orphaned(10):
                each.lose(NOON, "its worker was given up")
            await work.commit()
        free = await retention.remove_workers(LATER, 10)

        assert (unpublished, named, free) == (0, 0, 1)

    async def test_rejected_reports_go_by_age_at_most_so_many_at_once(
        self, begin: Begin, retention: Retention, rejected: Rejections
    ) -> None:
        async with begin() as work:
            work.reject(Rejected(tenant_id=tenant_id, reason="no such run") for tenant_id in (ACME, GLOBEX, ACME))
            await work.commit()

        young = await retention.remove_rejected(datetime(2020, 1, 1, tzinfo=NOON.tzinfo), 10)
        some = await retention.remove_rejected(LATER, 2)
        rest = await retention.remove_rejected(LATER, 2)

        assert (young, some, rest, await retention.remove_rejected(LATER, 2)) == (0, 2, 1, 0)
        assert (await rejected.page(ACME, Paging())).items == []

    async def test_a_redrive_goes_with_its_list_row_by_row(self, begin: Begin, retention: Retention, job: Job) -> None:
        await keep(begin, *(ended(RunState.DEAD) for _ in range(3)))
        over = Redrive.ask(ACME, RedriveId(next_id()), LetterFilter(), RedriveTerms(), now=NOON)
        going = Redrive.ask(ACME, RedriveId(next_id()), LetterFilter(), RedriveTerms(), now=NOON)
        async with begin() as work:
            for redrive in (over, going):
                redrive.take(await work.redrives.add(redrive))
            over.cancel("", NOON)
            await work.commit()

        removed = [await retention.remove_redrives(LATER, 2) for _ in range(3)]

        assert removed == [2, 2, 0]
        async with begin() as work:
            assert len(await work.redrives.letters(going, 10)) == 3
            assert len(await work.redrives.letters(over, 10)) == 0
            with pytest.raises(NotFoundError):
                await work.redrives.get(ACME, over.id)

    async def test_young_ones_stay(self, begin: Begin, retention: Retention, job: Job) -> None:
        over = Redrive.ask(ACME, RedriveId(next_id()), LetterFilter(), RedriveTerms(), now=NOON)
        async with begin() as work:
            over.take(await work.redrives.add(over))
            await work.commit()

        assert await retention.remove_redrives(NOON, 10) == 0
        assert await retention.remove_redrives(NOON + MINUTE, 10) == 1


class RejectionsContract:
    async def test_they_are_read_newest_first_as_they_were_kept(self, begin: Begin, rejected: Rejections) -> None:
        kept = [
            Rejected(tenant_id=ACME, reason="not JSON", body="{"),
            Rejected(
                tenant_id=ACME,
                reason="not current",
                run_id=RunId(next_id()),
                attempt=2,
                worker_id=next_id(),
                kind="STARTED",
            ),
        ]
        for report in kept:
            async with begin() as work:
                work.reject([report, Rejected(tenant_id=GLOBEX, reason="theirs")])
                await work.commit()

        whole = await rejected.page(ACME, Paging())
        first = await rejected.page(ACME, Paging(limit=1))
        second = await rejected.page(ACME, Paging(limit=1, after=first.next_after))

        assert [each.report for each in whole.items] == kept[::-1]
        assert [*first.items, *second.items] == list(whole.items)
        assert (second.next_after, (await rejected.page(ACME, Paging(page=1))).total) == (None, 2)
        assert all(each.at.tzinfo is not None for each in whole.items)


class TestInMemoryFinding(InMemoryOld, FindingContract):
    pass


class TestPostgresFinding(OldOnPostgres, FindingContract):
    pass


class TestInMemoryRemoving(InMemoryOld, RemovingContract):
    pass


class TestPostgresRemoving(OldOnPostgres, RemovingContract):
    pass


class TestInMemoryCounts(InMemoryOld, CountsContract):
    pass


class TestPostgresCounts(OldOnPostgres, CountsContract):
    pass


class TestInMemoryDefinitions(InMemoryOld, DefinitionsContract):
    pass


class TestPostgresDefinitions(OldOnPostgres, DefinitionsContract):
    pass


class TestInMemoryOthers(InMemoryOld, OthersContract):
    pass


class TestPostgresOthers(OldOnPostgres, OthersContract):
    pass


class TestInMemoryRejections(InMemoryOld, RejectionsContract):
    pass


class TestPostgresRejections(OldOnPostgres, RejectionsContract):
    pass
