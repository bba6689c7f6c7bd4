"""A payload is what its job's schema says, wherever it comes in; else nothing is stored at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders import ACME, HOUR, MINUTE, NOON, a_job, a_schedule
from tests.unit.application.house import House

from rota.application.change_job import ChangeJob
from rota.application.change_schedule import ChangeSchedule
from rota.application.command import Message
from rota.application.create_runs import CreateRuns, RunDraft
from rota.application.create_schedules import CreateSchedules
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.fire_schedules import FireSchedules
from rota.application.ports.reads import Paging, ScheduleFilter
from rota.application.trigger_schedule import TriggerSchedule
from rota.domain.delivery import Delivery, EventReceiver
from rota.domain.errors import InvalidError
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.schedule import Schedule
from rota.domain.target import DeliveryTarget
from rota.domain.trigger import FixedRate

JOB = "reports.daily"
SCHEMA = Json(
    """{
        "type": "object",
        "required": ["customer"],
        "properties": {"customer": {"type": "integer"}, "lines": {"items": {"type": "string"}}}
    }"""
)
GOOD, BAD = Json('{"customer": 7}'), Json('{"customer": "seven", "lines": ["a", 2]}')


@pytest.fixture
async def job(house: House) -> Job:
    job = a_job(payload_schema=SCHEMA)
    await house.has(job)
    return job


async def faults(house: House, message: Message[Any]) -> list[str]:  # Any: whatever it would have answered
    """The fields that it is refused for."""
    with pytest.raises(InvalidError) as refusal:
        await house.handle(message)
    return [fault.field for fault in refusal.value.faults]


def runs_of(*payloads: Json | None, batch: bool = True) -> CreateRuns:
    return CreateRuns(tenant_id=ACME, drafts=[RunDraft(job=JOB, payload=each) for each in payloads], batch=batch)


def draft(payload: Json | None, name: str = "daily-report") -> ScheduleDraft:
    return ScheduleDraft(name=name, trigger=FixedRate(HOUR, NOON + HOUR), target=NamedJob(JOB, payload), tz="UTC")


class TestNewRuns:
    async def test_with_a_good_payload_are_made(self, house: House, job: Job) -> None:
        await house.handle(runs_of(GOOD, GOOD))

        assert len(await house.runs()) == 2

    async def test_with_a_bad_one_are_refused_naming_every_place_in_it(self, house: House, job: Job) -> None:
        assert await faults(house, runs_of(BAD, batch=False)) == ["payload.customer", "payload.lines.1"]
        assert await house.runs() == []

    async def test_of_a_batch_are_all_refused_for_one_and_it_is_named(self, house: House, job: Job) -> None:
        assert await faults(house, runs_of(GOOD, BAD, GOOD, Json("{}"))) == [
            "1.payload.customer",
            "1.payload.lines.1",
            "3.payload",
        ]
        assert await house.runs() == []
        assert house.sender.is_idle

    async def test_without_a_payload_are_judged_as_if_it_were_null(self, house: House, job: Job) -> None:
        assert await faults(house, runs_of(None, batch=False)) == ["payload"]

    async def test_of_a_job_without_a_schema_may_have_any(self, house: House) -> None:
        await house.has(a_job())

        await house.handle(runs_of(BAD, None, Json("17")))

        assert len(await house.runs()) == 3

    async def test_that_a_dedupe_key_already_has_are_not_judged(self, house: House, job: Job) -> None:
        """The caller is told which run there is; nothing is made of what came this time."""
        (first,) = await house.create(RunDraft(job=JOB, payload=GOOD, dedupe_key="order 17"))

        (again,) = await house.create(RunDraft(job=JOB, payload=BAD, dedupe_key="order 17"))

        assert again.id == first.id

    async def test_obey_the_schema_as_it_stands(self, house: House, job: Job) -> None:
        await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, payload_schema=None))
        )

        await house.handle(runs_of(BAD))

        assert len(await house.runs()) == 1


class TestSchedules:
    async def test_with_a_good_payload_are_made(self, house: House, job: Job) -> None:
        (made,) = await house.handle(CreateSchedules(tenant_id=ACME, drafts=[draft(GOOD)]))

        assert made.definition.target.payload == GOOD

    async def test_with_a_bad_one_are_refused_under_their_target(self, house: House, job: Job) -> None:
        create = CreateSchedules(tenant_id=ACME, drafts=[draft(BAD)])

        assert await faults(house, create) == ["target.payload.customer", "target.payload.lines.1"]

    async def test_of_a_batch_are_all_refused_for_one(self, house: House, job: Job) -> None:
        create = CreateSchedules(tenant_id=ACME, drafts=[draft(GOOD, "a"), draft(Json("[]"), "b")], batch=True)

        assert await faults(house, create) == ["1.target.payload"]
        assert (await house.reads.schedules(ACME, ScheduleFilter(), Paging(limit=10))).items == []

    async def test_of_deliveries_may_have_any(self, house: House) -> None:
        target = DeliveryTarget(Delivery(receiver=EventReceiver("orders.paid")), BAD)

        (made,) = await house.handle(CreateSchedules(tenant_id=ACME, drafts=[replace(draft(None), target=target)]))

        assert made.definition.target == target

    async def test_are_changed_with_a_good_payload_only_and_stand_as_they_were_else(
        self, house: House, job: Job
    ) -> None:
        schedule = await stored(house, job)

        assert await faults(house, change(schedule, BAD)) == ["target.payload.customer", "target.payload.lines.1"]
        assert (await house.schedule(schedule.id)).version == 1

        after = await house.handle(change(schedule, Json('{"customer": 8}')))
        assert after.definition.target.payload == '{"customer": 8}'

    async def test_fire_though_the_schema_has_changed_since(self, house: House) -> None:
        """What was accepted is kept to: the worker is the one to judge it now."""
        job = a_job()
        await house.has(job, a_schedule(job=job, payload=BAD))
        await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, payload_schema=SCHEMA))
        )

        await house.handle(FireSchedules(epoch=1))

        assert (await house.only_run()).payload == BAD


class TestTriggering:
    async def test_with_a_bad_payload_of_its_own_is_refused(self, house: House, job: Job) -> None:
        schedule = await stored(house, job)

        assert await faults(house, trigger(schedule, BAD)) == ["payload.customer", "payload.lines.1"]
        assert await house.runs() == []
        assert house.nudge.count == 0

    async def test_with_a_good_one_is_not(self, house: House, job: Job) -> None:
        schedule = await stored(house, job)

        assert (await house.handle(trigger(schedule, Json('{"customer": 8}')))).payload == '{"customer": 8}'

    async def test_without_one_has_the_schedules_which_was_judged_when_it_came(self, house: House, job: Job) -> None:
        schedule = await stored(house, job)

        assert (await house.handle(trigger(schedule))).payload == GOOD


async def stored(house: House, job: Job) -> Schedule:
    schedule = a_schedule(FixedRate(MINUTE, NOON + HOUR), job=job, payload=GOOD)
    await house.has(schedule)
    return schedule


def change(schedule: Schedule, payload: Json) -> ChangeSchedule:
    return ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: draft(payload))


def trigger(schedule: Schedule, payload: Json | None = None) -> TriggerSchedule:
    return TriggerSchedule(tenant_id=ACME, schedule_id=schedule.id, payload=payload)
