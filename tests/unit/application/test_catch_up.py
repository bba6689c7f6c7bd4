"""What FIRE_ALL set aside becomes runs: all of it, once, in portions, behind live work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.builders import MINUTE, NOON, SECOND, a_job, a_schedule, next_id
from tests.unit.application.house import BeforeCommit, House, Meanwhile, due_times

from rota.application.catch_up import PORTION, CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.fire_schedules import FireSchedules
from rota.domain.ids import RunId
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedRate, OneShot


async def set_aside(
    house: House, count: int, *, every: timedelta = SECOND, payload: Json | None = None, max_runs: int | None = None
) -> Schedule:
    """A schedule of which so many due times are to be caught up, the first at NOON."""
    schedule = a_schedule(
        FixedRate(every, NOON),
        policy=MisfirePolicy.FIRE_ALL,
        grace=timedelta(0),
        payload=payload,
        max_runs=max_runs,
    )
    await house.has(a_job(), schedule)
    house.clock.set(NOON + (count - 0.5) * every)
    await house.handle(FireSchedules(epoch=1))
    return schedule


async def catch_up(house: House) -> list[int]:
    """Until nothing is left; the answers."""
    answers = []
    while made := await house.handle(CatchUpOnce()):
        answers.append(made)
    return answers


async def test_nothing_set_aside_is_nothing_to_do(house: House) -> None:
    assert await house.handle(CatchUpOnce()) == 0


async def test_each_due_time_becomes_a_run_that_waits_for_its_turn(house: House) -> None:
    schedule = await set_aside(house, 3, payload=Json('"p"'))

    await catch_up(house)

    runs = await house.runs()
    assert due_times(runs) == [NOON, NOON + SECOND, NOON + 2 * SECOND]
    for run in runs:
        assert (run.cause, run.state, run.schedule_id, run.payload) == (
            Cause.SCHEDULE,
            RunState.PENDING,
            schedule.id,
            '"p"',
        )
        assert (run.due_at, run.fired_at, run.fired_epoch) == (run.scheduled_for, house.clock.now(), None)
    assert (await house.dispatch()).moved == 3


async def test_it_is_the_schedules_last_fire(house: House) -> None:
    schedule = await set_aside(house, 3)
    assert (await house.schedule(schedule.id)).last_fire_at is None

    await catch_up(house)

    after = (await house.schedule(schedule.id)).snapshot()
    assert (after.last_fire_at, after.version) == (house.clock.now(), 1)


async def test_a_long_one_is_made_in_portions(house: House) -> None:
    await set_aside(house, 2 * PORTION + 500)

    assert await catch_up(house) == [PORTION, PORTION, 500]

    assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(2 * PORTION + 500)]
    assert house.catch_ups == []


async def test_a_full_last_portion_ends_it_as_well(house: House) -> None:
    await set_aside(house, PORTION)

    await catch_up(house)

    assert len(await house.runs()) == PORTION
    assert house.catch_ups == []


async def test_live_due_times_do_not_wait_for_it(house: House) -> None:
    schedule = await set_aside(house, 2 * PORTION)
    await house.handle(CatchUpOnce())
    house.clock.advance(SECOND / 2)

    await house.handle(FireSchedules(epoch=1))

    live = [run for run in await house.runs() if run.state is RunState.QUEUED]
    assert due_times(live) == [NOON + 2 * PORTION * SECOND]
    assert [each.schedule_id for each in house.catch_ups] == [schedule.id]


async def test_a_due_time_that_has_its_run_is_passed_over(house: House) -> None:
    schedule = await set_aside(house, 3)
    there = schedule.run_for(
        DueTime(NOON + SECOND, NOON + SECOND), RunId(next_id()), now=NOON, epoch=None, cause=Cause.BACKFILL
    ).accept()
    await house.has(there)

    await catch_up(house)

    runs = await house.runs()
    assert due_times(runs) == [NOON, NOON + SECOND, NOON + 2 * SECOND]
    assert runs[1].id == there.id


async def test_a_portion_that_was_lost_before_its_commit_is_made_again(house: House) -> None:
    await set_aside(house, PORTION + 1)

    async def the_process_ends() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await house.wired(BeforeCommit(house.begin, the_process_ends)).bus.handle(CatchUpOnce())
    assert await house.runs() == []

    await catch_up(house)

    assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(PORTION + 1)]


async def test_two_at_once_do_not_make_the_same(house: House) -> None:
    await set_aside(house, PORTION + 1)
    other = house.wired()
    slow = house.wired(BeforeCommit(house.begin, lambda: other.bus.handle(CatchUpOnce())))

    await slow.bus.handle(CatchUpOnce())
    await catch_up(house)

    assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(PORTION + 1)]


async def test_the_oldest_comes_first(house: House) -> None:
    early = await set_aside(house, PORTION)
    late = a_schedule(OneShot(NOON), name="late", policy=MisfirePolicy.FIRE_ALL)
    await house.has(late)
    house.clock.advance(MINUTE)
    await house.handle(FireSchedules(epoch=1))

    await house.handle(CatchUpOnce())

    assert {run.schedule_id for run in await house.runs()} == {early.id}


async def test_several_schedules_share_a_portion_that_never_grows(house: House) -> None:
    """After an outage there are many with few due times each."""
    count = PORTION // 100 + 2
    schedules = [
        a_schedule(FixedRate(SECOND, NOON), name=str(n), policy=MisfirePolicy.FIRE_ALL, grace=timedelta(0))
        for n in range(count)
    ]
    await house.has(a_job(), *schedules)
    house.clock.set(NOON + 99.5 * SECOND)
    await house.handle(FireSchedules(epoch=1))

    assert await catch_up(house) == [PORTION, count * 100 - PORTION]

    runs = await house.runs()
    assert {run.schedule_id for run in runs} == {each.id for each in schedules}
    assert len({(run.schedule_id, run.scheduled_for) for run in runs}) == len(runs) == count * 100


async def test_no_more_runs_are_made_than_the_schedule_may_have(house: House) -> None:
    await set_aside(house, 10, max_runs=4)

    await catch_up(house)

    assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(4)]


class TestTheScheduleHasGoneOn:
    """What was decided under a revision is made under it, whatever becomes of the schedule."""

    async def test_it_was_disabled(self, house: House) -> None:
        schedule = await set_aside(house, 3)
        await house.handle(DisableSchedule(tenant_id=schedule.tenant_id, schedule_id=schedule.id))

        await catch_up(house)

        assert due_times(await house.runs()) == [NOON, NOON + SECOND, NOON + 2 * SECOND]

    async def test_it_was_deleted(self, house: House) -> None:
        schedule = await set_aside(house, 3, payload=Json('"p"'))
        await house.handle(DeleteSchedule(tenant_id=schedule.tenant_id, schedule_id=schedule.id))

        await catch_up(house)

        assert [(run.scheduled_for, run.payload) for run in await house.runs()] == [
            (NOON + n * SECOND, '"p"') for n in range(3)
        ]

    async def test_it_was_changed_halfway(self, house: House) -> None:
        schedule = await set_aside(house, PORTION + 2, payload=Json('"old"'))
        await house.handle(CatchUpOnce())
        await house.handle(changed(schedule, FixedRate(MINUTE, NOON + MINUTE), Json('"new"')))

        await catch_up(house)

        runs = await house.runs()
        assert due_times(runs) == [NOON + n * SECOND for n in range(PORTION + 2)]
        assert {run.payload for run in runs} == {'"old"'}

    async def test_it_is_changed_at_the_very_moment(self, house: House) -> None:
        schedule = await set_aside(house, 3, payload=Json('"old"'))
        change = changed(schedule, FixedRate(MINUTE, NOON + MINUTE), Json('"new"'))

        await house.wired(Meanwhile(house.begin, 1, lambda: house.handle(change))).bus.handle(CatchUpOnce())

        assert {run.payload for run in await house.runs()} == {'"old"'}
        assert len(await house.runs()) == 3


def changed(schedule: Schedule, trigger: FixedRate, payload: Json) -> ChangeSchedule:
    own = schedule.definition
    target = NamedJob(own.target.job.name, payload)
    draft = ScheduleDraft(name=own.name, trigger=trigger, target=target, tz=own.tz)
    return ChangeSchedule(tenant_id=schedule.tenant_id, schedule_id=schedule.id, revise=lambda _: draft)
