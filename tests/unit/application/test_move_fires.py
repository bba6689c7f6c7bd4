"""A change of a calendar moves the next fires of the schedules that go by it, in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, a_calendar, a_job, a_run, a_schedule
from tests.unit.application.house import House, due_times

from rota.application.change_calendar import ChangeCalendar
from rota.application.delete_calendar import DeleteCalendar
from rota.application.delete_schedule import DeleteSchedule
from rota.application.enable_schedule import EnableSchedule
from rota.application.import_days import ImportDays
from rota.application.move_fires import AT_ONCE, MovedFire
from rota.application.ports.calendar_files import ImportedDays
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import Closure, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import CalendarInUseError
from rota.domain.ids import ScheduleId
from rota.domain.overlap import Overlap
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron

TUESDAY = date(2026, 3, 3)
CLOSED = (Closure(TUESDAY, TUESDAY, "Outing"),)


def at(day: int) -> datetime:
    """Nine o'clock on that day of March 2026; NOON is on Monday the 2nd."""
    return datetime(2026, 3, day, 9, tzinfo=NOON.tzinfo)


def daily(calendar: Calendar, name: str = "daily", on_closed: OnClosed = OnClosed.SKIP, **more: Any) -> Schedule:
    """At nine, on the calendar's open days."""
    return a_schedule(
        Cron("0 9 * * *"),
        name=name,
        calendar=CalendarRule(calendar.id, on_closed),
        open_days=OpenDays(calendar.definition),
        **more,
    )


def change(calendar: Calendar, *, is_dry_run: bool = False, **said: Any) -> ChangeCalendar:
    return ChangeCalendar(
        tenant_id=calendar.tenant_id,
        calendar_id=calendar.id,
        revise=lambda standing: replace(standing.definition, **said),
        is_dry_run=is_dry_run,
    )


async def next_of(house: House, schedule: Schedule) -> datetime | None:
    return (await house.schedule(schedule.id)).snapshot().next_fire_at


def moved(schedule: Schedule, before: datetime | None, after: datetime | None) -> MovedFire:
    return MovedFire(schedule_id=schedule.id, name=schedule.definition.name, before=before, after=after)


async def test_a_closed_day_is_passed_over(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, closures=CLOSED))

    assert changed.moved == [moved(schedule, at(3), at(4))]
    assert await next_of(house, schedule) == at(4)
    assert (await house.schedule(schedule.id)).version == 1
    assert await house.event_types() == ["calendar.updated"]
    assert house.nudge.count == 1


async def test_a_day_that_opens_is_the_next(house: House) -> None:
    calendar = a_calendar(working_days=frozenset({Weekday.FR}))
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, working_days=frozenset({Weekday.WE, Weekday.FR})))

    assert changed.moved == [moved(schedule, at(6), at(4))]
    assert await next_of(house, schedule) == at(4)


async def test_what_was_moved_to_a_day_moves_on(house: House) -> None:
    calendar = a_calendar(closures=CLOSED)
    schedule = daily(calendar, on_closed=OnClosed.NEXT_OPEN)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, closures=(Closure(TUESDAY, TUESDAY + timedelta(days=1), "Outing"),)))

    assert changed.moved == [moved(schedule, at(4), at(5))]


async def test_one_that_never_opens_again_has_no_next_fire(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, closures=(Closure(TUESDAY, date(9997, 12, 31), "wound up"),)))

    assert changed.moved == [moved(schedule, at(3), None)]


async def test_a_dry_run_tells_the_same_and_moves_nothing(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    tried = await house.handle(change(calendar, is_dry_run=True, closures=CLOSED))

    assert tried.moved == [moved(schedule, at(3), at(4))]
    assert await next_of(house, schedule) == at(3)
    assert (await house.events(), house.nudge.count) == ([], 0)


async def test_those_that_go_by_a_calendar_that_includes_it_move_and_no_others(house: House) -> None:
    included, other = a_calendar("included"), a_calendar("other")
    above = a_calendar("above", includes=(included.id,))
    moves, stays, plain = daily(above, "a"), daily(other, "b"), a_schedule(Cron("0 9 * * *"), name="c")
    foreign = a_calendar(tenant_id=GLOBEX)
    await house.has(a_job(), included, other, above, foreign, moves, stays, plain)

    changed = await house.handle(change(included, closures=CLOSED))

    assert changed.moved == [moved(moves, at(3), at(4))]
    assert [await next_of(house, each) for each in (moves, stays, plain)] == [at(4), at(3), at(3)]


async def test_what_only_comes_later_is_not_told(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)
    thursday = TUESDAY + timedelta(days=2)

    changed = await house.handle(change(calendar, closures=(Closure(thursday, thursday, "Outing"),)))

    assert changed.moved == []
    assert [
        due.due_at for due, _ in zip((await house.schedule(schedule.id)).upcoming(NOON), range(3), strict=False)
    ] == [
        at(3),
        at(4),
        at(6),
    ]


async def test_a_new_name_moves_nothing(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, name="Bavaria", description="all of it"))

    assert (changed.moved, changed.after.version) == ([], 2)
    assert (await house.schedule(schedule.id)).updated_at == NOON


async def test_what_was_due_before_is_decided_as_the_calendar_was(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)
    house.clock.advance(at(3) - NOON)

    changed = await house.handle(change(calendar, closures=CLOSED))

    assert due_times(await house.runs()) == [at(3)]
    assert changed.moved == []
    assert await next_of(house, schedule) == at(4)


async def test_runs_that_it_replaces_meanwhile_are_told_to_stop(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar, overlap=Overlap.REPLACE)
    running = a_run(RunState.RUNNING, schedule_id=schedule.id)
    await house.has(a_job(), calendar, schedule, running)
    house.clock.advance(at(3) - NOON)

    await house.handle(change(calendar, closures=CLOSED))

    assert [order.run_id for _, _, order in house.control.told] == [running.id]


async def test_a_disabled_one_goes_by_it_once_it_is_enabled(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar, enabled=False)
    await house.has(a_job(), calendar, schedule)

    changed = await house.handle(change(calendar, closures=CLOSED))
    await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))

    assert changed.moved == []
    assert await next_of(house, schedule) == at(4)


async def test_however_many_they_are_all_move(house: House) -> None:
    calendar = a_calendar()
    schedules = [daily(calendar, f"daily {n}") for n in range(2 * AT_ONCE + 1)]
    await house.has(a_job(), calendar, *schedules)

    changed = await house.handle(change(calendar, closures=CLOSED))

    assert changed.moved == [moved(schedule, at(3), at(4)) for schedule in schedules]
    assert {await next_of(house, schedule) for schedule in schedules} == {at(4)}


async def test_imported_days_move_fires_too(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar)
    await house.has(a_job(), calendar, schedule)

    done = await house.handle(ImportDays(tenant_id=ACME, calendar_id=calendar.id, days=ImportedDays((), CLOSED, ())))

    assert done.changed.moved == [moved(schedule, at(3), at(4))]


async def test_a_calendar_that_a_schedule_goes_by_stays(house: House) -> None:
    calendar = a_calendar()
    schedule = daily(calendar, enabled=False)
    await house.has(a_job(), calendar, schedule)
    delete = DeleteCalendar(tenant_id=ACME, calendar_id=calendar.id)

    with pytest.raises(CalendarInUseError, match="calendar 'DE-BY' is in use by a schedule"):
        await house.handle(delete)

    await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=ScheduleId(schedule.id)))
    await house.handle(delete)
