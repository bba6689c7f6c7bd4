"""A worker is asked to take no more runs."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, a_job, a_run, a_worker, next_id
from tests.unit.application.house import House

from rota.application.drain_worker import DrainWorker
from rota.domain.errors import NotFoundError, TransitionError
from rota.domain.ids import WorkerId
from rota.domain.run_events import RunState
from rota.domain.worker import WorkerState


async def test_it_is_told_at_once(house: House) -> None:
    worker = a_worker()
    await house.has(worker)

    answer = await house.handle(DrainWorker(tenant_id=ACME, worker_id=worker.id))

    assert answer.state is WorkerState.DRAINING
    assert (await house.reads.worker(ACME, worker.id)).state is WorkerState.DRAINING
    assert await house.event_types() == ["worker.draining"]
    assert [(worker_id, order.kind) for _, worker_id, order in house.control.told] == [(worker.id, "DRAIN")]


async def test_its_runs_are_left_to_it(house: House) -> None:
    job, worker = a_job(), a_worker()
    run = a_run(RunState.RUNNING, job=job, worker_id=worker.id)
    await house.has(job, worker, run)

    await house.handle(DrainWorker(tenant_id=ACME, worker_id=worker.id))

    assert (await house.run(run.id)).worker_id == worker.id


async def test_asking_again_tells_it_again_and_is_no_second_event(house: House) -> None:
    worker = a_worker(WorkerState.DRAINING)
    await house.has(worker)

    await house.handle(DrainWorker(tenant_id=ACME, worker_id=worker.id))

    assert await house.events() == []
    assert len(house.control.told) == 1


async def test_one_that_was_given_up_cannot_drain(house: House) -> None:
    worker = a_worker(WorkerState.OFFLINE)
    await house.has(worker)

    with pytest.raises(TransitionError):
        await house.handle(DrainWorker(tenant_id=ACME, worker_id=worker.id))

    assert house.control.told == []


@pytest.mark.parametrize("whose", ["nobody's", "another tenant's"])
async def test_one_that_is_unknown_is_not_found(house: House, whose: str) -> None:
    theirs = a_worker(tenant_id=GLOBEX)
    await house.has(theirs)
    worker_id = theirs.id if whose == "another tenant's" else WorkerId(next_id())

    with pytest.raises(NotFoundError):
        await house.handle(DrainWorker(tenant_id=ACME, worker_id=worker_id))
