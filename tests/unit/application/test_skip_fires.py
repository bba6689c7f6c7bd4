"""Fires are skipped before their turn: each has its run at once, which says why, and no other."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, a_job, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.fire_schedules import FireSchedules
from rota.application.skip_fires import SkipFires, Skipped
from rota.domain.errors import InvalidError, NotFoundError
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule


async def skip(house: House, schedule: Schedule, wanted: int | datetime, reason: str = "inventory") -> Skipped:
    return await house.handle(SkipFires(tenant_id=ACME, schedule_id=schedule.id, wanted=wanted, reason=reason))


async def tick(house: House, *minutes: int) -> None:
    for minute in minutes:
        house.clock.set(NOON + minute * MINUTE)
        await house.handle(FireSchedules(epoch=1))


async def test_the_runs_are_there_at_once_and_say_why(house: House) -> None:
    schedule = a_schedule(now=NOON + HOUR)
    await house.has(a_job(), schedule)

    skipped = await skip(house, schedule, 2)

    runs = await house.runs()
    assert list(skipped.due_times) == [DueTime(each, each) for each in due_times(runs)]
    assert due_times(runs) == [NOON + HOUR, NOON + HOUR + MINUTE]
    assert {(run.state, run.reason, run.cause, run.fired_at) for run in runs} == {
        (RunState.SKIPPED, "inventory", "SCHEDULE", None)
    }
    assert await house.event_types() == ["schedule.skipped", "run.skipped", "run.skipped"]
    assert skipped.schedule.next_fire_at == NOON + HOUR + 2 * MINUTE
    assert skipped.schedule.last_fire_at is None
    assert house.nudge.count == 1


async def test_the_event_tells_which_and_what_comes_instead(house: House) -> None:
    schedule = a_schedule(now=NOON + HOUR)
    await house.has(a_job(), schedule)

    await skip(house, schedule, 1)

    event = (await house.events())[0]
    assert event.data == (
        '{"dueTimes":[{"scheduledFor":"2026-03-02T13:00:00Z","dueAt":"2026-03-02T13:00:00Z"}],'
        '"nextFireAt":"2026-03-02T13:01:00Z","reason":"inventory"}'
    )


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, Overlap.SKIP, Overlap.QUEUE])
@pytest.mark.parametrize("policy", [*MisfirePolicy])
async def test_they_do_not_fire_when_their_time_comes_nor_are_they_missed(
    house: House, policy: MisfirePolicy, overlap: Overlap
) -> None:
    schedule = a_schedule(policy=policy, overlap=overlap)
    await house.has(a_job(), schedule)
    await tick(house, 0)

    await skip(house, schedule, NOON + 2 * MINUTE)
    await tick(house, 1, 2, 3)

    skipped = [run for run in await house.runs() if run.reason == "inventory"]
    assert due_times(skipped) == [NOON + 2 * MINUTE]
    assert due_times(await house.runs()) == [NOON + n * MINUTE for n in range(4)]
    assert await house.misses(schedule) == []


async def test_also_after_an_outage(house: House) -> None:
    schedule = a_schedule(policy=MisfirePolicy.FIRE_ALL)
    await house.has(a_job(), schedule)
    await skip(house, schedule, NOON + 30 * MINUTE)

    await tick(house, 60)

    (catch_up,) = house.catch_ups
    assert catch_up.span.count == 58
    assert len(await house.runs()) == 2 + 1  # settled at once, skipped, and the one that is due now


async def test_what_is_due_already_is_decided_first(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    skipped = await skip(house, schedule, 1)

    assert [due.scheduled_for for due in skipped.due_times] == [NOON + MINUTE]
    assert [(run.scheduled_for, run.state) for run in await house.runs()] == [
        (NOON, RunState.PENDING),
        (NOON + MINUTE, RunState.SKIPPED),
    ]


async def test_what_is_refused_changes_nothing(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    with pytest.raises(InvalidError, match="at: is none of the fires to come"):
        await skip(house, schedule, NOON + MINUTE / 2)

    assert (await house.runs(), await house.events()) == ([], [])


async def test_another_tenants_schedule_is_unknown(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)

    with pytest.raises(NotFoundError):
        await house.handle(SkipFires(tenant_id=GLOBEX, schedule_id=schedule.id, wanted=1))
