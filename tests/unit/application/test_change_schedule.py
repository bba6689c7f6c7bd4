"""A new definition rules what comes later; what is already due is settled under the old one, with it or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.change_schedule import ChangeSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.fire_schedules import FireSchedules
from rota.domain.errors import InvalidError, NameTakenError, NotFoundError
from rota.domain.ids import TenantId
from rota.domain.misfire import MisfirePolicy
from rota.domain.payload import Json
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.trigger import Cron, FixedRate, OneShot
from rota.domain.walk import PORTION


def draft_of(standing: ScheduleSnapshot) -> ScheduleDraft:
    own = standing.definition
    return ScheduleDraft(
        name=own.name,
        trigger=own.trigger,
        target=NamedJob(own.target.job.name, own.target.payload),
        tz=own.tz,
        description=own.description,
        labels=own.labels,
        misfire=own.misfire,
        start_at=own.start_at,
        end_at=own.end_at,
        max_runs=own.max_runs,
        overlap=own.overlap,
        priority=own.priority,
        enabled=standing.enabled,
    )


def change(schedule: Schedule, tenant_id: TenantId = ACME, **fields: Any) -> ChangeSchedule:
    """`fields` are a draft's."""
    return ChangeSchedule(
        tenant_id=tenant_id,
        schedule_id=schedule.id,
        revise=lambda standing: replace(draft_of(standing), **fields),
    )


async def has(house: House, schedule: Schedule) -> Schedule:
    await house.has(a_job(), schedule)
    return schedule


class TestADefinition:
    async def test_is_a_new_version_and_the_old_one_is_kept(self, house: House) -> None:
        schedule = await has(house, a_schedule(OneShot(NOON + HOUR), payload=Json('"old"')))
        house.clock.advance(SECOND)

        after = await house.handle(change(schedule, target=NamedJob("reports.daily", Json('"new"'))))

        assert (after.version, after.updated_at, after.definition.target.payload) == (2, NOON + SECOND, '"new"')
        assert (await house.schedule(schedule.id)).snapshot() == after
        async with house.begin() as work:
            revisions = await work.schedules.at_revisions([(ACME, schedule.id, 1), (ACME, schedule.id, 2)])
        assert [each.definition.target.payload for each in revisions] == ['"old"', '"new"']
        assert await house.event_types() == ["schedule.updated"]
        assert house.nudge.count == 1

    async def test_equal_to_the_present_one_changes_nothing(self, house: House) -> None:
        schedule = await has(house, a_schedule(OneShot(NOON + HOUR)))

        after = await house.handle(change(schedule))

        assert after.version == 1
        assert await house.events() == []

    async def test_sees_what_it_merges_into(self, house: House) -> None:
        schedule = await has(house, a_schedule(OneShot(NOON + HOUR), labels={"team": "bi"}))

        def revise(standing: ScheduleSnapshot) -> ScheduleDraft:
            return replace(draft_of(standing), labels={**standing.definition.labels, "tier": "gold"})

        after = await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=revise))

        assert after.definition.labels == {"team": "bi", "tier": "gold"}

    async def test_may_name_another_job(self, house: House) -> None:
        schedule = await has(house, a_schedule())
        await house.has(a_job("reports.weekly"))

        after = await house.handle(change(schedule, target=NamedJob("reports.weekly")))

        assert after.definition.target.job.name == "reports.weekly"

    async def test_may_take_a_name_that_is_free(self, house: House) -> None:
        schedule = await has(house, a_schedule(name="a"))

        await house.handle(change(schedule, name="b"))
        await house.has(a_schedule(name="a"))

        assert (await house.schedule(schedule.id)).definition.name == "b"


class TestWhatIsAlreadyDue:
    async def test_runs_under_the_old_definition(self, house: House) -> None:
        schedule = await has(house, a_schedule(payload=Json('"old"')))

        await house.handle(change(schedule, target=NamedJob("reports.daily", Json('"new"'))))
        house.clock.advance(MINUTE)
        await house.handle(FireSchedules(epoch=1))

        assert [(run.scheduled_for, run.payload) for run in await house.runs()] == [
            (NOON, '"old"'),
            (NOON + MINUTE, '"new"'),
        ]

    async def test_waits_for_its_turn_like_any_run(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        await house.handle(change(schedule, description="x"))

        run = await house.only_run()
        assert (run.state, run.rank, run.fired_at, run.fired_epoch) == (RunState.PENDING, NOON, NOON, None)

    async def test_is_missed_by_the_old_policy(self, house: House) -> None:
        schedule = await has(house, a_schedule(policy=MisfirePolicy.SKIP))
        house.clock.set(NOON + HOUR + 45 * SECOND)

        await house.handle(change(schedule, trigger=Cron("0 0 1 1 *")))

        assert await house.misses(schedule) == [(NOON, NOON + HOUR, 61, "SKIP")]
        assert await house.runs() == []

    async def test_is_set_aside_under_the_old_revision(self, house: House) -> None:
        schedule = await has(house, a_schedule(policy=MisfirePolicy.FIRE_ALL))
        house.clock.set(NOON + HOUR + 45 * SECOND)

        after = await house.handle(change(schedule, target=NamedJob("reports.daily", Json('"new"'))))

        (catch_up,) = house.catch_ups
        assert (catch_up.revision, catch_up.span.count, after.version) == (1, 61, 2)

    async def test_is_settled_however_long_the_backlog(self, house: House) -> None:
        schedule = await has(house, a_schedule(FixedRate(SECOND, NOON), policy=MisfirePolicy.SKIP, grace=0 * SECOND))
        house.clock.set(NOON + (2 * PORTION + 7) * SECOND + SECOND / 2)

        await house.handle(change(schedule, trigger=OneShot(NOON + 24 * HOUR)))

        assert sum(count for _, _, count, _ in await house.misses(schedule)) == 2 * PORTION + 8

    async def test_is_not_settled_where_the_change_is_refused(self, house: House) -> None:
        schedule = await has(house, a_schedule())
        await house.has(a_schedule(OneShot(NOON + HOUR), name="taken"))

        with pytest.raises(NameTakenError):
            await house.handle(change(schedule, name="taken"))

        assert await house.runs() == []
        assert (await house.schedule(schedule.id)).version == 1
        assert house.nudge.count == 0

    async def test_is_not_run_a_second_time_by_the_new_trigger(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        await house.handle(change(schedule, trigger=FixedRate(30 * SECOND, NOON)))
        house.clock.advance(30 * SECOND)
        await house.handle(FireSchedules(epoch=1))

        assert due_times(await house.runs()) == [NOON, NOON + 30 * SECOND]


class TestEnabledInAPatch:
    async def test_false_disables(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        after = await house.handle(change(schedule, enabled=False))

        assert (after.enabled, after.next_fire_at, after.version) == (False, None, 2)
        assert due_times(await house.runs()) == [NOON]
        assert "schedule.disabled" in await house.event_types()

    async def test_true_enables(self, house: House) -> None:
        schedule = await has(house, a_schedule(enabled=False))
        house.clock.advance(HOUR + SECOND)

        after = await house.handle(change(schedule, enabled=True))

        assert (after.enabled, after.next_fire_at) == (True, NOON + HOUR + MINUTE)
        assert await house.runs() == []


class TestIsRefused:
    async def test_a_job_that_does_not_exist(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        with pytest.raises(InvalidError) as refusal:
            await house.handle(change(schedule, target=NamedJob("nobody.knows")))

        assert [fault.field for fault in refusal.value.faults] == ["target.job"]
        assert await house.runs() == []

    async def test_a_definition_that_breaks_a_rule(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        with pytest.raises(InvalidError) as refusal:
            await house.handle(change(schedule, max_runs=0))

        assert [fault.field for fault in refusal.value.faults] == ["maxRuns"]
        assert await house.events() == []

    async def test_a_schedule_of_another_tenant(self, house: House) -> None:
        schedule = await has(house, a_schedule())

        with pytest.raises(NotFoundError):
            await house.handle(change(schedule, tenant_id=GLOBEX))
