"""What waits for the end of runs, in corners where use cases meet."""

from __future__ import annotations

from tests.support.builders import ACME, HOUR, MINUTE, NOON, a_job, a_schedule
from tests.unit.application.house import House

from rota.application.catch_up import CatchUpOnce
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.retry_run import RetryRun
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run_events import RunState
from rota.domain.trigger import FixedDelay


async def test_a_fixed_delay_that_comes_late_is_caught_up(house: House) -> None:
    schedule = a_schedule(FixedDelay(10 * MINUTE), policy=MisfirePolicy.FIRE_ALL)
    await house.has(a_job(), schedule)
    await house.handle(FireSchedules(epoch=1))
    house.clock.advance(MINUTE)
    await house.succeed(*await house.runs())
    await house.handle(FollowEnds())

    house.clock.set(NOON + HOUR)
    await house.handle(FireSchedules(epoch=1))
    while await house.handle(CatchUpOnce()):
        pass

    assert [run.scheduled_for for run in await house.runs()] == [NOON, NOON + 11 * MINUTE]


async def test_a_retried_run_does_not_overlap_what_its_schedule_lets_nothing_overlap(house: House) -> None:
    schedule = a_schedule(overlap=Overlap.SKIP)
    await house.has(a_job(), schedule)
    await house.handle(FireSchedules(epoch=1))
    first = await house.only_run()
    await house.start(first)
    await house.fail(first, retryable=False)
    house.clock.advance(MINUTE)
    await house.handle(FireSchedules(epoch=1))
    (second,) = [run for run in await house.runs() if run.state is RunState.QUEUED]
    await house.start(second)

    again = await house.handle(RetryRun(tenant_id=ACME, run_id=first.id))
    await house.dispatch()
    assert (await house.run(again.id)).state is RunState.PENDING

    await house.succeed(second)
    await house.handle(FollowEnds())
    await house.dispatch()
    assert (await house.run(again.id)).state is RunState.QUEUED
