"""What a process counts of what it has committed."""

from __future__ import annotations

from tests.support.builders import HOUR, MINUTE, SECOND, a_job, a_run, a_schedule
from tests.unit.application.house import House

from rota.application.fire_schedules import FireSchedules
from rota.application.tally import MOST_QUEUES, OTHER_QUEUES, Histogram
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState


async def a_fired_run(house: House, queue: str = "default") -> Run:
    job = a_job(queue=queue)
    await house.has(job, a_schedule(job=job))
    await house.handle(FireSchedules(epoch=1))
    return await house.only_run()


def test_a_value_belongs_to_the_first_bucket_that_covers_it() -> None:
    histogram = Histogram((1.0, 5.0))

    for value in (0.0, 1.0, 1.25, 5.0, 9.0):
        histogram.observe(value)

    assert (histogram.counts, histogram.total, histogram.count) == ([2, 2, 1], 16.25, 5)


async def test_a_fire_is_counted_with_how_late_it_was(house: House) -> None:
    house.clock.advance(2 * SECOND)

    await a_fired_run(house)

    assert (house.tally.fires, house.tally.made[Cause.SCHEDULE]) == (1, 1)
    assert (house.tally.lateness.count, house.tally.lateness.total) == (1, 2.0)


async def test_what_is_not_committed_is_not_counted(house: House) -> None:
    await house.has(a_job())
    async with house.begin() as work:
        work.runs.add(a_run(RunState.PENDING).accept_skipped("OVERLAP"))

    assert not house.tally.ended


async def test_a_due_time_that_is_skipped_is_a_run_that_ended_and_no_fire(house: House) -> None:
    await house.has(a_job(), a_schedule(overlap=Overlap.SKIP))
    await house.handle(FireSchedules(epoch=1))
    house.clock.advance(MINUTE)

    await house.handle(FireSchedules(epoch=1))

    assert (house.tally.fires, house.tally.made[Cause.SCHEDULE], house.tally.ended["SKIPPED"]) == (1, 2, 1)


async def test_misses_are_counted_by_rule_each_due_time_once(house: House) -> None:
    await house.has(a_job(), a_schedule(policy=MisfirePolicy.SKIP))
    house.clock.advance(HOUR + 40 * SECOND)

    await house.handle(FireSchedules(epoch=1))

    assert house.tally.misses == {"SKIP": 61}
    assert house.tally.events["run.missed"] == 1


async def test_a_run_that_is_queued_again_is_made_once_and_waits_twice(house: House) -> None:
    run = await a_fired_run(house, "mail")
    house.clock.advance(3 * SECOND)
    await house.start(run)

    waits = house.tally.waits["mail"]
    assert (waits.count, waits.total) == (1, 3.0)

    await house.fail(run)
    assert house.tally.failed_attempts == 1
    assert house.tally.made == {Cause.SCHEDULE: 1}
    assert not house.tally.ended


async def test_a_final_state_is_counted_once_however_often_it_is_reported(house: House) -> None:
    run = await a_fired_run(house)
    await house.start(run)
    await house.succeed(run)

    await house.succeed(run)

    assert house.tally.ended == {"SUCCEEDED": 1}
    assert house.tally.rejected_reports == 1


async def test_names_of_queues_beyond_the_hundredth_are_counted_together(house: House) -> None:
    for number in range(MOST_QUEUES + 2):
        job = a_job(f"job-{number}", queue=f"queue-{number}")
        await house.has(job, a_schedule(job=job, name=f"schedule-{number}"))
    await house.handle(FireSchedules(epoch=1))

    await house.start(*await house.runs())

    assert len(house.tally.waits) == MOST_QUEUES + 1
    assert house.tally.waits[OTHER_QUEUES].count == 2
