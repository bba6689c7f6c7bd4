"""Carriers that are gone: what they had under way is lost, and nothing else is."""

from __future__ import annotations

import pytest
from tests.support.builders import NOON, SECOND
from tests.unit.application.depot import Depot, a_queued_delivery
from tests.unit.application.house import House

from rota.application.judge_carriers import GAP, WATCH, JudgeCarriers
from rota.domain.attempt import Outcome, RunError
from rota.domain.delivery import Delivery, HttpReceiver
from rota.domain.retry import RetryPolicy
from rota.domain.run import Run
from rota.domain.run_events import RunState

ONCE = Delivery(receiver=HttpReceiver(url="https://hooks.example.com"), retry=RetryPolicy(max_attempts=1))


@pytest.fixture
async def depot(house: House) -> Depot:
    """Its process is gone as soon as its lease runs out, 5 s from now."""
    depot = Depot(house)
    await depot.open()
    return depot


async def carried(house: House, depot: Depot, run: Run | None = None) -> Run:
    under_way = run or a_queued_delivery()
    await house.has(under_way)
    await depot.claim()
    return under_way


async def watch(house: House, seconds: int) -> None:
    """A look each second."""
    for _ in range(seconds):
        await house.handle(JudgeCarriers())
        house.clock.advance(SECOND)


async def test_what_a_carrier_had_under_way_is_lost_with_its_lease_and_queued_again(house: House, depot: Depot) -> None:
    run = await carried(house, depot)

    await watch(house, 7)

    lost = await house.again(run)
    assert (lost.state, lost.attempt, lost.queued_at) == (RunState.QUEUED, 2, NOON + 5 * SECOND)
    (attempt,) = lost.attempts
    assert (attempt.outcome, attempt.error) == (Outcome.LOST, RunError("WorkerLost", "its carrier is gone"))
    assert house.deliveries.count == 1, "another may take it at once"


async def test_a_carrier_that_renews_its_lease_loses_nothing(house: House, depot: Depot) -> None:
    run = await carried(house, depot)

    for _ in range(10):
        await watch(house, 1)
        await depot.open()

    assert (await house.again(run)).state is RunState.RUNNING


async def test_one_that_has_used_up_its_attempts_is_dead(house: House, depot: Depot) -> None:
    run = await carried(house, depot, a_queued_delivery(delivery=ONCE))

    await watch(house, 7)

    assert (await house.again(run)).state is RunState.DEAD
    assert house.deliveries.count == 0


async def test_nobody_is_judged_at_first_sight(house: House, depot: Depot) -> None:
    run = await carried(house, depot)
    house.clock.advance(60 * SECOND)

    await watch(house, WATCH.seconds)

    assert (await house.again(run)).state is RunState.RUNNING


async def test_after_a_time_without_a_look_carriers_may_renew_first(house: House, depot: Depot) -> None:
    run = await carried(house, depot)
    await watch(house, 4)
    house.clock.advance(GAP)  # the store was away, for carriers too

    await watch(house, WATCH.seconds)
    await depot.open()
    await watch(house, 3)

    assert (await house.again(run)).state is RunState.RUNNING
