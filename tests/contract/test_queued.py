"""The runs that should be on the bus."""

from __future__ import annotations

import asyncio

from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.contract.given import ids, key_of
from tests.support.builders import ACME, GLOBEX, NOON, SECOND, a_job, a_run, next_id
from tests.support.stored import STORABLE, event_types, state, store

from rota.application.ports.bus import Lane
from rota.application.ports.log import EventLog
from rota.application.ports.queued_runs import QueuedRuns
from rota.application.ports.store import Begin
from rota.domain.ids import WorkerId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import RunState


def lane_of(job: Job) -> Lane:
    return Lane(job.tenant_id, job.id)


class QueuedRunsContract:
    async def test_each_lane_tells_how_many_were_queued_before(
        self, begin: Begin, job: Job, queued: QueuedRuns
    ) -> None:
        other, theirs = a_job("other"), a_job(tenant_id=GLOBEX)
        before = [a_run(RunState.QUEUED, job=each, now=NOON - SECOND) for each in (job, job, other, theirs)]
        just_now = a_run(RunState.QUEUED, job=job, now=NOON)
        await store(begin, other, theirs, *before, just_now)

        assert dict(await queued.lanes(NOON)) == {lane_of(job): 2, lane_of(other): 1, lane_of(theirs): 1}

    async def test_what_is_not_queued_is_not_told(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        await store(
            begin, *(a_run(each, job=job, now=NOON - SECOND) for each in STORABLE if each is not RunState.QUEUED)
        )

        assert list(await queued.lanes(NOON)) == []
        assert list(await queued.page(NOON - SECOND, None, 10)) == []
        assert list(await queued.send_anew(NOON, None, None, 10)) == []

    async def test_what_was_queued_of_late_comes_in_pages(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        early = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        late = [a_run(RunState.QUEUED, job=each) for each in (job, theirs, job, theirs)]
        await store(begin, theirs, early, *late)
        in_order = sorted(late, key=key_of)

        first = await queued.page(NOON, None, 3)
        second = await queued.page(NOON, key_of(first[-1]), 3)

        assert ids([*first, *second]) == ids(in_order)
        assert list(await queued.page(NOON, key_of(second[-1]), 3)) == []

    async def test_a_page_shows_runs_as_they_are(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        run = a_run(RunState.QUEUED, job=job)
        await store(begin, run)

        (found,) = await queued.page(NOON, None, 10)

        assert state(found) == state(run)

    async def test_sending_anew_is_counted(self, begin: Begin, job: Job, queued: QueuedRuns, log: EventLog) -> None:
        run = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        await store(begin, run)

        counts = [sent.sends for _ in range(2) for sent in await queued.send_anew(NOON, None, None, 10)]

        assert counts == [1, 2]
        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
        assert (known.sends, known.seq) == (2, run.seq)
        assert await event_types(log) == []

    async def test_the_next_attempt_is_counted_from_none(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        run = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        await store(begin, run)
        await queued.send_anew(NOON, None, None, 10)

        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
            known.start(WorkerId(next_id()), 1, NOON)
            known.lose(NOON, "silent")
            await work.commit()

        (again,) = await queued.page(NOON, None, 10)
        assert (again.attempt, again.sends) == (2, 0)

    async def test_what_was_queued_since_is_not_sent_anew(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        await store(begin, a_run(RunState.QUEUED, job=job, now=NOON))

        assert list(await queued.send_anew(NOON, None, None, 10)) == []

    async def test_what_starts_while_its_lock_is_waited_for_is_not_sent_anew(
        self, begin: Begin, job: Job, queued: QueuedRuns, somebody_waits: Wait
    ) -> None:
        run = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        await store(begin, run)

        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
            sending = asyncio.create_task(queued.send_anew(NOON, None, None, 10))
            await somebody_waits()
            known.start(WorkerId(next_id()), 1, NOON)
            await work.commit()

        assert list(await sending) == []

    async def test_one_lane_can_be_sent_anew(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        other = a_job("other")
        wanted = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        await store(begin, other, wanted, a_run(RunState.QUEUED, job=other, now=NOON - SECOND))

        assert ids(await queued.send_anew(NOON, lane_of(job), None, 10)) == [wanted.id]
        assert list(await queued.send_anew(NOON, Lane(GLOBEX, job.id), None, 10)) == []

    async def test_it_is_done_in_pages_and_each_run_once(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        runs = [a_run(RunState.QUEUED, job=each, now=NOON - SECOND) for each in (job, theirs, job, theirs, job)]
        await store(begin, theirs, *runs)

        sent: list[Run] = []
        while page := await queued.send_anew(NOON, None, key_of(sent[-1]) if sent else None, 2):
            sent += page

        assert ids(sent) == ids(sorted(runs, key=key_of))
        assert {run.sends for run in sent} == {1}

    async def test_a_run_obeys_its_job_here_too(self, begin: Begin, job: Job, queued: QueuedRuns) -> None:
        run = a_run(RunState.QUEUED, job=job, now=NOON - SECOND)
        await store(begin, run)

        (found,) = await queued.send_anew(NOON, None, None, 10)

        assert (found.tenant_id, found.job) == (ACME, job.terms())


class TestInMemoryQueuedRuns(InMemory, QueuedRunsContract):
    pass


class TestPostgresQueuedRuns(OnPostgres, QueuedRunsContract):
    pass
