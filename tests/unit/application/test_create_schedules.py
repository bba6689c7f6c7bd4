"""New schedules, one or many: all or none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, a_job, a_schedule
from tests.unit.application.house import House

from rota.application.create_schedules import CreateSchedules
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.ports.reads import Paging, ScheduleFilter
from rota.domain.errors import InvalidError, NameTakenError
from rota.domain.payload import Json
from rota.domain.trigger import FixedRate, OneShot

DRAFT = ScheduleDraft(name="daily-report", trigger=FixedRate(MINUTE), target=NamedJob("reports.daily"), tz="UTC")


def create(*drafts: ScheduleDraft, batch: bool = True) -> CreateSchedules:
    return CreateSchedules(tenant_id=ACME, drafts=drafts, batch=batch)


async def names(house: House) -> list[str]:
    page = await house.reads.schedules(ACME, ScheduleFilter(), Paging(limit=1000))
    return sorted(each.definition.name for each in page.items)


async def test_a_schedule_is_stored_and_the_leader_hears_of_it(house: House) -> None:
    await house.has(a_job())

    (made,) = await house.handle(
        create(replace(DRAFT, target=NamedJob("reports.daily", Json("[1]")), labels={"team": "bi"}))
    )

    stored = (await house.schedule(made.id)).snapshot()
    assert stored == made
    assert (stored.version, stored.enabled, stored.next_fire_at, stored.created_at) == (1, True, NOON, NOON)
    assert stored.definition.target.payload == "[1]"
    assert house.nudge.count == 1
    assert await house.event_types() == ["schedule.created"]


async def test_one_that_is_disabled_waits_for_nothing(house: House) -> None:
    await house.has(a_job())

    (made,) = await house.handle(create(replace(DRAFT, enabled=False)))

    assert (made.enabled, made.next_fire_at) == (False, None)


async def test_no_due_time_lies_before_the_creation(house: House) -> None:
    await house.has(a_job())

    (made,) = await house.handle(create(replace(DRAFT, trigger=FixedRate(HOUR, NOON - 90 * MINUTE))))

    assert made.next_fire_at == NOON + 30 * MINUTE


async def test_a_one_shot_in_the_past_is_due_at_once(house: House) -> None:
    await house.has(a_job())

    (made,) = await house.handle(create(replace(DRAFT, trigger=OneShot(NOON - HOUR))))

    assert made.next_fire_at == NOON - HOUR


async def test_a_batch_is_answered_in_its_order(house: House) -> None:
    await house.has(a_job())

    made = await house.handle(create(*(replace(DRAFT, name=name) for name in "cab")))

    assert [each.definition.name for each in made] == ["c", "a", "b"]
    assert await names(house) == ["a", "b", "c"]


async def test_a_batch_with_faults_makes_none_and_names_each_by_its_place(house: House) -> None:
    await house.has(a_job())

    with pytest.raises(InvalidError) as refusal:
        await house.handle(
            create(
                DRAFT,
                replace(DRAFT, name="b", target=NamedJob("nobody.knows")),
                replace(DRAFT, name="c", tz="Mars/Olympus"),
            )
        )

    assert [fault.field for fault in refusal.value.faults] == ["1.target.job", "2.tz"]
    assert await names(house) == []
    assert house.nudge.count == 0


async def test_one_alone_names_the_field_without_a_place(house: House) -> None:
    with pytest.raises(InvalidError) as refusal:
        await house.handle(create(DRAFT, batch=False))

    assert [fault.field for fault in refusal.value.faults] == ["target.job"]


async def test_a_job_of_another_tenant_is_no_job(house: House) -> None:
    await house.has(a_job(tenant_id=GLOBEX))

    with pytest.raises(InvalidError):
        await house.handle(create(DRAFT))


async def test_a_name_that_is_taken_makes_none(house: House) -> None:
    await house.has(a_job(), a_schedule(name="b"))

    with pytest.raises(NameTakenError):
        await house.handle(create(*(replace(DRAFT, name=name) for name in "abc")))

    assert await names(house) == ["b"]


async def test_a_name_twice_in_a_batch_makes_none(house: House) -> None:
    await house.has(a_job())

    with pytest.raises(NameTakenError):
        await house.handle(create(DRAFT, DRAFT))

    assert await names(house) == []
