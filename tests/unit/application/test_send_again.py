"""What a new leader does first: what its predecessor stored and perhaps never sent goes out under its old id."""

from __future__ import annotations

import asyncio

from tests.support.builders import GLOBEX, NOON, SECOND, a_job, a_run, next_id
from tests.unit.application.house import House

from rota.application.send_again import INSIDE_DEDUP_WINDOW, PAGE, SendAgain
from rota.domain.ids import WorkerId
from rota.domain.run_events import RunState


async def send_again(house: House) -> int:
    async with house.sending():
        return await house.handle(SendAgain())


async def test_what_was_stored_and_not_sent_is_sent(house: House) -> None:
    job = a_job()
    runs = [a_run(RunState.QUEUED, job=job) for _ in range(3)]
    await house.has(job, *runs)

    assert await send_again(house) == 3

    assert [(item.run_id, item.attempt, item.sends) for item in await house.taken(job)] == [
        (run.id, 1, 0) for run in runs
    ]


async def test_what_the_bus_has_it_refuses_as_a_duplicate(house: House) -> None:
    job, run = a_job(), a_run(RunState.QUEUED)
    await house.has(job, run)
    house.sender.send([run])
    await house.flow()

    assert await send_again(house) == 1

    assert len(await house.taken(job)) == 1


async def test_what_is_no_longer_queued_is_left_alone(house: House) -> None:
    job = a_job()
    others = [RunState.PENDING, RunState.RUNNING, RunState.RETRYING, RunState.SUCCEEDED, RunState.DEAD]
    await house.has(job, *(a_run(state, job=job) for state in others))

    assert await send_again(house) == 0


async def test_what_is_older_than_the_bus_remembers_ids_is_left_to_the_keeper_of_lanes(house: House) -> None:
    job = a_job()
    old = a_run(RunState.QUEUED, job=job)
    await house.has(job, old)
    house.clock.set(NOON + INSIDE_DEDUP_WINDOW + SECOND)
    fresh = a_run(RunState.QUEUED, job=job, now=house.clock.now())
    await house.has(fresh)

    assert await send_again(house) == 1

    assert [item.run_id for item in await house.taken(job)] == [fresh.id]


async def test_of_every_tenant(house: House) -> None:
    ours, theirs = a_job(), a_job(tenant_id=GLOBEX)
    await house.has(ours, theirs, a_run(RunState.QUEUED, job=ours), a_run(RunState.QUEUED, job=theirs))

    assert await send_again(house) == 2

    assert [len(await house.taken(job)) for job in (ours, theirs)] == [1, 1]


async def test_however_many_they_are(house: House) -> None:
    job = a_job()
    await house.has(job, *(a_run(RunState.QUEUED, job=job) for _ in range(2 * PAGE + 1)))

    assert await send_again(house) == 2 * PAGE + 1

    assert len(await house.taken(job)) == 2 * PAGE + 1


async def test_not_before_intake_has_come_to_what_was_reported_by_then(house: House) -> None:
    """A run that has started must not be sent again: a restarted bus no longer knows its id."""
    job, run = a_job(), a_run(RunState.QUEUED)
    await house.has(job, run)
    house.reports.publish("scheduler.report.acme", b"[]")
    async with house.sending():
        sending_again = asyncio.create_task(house.handle(SendAgain()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert house.sender.is_idle

        async with house.begin() as work:
            (known,) = (await work.runs.load([(run.tenant_id, run.id)])).values()
            known.start(WorkerId(next_id()), 1, NOON)
            await work.commit()
        await house.reports.acknowledge(await house.reports.fetch(1, 0))

        assert await sending_again == 0


async def test_reports_that_are_gone_are_not_waited_for(house: House) -> None:
    await house.has(a_job(), a_run(RunState.QUEUED))
    house.reports.publish("scheduler.report.acme", b"[]")
    async with house.sending():
        sending_again = asyncio.create_task(house.handle(SendAgain()))
        await asyncio.sleep(0)
        house.reports.lose_everything()

        assert await sending_again == 1
