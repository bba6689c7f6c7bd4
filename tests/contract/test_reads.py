"""What readers ask: one tenant's things, filtered and paged; and what the leader sleeps towards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import (
    ACME,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    a_run,
    a_schedule,
    a_worker,
    next_id,
)
from tests.support.stored import STORABLE, state, store

from rota.application.ports.reads import JobFilter, Page, Paging, Reads, RunFilter, ScheduleFilter, Upcoming
from rota.application.ports.store import Begin
from rota.domain.errors import NotFoundError
from rota.domain.ids import ScheduleId, WorkerId
from rota.domain.job import Job
from rota.domain.run_events import Cause, RunState
from rota.domain.trigger import OneShot

ALL = Paging(limit=200)


def ids(page: Page[Any]) -> list[UUID]:  # Any: a page of anything with an id
    return [item.id for item in page.items]


def newest_first(things: Iterable[Any]) -> list[UUID]:  # Any: anything with an id
    return sorted((thing.id for thing in things), reverse=True)


async def delete_schedule(begin: Begin, schedule_id: ScheduleId) -> None:
    async with begin() as work:
        (await work.schedules.get(ACME, schedule_id)).delete(now=NOON)
        await work.commit()


class ReadsContract:
    # One

    async def test_each_is_read_as_it_is(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule, run, worker = a_schedule(job=job), a_run(RunState.RETRYING, job=job), a_worker()
        await store(begin, schedule, run, worker)

        assert await reads.job(ACME, job.id) == job.snapshot()
        assert state(await reads.schedule(ACME, schedule.id)) == state(schedule)
        assert state(await reads.run(ACME, run.id)) == state(run)
        assert await reads.worker(ACME, worker.id) == worker.snapshot()

    @pytest.mark.parametrize("kind", ["job", "schedule", "run", "worker"])
    async def test_what_is_unknown_is_not_found(self, reads: Reads, kind: str) -> None:
        with pytest.raises(NotFoundError) as refusal:
            await getattr(reads, kind)(ACME, next_id())

        assert refusal.value.kind == kind

    async def test_what_is_another_tenants_is_not_found_either(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule, run, worker = a_schedule(job=job), a_run(job=job), a_worker()
        await store(begin, schedule, run, worker)

        for thing in (job, schedule, run, worker):
            with pytest.raises(NotFoundError):
                await getattr(reads, type(thing).__name__.lower())(GLOBEX, thing.id)

    async def test_a_deleted_schedule_or_job_is_not_found(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        await delete_schedule(begin, schedule.id)
        async with begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        with pytest.raises(NotFoundError):
            await reads.schedule(ACME, schedule.id)
        with pytest.raises(NotFoundError):
            await reads.job(ACME, job.id)

    async def test_a_run_outlives_its_schedule_and_its_job(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule = a_schedule(job=job)
        run = a_run(RunState.SUCCEEDED, job=job, schedule_id=schedule.id)
        await store(begin, schedule, run)
        await delete_schedule(begin, schedule.id)
        async with begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        assert (await reads.run(ACME, run.id)).job.name == job.definition.name
        assert ids(await reads.runs(ACME, RunFilter(schedule_id=schedule.id), ALL)) == [run.id]

    async def test_what_is_read_cannot_be_changed_through_the_reading(
        self, begin: Begin, reads: Reads, job: Job
    ) -> None:
        run = a_run(job=job)
        await store(begin, run)

        (await reads.run(ACME, run.id)).go(NOON)

        assert (await reads.run(ACME, run.id)).state is RunState.PENDING

    # Many

    async def test_the_newest_come_first(self, begin: Begin, reads: Reads) -> None:
        jobs = [a_job(name) for name in "abc"]
        schedules = [a_schedule(job=jobs[0], name=name) for name in "abc"]
        runs, workers = [a_run(job=jobs[0]) for _ in range(3)], [a_worker() for _ in range(3)]
        await store(begin, *jobs, *schedules, *runs, *workers)

        assert ids(await reads.jobs(ACME, JobFilter(), ALL)) == newest_first(jobs)
        assert ids(await reads.schedules(ACME, ScheduleFilter(), ALL)) == newest_first(schedules)
        assert ids(await reads.runs(ACME, RunFilter(), ALL)) == newest_first(runs)
        assert ids(await reads.workers(ACME, ALL)) == newest_first(workers)

    async def test_tenants_never_mix(self, begin: Begin, reads: Reads, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs, a_schedule(job=theirs), a_run(job=theirs), a_worker(tenant_id=GLOBEX))

        assert ids(await reads.jobs(ACME, JobFilter(), ALL)) == [job.id]
        assert ids(await reads.schedules(ACME, ScheduleFilter(), ALL)) == []
        assert ids(await reads.runs(ACME, RunFilter(), ALL)) == []
        assert ids(await reads.workers(ACME, ALL)) == []
        assert (await reads.runs(ACME, RunFilter(), Paging(page=1))).total == 0

    async def test_what_is_deleted_is_in_no_list(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        await delete_schedule(begin, schedule.id)
        async with begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        assert ids(await reads.schedules(ACME, ScheduleFilter(), ALL)) == []
        assert ids(await reads.jobs(ACME, JobFilter(), ALL)) == []

    # Pages

    async def test_a_cursor_goes_through_all_once(self, begin: Begin, reads: Reads, job: Job) -> None:
        runs = [a_run(job=job) for _ in range(5)]
        await store(begin, *runs)

        first = await reads.runs(ACME, RunFilter(), Paging(limit=2))
        second = await reads.runs(ACME, RunFilter(), Paging(limit=2, after=first.next_after))
        third = await reads.runs(ACME, RunFilter(), Paging(limit=2, after=second.next_after))

        assert [*ids(first), *ids(second), *ids(third)] == newest_first(runs)
        assert (first.next_after, third.next_after, first.total) == (first.items[-1].id, None, None)

    async def test_what_is_made_meanwhile_does_not_move_the_pages(self, begin: Begin, reads: Reads, job: Job) -> None:
        runs = [a_run(job=job) for _ in range(4)]
        await store(begin, *runs)

        first = await reads.runs(ACME, RunFilter(), Paging(limit=2))
        await store(begin, a_run(job=job))
        second = await reads.runs(ACME, RunFilter(), Paging(limit=2, after=first.next_after))

        assert [*ids(first), *ids(second)] == newest_first(runs)

    async def test_a_last_page_that_is_full_is_the_last(self, begin: Begin, reads: Reads, job: Job) -> None:
        await store(begin, a_run(job=job), a_run(job=job))

        assert (await reads.runs(ACME, RunFilter(), Paging(limit=2))).next_after is None

    async def test_pages_by_number_tell_the_total(self, begin: Begin, reads: Reads, job: Job) -> None:
        runs = [a_run(job=job) for _ in range(5)]
        await store(begin, *runs)

        pages = [await reads.runs(ACME, RunFilter(), Paging(limit=2, page=number)) for number in (1, 2, 3, 4)]

        assert [run_id for page in pages for run_id in ids(page)] == newest_first(runs)
        assert [page.total for page in pages] == [5, 5, 5, 5]
        assert pages[3].items == []

    async def test_the_total_is_of_what_was_asked_for(self, begin: Begin, reads: Reads, job: Job) -> None:
        await store(begin, a_schedule(job=job, name="a1"), a_schedule(job=job, name="a2"), a_schedule(job=job))

        page = await reads.schedules(ACME, ScheduleFilter(name_prefix="a"), Paging(limit=1, page=1))

        assert (len(page.items), page.total) == (1, 2)

    async def test_cursors_go_through_a_filter_too(self, begin: Begin, reads: Reads, job: Job) -> None:
        wanted = [a_run(RunState.QUEUED, job=job) for _ in range(3)]
        await store(begin, wanted[0], a_run(job=job), wanted[1], a_run(job=job), wanted[2])

        first = await reads.runs(ACME, RunFilter(states=[RunState.QUEUED]), Paging(limit=2))
        second = await reads.runs(ACME, RunFilter(states=[RunState.QUEUED]), Paging(limit=2, after=first.next_after))

        assert [*ids(first), *ids(second)] == newest_first(wanted)

    # Filters of schedules

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            (ScheduleFilter(), {"daily", "daily_2", "weekly"}),
            (ScheduleFilter(enabled=True), {"daily", "daily_2"}),
            (ScheduleFilter(enabled=False), {"weekly"}),
            (ScheduleFilter(name_prefix="daily"), {"daily", "daily_2"}),
            (ScheduleFilter(name_prefix="daily_"), {"daily_2"}),
            (ScheduleFilter(name_prefix="Daily"), set()),
            (ScheduleFilter(name_prefix="%"), set()),
            (ScheduleFilter(labels={"team": "bi"}), {"daily", "weekly"}),
            (ScheduleFilter(labels={"team": "bi", "stage": "½"}), {"weekly"}),
            (ScheduleFilter(labels={"team": "ops"}), set()),
            (ScheduleFilter(labels={}), {"daily", "daily_2", "weekly"}),
            (ScheduleFilter(kind="JOB"), {"daily", "daily_2", "weekly"}),
            (ScheduleFilter(kind="HTTP"), set()),
            (ScheduleFilter(enabled=True, labels={"team": "bi"}), {"daily"}),
        ],
    )
    async def test_schedules_are_filtered(
        self, begin: Begin, reads: Reads, job: Job, wanted: ScheduleFilter, names: set[str]
    ) -> None:
        await store(
            begin,
            a_schedule(job=job, name="daily", labels={"team": "bi"}),
            a_schedule(job=job, name="daily_2"),
            a_schedule(job=job, name="weekly", labels={"team": "bi", "stage": "½"}, enabled=False),
        )

        found = await reads.schedules(ACME, wanted, ALL)

        assert {item.definition.name for item in found.items} == names

    async def test_a_list_shows_schedules_as_they_are(self, begin: Begin, reads: Reads, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)

        assert list((await reads.schedules(ACME, ScheduleFilter(), ALL)).items) == [schedule.snapshot()]

    # Filters of jobs

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            (JobFilter(), {"reports.daily", "reports.weekly", "mail"}),
            (JobFilter(name_prefix="reports."), {"reports.daily", "reports.weekly"}),
            (JobFilter(queue="slow"), {"reports.weekly", "mail"}),
            (JobFilter(name_prefix="reports.", queue="slow"), {"reports.weekly"}),
            (JobFilter(name_prefix="reports_"), set()),
        ],
    )
    async def test_jobs_are_filtered(
        self, begin: Begin, reads: Reads, job: Job, wanted: JobFilter, names: set[str]
    ) -> None:
        await store(begin, a_job("reports.weekly", queue="slow"), a_job("mail", queue="slow"))

        assert {item.definition.name for item in (await reads.jobs(ACME, wanted, ALL)).items} == names

    # Filters of runs

    async def test_runs_are_filtered_by_where_they_come_from(self, begin: Begin, reads: Reads, job: Job) -> None:
        other_job, schedule_id = a_job("other"), ScheduleId(next_id())
        of_schedule = a_run(job=job, schedule_id=schedule_id, cause=Cause.SCHEDULE)
        by_hand = a_run(job=job, schedule_id=schedule_id, cause=Cause.MANUAL)
        of_other_job = a_run(job=other_job)
        await store(begin, other_job, of_schedule, by_hand, of_other_job)

        async def found(**wanted: Any) -> list[UUID]:  # Any: values of any field
            return ids(await reads.runs(ACME, RunFilter(**wanted), ALL))

        assert await found(schedule_id=schedule_id) == newest_first([of_schedule, by_hand])
        assert await found(schedule_id=ScheduleId(next_id())) == []
        assert await found(job="other") == [of_other_job.id]
        assert await found(causes=[Cause.SCHEDULE]) == [of_schedule.id]
        assert await found(causes=[Cause.SCHEDULE, Cause.API]) == newest_first([of_schedule, of_other_job])
        assert await found(schedule_id=schedule_id, causes=[Cause.MANUAL]) == [by_hand.id]

    async def test_runs_are_filtered_by_how_they_stand(self, begin: Begin, reads: Reads, job: Job) -> None:
        worker_id = WorkerId(next_id())
        runs = {each: a_run(each, job=job, worker_id=worker_id, labels={"state": each}) for each in STORABLE}
        await store(begin, *runs.values())

        async def found(**wanted: Any) -> list[UUID]:  # Any: values of any field
            return ids(await reads.runs(ACME, RunFilter(**wanted), ALL))

        for each in STORABLE:
            assert await found(states=[each]) == [runs[each].id]
            assert await found(labels={"state": each.value}) == [runs[each].id]
        assert await found(labels={"state": "RUNNING", "team": "bi"}) == []
        assert runs[RunState.RUNNING].id in await found(worker_id=worker_id)
        assert runs[RunState.QUEUED].id not in await found(worker_id=worker_id)

    @pytest.mark.parametrize(
        ("since", "until", "minutes"),
        [
            (None, None, {0, 1, 2}),
            (NOON + MINUTE, None, {1, 2}),
            (None, NOON + MINUTE, {0}),
            (NOON + MINUTE, NOON + 2 * MINUTE, {1}),
            (NOON + MINUTE, NOON + MINUTE, set()),
        ],
    )
    async def test_runs_are_filtered_by_what_they_are_scheduled_for(
        self, begin: Begin, reads: Reads, job: Job, since: datetime, until: datetime, minutes: set[int]
    ) -> None:
        await store(begin, *(a_run(job=job, scheduled_for=NOON + n * MINUTE, due_at=NOON) for n in range(3)))

        found = await reads.runs(ACME, RunFilter(since=since, until=until), ALL)

        assert {(run.scheduled_for - NOON) / MINUTE for run in found.items} == minutes


class UpcomingContract:
    async def test_where_nothing_waits_there_is_no_instant(self, upcoming: Upcoming) -> None:
        assert await upcoming.next_instant() is None

    async def test_the_earliest_due_time_of_all_tenants_counts(
        self, begin: Begin, upcoming: Upcoming, job: Job
    ) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(
            begin,
            theirs,
            a_schedule(OneShot(NOON + HOUR), job=job),
            a_schedule(OneShot(NOON + MINUTE), job=theirs),
        )

        assert await upcoming.next_instant() == NOON + MINUTE

    @pytest.mark.parametrize("wake_after", [SECOND, 2 * MINUTE])
    async def test_so_does_the_earliest_wake_up(
        self, begin: Begin, upcoming: Upcoming, job: Job, wake_after: timedelta
    ) -> None:
        await store(
            begin,
            a_schedule(OneShot(NOON + MINUTE), job=job),
            a_run(job=job, due_at=NOON + wake_after),
            a_run(job=job, due_at=NOON + HOUR),
        )

        assert await upcoming.next_instant() == min(NOON + MINUTE, NOON + wake_after)

    async def test_a_run_alone_is_waited_for_too(self, begin: Begin, upcoming: Upcoming, job: Job) -> None:
        await store(begin, a_run(RunState.RETRYING, job=job))

        assert await upcoming.next_instant() == NOON + 10 * SECOND

    async def test_what_is_disabled_or_deleted_or_over_is_not_waited_for(
        self, begin: Begin, upcoming: Upcoming, job: Job
    ) -> None:
        deleted = a_schedule(job=job, name="deleted")
        await store(
            begin,
            deleted,
            a_schedule(job=job, name="disabled", enabled=False),
            *(a_run(each, job=job) for each in STORABLE if each.is_final or each is RunState.QUEUED),
        )
        await delete_schedule(begin, deleted.id)

        assert await upcoming.next_instant() is None


class TestInMemoryReads(InMemory, ReadsContract):
    pass


class TestPostgresReads(OnPostgres, ReadsContract):
    pass


class TestInMemoryUpcoming(InMemory, UpcomingContract):
    pass


class TestPostgresUpcoming(OnPostgres, UpcomingContract):
    pass
