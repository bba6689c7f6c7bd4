"""A job goes, once nothing needs it."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job, a_run, a_schedule
from tests.unit.application.house import House

from rota.application.catch_up import CatchUpOnce
from rota.application.create_runs import CreateRuns, RunDraft
from rota.application.delete_job import DeleteJob
from rota.application.delete_schedule import DeleteSchedule
from rota.application.ports.bus import Lane
from rota.domain.errors import InvalidError, JobInUseError, NotFoundError
from rota.domain.job import Job
from rota.domain.misfire import MisfirePolicy
from rota.domain.run_events import RunState


def delete(job: Job) -> DeleteJob:
    return DeleteJob(tenant_id=job.tenant_id, job_id=job.id)


async def test_it_is_unknown_from_then_on_and_its_lane_is_gone(house: House) -> None:
    job = a_job()
    await house.has(job)
    await house.lanes.provide([Lane(ACME, job.id)])
    run = a_run(RunState.QUEUED, job=job)
    house.sender.send([run])
    await house.flow()

    await house.handle(delete(job))

    with pytest.raises(NotFoundError):
        await house.reads.job(ACME, job.id)
    with pytest.raises(NotFoundError):
        await house.handle(delete(job))
    assert house.lanes.take(Lane(ACME, job.id)) is None
    assert await house.event_types() == ["job.deleted"]


async def test_its_name_is_free_again(house: House) -> None:
    job = a_job()
    await house.has(job)

    await house.handle(delete(job))
    with pytest.raises(InvalidError):
        await house.handle(CreateRuns(tenant_id=ACME, drafts=[RunDraft(job=job.definition.name)]))

    await house.has(a_job(job.definition.name, tenant_id=GLOBEX))


async def test_a_schedule_needs_it(house: House) -> None:
    job, schedule = a_job(), a_schedule(enabled=False)
    await house.has(job, schedule)

    with pytest.raises(JobInUseError, match="a schedule"):
        await house.handle(delete(job))

    assert (await house.reads.job(ACME, job.id)).version == 1


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.QUEUED, RunState.RUNNING, RunState.RETRYING])
async def test_a_run_that_has_not_ended_needs_it(house: House, state: RunState) -> None:
    job = a_job()
    await house.has(job, a_run(state, job=job))

    with pytest.raises(JobInUseError, match="an unfinished run"):
        await house.handle(delete(job))


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.DEAD])
async def test_a_run_that_has_ended_does_not(house: House, state: RunState) -> None:
    job = a_job()
    run = a_run(state, job=job)
    await house.has(job, run)

    await house.handle(delete(job))

    assert (await house.run(run.id)).job.name == job.definition.name


async def test_a_deleted_schedule_does_not_once_its_last_due_times_are_caught_up(house: House) -> None:
    job, schedule = a_job(), a_schedule(policy=MisfirePolicy.FIRE_ALL, end_at=NOON + HOUR)
    await house.has(job, schedule)
    house.clock.advance(2 * HOUR)
    await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id))
    with pytest.raises(JobInUseError, match="a catch-up"):
        await house.handle(delete(job))

    while await house.handle(CatchUpOnce()):
        pass
    with pytest.raises(JobInUseError, match="an unfinished run"):
        await house.handle(delete(job))
    assert (await house.dispatch()).moved == 60


async def test_another_tenants_job_is_unknown(house: House) -> None:
    job = a_job()
    await house.has(job)

    with pytest.raises(NotFoundError):
        await house.handle(DeleteJob(tenant_id=GLOBEX, job_id=job.id))
