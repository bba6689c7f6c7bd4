"""Schedules that go by a calendar, from their making to what the tick makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, a_calendar, a_job, a_schedule, next_id
from tests.unit.application.house import House, Meanwhile, due_times

from rota.application.change_calendar import ChangeCalendar
from rota.application.change_schedule import ChangeSchedule
from rota.application.create_schedules import CreateSchedules
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.fire_schedules import FireSchedules
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import Closure
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron

DAILY = Cron("0 9 * * *")


def at(day: int, hour: int = 9) -> datetime:
    """On that day of March 2026; NOON is on Monday the 2nd."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def a_draft(calendar: CalendarRule | None = None, name: str = "daily", **more: Any) -> ScheduleDraft:
    said = {"name": name, "trigger": DAILY, "target": NamedJob("reports.daily"), "tz": "UTC", "calendar": calendar}
    return ScheduleDraft(**said | more)


def daily(calendar: Calendar, on_closed: OnClosed = OnClosed.SKIP, **more: Any) -> Schedule:
    rule = CalendarRule(calendar.id, on_closed)
    return a_schedule(DAILY, calendar=rule, open_days=OpenDays(calendar.definition), **more)


async def tick(house: House, now: datetime) -> None:
    house.clock.advance(now - house.clock.now())
    while await house.handle(FireSchedules(1)):
        pass


def change(schedule: Schedule, calendar: CalendarRule | None = None, **more: Any) -> ChangeSchedule:
    return ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: a_draft(calendar, **more))


class TestMaking:
    async def test_the_first_fire_is_on_an_open_day(self, house: House) -> None:
        calendar = a_calendar(closures=(Closure(date(2026, 3, 3), date(2026, 3, 4), "Outing"),))
        await house.has(a_job(), calendar)
        drafts = [a_draft(CalendarRule(calendar.id)), a_draft(name="plain")]

        made = await house.handle(CreateSchedules(tenant_id=ACME, drafts=drafts))

        assert [each.next_fire_at for each in made] == [at(5), at(3)]

    async def test_of_a_batch_each_unknown_calendar_is_named(self, house: House) -> None:
        known, foreign = a_calendar(), a_calendar(tenant_id=GLOBEX)
        await house.has(a_job(), known, foreign)
        calendars = [known.id, foreign.id, CalendarId(next_id())]
        drafts = [a_draft(CalendarRule(own), name=f"{n}") for n, own in enumerate(calendars)]

        with pytest.raises(InvalidError) as refusal:
            await house.handle(CreateSchedules(tenant_id=ACME, drafts=drafts, batch=True))

        faults = [(fault.field, fault.message) for fault in refusal.value.faults]
        assert faults == [(f"{n}.calendar.calendarId", "there is no such calendar") for n in (1, 2)]
        assert not house.store.tables.schedules


class TestChanging:
    async def test_it_comes_to_go_by_a_calendar_and_again_by_none(self, house: House) -> None:
        calendar = a_calendar(closures=(Closure(date(2026, 3, 3), date(2026, 3, 3), "Outing"),))
        schedule = a_schedule(DAILY)
        await house.has(a_job(), calendar, schedule)
        rule = CalendarRule(calendar.id)

        skips = await house.handle(change(schedule, rule))
        moves = await house.handle(change(schedule, replace(rule, on_closed=OnClosed.NEXT_OPEN)))
        free = await house.handle(change(schedule, None))

        assert [each.next_fire_at for each in (skips, moves, free)] == [at(4), at(4), at(3)]

    async def test_one_that_is_unknown_is_refused_and_changes_nothing(self, house: House) -> None:
        schedule = a_schedule(DAILY)
        await house.has(a_job(), schedule)
        rule = CalendarRule(CalendarId(next_id()))

        with pytest.raises(InvalidError, match=r"calendar\.calendarId: there is no such calendar"):
            await house.handle(change(schedule, rule))

        assert (await house.schedule(schedule.id)).version == 1

    async def test_a_change_of_something_else_leaves_the_calendar_to_whoever_changes_it(self, house: House) -> None:
        """Whoever changes a calendar locks it before its schedules: here it is not locked behind the schedule."""
        calendar = a_calendar()
        schedule = daily(calendar)
        await house.has(a_job(), calendar, schedule)

        async with house.begin() as work:
            await work.calendars.get(ACME, calendar.id)
            changed = await house.handle(change(schedule, CalendarRule(calendar.id), description="new"))

        assert changed.definition.description == "new"

    async def test_jitter_delays_what_is_due_and_not_what_it_is_due_for(self, house: House) -> None:
        schedule = a_schedule(DAILY)
        await house.has(a_job(), schedule)
        jitter = timedelta(hours=1)

        next_fire_at = (await house.handle(change(schedule, jitter=jitter))).next_fire_at

        assert next_fire_at is not None
        assert at(3) < next_fire_at <= at(3) + jitter
        await tick(house, next_fire_at - timedelta(milliseconds=1))
        assert await house.runs() == []
        await tick(house, next_fire_at)
        run = await house.only_run()
        assert (run.scheduled_for, run.due_at) == (at(3), next_fire_at)


class TestFiring:
    async def test_closed_days_have_neither_run_nor_miss(self, house: House) -> None:
        calendar = a_calendar()
        schedule = daily(calendar, policy=MisfirePolicy.SKIP)
        await house.has(a_job(), calendar, schedule)

        for day in range(3, 11):
            await tick(house, at(day))

        assert due_times(await house.runs()) == [at(day) for day in (3, 4, 5, 6, 9, 10)]
        assert await house.misses(schedule) == []

    async def test_what_lands_on_one_instant_runs_once_and_the_rest_is_merged(self, house: House) -> None:
        calendar = a_calendar()
        schedule = daily(calendar, OnClosed.NEXT_OPEN)
        await house.has(a_job(), calendar, schedule)

        for day in range(3, 10):
            await tick(house, at(day))

        weekend = [run for run in await house.runs() if run.due_at == at(9)]
        assert [(run.scheduled_for, run.state, run.reason) for run in weekend] == [
            (at(7), RunState.QUEUED, None),
            (at(8), RunState.SKIPPED, "MERGED"),
            (at(9), RunState.SKIPPED, "MERGED"),
        ]
        assert (await house.schedule(schedule.id)).runs_made == 5
        assert [each for each in await house.event_types() if each == "run.skipped"] == ["run.skipped"] * 2

    @pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE])
    async def test_also_where_runs_must_not_overlap(self, house: House, overlap: Overlap) -> None:
        calendar = a_calendar()
        schedule = daily(calendar, OnClosed.PREVIOUS_OPEN, overlap=overlap)
        await house.has(a_job(), calendar, schedule)

        await tick(house, at(6))
        await tick(house, at(9))

        runs = await house.runs()
        assert set(due_times(runs)) >= {at(6), at(7), at(8), at(9)}
        assert due_times([run for run in runs if run.reason == "MERGED"]) == [at(7), at(8)]

    async def test_an_outage_is_caught_up_by_the_days_that_were_open(self, house: House) -> None:
        calendar = a_calendar()
        schedule = daily(calendar, policy=MisfirePolicy.FIRE_ALL)
        await house.has(a_job(), calendar, schedule)

        await tick(house, at(3 + 28))

        made = await house.runs()
        assert [run.scheduled_for.weekday() for run in made].count(4) == 4
        assert all(run.scheduled_for.weekday() < 5 for run in made)
        assert len(made) == 21

    async def test_a_calendar_that_changes_while_the_tick_decides_has_its_way(self, house: House) -> None:
        calendar = a_calendar()
        schedule = daily(calendar)
        await house.has(a_job(), calendar, schedule)
        house.clock.advance(at(3) - NOON)
        closed = (Closure(date(2026, 3, 4), date(2026, 3, 4), "Outing"),)

        async def close() -> None:
            await house.handle(
                ChangeCalendar(
                    tenant_id=ACME,
                    calendar_id=calendar.id,
                    revise=lambda standing: replace(standing.definition, closures=closed),
                )
            )

        process = house.wired(Meanwhile(house.begin, 2, close))
        await process.bus.handle(FireSchedules(1))

        assert due_times(await house.runs()) == [at(3)]
        assert (await house.schedule(schedule.id)).snapshot().next_fire_at == at(5)

    async def test_a_schedule_that_somebody_holds_stops_nobody_elses(self, house: House) -> None:
        """A large change of a calendar holds its schedules for a while."""
        held, free = (a_schedule(DAILY, name=name, overlap=Overlap.SKIP) for name in "ab")
        await house.has(a_job(), held, free)

        async with house.begin() as work:
            await work.schedules.get(ACME, held.id)
            house.clock.advance(at(3) - NOON)
            await house.handle(FireSchedules(1))
            meanwhile = await house.runs()
        await tick(house, at(3))

        assert [run.schedule_id for run in meanwhile] == [free.id]
        assert {run.schedule_id for run in await house.runs()} == {free.id, held.id}
