"""A process with the role targets, from its start to its end, on adapters in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.unit.application.depot import Depot, a_queued_delivery
from tests.unit.application.house import House

from rota.application.ports.leases import carrier_lease
from rota.domain.run_events import RunState
from rota.entrypoints.loops.targets import TargetsLoop


@pytest.fixture
async def house() -> House:
    return House()


@asynccontextmanager
async def running(house: House) -> AsyncIterator[tuple[TargetsLoop, Depot, asyncio.Task[None]]]:
    depot = Depot(house)
    loop = TargetsLoop(depot.bus, depot.carriers, house.leases, depot.carrier)
    task = asyncio.create_task(loop.run())
    try:
        yield loop, depot, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_queued_is_delivered(
    house: House, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    run = a_queued_delivery()
    await house.has(run)

    async with running(house) as (_, depot, _task):
        await eventually(lambda: depot.http.carried == [run.id])
        depot.http.tell(run)
        await eventually(lambda: house.nudge.count)

    assert (await house.again(run)).state is RunState.SUCCEEDED


async def test_a_stopped_process_hands_back_what_it_has_before_it_releases_its_lease(
    house: House,
    eventually: Callable[[Callable[[], object]], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = a_queued_delivery()
    await house.has(run)
    held_then: list[bool] = []

    async with running(house) as (loop, depot, task):
        await eventually(lambda: depot.http.carried == [run.id])
        end = loop.deliveries.end

        async def end_at_once() -> None:
            await end(patience=0)
            held_then.append(house.leases.is_held(carrier_lease(depot.carrier)))

        monkeypatch.setattr(loop.deliveries, "end", end_at_once)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (await house.again(run)).state is RunState.QUEUED
    assert held_then == [True]
    assert not house.leases.is_held(carrier_lease(depot.carrier))
