"""A schedule fires now, because somebody says so."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, a_job, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.fire_schedules import FireSchedules
from rota.application.trigger_schedule import TriggerSchedule
from rota.domain.errors import NotFoundError
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule


def trigger(schedule: Schedule, payload: Json | None = None) -> TriggerSchedule:
    return TriggerSchedule(tenant_id=ACME, schedule_id=schedule.id, payload=payload)


async def test_it_makes_a_run_of_its_own_that_the_leader_hears_of(house: House) -> None:
    job, schedule = a_job(), a_schedule(payload=Json('"usual"'), labels={"team": "bi"})
    await house.has(job, schedule)

    run = await house.handle(trigger(schedule))

    stored = await house.run(run.id)
    assert (stored.cause, stored.state, stored.schedule_id) == (Cause.MANUAL, RunState.PENDING, schedule.id)
    assert (stored.scheduled_for, stored.due_at, stored.payload, stored.labels) == (
        NOON,
        NOON,
        '"usual"',
        {"team": "bi"},
    )
    assert house.nudge.count == 1
    assert (await house.dispatch()).moved == 1


async def test_it_takes_no_due_times_place(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    await house.handle(trigger(schedule))
    await house.handle(trigger(schedule))
    await house.handle(FireSchedules(epoch=1))

    runs = await house.runs()
    assert due_times(runs) == [NOON] * 3
    assert sorted(run.cause for run in runs) == [Cause.MANUAL, Cause.MANUAL, Cause.SCHEDULE]


async def test_a_payload_given_replaces_the_usual_one(house: House) -> None:
    schedule = a_schedule(payload=Json('"usual"'))
    await house.has(a_job(), schedule)

    assert (await house.handle(trigger(schedule, Json("null")))).payload == "null"


async def test_a_disabled_schedule_can_be_triggered_too(house: House) -> None:
    schedule = a_schedule(enabled=False)
    await house.has(a_job(), schedule)

    assert (await house.handle(trigger(schedule))).schedule_id == schedule.id


async def test_another_tenants_schedule_is_unknown(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    with pytest.raises(NotFoundError):
        await house.handle(TriggerSchedule(tenant_id=GLOBEX, schedule_id=schedule.id))
