from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from uuid import UUID

import pytest

from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    Holiday,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId


def days_in(holiday: Holiday, year: int) -> list[date]:
    return [day for day, _ in holiday.days_in(year)]


def test_a_fixed_date_is_the_same_each_year() -> None:
    assert days_in(FixedDate(12, 24, "Christmas Eve"), 2026) == [date(2026, 12, 24)]
    assert days_in(FixedDate(2, 29, "Leap day"), 2028) == [date(2028, 2, 29)]
    assert days_in(FixedDate(2, 29, "Leap day"), 2026) == []


def test_an_nth_weekday_is_counted_from_either_end_of_its_month() -> None:
    assert days_in(NthWeekday(11, Weekday.TH, 4, "Thanksgiving"), 2026) == [date(2026, 11, 26)]
    assert days_in(NthWeekday(5, Weekday.MO, -1, "Memorial Day"), 2026) == [date(2026, 5, 25)]
    assert days_in(NthWeekday(2, Weekday.MO, 5, "never but in some leap years"), 2026) == []


def test_easter_carries_its_days_with_it() -> None:
    assert days_in(EasterOffset(-2, "Good Friday"), 2026) == [date(2026, 4, 3)]
    assert days_in(EasterOffset(60, "Corpus Christi"), 2026) == [date(2026, 6, 4)]
    assert days_in(EasterOffset(1, "Easter Monday", orthodox=True), 2026) == [date(2026, 4, 13)]


def test_a_country_has_the_holidays_of_its_subdivision() -> None:
    assert date(2026, 8, 15) not in days_in(PublicHolidays("DE", "BE"), 2026)
    assert dict(PublicHolidays("DE", "SL").days_in(2026))[date(2026, 8, 15)] == "Assumption Day"


def test_a_closure_reaches_over_the_end_of_a_year() -> None:
    closure = Closure(date(2026, 12, 24), date(2027, 1, 2), "Works holiday")

    assert len(days_in(closure, 2026)) == 8
    assert days_in(closure, 2027) == [date(2027, 1, 1), date(2027, 1, 2)]
    assert days_in(closure, 2028) == []


def test_opening_hours_hold_from_their_beginning_to_before_their_end() -> None:
    hours = OpeningHours(frozenset({Weekday.MO}), time(9), time(17))

    assert [hours.covers(time(h, m)) for h, m in ((8, 59), (9, 0), (16, 59), (17, 0))] == [False, True, True, False]
    assert OpeningHours(frozenset({Weekday.MO}), time(22), time(0)).covers(time(23, 59))


@pytest.mark.parametrize(
    ("make", "field", "message"),
    [
        (lambda: FixedDate(13, 1, "x"), "month", "must be from 1 to 12"),
        (lambda: FixedDate(4, 31, "x"), "day", "must be from 1 to 30"),
        (lambda: FixedDate(2, 30, "x"), "day", "must be from 1 to 29"),
        (lambda: FixedDate(1, 1, ""), "name", "must have 1 to 200 characters"),
        (lambda: NthWeekday(0, Weekday.MO, 1, "x"), "month", "must be from 1 to 12"),
        (lambda: NthWeekday(1, Weekday.MO, 0, "x"), "nth", "must be from 1 to 5, or from -5 to -1"),
        (lambda: EasterOffset(231, "x"), "offsetDays", "must be from -80 to 230"),
        (lambda: PublicHolidays("XX"), "country", "no holidays are known of 'XX'; an ISO code such as DE is needed"),
        (lambda: Closure(date(2026, 1, 2), date(2026, 1, 1), "x"), "to", "must not be before `from`"),
        (lambda: Closure(date(2026, 1, 1), date(2026, 1, 1), "\n"), "reason", "must be printable characters"),
        (lambda: ExtraOpenDay(date(2026, 1, 1), ""), "reason", "must have 1 to 200 characters"),
        (lambda: OpeningHours(frozenset(), time(9), time(17)), "weekdays", "must name at least one weekday"),
        (
            lambda: OpeningHours(frozenset({Weekday.MO}), time(22), time(6)),
            "to",
            "must be after `from`; hours past midnight are two",
        ),
        (lambda: CalendarDefinition(name=""), "name", "must have 1 to 200 characters"),
        (
            lambda: CalendarDefinition(name="x", description="x" * 2001),
            "description",
            "must have at most 2,000 characters",
        ),
        (
            lambda: CalendarDefinition(name="x", tz="Mars/Olympus"),
            "tz",
            "unknown time zone; an IANA name such as Europe/Berlin is needed",
        ),
        (
            lambda: CalendarDefinition(name="x", working_days=frozenset()),
            "workingDays",
            "must not be empty without extra open days: the calendar would never open",
        ),
        (
            lambda: CalendarDefinition(name="x", holidays=(FixedDate(1, 1, "x"),) * 1001),
            "holidays",
            "must have at most 1,000 items",
        ),
        (
            lambda: CalendarDefinition(name="x", holidays=(PublicHolidays("DE"),) * 51),
            "holidays",
            "must have at most 50 of kind COUNTRY",
        ),
        (
            lambda: CalendarDefinition(name="x", includes=(CalendarId(UUID(int=1)),) * 21),
            "includes",
            "must have at most 20 items",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(make: Callable[[], object], field: str, message: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        make()

    [fault] = refusal.value.faults
    assert (fault.field, fault.message) == (field, message)


def test_the_earliest_and_latest_easter_keep_all_offsets_in_their_year() -> None:
    for year in range(1900, 2300):
        for offset in (-80, 230):
            for orthodox in (False, True):
                [day] = days_in(EasterOffset(offset, "x", orthodox=orthodox), year)
                assert day.year == year
