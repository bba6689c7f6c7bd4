"""Recurrences, against two second opinions: an oracle that writes every candidate down, and dateutil.

The oracle knows no periods as numbers and no jumps: it lays out the days of each period as a list, from the
start's own period on, counts weekdays and days by their place in that list, multiplies with the times of day
and picks. dateutil is asked only where it keeps to RFC 5545 (the module under test says where it does not).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, product

import pytest
from dateutil.rrule import rrule, weekday
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.time.recurrence import Frequency, Recurrence, Weekday

DAY = timedelta(days=1)
UNITS = {
    Frequency.HOURLY: timedelta(hours=1),
    Frequency.MINUTELY: timedelta(minutes=1),
    Frequency.SECONDLY: timedelta(seconds=1),
}


def oracle(rule: Recurrence, start: datetime, high: datetime) -> list[datetime]:
    """All instances before `high`, made from the start on, one period after the other."""
    found: list[datetime] = []
    for number, period in enumerate(periods(rule, start, high)):
        if number % rule.interval == 0:
            instances = sorted(set(in_period(rule, start, period)))
            found += [at for at in instances if not rule.positions or has_a_place(instances, rule.positions, at)]
    return [each for each in found if start <= each < high]


def periods(rule: Recurrence, start: datetime, high: datetime) -> Iterator[list[datetime]]:
    """The periods that end after the start and begin before `high`: their days, or the one instant they begin with."""
    if unit := UNITS.get(rule.frequency):
        at = start.replace(minute=0, second=0) if unit == UNITS[Frequency.HOURLY] else start
        at = at.replace(second=0) if unit == UNITS[Frequency.MINUTELY] else at
        yield from ([at + n * unit] for n in range((high - at) // unit + 1))
        return
    midnight = datetime.combine(start.date(), time())
    days = [midnight + n * DAY for n in range(-750, (high - start).days + 800)]
    begins = [n for n, day in enumerate(days) if begins_a_period(rule, day)]
    for first, end in pairwise(begins):
        if days[end] > start and days[first] < high:
            yield days[first:end]


def begins_a_period(rule: Recurrence, day: datetime) -> bool:
    match rule.frequency:
        case Frequency.YEARLY if rule.weeks:
            fourth = day + 3 * DAY
            return day.weekday() == rule.week_start and fourth.month == 1 and fourth.day <= 7
        case Frequency.YEARLY:
            return (day.month, day.day) == (1, 1)
        case Frequency.MONTHLY:
            return day.day == 1
        case Frequency.WEEKLY:
            return day.weekday() == rule.week_start
    return True


def in_period(rule: Recurrence, start: datetime, period: list[datetime]) -> Iterator[datetime]:
    """Every day and time of a period that the rule names."""
    days = [day for day in period if is_named(rule, start, day.date())]
    if rule.weeks:
        weeks = [tuple(period[n : n + 7]) for n in range(0, len(period), 7)]
        days = [day for day in days for week in weeks if day in week and has_a_place(weeks, rule.weeks, week)]
    for day, (hour, minute, second) in product(days, times(rule, start, period[0])):
        yield day.replace(hour=hour, minute=minute, second=second)


def times(rule: Recurrence, start: datetime, begin: datetime) -> list[tuple[int, int, int]]:
    """Hours, minutes and seconds: those named, those that the period fixes, or those of the start."""
    fixed = {Frequency.HOURLY: 1, Frequency.MINUTELY: 2, Frequency.SECONDLY: 3}.get(rule.frequency, 0)
    columns = zip(
        (rule.hours, rule.minutes, rule.seconds),
        (begin.hour, begin.minute, begin.second),
        (start.hour, start.minute, start.second),
        strict=True,
    )
    hours, minutes, seconds = (
        [value for value in (now,) if value in (named or (value,))] if n < fixed else list(named or (own,))
        for n, (named, now, own) in enumerate(columns)
    )
    return list(product(hours, minutes, seconds))


def is_named(rule: Recurrence, start: datetime, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days or rule.year_days or rule.weekdays:
        return (
            (not rule.month_days or has_a_place(days_of(day.year, day.month), rule.month_days, day))
            and (not rule.year_days or has_a_place(days_of(day.year), rule.year_days, day))
            and (not rule.weekdays or any(is_weekday(rule, day, named) for named in rule.weekdays))
        )
    if rule.weeks or rule.frequency is Frequency.WEEKLY:
        return day.weekday() == start.weekday()
    if rule.frequency is Frequency.YEARLY:
        return day.day == start.day and (bool(rule.months) or day.month == start.month)
    return rule.frequency is not Frequency.MONTHLY or day.day == start.day


def is_weekday(rule: Recurrence, day: date, named: Weekday) -> bool:
    in_month = rule.frequency is Frequency.MONTHLY or rule.months
    whole = days_of(day.year, day.month) if in_month else days_of(day.year)
    alike = [each for each in whole if each.weekday() == named.day]
    return day in alike if named.ordinal == 0 else has_a_place(alike, (named.ordinal,), day)


def has_a_place(whole: Sequence[object], places: Sequence[int], each: object) -> bool:
    """Whether `each` is the nth, or the nth from the end, for one of those numbers."""
    place = list(whole).index(each) + 1 if each in whole else 0
    return bool(place) and (place in places or place - len(whole) - 1 in places)


@lru_cache(maxsize=1000)
def days_of(year: int, month: int | None = None) -> list[date]:
    whole = [date(year, 1, 1) + n * DAY for n in range(366)]
    return [day for day in whole if day.year == year and month in (None, day.month)]


# How far the oracle goes from the start, so that it lays out a few thousand candidates.
SPANS = {
    Frequency.YEARLY: 3000 * DAY,
    Frequency.MONTHLY: 1000 * DAY,
    Frequency.WEEKLY: 600 * DAY,
    Frequency.DAILY: 400 * DAY,
    Frequency.HOURLY: 50 * DAY,
    Frequency.MINUTELY: DAY,
    Frequency.SECONDLY: DAY / 30,
}


def some(least: int, most: int, *, signed: bool = False, size: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    """An ascending list of numbers, often empty."""
    numbers = st.integers(least, most)
    if signed:
        numbers |= numbers.map(lambda n: -n)
    return st.just(()) | st.frozensets(numbers, max_size=size).map(lambda found: tuple(sorted(found)))


@st.composite
def recurrences(draw: st.DrawFn, *, frequencies: Sequence[Frequency] = tuple(Frequency)) -> Recurrence:
    """Any rule that RFC 5545 gives a meaning."""
    frequency = draw(st.sampled_from(frequencies))
    is_yearly, is_monthly = frequency is Frequency.YEARLY, frequency is Frequency.MONTHLY
    weeks = draw(some(1, 53, signed=True)) if is_yearly else ()
    months = draw(some(1, 12))
    ordinals = st.just(0)
    if (is_monthly or is_yearly) and not weeks:
        most = 5 if is_monthly or months else 53
        ordinals |= st.integers(-most, most)
    named = st.frozensets(st.builds(Weekday, st.integers(0, 6), ordinals), max_size=4)
    return Recurrence(
        frequency=frequency,
        interval=draw(st.integers(1, 3) | st.integers(1, 40)),
        week_start=draw(st.integers(0, 6)),
        months=months,
        weeks=weeks,
        year_days=draw(some(1, 366, signed=True)) if is_yearly or frequency in UNITS else (),
        month_days=draw(some(1, 31, signed=True)) if frequency is not Frequency.WEEKLY else (),
        weekdays=tuple(sorted(draw(st.just(frozenset()) | named))),
        hours=draw(some(0, 23)),
        minutes=draw(some(0, 59)),
        seconds=draw(some(0, 59, size=2)),
        positions=draw(some(1, 4, signed=True, size=2)),
    )


starts = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(microsecond=0))


@settings(max_examples=150, deadline=None)
@given(rule=recurrences(), start=starts, parts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_recurrence_has_the_instances_that_laying_all_out_shows(
    rule: Recurrence, start: datetime, parts: tuple[float, float]
) -> None:
    high = start + SPANS[rule.frequency]
    expected = oracle(rule, start, high)
    low, middle = sorted(start + part * SPANS[rule.frequency] for part in parts)

    assert list(rule.walls(start, start - DAY, high)) == expected
    assert list(rule.walls(start, low, middle)) == [wall for wall in expected if low <= wall < middle]


def by_dateutil(rule: Recurrence, start: datetime, high: datetime) -> list[datetime]:
    second_opinion = rrule(
        rule.frequency.value,
        start,
        rule.interval,
        wkst=rule.week_start,
        bymonth=rule.months or None,
        bymonthday=rule.month_days or None,
        byyearday=rule.year_days or None,
        byweekday=[weekday(day, n or None) for day, n in rule.weekdays] or None,
        byhour=rule.hours or None,
        byminute=rule.minutes or None,
        bysecond=rule.seconds or None,
        bysetpos=rule.positions or None,
        until=high - timedelta(seconds=1),
    )
    return list(second_opinion)


@st.composite
def rules_for_dateutil(draw: st.DrawFn) -> Recurrence:
    """Rules that it reads as RFC 5545 does, and that have instances so often that it comes to an end."""
    frequency = draw(st.sampled_from([*Frequency][:5]))
    ordinal = draw(st.integers(-4, 4)) if frequency is Frequency.MONTHLY else 0
    return Recurrence(
        frequency=frequency,
        interval=1 if frequency > Frequency.DAILY else draw(st.sampled_from([1, 2, 5, 13])),
        week_start=draw(st.integers(0, 6)),
        months=draw(some(1, 12)) if frequency is not Frequency.DAILY else (),
        weekdays=tuple(Weekday(day, ordinal) for day in draw(some(0, 6))),
        hours=draw(some(0, 23)),
        minutes=draw(some(0, 59)),
        # The first week begins with the start there, with the week here: that shows only where places are counted.
        positions=draw(st.sampled_from([(), (1,), (-1,), (-1, 1)])) if frequency is not Frequency.WEEKLY else (),
    )


@settings(max_examples=100, deadline=None)
@given(rule=rules_for_dateutil(), start=starts.map(lambda at: at.replace(day=min(at.day, 28))))
def test_dateutil_agrees_where_it_keeps_to_the_standard(rule: Recurrence, start: datetime) -> None:
    high = start + SPANS[rule.frequency]

    assert list(rule.walls(start, start, high)) == by_dateutil(rule, start, high)


@settings(max_examples=100, deadline=None)
@given(rule=recurrences(), start=starts, years=st.integers(5, 60))
def test_long_after_the_start_instances_rise_and_do_not_depend_on_where_the_walk_began(
    rule: Recurrence, start: datetime, years: int
) -> None:
    low = start + years * 365 * DAY
    high = low + SPANS[rule.frequency] / 2
    middle = low + SPANS[rule.frequency] / 5

    found = list(rule.walls(start, low, high))

    assert all(earlier < later for earlier, later in pairwise(found))
    assert found == [*rule.walls(start, low, middle), *rule.walls(start, middle, high)]


@pytest.mark.parametrize(
    ("frequency", "interval", "unit"),
    [
        (Frequency.DAILY, 11, DAY),
        (Frequency.HOURLY, 7, timedelta(hours=1)),
        (Frequency.MINUTELY, 7, timedelta(minutes=1)),
        (Frequency.SECONDLY, 4801, timedelta(seconds=1)),
    ],
)
def test_the_interval_is_counted_from_the_start_however_long_ago(
    frequency: Frequency, interval: int, unit: timedelta
) -> None:
    start, low = datetime(2006, 3, 26, 2, 30, 7), datetime(2026, 3, 29)
    rule = Recurrence(frequency=frequency, interval=interval)

    following = next(rule.walls(start, low, low + 30 * DAY))

    assert (following - start) % (interval * unit) == timedelta(0)
    assert following - low < interval * unit
