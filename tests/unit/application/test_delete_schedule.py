"""A schedule goes; what was due before is settled, its name is free again, its history stays."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.delete_schedule import DeleteSchedule
from rota.application.fire_schedules import FireSchedules
from rota.domain.errors import NotFoundError
from rota.domain.schedule import Schedule


def delete(schedule: Schedule) -> DeleteSchedule:
    return DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id)


async def test_what_is_already_due_still_runs_and_nothing_after(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    await house.handle(delete(schedule))
    house.clock.advance(HOUR)
    await house.handle(FireSchedules(epoch=1))

    run = await house.only_run()
    assert (run.scheduled_for, run.schedule_id) == (NOON, schedule.id)


async def test_it_is_unknown_from_then_on(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    await house.handle(delete(schedule))

    with pytest.raises(NotFoundError):
        await house.schedule(schedule.id)
    with pytest.raises(NotFoundError):
        await house.handle(delete(schedule))


async def test_its_name_is_free_again(house: House) -> None:
    schedule, heir = a_schedule(name="daily"), a_schedule(name="daily")
    await house.has(a_job(), schedule)
    await house.handle(delete(schedule))

    await house.has(heir)
    await house.handle(FireSchedules(epoch=1))

    runs = await house.runs()
    assert due_times(runs) == [NOON, NOON]
    assert {run.schedule_id for run in runs} == {schedule.id, heir.id}


async def test_its_history_stays(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    await house.handle(delete(schedule))

    assert "schedule.deleted" in [entry.type for entry in await house.events() if entry.subject == schedule.id]
    async with house.begin() as work:
        assert (await work.schedules.at_revisions([(ACME, schedule.id, 1)]))[0].definition.name == "daily-report"


async def test_another_tenants_schedule_is_unknown(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    with pytest.raises(NotFoundError):
        await house.handle(DeleteSchedule(tenant_id=GLOBEX, schedule_id=schedule.id))

    assert (await house.schedule(schedule.id)).enabled
