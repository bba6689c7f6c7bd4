"""A pause, made up for or not, and one that ends by itself."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.support.builders import ACME, HOUR, MINUTE, NOON, SECOND, a_calendar, a_job, a_run, a_schedule
from tests.unit.application.house import House, due_times, states

from rota.application.catch_up import CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.resume_schedules import ResumeSchedules
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import InvalidError
from rota.domain.overlap import Overlap
from rota.domain.pause import MakeUp
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.trigger import Cron, FixedRate, OnEvent

LATER = NOON + HOUR


async def enable(house: House, schedule: Schedule, make_up: MakeUp) -> ScheduleSnapshot:
    return await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, make_up=make_up))


async def disable(house: House, schedule: Schedule, until: datetime | None = None) -> ScheduleSnapshot:
    return await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, until=until))


async def tick(house: House, now: datetime) -> int:
    house.clock.set(now)
    resumed = await house.handle(ResumeSchedules())
    while await house.handle(FireSchedules(epoch=1)) or await house.handle(CatchUpOnce()):
        pass
    return resumed


class TestMakingUp:
    async def test_the_last_runs_at_once(self, house: House) -> None:
        schedule = a_schedule(enabled=False)
        await house.has(a_job(), schedule)
        house.clock.set(LATER + SECOND)

        after = await enable(house, schedule, MakeUp.LAST)

        assert due_times(await house.runs()) == [LATER]
        assert after.next_fire_at == LATER + MINUTE
        assert after.last_fire_at == LATER + SECOND
        assert await house.event_types() == ["schedule.enabled", "run.created"]
        assert '"catchUp":"LAST"' in (await house.events())[0].data

    async def test_all_run_behind_live_work_and_none_is_missed(self, house: House) -> None:
        schedule = a_schedule(enabled=False)
        await house.has(a_job(), schedule)
        house.clock.set(LATER + SECOND)

        await enable(house, schedule, MakeUp.ALL)
        assert await house.runs() == []
        await tick(house, LATER + MINUTE)

        assert due_times(await house.runs()) == [NOON + n * MINUTE for n in range(62)]
        assert await house.misses(schedule) == []
        assert (await house.schedule(schedule.id)).runs_made == 62

    async def test_in_a_calendar_what_is_merged_has_its_record(self, house: House) -> None:
        calendar = a_calendar()
        schedule = a_schedule(
            Cron("0 9 * * *"),
            calendar=CalendarRule(calendar.id, OnClosed.NEXT_OPEN),
            open_days=OpenDays(calendar.definition),
            enabled=False,
        )
        await house.has(a_job(), calendar, schedule)
        house.clock.set(NOON + 7 * 24 * HOUR)

        await enable(house, schedule, MakeUp.ALL)

        runs = await house.runs()
        assert [run.scheduled_for.day for run in runs if run.state is RunState.PENDING] == [3, 4, 5, 6, 7]
        assert [(run.scheduled_for.day, run.reason) for run in runs if run.state is RunState.SKIPPED] == [
            (8, "MERGED"),
            (9, "MERGED"),
        ]

    async def test_the_last_replaces_the_run_that_goes(self, house: House) -> None:
        schedule = a_schedule(overlap=Overlap.REPLACE, enabled=False)
        running = a_run(RunState.RUNNING, schedule_id=schedule.id)
        await house.has(a_job(), schedule, running)
        house.clock.set(LATER)

        await enable(house, schedule, MakeUp.LAST)

        assert [order.run_id for _, _, order in house.control.told] == [running.id]
        assert (await house.again(running)).cancel_requested_at == LATER

    async def test_under_skip_it_gives_way(self, house: House) -> None:
        schedule = a_schedule(overlap=Overlap.SKIP, enabled=False)
        await house.has(a_job(), schedule, a_run(RunState.RUNNING, schedule_id=schedule.id))
        house.clock.set(LATER)

        await enable(house, schedule, MakeUp.LAST)

        assert sorted(states(await house.runs())) == ["RUNNING", "SKIPPED"]

    async def test_what_is_refused_changes_nothing(self, house: House) -> None:
        schedule = a_schedule(OnEvent("topic.acme.orders"), enabled=False)
        await house.has(a_job(), schedule)

        with pytest.raises(InvalidError, match="catchUp"):
            await enable(house, schedule, MakeUp.LAST)

        assert not (await house.schedule(schedule.id)).enabled


class TestAPauseThatEnds:
    async def test_it_goes_on_by_itself(self, house: House) -> None:
        schedule = a_schedule(FixedRate(HOUR, NOON + HOUR))
        await house.has(a_job(), schedule)

        paused = await disable(house, schedule, NOON + 2 * HOUR)
        before = await tick(house, NOON + 2 * HOUR - SECOND)
        then = await tick(house, NOON + 2 * HOUR)

        assert (paused.enabled, paused.disabled_until, paused.next_fire_at) == (False, NOON + 2 * HOUR, None)
        assert (before, then) == (0, 1)
        assert due_times(await house.runs()) == [NOON + 2 * HOUR]
        assert (await house.schedule(schedule.id)).disabled_until is None
        assert (await house.event_types())[:2] == ["schedule.disabled", "schedule.enabled"]

    async def test_however_late_that_is_noticed_nothing_since_is_lost(self, house: House) -> None:
        schedule = a_schedule(FixedRate(HOUR, NOON + HOUR))
        await house.has(a_job(), schedule)

        await disable(house, schedule, NOON + 2 * HOUR)
        await tick(house, NOON + 4 * HOUR)

        assert due_times(await house.runs()) == [NOON + 4 * HOUR]
        assert await house.misses(schedule) == [(NOON + 2 * HOUR, NOON + 3 * HOUR, 2, "FIRE_ONCE")]

    async def test_a_change_of_something_else_leaves_it(self, house: House) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)
        await disable(house, schedule, LATER)

        def draft(standing: ScheduleSnapshot) -> ScheduleDraft:
            own = standing.definition
            target = NamedJob("reports.daily")
            return ScheduleDraft(name="another", trigger=own.trigger, target=target, tz="UTC", enabled=standing.enabled)

        after = await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=draft))

        assert (after.enabled, after.disabled_until) == (False, LATER)

    async def test_an_instant_that_is_past_is_refused(self, house: House) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)

        with pytest.raises(InvalidError, match="until: must lie in the future"):
            await disable(house, schedule, NOON)

        assert (await house.schedule(schedule.id)).enabled
