"""The event log as its readers see it, and how far each has come."""

from __future__ import annotations

import asyncio

from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import ACME, GLOBEX, NOON, a_job_definition, next_id
from tests.support.stored import all_events, store

from rota.application.ports.log import Cursor, Cursors, EventLog, History
from rota.application.ports.reads import Paging
from rota.application.ports.store import Begin
from rota.domain.ids import JobId
from rota.domain.job import Job


def created(name: str) -> Job:
    """A job with its event still on it."""
    return Job.create(ACME, JobId(next_id()), a_job_definition(name), now=NOON)


class EventLogContract:
    async def test_an_empty_log_has_nothing_to_read(self, log: EventLog) -> None:
        assert list(await log.after(0, 10)) == []

    async def test_a_reader_goes_on_behind_what_it_has_read(self, begin: Begin, log: EventLog) -> None:
        jobs = [created(name) for name in "abcde"]
        for job in jobs:
            await store(begin, job)

        first = await log.after(0, 2)
        second = await log.after(first[-1].position, 2)
        third = await log.after(second[-1].position, 2)

        assert [entry.subject for entry in (*first, *second, *third)] == [job.id for job in jobs]
        assert [len(first), len(second), len(third)] == [2, 2, 1]
        assert list(await log.after(third[-1].position, 2)) == []

    async def test_every_position_lies_behind_zero(self, begin: Begin, log: EventLog) -> None:
        await store(begin, created("a"))

        assert (await log.after(0, 1))[0].position > 0

    async def test_the_history_of_one_aggregate_is_its_own_events_in_order(
        self, begin: Begin, history: History
    ) -> None:
        job, other = created("a"), created("b")
        await store(begin, job, other)
        async with begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        whole = (await history.of(ACME, job.id, Paging(10, after=0))).items

        assert [(entry.type, entry.seq) for entry in whole] == [("job.created", 1), ("job.deleted", 2)]
        assert list((await history.of(ACME, job.id, Paging(10, after=1))).items) == [whole[1]]
        assert list((await history.of(ACME, job.id, Paging(1, after=0))).items) == [whole[0]]
        assert list((await history.of(GLOBEX, job.id, Paging(10, after=0))).items) == []
        page = await history.of(ACME, job.id, Paging(1, page=2))
        assert (page.items, page.next_after, page.total) == ([whole[1]], None, 2)

    async def test_a_reader_that_keeps_up_with_many_writers_skips_none(self, begin: Begin, log: EventLog) -> None:
        jobs = [created(f"{n}") for n in range(24)]
        seen = []
        position = 0

        async with asyncio.TaskGroup() as writers:
            writing = [writers.create_task(store(begin, *jobs[n : n + 3])) for n in range(0, 24, 3)]
            while not all(task.done() for task in writing):
                for entry in await log.after(position, 5):
                    seen.append(entry.subject)
                    position = entry.position
                await asyncio.sleep(0)
        while rest := await log.after(position, 5):
            seen += (entry.subject for entry in rest)
            position = rest[-1].position

        assert seen == [entry.subject for entry in await all_events(log)]
        assert set(seen) == {job.id for job in jobs}


class CursorsContract:
    async def test_a_reader_that_has_not_begun_has_none(self, cursors: Cursors) -> None:
        assert await cursors.read("relay") is None

    async def test_how_far_it_has_come_is_kept(self, cursors: Cursors) -> None:
        await cursors.move("relay", Cursor(17, "2026-01-01T00:00:00+00:00"))
        await cursors.move("relay", Cursor(2**40, "2026-01-02T00:00:00+00:00"))

        assert await cursors.read("relay") == Cursor(2**40, "2026-01-02T00:00:00+00:00")

    async def test_it_may_be_moved_back(self, cursors: Cursors) -> None:
        await cursors.move("work-stream", Cursor(17, "2026-01-01T00:00:00+00:00"))

        await cursors.move("work-stream", Cursor(0, "2026-01-02T00:00:00+00:00"))

        assert await cursors.read("work-stream") == Cursor(0, "2026-01-02T00:00:00+00:00")

    async def test_each_reader_has_its_own(self, cursors: Cursors) -> None:
        await cursors.move("relay", Cursor(17))

        await cursors.move("work-stream", Cursor(3))

        assert await cursors.read("relay") == Cursor(17)


class TestInMemoryLog(InMemory, EventLogContract):
    pass


class TestPostgresLog(OnPostgres, EventLogContract):
    pass


class TestInMemoryCursors(InMemory, CursorsContract):
    pass


class TestPostgresCursors(OnPostgres, CursorsContract):
    pass
