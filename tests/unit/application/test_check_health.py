"""Is it well, and if not, what is not?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import SECOND, a_job, a_run, a_worker
from tests.unit.application.house import House

from rota.application.check_health import DEGRADED, DOWN, LAG_OF_CONCERN, UP, CheckHealth, CheckHealthHandler, Health
from rota.application.ports.health import StoreHealth
from rota.application.relay_events import RelayEvents
from rota.domain.errors import UnavailableError
from rota.domain.run_events import RunState
from rota.domain.worker import WorkerState

WELL = StoreHealth(has_leader=True, leader="ada", has_relay=True, relay_lag=0, workers=2, lonely_jobs=0)


class Store:
    def __init__(self, health: StoreHealth | None) -> None:
        self._health = health

    async def __call__(self) -> StoreHealth:
        if self._health is None:
            raise UnavailableError("the database does not answer")
        return self._health


async def checked(store: StoreHealth | None, *, bus: bool = True) -> Health:
    return await CheckHealthHandler(Store(store), lambda: bus, "2026a")(CheckHealth())


async def test_all_is_well() -> None:
    health = await checked(WELL)

    assert (health.status, health.is_ready) == (UP, True)
    assert set(health.checks) == {"database", "bus", "tz", "leader", "relay", "workers", "jobs"}
    assert health.checks["leader"].detail == "ada"
    assert health.checks["tz"].detail == "time zone data 2026a"


async def test_without_the_database_it_is_down_and_says_what_it_knows() -> None:
    health = await checked(None)

    assert (health.status, health.is_ready) == (DOWN, False)
    assert {name: check.status for name, check in health.checks.items()} == {"database": DOWN, "bus": UP, "tz": UP}
    assert health.checks["database"].detail == "the database does not answer"


async def test_without_the_bus_it_is_down() -> None:
    health = await checked(WELL, bus=False)

    assert (health.status, health.is_ready, health.checks["bus"].status) == (DOWN, False, DOWN)


@pytest.mark.parametrize(
    ("store", "what"),
    [
        (replace(WELL, has_leader=False), "leader"),
        (replace(WELL, has_relay=False), "relay"),
        (replace(WELL, relay_lag=LAG_OF_CONCERN), "relay"),
        (replace(WELL, lonely_jobs=1), "jobs"),
    ],
)
async def test_what_is_not_well_degrades_it_and_it_serves_all_the_same(store: StoreHealth, what: str) -> None:
    health = await checked(store)

    assert (health.status, health.is_ready) == (DEGRADED, True)
    assert [name for name, check in health.checks.items() if check.status != UP] == [what]


async def test_of_the_whole_house(house: House) -> None:
    """Nobody leads or relays, an event waits, and a run waits for a worker that is gone."""
    job = a_job()
    await house.has(job, a_run(RunState.RUNNING, job=job), a_run(RunState.QUEUED, job=job))
    await house.has(a_worker(WorkerState.OFFLINE))

    health = await house.handle(CheckHealth())

    assert health.status == DEGRADED
    assert [name for name, check in health.checks.items() if check.status == UP] == ["database", "bus", "tz", "workers"]

    for name in ("leader", "relay"):
        await house.leases.hold(name, "ada", SECOND)
    await house.handle(RelayEvents())
    await house.has(a_worker())
    assert (await house.handle(CheckHealth())).status == UP
