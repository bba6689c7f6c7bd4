"""Schedules that go by a calendar: whoever hands one out says what the calendar says, and what was decided by a calendar
that has changed is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import got
from tests.support.builders import ACME, HOUR, NOON, a_calendar, a_job, a_schedule
from tests.support.stored import state, store

from rota.application.ports.reads import Reads
from rota.application.ports.store import Begin
from rota.domain.calendar import Calendar
from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.definition import Closure
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron, OnBusinessDay, Trigger

TUESDAY, WEDNESDAY = date(2026, 3, 3), date(2026, 3, 4)
CLOSED = (Closure(WEDNESDAY, WEDNESDAY, "Stocktaking"),)


def at(day: int) -> datetime:
    """Nine o'clock on that day of March 2026; NOON is on Monday the 2nd."""
    return datetime(2026, 3, day, 9, tzinfo=UTC)


def on(
    calendar: Calendar, on_closed: OnClosed = OnClosed.SKIP, trigger: Trigger | None = None, **more: Any
) -> Schedule:
    """Daily at nine, unless a trigger is given."""
    return a_schedule(
        trigger or Cron("0 9 * * *"),
        calendar=CalendarRule(calendar.id, on_closed),
        open_days=OpenDays(calendar.definition),
        **more,
    )


async def due(begin: Begin, now: datetime) -> Sequence[Schedule]:
    async with begin() as work:
        return await work.schedules.due(now, 100)


async def advance(begin: Begin, schedule: Schedule, now: datetime) -> bool:
    """Whether what was decided of it is stored."""
    assert schedule.next is not None
    read_due = schedule.next.due_at
    schedule.decide(now)
    async with begin() as work:
        won = await work.schedules.advance([(schedule, read_due)], 1)
        await work.commit()
    return bool(won)


async def close(begin: Begin, calendar: Calendar, *schedules: Schedule) -> None:
    """Wednesday, and with it the schedules'."""
    async with begin() as work:
        known = await work.calendars.get(ACME, calendar.id)
        known.change(replace(known.definition, closures=CLOSED), now=NOON)
        for schedule in schedules:
            held = await work.schedules.get(ACME, schedule.id)
            held.recalendar(OpenDays(known.definition), now=NOON + HOUR)
        await work.commit()


class SchedulesInCalendarsContract:
    @pytest.fixture(autouse=True)
    async def job(self, begin: Begin) -> None:
        await store(begin, a_job())

    @pytest.mark.parametrize("on_closed", [*OnClosed])
    @pytest.mark.parametrize("trigger", [Cron("0 9 * * *"), OnBusinessDay(BusinessDay(day=1, at=time(9)))])
    async def test_it_comes_back_as_it_was(
        self, begin: Begin, reads: Reads, on_closed: OnClosed, trigger: Trigger
    ) -> None:
        calendar = a_calendar(closures=CLOSED)
        schedule = on(calendar, on_closed, trigger)

        await store(begin, calendar, schedule)

        assert state(await got(begin, schedule)) == state(schedule)
        assert state(await reads.schedule(ACME, schedule.id)) == state(schedule)

    async def test_whoever_hands_it_out_says_what_the_calendar_says_and_all_that_it_includes(
        self, begin: Begin, reads: Reads
    ) -> None:
        included = a_calendar("included", closures=CLOSED)
        calendar = a_calendar("above", includes=(included.id,))
        schedule, other = on(calendar, name="a"), on(included, name="b")
        await store(begin, included, calendar, schedule, other, a_schedule(name="none"))

        async with begin() as work:
            handed_out = [
                await work.schedules.get(ACME, schedule.id),
                *(await work.schedules.load([(ACME, other.id)])).values(),
                *(each for each in await work.schedules.due(at(3), 10) if each.definition.calendar),
                (await work.schedules.at_revisions([(ACME, schedule.id, 1)]))[0],
            ]
        handed_out.append(await reads.schedule(ACME, other.id))

        assert len(handed_out) == 6
        for each in handed_out:
            assert each.open_days is not None
            assert each.open_days.is_open(TUESDAY)
            assert not each.open_days.is_open(WEDNESDAY)

    async def test_schedules_of_one_calendar_share_what_it_works_out(self, begin: Begin) -> None:
        calendar = a_calendar()
        await store(begin, calendar, on(calendar, name="a"), on(calendar, name="b"))

        found = [*(await due(begin, at(3))), *(await due(begin, at(3)))]

        assert len({id(each.open_days) for each in found}) == 1

    async def test_what_it_says_changes_with_the_calendar(self, begin: Begin) -> None:
        calendar = a_calendar()
        schedule = on(calendar)
        await store(begin, calendar, schedule)

        await close(begin, calendar)

        again = await got(begin, schedule)
        assert again.open_days is not None
        assert not again.open_days.is_open(WEDNESDAY)

    async def test_another_calendar_is_another_word(self, begin: Begin) -> None:
        calendar, other = a_calendar("a"), a_calendar("b", closures=CLOSED)
        schedule = on(calendar)
        await store(begin, calendar, other, schedule)

        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            definition = replace(known.definition, calendar=CalendarRule(other.id, OnClosed.NEXT_OPEN))
            known.change(definition, now=NOON, open_days=OpenDays(other.definition))
            await work.commit()

        assert state(await got(begin, schedule)) == state(known)
        async with begin() as work:
            then = (await work.schedules.at_revisions([(ACME, schedule.id, 1)]))[0]
        assert then.definition.calendar == CalendarRule(calendar.id)
        assert then.open_days is not None
        assert then.open_days.is_open(WEDNESDAY)

    # Compare-and-set

    async def test_what_was_decided_before_its_turn_is_forgotten_once_it_is_passed(self, begin: Begin) -> None:
        calendar = a_calendar()
        schedule = on(calendar)
        schedule.ahead = frozenset({at(4), at(6)})
        await store(begin, calendar, schedule)
        (first,) = await due(begin, at(3))
        assert await advance(begin, first, at(3))
        (second,) = await due(begin, at(5))

        assert second.next == DueTime(at(5), at(5))
        assert await advance(begin, second, at(5))

        again = await got(begin, schedule)
        assert (again.next, again.ahead) == (DueTime(at(9), at(9)), frozenset({at(6)}))

    async def test_what_was_decided_by_a_calendar_that_has_changed_is_not_stored(self, begin: Begin) -> None:
        calendar = a_calendar()
        schedule = on(calendar)
        await store(begin, calendar, schedule)
        (read,) = await due(begin, at(3))
        before = read.next

        await close(begin, calendar, schedule)

        assert (await got(begin, schedule)).next == before
        assert not await advance(begin, read, at(3))
        (again,) = await due(begin, at(3))
        assert await advance(begin, again, at(3))
        assert (await got(begin, schedule)).next == DueTime(at(5), at(5))

    async def test_what_is_due_does_not_wait_for_who_changes_the_calendar(self, begin: Begin) -> None:
        calendar = a_calendar()
        schedule = on(calendar)
        await store(begin, calendar, schedule)

        async with begin() as work:
            await work.calendars.get(ACME, calendar.id)
            (read,) = await due(begin, at(3))
            assert await advance(begin, read, at(3))

        assert (await got(begin, schedule)).next == DueTime(at(4), at(4))


class TestInMemorySchedulesInCalendars(InMemory, SchedulesInCalendarsContract):
    pass


class TestPostgresSchedulesInCalendars(OnPostgres, SchedulesInCalendarsContract):
    pass
