from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    ExtraOpenDay,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed, settle, verdict_at
from rota.domain.time.zone import ClockChange, load_zone, place

DAY = timedelta(days=1)
BERLIN = "Europe/Berlin"
BAVARIA = OpenDays(CalendarDefinition(name="DE-BY", holidays=(PublicHolidays("DE", "BY"),)))
EVERY_DAY = frozenset(Weekday)


def settled(local: str, on_closed: OnClosed, calendar: OpenDays = BAVARIA, zone: str = BERLIN) -> str | None:
    """Where a local time goes, as the clock in `zone` reads it."""
    tz = load_zone(zone)
    at = settle(datetime.fromisoformat(local).replace(tzinfo=tz).astimezone(UTC), tz, calendar, on_closed)
    return at.astimezone(tz).isoformat(timespec="minutes")[:16] if at else None


@pytest.mark.parametrize("on_closed", OnClosed)
def test_on_an_open_day_nothing_moves(on_closed: OnClosed) -> None:
    at = datetime(2026, 6, 3, 9, 30, 15, 7, tzinfo=UTC)

    assert settle(at, load_zone(BERLIN), BAVARIA, on_closed) is at


@pytest.mark.parametrize(
    ("on_closed", "expected"),
    [
        (OnClosed.SKIP, None),
        (OnClosed.NEXT_OPEN, "2026-04-07T09:30"),
        (OnClosed.PREVIOUS_OPEN, "2026-04-02T09:30"),
        (OnClosed.MODIFIED_FOLLOWING, "2026-04-07T09:30"),
    ],
)
def test_on_a_closed_day_it_goes_to_an_open_one_at_the_same_local_time(
    on_closed: OnClosed, expected: str | None
) -> None:
    assert settled("2026-04-04T09:30", on_closed) == expected


def test_modified_following_moves_back_where_the_next_open_day_is_in_another_month() -> None:
    assert settled("2026-01-31T09:30", OnClosed.MODIFIED_FOLLOWING) == "2026-01-30T09:30"
    assert settled("2026-01-31T09:30", OnClosed.NEXT_OPEN) == "2026-02-02T09:30"
    assert settled("2026-02-01T09:30", OnClosed.MODIFIED_FOLLOWING) == "2026-02-02T09:30"


def test_the_local_time_stays_over_a_clock_change() -> None:
    assert settled("2026-03-28T09:30", OnClosed.NEXT_OPEN) == "2026-03-30T09:30"
    assert settled("2026-10-25T09:30", OnClosed.PREVIOUS_OPEN) == "2026-10-23T09:30"


def test_a_time_that_the_clock_skips_on_that_day_is_the_first_after_the_gap() -> None:
    sundays = OpenDays(CalendarDefinition(name="x", working_days=frozenset({Weekday.SU})))

    assert settled("2026-03-28T02:30", OnClosed.NEXT_OPEN, sundays) == "2026-03-29T03:00"


def test_a_time_that_the_clock_repeats_on_that_day_is_its_first() -> None:
    sundays = OpenDays(CalendarDefinition(name="x", working_days=frozenset({Weekday.SU})))
    zone = load_zone(BERLIN)

    moved = settle(datetime(2026, 10, 24, 0, 30, tzinfo=UTC), zone, sundays, OnClosed.NEXT_OPEN)

    assert moved == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_the_zone_skipped_is_not_moved_to() -> None:
    friday = CalendarDefinition(
        name="x",
        working_days=frozenset({Weekday.SU}),
        extra_open_days=(ExtraOpenDay(date(2011, 12, 30)),),  # Samoa had none
    )

    assert settled("2011-12-29T09:00", OnClosed.NEXT_OPEN, OpenDays(friday), "Pacific/Apia") == "2012-01-01T09:00"


def test_a_calendar_with_a_zone_of_its_own_judges_the_days_of_that_zone() -> None:
    tokyo = OpenDays(CalendarDefinition(name="Tokyo", tz="Asia/Tokyo"))

    # Friday evening in New York is Saturday in Tokyo, and Sunday evening is Monday there.
    assert settled("2026-06-05T20:00", OnClosed.NEXT_OPEN, tokyo, "America/New_York") == "2026-06-07T20:00"
    assert settled("2026-06-05T20:00", OnClosed.PREVIOUS_OPEN, tokyo, "America/New_York") == "2026-06-04T20:00"
    assert settled("2026-06-07T20:00", OnClosed.SKIP, tokyo, "America/New_York") == "2026-06-07T20:00"


def test_outside_the_opening_hours_it_goes_to_a_day_that_is_open_at_that_time() -> None:
    hours = (
        OpeningHours(frozenset({Weekday.MO, Weekday.TU, Weekday.TH}), time(9), time(12)),
        OpeningHours(frozenset({Weekday.WE}), time(9), time(18)),
    )
    calendar = OpenDays(CalendarDefinition(name="x", opening_hours=hours))

    assert settled("2026-06-01T15:00", OnClosed.NEXT_OPEN, calendar) == "2026-06-03T15:00"
    assert settled("2026-06-01T15:00", OnClosed.PREVIOUS_OPEN, calendar) == "2026-05-29T15:00"  # no hours on Fridays
    assert settled("2026-06-01T11:00", OnClosed.NEXT_OPEN, calendar) == "2026-06-01T11:00"


@pytest.mark.parametrize("tz", [None, "Asia/Tokyo"])
def test_where_nothing_opens_within_a_year_it_goes_nowhere_and_soon(tz: str | None) -> None:
    closed = CalendarDefinition(
        name="x",
        tz=tz,
        holidays=(PublicHolidays("DE", "BY"),),
        closures=(Closure(date(2000, 1, 1), date(2080, 1, 1), "Closed down"),),
    )
    calendar = OpenDays(closed)
    assert settled("2030-06-01T09:00", OnClosed.NEXT_OPEN, calendar) is None
    assert settled("2050-06-01T09:00", OnClosed.MODIFIED_FOLLOWING, calendar) is None


ODD_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
)


@st.composite
def calendars(draw: st.DrawFn) -> OpenDays:
    first = draw(st.dates(date(2009, 1, 1), date(2014, 1, 1)))
    hours = OpeningHours(frozenset(draw(st.frozensets(st.sampled_from(Weekday), min_size=1))), time(8), time(20))
    return OpenDays(
        CalendarDefinition(
            name="x",
            tz=draw(st.none() | st.sampled_from(ODD_ZONES)),
            working_days=draw(st.frozensets(st.sampled_from(Weekday), min_size=1)),
            closures=(Closure(first, first + draw(st.integers(0, 30)) * DAY, "closed"),),
            opening_hours=draw(st.sampled_from([(), (hours,)])),
        )
    )


@settings(max_examples=150, deadline=None)
@given(
    at=st.datetimes(datetime(2009, 1, 1), datetime(2014, 1, 1), timezones=st.just(UTC)),
    zone_name=st.sampled_from(ODD_ZONES),
    calendar=calendars(),
    on_closed=st.sampled_from([OnClosed.NEXT_OPEN, OnClosed.PREVIOUS_OPEN]),
)
def test_it_goes_to_the_nearest_day_in_its_direction_that_is_open_then(
    at: datetime, zone_name: str, calendar: OpenDays, on_closed: OnClosed
) -> None:
    zone = load_zone(zone_name)
    assume(not verdict_at(at, zone, calendar).is_open)
    step = DAY if on_closed is OnClosed.NEXT_OPEN else -DAY
    wall = at.astimezone(zone).replace(tzinfo=None)

    moved = settle(at, zone, calendar, on_closed)

    days = (place(wall + n * step, zone, ClockChange())[0] for n in range(1, 367))
    expected = next((day for day in days if verdict_at(day, zone, calendar).is_open), None)
    assert moved == expected
