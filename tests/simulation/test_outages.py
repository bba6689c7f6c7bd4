"""Nobody leads for a day and a half, across the end of summer time: every due time is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.simulation import oracle
from tests.simulation.world import World
from tests.support.builders import DAY, HOUR, MINUTE, a_schedule

from rota.domain.explaining.explanation import Outcome
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot

START = datetime(2026, 10, 23, 22, tzinfo=UTC)
GONE, BACK = datetime(2026, 10, 24, 18, tzinfo=UTC), datetime(2026, 10, 26, 6, 15, tzinfo=UTC)
END = datetime(2026, 10, 27, tzinfo=UTC)
BERLIN = "Europe/Berlin"

HALF_HOURLY = oracle.every_reading(lambda wall: wall.minute % 30 == 0, BERLIN, START, END)
IN_TIME = [at for at in HALF_HOURLY if at < GONE or at >= BACK]
LATE = [at for at in HALF_HOURLY if GONE <= at < BACK]


async def lived(world: World, **said: object) -> Schedule:
    schedule = a_schedule(Cron("*/30 * * * *"), tz=BERLIN, now=START, **said)
    await world.begins(schedule)
    world.leader_is_away(GONE, BACK)
    await world.until(END)
    return schedule


async def accounted(world: World, schedule: Schedule) -> tuple[list[datetime], list[datetime]]:
    """The due times that have a run, and those that lie in a miss."""
    run = [run.scheduled_for for run in await world.runs_of(schedule)]
    spans = [(miss.span.first, miss.span.last, miss.span.count) for miss in await world.misses_of(schedule)]
    missed = [at for first, last, _ in spans for at in HALF_HOURLY if first <= at <= last and at not in run]
    assert len(missed) == sum(count for _, _, count in spans)
    return run, missed


@pytest.mark.parametrize(
    ("policy", "window", "run_late"),
    [
        (MisfirePolicy.SKIP, None, []),
        (MisfirePolicy.FIRE_ONCE, None, LATE[-1:]),
        (MisfirePolicy.FIRE_ALL, None, LATE),
        (MisfirePolicy.FIRE_ALL, 6 * HOUR, [at for at in LATE if at >= BACK - 6 * HOUR]),
    ],
)
async def test_each_due_time_is_run_or_missed_as_the_policy_says(
    policy: MisfirePolicy, window: timedelta | None, run_late: list[datetime]
) -> None:
    world = World(START)

    schedule = await lived(world, policy=policy, catchup_window=window)
    run, missed = await accounted(world, schedule)

    assert run == sorted(IN_TIME + run_late)
    assert missed == [at for at in LATE if at not in run_late]
    assert {each.state for each in await world.runs()} == {RunState.SUCCEEDED}


@pytest.mark.parametrize("policy", MisfirePolicy)
async def test_each_due_time_is_explained_as_what_became_of_it(policy: MisfirePolicy) -> None:
    world = World(START)

    schedule = await lived(world, policy=policy)
    run, missed = await accounted(world, schedule)

    assert {(await world.told(schedule, at)).result for at in run} == {Outcome.FIRED}
    assert {(await world.told(schedule, at)).result for at in missed} <= {Outcome.MISSED}
    assert (await world.told(schedule, END + 30 * MINUTE)).result is Outcome.WILL_FIRE


async def test_several_outages_have_a_miss_each_and_a_leader_each() -> None:
    world = World(START)
    for hours in (2, 5, 9):
        world.leader_is_away(START + hours * HOUR, START + (hours + 2) * HOUR + MINUTE)
    schedule = a_schedule(Cron("*/30 * * * *"), tz=BERLIN, now=START, policy=MisfirePolicy.SKIP)
    await world.begins(schedule)

    await world.until(START + DAY)

    assert [miss.span.count for miss in await world.misses_of(schedule)] == [5, 5, 5]
    assert {run.fired_epoch for run in await world.runs_of(schedule)} == {1, 2, 3, 4}


async def test_a_one_shot_that_fell_into_an_outage_fires_late() -> None:
    world = World(START)
    schedule = a_schedule(OneShot(GONE + HOUR), now=START)
    world.leader_is_away(GONE, BACK)
    await world.begins(schedule)

    await world.until(END)

    (run,) = await world.runs_of(schedule)
    assert (run.scheduled_for, run.fired_at) == (GONE + HOUR, BACK)


async def test_a_fixed_delay_follows_the_ends_of_its_runs_and_never_piles_up() -> None:
    world = World(START, takes=lambda run: 20 * MINUTE)
    schedule = a_schedule(FixedDelay(HOUR), now=START)
    world.leader_is_away(GONE, BACK)
    await world.begins(schedule)

    await world.until(END)

    runs = await world.runs_of(schedule)
    ends = [run.finished_at + HOUR for run in runs if run.finished_at]
    assert [run.scheduled_for for run in runs] == [START, *ends][: len(runs)]
    assert [run.fired_at for run in runs if run.fired_at != run.due_at] == [BACK]


@pytest.mark.parametrize(
    ("policy", "ran", "skipped"), [(Overlap.SKIP, 2, 4), (Overlap.QUEUE_ONE, 3, 3), (Overlap.ALLOW, 6, 0)]
)
async def test_slow_runs_of_a_quick_schedule(policy: Overlap, ran: int, skipped: int) -> None:
    world = World(START, takes=lambda run: 25 * MINUTE)
    schedule = a_schedule(FixedRate(10 * MINUTE, START), now=START, overlap=policy)
    await world.begins(schedule)

    await world.until(START + HOUR - MINUTE)

    runs = await world.runs_of(schedule)
    assert len(runs) == 6
    assert sum(run.state is RunState.SKIPPED for run in runs) == skipped
    assert sum(run.started_at is not None for run in runs) == ran
