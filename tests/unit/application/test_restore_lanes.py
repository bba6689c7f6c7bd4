"""What becomes of a lane that vanishes while nothing waits in it."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, a_job, a_worker
from tests.support.stored import store

from rota.application.ports.bus import Lane
from rota.application.restore_lanes import RestoreLanes, RestoreLanesHandler
from rota.domain.errors import UnavailableError
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.bus import InMemoryWorkLanes
from rota.infrastructure.memory.store import InMemoryBegin, InMemoryStore


@pytest.fixture
def begin() -> InMemoryBegin:
    return InMemoryBegin(InMemoryStore())


@pytest.fixture
def lanes() -> InMemoryWorkLanes:
    return InMemoryWorkLanes()


async def test_a_lane_that_a_worker_fetches_from_is_made_anew(begin: InMemoryBegin, lanes: InMemoryWorkLanes) -> None:
    job = a_job()
    await store(begin, job, a_worker(jobs=(job.definition.name,)))
    await lanes.provide([Lane(ACME, job.id)])
    await lanes.remove(Lane(ACME, job.id))

    assert await RestoreLanesHandler(begin, lanes)(RestoreLanes()) == 1
    assert await RestoreLanesHandler(begin, lanes)(RestoreLanes()) == 0


async def test_one_that_nobody_fetches_from_is_left_alone(begin: InMemoryBegin, lanes: InMemoryWorkLanes) -> None:
    job = a_job()
    await store(begin, job, a_worker(WorkerState.OFFLINE, jobs=(job.definition.name,)))

    assert await RestoreLanesHandler(begin, lanes)(RestoreLanes()) == 0


async def test_while_the_bus_is_away_nothing_is_known(begin: InMemoryBegin, lanes: InMemoryWorkLanes) -> None:
    lanes.up = False

    with pytest.raises(UnavailableError):
        await RestoreLanesHandler(begin, lanes)(RestoreLanes())
