"""A schedule runs again: from now on, not from when it was stopped."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.domain.errors import NotFoundError
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.trigger import OneShot


async def enable(house: House, schedule: Schedule, reason: str = "") -> ScheduleSnapshot:
    return await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=reason))


async def test_it_is_due_at_the_next_time_from_now_and_the_leader_hears_of_it(house: House) -> None:
    schedule = a_schedule(enabled=False)
    await house.has(a_job(), schedule)
    house.clock.advance(HOUR + SECOND)

    after = await enable(house, schedule, "back from holiday")

    assert (after.enabled, after.next_fire_at, after.version) == (True, NOON + HOUR + MINUTE, 2)
    assert house.nudge.count == 1
    (event,) = await house.events()
    assert event.type == "schedule.enabled"
    assert '"reason":"back from holiday"' in event.data


async def test_what_fell_due_while_it_was_disabled_is_neither_run_nor_missed(house: House) -> None:
    schedule = a_schedule(enabled=False)
    await house.has(a_job(), schedule)
    house.clock.advance(HOUR + SECOND)

    await enable(house, schedule)
    await house.handle(FireSchedules(epoch=1))

    assert await house.runs() == []
    assert await house.misses(schedule) == []


async def test_what_is_due_at_this_very_moment_runs(house: House) -> None:
    schedule = a_schedule(enabled=False)
    await house.has(a_job(), schedule)
    house.clock.advance(HOUR)

    await enable(house, schedule)
    await house.handle(FireSchedules(epoch=1))

    assert due_times(await house.runs()) == [NOON + HOUR]


async def test_a_one_shot_whose_time_has_passed_is_due_at_once(house: House) -> None:
    schedule = a_schedule(OneShot(NOON + MINUTE), enabled=False)
    await house.has(a_job(), schedule)
    house.clock.advance(HOUR)

    after = await enable(house, schedule)
    await house.handle(FireSchedules(epoch=1))

    assert after.next_fire_at == NOON + MINUTE
    assert due_times(await house.runs()) == [NOON + MINUTE]


async def test_a_one_shot_that_has_fired_does_not_fire_again(house: House) -> None:
    schedule = a_schedule(OneShot(NOON))
    await house.has(a_job(), schedule)
    await house.handle(FireSchedules(epoch=1))

    await enable(house, schedule)
    await house.handle(FireSchedules(epoch=1))

    assert due_times(await house.runs()) == [NOON]


async def test_one_that_is_enabled_only_has_its_due_times_settled(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    after = await enable(house, schedule)

    assert after.version == 1
    assert due_times(await house.runs()) == [NOON]
    assert "schedule.enabled" not in await house.event_types()


async def test_another_tenants_schedule_is_unknown(house: House) -> None:
    schedule = a_schedule(enabled=False)
    await house.has(a_job(), schedule)

    with pytest.raises(NotFoundError):
        await house.handle(EnableSchedule(tenant_id=GLOBEX, schedule_id=schedule.id))
