"""Calendars in a store: one living calendar to a name, none changes under those who ask it, and none goes while it is
needed.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.contract.test_round_trips import every_field_is_set
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_calendar, a_job, a_schedule, next_id
from tests.support.stored import event_types, state, store

from rota.application.ports.log import EventLog
from rota.application.ports.reads import CalendarFilter, Paging, Reads
from rota.application.ports.store import Begin
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import NameTakenError, NotFoundError
from rota.domain.ids import CalendarId, TenantId
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron

WEDNESDAY = date(2026, 3, 4)
CLOSED = (Closure(WEDNESDAY, WEDNESDAY, "Stocktaking"),)

FULL = CalendarDefinition(
    name="größe",
    description="each day ½",
    labels={"team": "bi"},
    tz="Europe/Berlin",
    working_days=frozenset({Weekday.MO, Weekday.SA}),
    holidays=(
        FixedDate(12, 24, "Heiligabend"),
        NthWeekday(11, Weekday.TH, -1, "Thanks"),
        EasterOffset(-2, "Good Friday", orthodox=True),
        PublicHolidays("DE", "BY"),
        PublicHolidays("JP"),
    ),
    closures=(Closure(date(2026, 1, 1), date(2027, 2, 3), "renovation"),),
    extra_open_days=(ExtraOpenDay(date(2026, 3, 8), "fair"),),
    opening_hours=(
        OpeningHours(frozenset({Weekday.SA, Weekday.MO}), time(9), time(0)),
        OpeningHours(frozenset({Weekday.SU}), time(0), time(12, 30, 15)),
    ),
)


async def got(begin: Begin, calendar: Calendar) -> Calendar:
    async with begin() as work:
        return await work.calendars.get(calendar.tenant_id, calendar.id)


async def change(begin: Begin, calendar: Calendar, **said: object) -> None:
    async with begin() as work:
        known = await work.calendars.get(calendar.tenant_id, calendar.id)
        known.change(replace(known.definition, **said), now=NOON + HOUR)  # type: ignore[arg-type]  # its fields
        await work.commit()


async def delete(begin: Begin, calendar: Calendar) -> None:
    async with begin() as work:
        (await work.calendars.get(calendar.tenant_id, calendar.id)).delete(now=NOON)
        await work.commit()


async def user_of(begin: Begin, calendar: Calendar) -> str | None:
    async with begin() as work:
        return await work.calendars.user_of(await work.calendars.get(calendar.tenant_id, calendar.id))


async def asked(begin: Begin, *calendars: Calendar) -> list[OpenDays | None]:
    """What is told of each; None where there is none."""
    keys = [(each.tenant_id, each.id) for each in calendars]
    async with begin() as work:
        found = await work.calendars.open_days(keys)
    return [found.get(key) for key in keys]


def on(calendar: Calendar, name: str = "daily", *, enabled: bool = True) -> Schedule:
    """Due at nine on its open days; made on Tuesday at noon."""
    return a_schedule(
        Cron("0 9 * * *"),
        name=name,
        now=NOON + 24 * HOUR,
        enabled=enabled,
        calendar=CalendarRule(calendar.id),
        open_days=OpenDays(calendar.definition),
    )


class CalendarsContract:
    # Keeping them

    async def test_a_calendar_comes_back_as_it_was(self, begin: Begin, log: EventLog) -> None:
        included, calendar = a_calendar("included"), a_calendar()
        calendar.definition = replace(FULL, includes=(included.id,))
        assert every_field_is_set(calendar.definition)

        await store(begin, included, calendar)

        assert state(await got(begin, calendar)) == state(calendar)
        assert await event_types(log) == []

    async def test_changes_come_back(self, begin: Begin, log: EventLog) -> None:
        calendar = a_calendar()
        await store(begin, calendar)

        await change(begin, calendar, name="Bavaria", closures=CLOSED)

        after = await got(begin, calendar)
        assert (after.definition.name, after.definition.closures, after.version) == ("Bavaria", CLOSED, 2)
        assert (after.seq, await event_types(log)) == (1, ["calendar.updated"])

    @pytest.mark.parametrize("tenant", [ACME, GLOBEX])
    async def test_an_unknown_one_and_another_tenants_are_not_found(self, begin: Begin, tenant: TenantId) -> None:
        await store(begin, a_calendar(tenant_id=ACME))

        with pytest.raises(NotFoundError):
            await got(begin, a_calendar(tenant_id=tenant))

    async def test_a_deleted_one_is_not_found(self, begin: Begin, reads: Reads) -> None:
        calendar = a_calendar()
        await store(begin, calendar)

        await delete(begin, calendar)

        with pytest.raises(NotFoundError):
            await got(begin, calendar)
        with pytest.raises(NotFoundError):
            await reads.calendar(ACME, calendar.id)
        with pytest.raises(NotFoundError):
            await reads.open_days(ACME, calendar.id)
        assert await asked(begin, calendar) == [None]

    # Names

    async def test_a_name_is_taken_once_in_a_tenant(self, begin: Begin) -> None:
        await store(begin, a_calendar("a"), a_calendar("a", tenant_id=GLOBEX))

        with pytest.raises(NameTakenError) as refusal:
            await store(begin, a_calendar("a"))

        assert (refusal.value.kind, refusal.value.name) == ("calendar", "a")

    async def test_one_cannot_be_renamed_to_anothers_name(self, begin: Begin) -> None:
        calendar = a_calendar("a")
        await store(begin, calendar, a_calendar("b"))

        with pytest.raises(NameTakenError):
            await change(begin, calendar, name="b")

    async def test_the_name_of_a_deleted_or_renamed_one_is_free_again(self, begin: Begin) -> None:
        gone, renamed = a_calendar("a"), a_calendar("b")
        await store(begin, gone, renamed)

        await delete(begin, gone)
        await change(begin, renamed, name="c")

        await store(begin, a_calendar("a"), a_calendar("b"))

    # Asking them

    async def test_it_is_asked_together_with_all_that_it_includes(self, begin: Begin, reads: Reads) -> None:
        bottom = a_calendar("bottom", closures=CLOSED)
        middle = a_calendar("middle", includes=(bottom.id,))
        top = a_calendar("top", includes=(middle.id, bottom.id))
        await store(begin, bottom, middle, top)

        (told,) = await asked(begin, top)

        for open_days in (told, await reads.open_days(ACME, top.id)):
            assert open_days is not None
            assert open_days.why(WEDNESDAY).reason == "middle: bottom: Stocktaking"

    async def test_each_is_told_under_its_own_tenant(self, begin: Begin) -> None:
        own, foreign = a_calendar("a"), a_calendar("b", tenant_id=GLOBEX, closures=CLOSED)
        await store(begin, own, foreign)

        ours, theirs, unknown = await asked(begin, own, foreign, a_calendar("c"))

        assert ours is not None
        assert theirs is not None
        assert (ours.is_open(WEDNESDAY), theirs.is_open(WEDNESDAY), unknown) == (True, False, None)
        assert await asked(begin) == []

    async def test_who_asks_about_equal_versions_is_told_the_same_object(self, begin: Begin, reads: Reads) -> None:
        included = a_calendar("included")
        calendar = a_calendar("a", includes=(included.id,))
        await store(begin, included, calendar)

        first, again = await asked(begin, calendar), await asked(begin, calendar, included)
        read = await reads.open_days(ACME, calendar.id)

        assert again[0] is first[0]
        assert await reads.open_days(ACME, calendar.id) is read

    async def test_a_change_of_what_it_includes_is_a_change_of_it(self, begin: Begin, reads: Reads) -> None:
        included = a_calendar("included")
        calendar = a_calendar("a", includes=(included.id,))
        await store(begin, included, calendar)
        (before,) = await asked(begin, calendar)

        await change(begin, included, closures=CLOSED)
        (after,) = await asked(begin, calendar)

        assert before is not None
        assert after is not None
        assert (before.is_open(WEDNESDAY), after.is_open(WEDNESDAY)) == (True, False)
        assert not (await reads.open_days(ACME, calendar.id)).is_open(WEDNESDAY)

    async def test_it_is_told_as_it_is_committed(self, begin: Begin) -> None:
        calendar = a_calendar()
        await store(begin, calendar)

        async with begin() as work:
            known = await work.calendars.get(ACME, calendar.id)
            known.change(replace(known.definition, closures=CLOSED), now=NOON)
            told = await work.calendars.open_days([(ACME, calendar.id)])

        assert told[ACME, calendar.id].is_open(WEDNESDAY)

    async def test_the_definitions_of_several_come_with_those_that_they_include(self, begin: Begin) -> None:
        included, calendar, other = a_calendar("i"), a_calendar("c"), a_calendar("o")
        calendar.definition = replace(calendar.definition, includes=(included.id,))
        foreign = a_calendar("f", tenant_id=GLOBEX)
        await store(begin, included, calendar, other, foreign)

        async with begin() as work:
            found = await work.calendars.definitions(ACME, [calendar.id, foreign.id, CalendarId(next_id())])

        assert found == {calendar.id: calendar.definition, included.id: included.definition}

    # While somebody changes them

    async def test_nobody_changes_what_somebody_has_asked(self, begin: Begin, somebody_waits: Wait) -> None:
        included = a_calendar("included")
        calendar = a_calendar("a", includes=(included.id,))
        await store(begin, included, calendar)

        async with begin() as work:
            await work.calendars.open_days([(ACME, calendar.id)])
            changing = asyncio.create_task(change(begin, included, closures=CLOSED))
            await somebody_waits()
            assert not changing.done()
        await changing

    async def test_several_may_ask_at_once(self, begin: Begin) -> None:
        calendar = a_calendar()
        await store(begin, calendar)

        async with begin() as one, begin() as another:
            assert await one.calendars.open_days([(ACME, calendar.id)])
            assert await another.calendars.definitions(ACME, [calendar.id])

    async def test_who_asks_waits_for_who_changes_and_is_told_the_new(self, begin: Begin, somebody_waits: Wait) -> None:
        included = a_calendar("included")
        calendar = a_calendar("a", includes=(included.id,))
        await store(begin, included, calendar)

        async with begin() as work:
            known = await work.calendars.get(ACME, included.id)
            asking = asyncio.create_task(asked(begin, calendar))
            await somebody_waits()
            known.change(replace(known.definition, closures=CLOSED), now=NOON)
            await work.commit()
        (told,) = await asking

        assert told is not None
        assert not told.is_open(WEDNESDAY)

    # Who needs them

    async def test_those_that_include_it_are_known_directly_or_not(self, begin: Begin) -> None:
        bottom = a_calendar("bottom")
        middle, other = a_calendar("middle", includes=(bottom.id,)), a_calendar("other")
        top, gone = a_calendar("top", includes=(other.id, middle.id)), a_calendar("gone", includes=(bottom.id,))
        await store(begin, bottom, middle, other, top, gone)
        await delete(begin, gone)

        async with begin() as work:
            assert set(await work.calendars.including(ACME, bottom.id)) == {middle.id, top.id}
            assert set(await work.calendars.including(ACME, top.id)) == set()
            assert set(await work.calendars.including(GLOBEX, bottom.id)) == set()

    async def test_a_calendar_needs_those_that_it_includes(self, begin: Begin) -> None:
        included = a_calendar("included")
        calendar = a_calendar("a", includes=(included.id,))
        await store(begin, included, calendar)

        assert await user_of(begin, included) == "another calendar"
        assert await user_of(begin, calendar) is None
        await change(begin, calendar, includes=())
        assert await user_of(begin, included) is None

    async def test_a_schedule_needs_its_calendar_also_when_disabled(self, begin: Begin) -> None:
        calendar, other = a_calendar("a"), a_calendar("b")
        schedule = on(calendar, enabled=False)
        await store(begin, a_job(), calendar, other, schedule)

        assert await user_of(begin, calendar) == "a schedule"
        assert await user_of(begin, other) is None
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).delete(now=NOON)
            await work.commit()
        assert await user_of(begin, calendar) is None

    async def test_schedules_that_go_by_one_of_several_are_known(self, begin: Begin) -> None:
        a, b, other, foreign = a_calendar("a"), a_calendar("b"), a_calendar("c"), a_calendar(tenant_id=GLOBEX)
        by_b, by_a = on(b, "1", enabled=False), on(a, "2")
        await store(begin, a_job(), a, b, other, foreign, on(other, "3"), by_b, by_a, a_schedule(name="4"))

        async with begin() as work:
            assert await work.schedules.going_by(ACME, [a.id, b.id]) == [by_b.id, by_a.id]
            assert await work.schedules.going_by(GLOBEX, [a.id, b.id]) == []
            assert await work.schedules.going_by(ACME, []) == []

    async def test_one_that_went_over_to_another_calendar_or_is_deleted_goes_by_it_no_more(self, begin: Begin) -> None:
        a, b = a_calendar("a"), a_calendar("b")
        gone, over = on(a, "1"), on(a, "2")
        await store(begin, a_job(), a, b, gone, over)

        async with begin() as work:
            (await work.schedules.get(ACME, gone.id)).delete(now=NOON)
            known = await work.schedules.get(ACME, over.id)
            definition = replace(known.definition, calendar=CalendarRule(b.id))
            known.change(definition, now=NOON, open_days=OpenDays(b.definition))
            await work.commit()

        async with begin() as work:
            assert await work.schedules.going_by(ACME, [a.id]) == []
            assert await work.schedules.going_by(ACME, [b.id]) == [over.id]

    async def test_a_schedules_calendar_changes_what_comes_next(self, begin: Begin) -> None:
        calendar = a_calendar(working_days=frozenset(Weekday))
        first, second, gone = on(calendar, "1"), on(calendar, "2"), on(calendar, "3")
        await store(begin, a_job(), calendar, first, second, gone)
        async with begin() as work:
            (await work.schedules.get(ACME, gone.id)).delete(now=NOON)
            await work.commit()

        async with begin() as work:
            found = await work.schedules.load([(ACME, each.id) for each in (second, gone, first)])
            for schedule in found.values():
                schedule.recalendar(OpenDays(a_calendar(closures=CLOSED).definition), now=NOON)
            await work.commit()

        assert list(found) == [(ACME, first.id), (ACME, second.id)]
        async with begin() as work:
            again = (await work.schedules.load([(ACME, first.id)]))[ACME, first.id]
        assert again.next is not None
        assert again.next.due_at == datetime(2026, 3, 5, 9, tzinfo=UTC)
        assert again.version == 1

    async def test_who_loads_a_schedule_waits_for_who_holds_it(self, begin: Begin, somebody_waits: Wait) -> None:
        calendar = a_calendar()
        schedule = on(calendar)
        await store(begin, a_job(), calendar, schedule)

        async def load() -> str:
            async with begin() as work:
                (found,) = (await work.schedules.load([(ACME, schedule.id)])).values()
                return found.definition.description

        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            loading = asyncio.create_task(load())
            await somebody_waits()
            definition = replace(known.definition, description="new")
            known.change(definition, now=NOON, open_days=OpenDays(calendar.definition))
            await work.commit()

        assert await loading == "new"

    # Reading them

    async def test_they_are_listed_newest_first_and_by_prefix(self, begin: Begin, reads: Reads) -> None:
        first, second, foreign = a_calendar("DE"), a_calendar("DE-BY"), a_calendar("DE", tenant_id=GLOBEX)
        gone = a_calendar("DE-NW")
        await store(begin, first, second, foreign, a_calendar("US"), gone)
        await delete(begin, gone)

        page = await reads.calendars(ACME, CalendarFilter(name_prefix="DE"), Paging(limit=1))
        rest = await reads.calendars(ACME, CalendarFilter(name_prefix="DE"), Paging(after=page.next_after))

        assert [*page.items, *rest.items] == [second.snapshot(), first.snapshot()]
        assert rest.next_after is None
        assert await reads.calendar(ACME, second.id) == second.snapshot()
        assert (await reads.calendars(ACME, CalendarFilter(), Paging(page=1))).total == 3


class TestInMemoryCalendars(InMemory, CalendarsContract):
    pass


class TestPostgresCalendars(OnPostgres, CalendarsContract):
    pass
