from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.calendars.business_days import BusinessDay, Period, nth_open_day
from rota.domain.calendars.definition import CalendarDefinition, Closure, PublicHolidays, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError
from rota.domain.time.zone import ClockChange, Gap, load_zone

DAY = timedelta(days=1)
BERLIN = load_zone("Europe/Berlin")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BAVARIA = OpenDays(CalendarDefinition(name="DE-BY", holidays=(PublicHolidays("DE", "BY"),)))


def fires(trigger: BusinessDay, count: int, calendar: OpenDays = BAVARIA) -> list[str]:
    found = trigger.fires_between(NEW_YEAR, NEW_YEAR + 4000 * DAY, BERLIN, calendar)
    return [at.astimezone(BERLIN).isoformat(timespec="minutes")[:16] for at in islice(found, count)]


def test_the_last_business_day_of_the_month() -> None:
    assert fires(BusinessDay(day=-1, at=time(17)), 5) == [
        "2026-01-30T17:00",
        "2026-02-27T17:00",
        "2026-03-31T17:00",
        "2026-04-30T17:00",
        "2026-05-29T17:00",
    ]


def test_the_third_business_day_of_the_month() -> None:
    # 1 and 6 January are holidays in Bavaria; in April come Good Friday and Easter Monday.
    assert fires(BusinessDay(day=3, at=time(9)), 4) == [
        "2026-01-07T09:00",
        "2026-02-04T09:00",
        "2026-03-04T09:00",
        "2026-04-07T09:00",
    ]


@pytest.mark.parametrize(
    ("day", "of", "expected"),
    [
        (2, Period.WEEK, ["2026-01-07T00:00", "2026-01-13T00:00", "2026-01-20T00:00"]),
        (-1, Period.WEEK, ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-16T00:00"]),
        (-1, Period.QUARTER, ["2026-03-31T00:00", "2026-06-30T00:00", "2026-09-30T00:00"]),
        (2, Period.QUARTER, ["2026-01-05T00:00", "2026-04-02T00:00", "2026-07-02T00:00"]),
        (-1, Period.YEAR, ["2026-12-31T00:00", "2027-12-31T00:00", "2028-12-29T00:00"]),
        (100, Period.YEAR, ["2026-05-29T00:00", "2027-05-31T00:00", "2028-05-26T00:00"]),
    ],
)
def test_days_are_counted_in_weeks_quarters_and_years_too(day: int, of: Period, expected: list[str]) -> None:
    assert fires(BusinessDay(day=day, of=of, at=time(0)), 3) == expected


def test_a_period_with_too_few_open_days_has_no_due_time() -> None:
    assert fires(BusinessDay(day=23, at=time(9)), 2) == ["2026-07-31T09:00", "2027-12-31T09:00"]
    assert fires(BusinessDay(day=5, of=Period.WEEK, at=time(9)), 2) == ["2026-01-16T09:00", "2026-01-23T09:00"]


def test_a_clock_change_is_met_by_the_policy() -> None:
    sundays = OpenDays(CalendarDefinition(name="x", working_days=frozenset({Weekday.SU})))

    # The last Sundays of March and October are the days of change.
    assert "2026-03-29T03:00" in fires(BusinessDay(day=-1, at=time(2, 30)), 12, sundays)
    skipping = BusinessDay(day=-1, at=time(2, 30), dst=ClockChange(Gap.SKIP))
    assert not any(at.startswith("2026-03") for at in fires(skipping, 12, sundays))


def test_where_nothing_opens_there_is_no_next_fire_and_that_is_found_soon() -> None:
    closed = OpenDays(
        CalendarDefinition(name="x", closures=(Closure(date(2000, 1, 1), date(2080, 1, 1), "Closed down"),))
    )
    for of in Period:
        assert BusinessDay(day=1, of=of, at=time(9)).next_fire(NEW_YEAR, BERLIN, closed) is None


@pytest.mark.parametrize(
    ("day", "of", "message"),
    [
        (0, Period.MONTH, "must be from 1 to 31, or from -31 to -1"),
        (32, Period.MONTH, "must be from 1 to 31, or from -31 to -1"),
        (-8, Period.WEEK, "must be from 1 to 7, or from -7 to -1"),
        (93, Period.QUARTER, "must be from 1 to 92, or from -92 to -1"),
        (367, Period.YEAR, "must be from 1 to 366, or from -366 to -1"),
    ],
)
def test_a_number_that_no_period_has_is_refused(day: int, of: Period, message: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        BusinessDay(day=day, of=of, at=time(9))

    [fault] = refusal.value.faults
    assert (fault.field, fault.message) == ("day", message)


def test_a_time_of_day_is_local_and_has_whole_seconds() -> None:
    for at in (time(9, tzinfo=UTC), time(9, 0, 0, 1)):
        with pytest.raises(InvalidError, match="at: must be a local time"):
            BusinessDay(day=1, at=at)


@settings(max_examples=40, deadline=None)
@given(
    day=st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    of=st.sampled_from(Period),
    nth=st.integers(-25, 25) | st.integers(-255, 255),
)
def test_the_nth_open_day_is_the_nth_of_all_days_of_its_period(day: date, of: Period, nth: int) -> None:
    def period_of(each: date) -> tuple[int, int]:
        return {
            Period.WEEK: each.isocalendar()[:2],
            Period.MONTH: (each.year, each.month),
            Period.QUARTER: (each.year, (each.month - 1) // 3),
            Period.YEAR: (each.year, 0),
        }[of]

    around = [day + n * DAY for n in range(-370, 370)]
    open_days = [each for each in around if period_of(each) == period_of(day) and BAVARIA.is_open(each)]
    expected = dict(enumerate(open_days, start=1)) | dict(enumerate(reversed(open_days), start=1001))

    found = nth_open_day(BAVARIA, nth, of, day) if nth else None

    assert found == expected.get(nth if nth > 0 else 1000 - nth)


@settings(max_examples=60, deadline=None)
@given(
    trigger=st.builds(
        BusinessDay,
        day=st.sampled_from([1, 2, 3, -1, -2]),
        of=st.sampled_from(Period),
        at=st.builds(time, st.integers(0, 23), st.sampled_from([0, 30])),
    ),
    zone_name=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"]),
    late=st.integers(0, 800),
)
def test_due_times_rise_and_do_not_depend_on_where_the_walk_began(
    trigger: BusinessDay, zone_name: str, late: int
) -> None:
    zone, low = load_zone(zone_name), datetime(2011, 1, 1, tzinfo=UTC)
    high, middle = low + 800 * DAY, low + late * DAY

    found = list(trigger.fires_between(low, high, zone, BAVARIA))

    assert all(earlier < later for earlier, later in pairwise(found))
    assert found == [
        *trigger.fires_between(low, middle, zone, BAVARIA),
        *trigger.fires_between(middle, high, zone, BAVARIA),
    ]
