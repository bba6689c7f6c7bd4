"""A schedule rests, once what is already due is settled."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, a_job, a_run, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.disable_schedule import DisableSchedule
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.domain.errors import NotFoundError
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot


async def disable(house: House, schedule: Schedule, reason: str = "") -> ScheduleSnapshot:
    return await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=reason))


async def test_it_fires_no_more(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    after = await disable(house, schedule, "too loud")
    house.clock.advance(HOUR)
    await house.handle(FireSchedules(epoch=1))

    assert (after.enabled, after.next_fire_at, after.version) == (False, None, 2)
    assert due_times(await house.runs()) == [NOON]
    event = (await house.events())[-2]
    assert (event.type, '"reason":"too loud"' in event.data) == ("schedule.disabled", True)


async def test_what_is_already_due_still_runs(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    house.clock.set(NOON + MINUTE)

    await disable(house, schedule)

    assert due_times(await house.runs()) == [NOON + MINUTE]
    assert await house.misses(schedule) == [(NOON, NOON, 1, "FIRE_ONCE")]


async def test_runs_that_are_under_way_are_left_alone(house: House) -> None:
    job, schedule = a_job(), a_schedule()
    run = a_run(RunState.RUNNING, job=job, schedule_id=schedule.id)
    await house.has(job, schedule, run)

    await disable(house, schedule)

    assert (await house.run(run.id)).state is RunState.RUNNING


async def test_twice_changes_nothing(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    first = await disable(house, schedule)
    house.clock.advance(HOUR)

    assert await disable(house, schedule) == first


async def test_a_time_between_is_neither_run_nor_missed(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    await disable(house, schedule)
    house.clock.set(NOON + HOUR)

    await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id))
    await house.handle(FireSchedules(epoch=1))

    assert due_times(await house.runs()) == [NOON, NOON + HOUR]
    assert await house.misses(schedule) == []


async def test_the_same_moment_off_and_on_fires_once(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    await disable(house, schedule)
    await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id))
    await house.handle(FireSchedules(epoch=1))

    assert due_times(await house.runs()) == [NOON]


async def test_another_tenants_schedule_is_unknown(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    with pytest.raises(NotFoundError):
        await house.handle(DisableSchedule(tenant_id=GLOBEX, schedule_id=schedule.id))
