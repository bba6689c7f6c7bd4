"""Recurrences of RFC 5545 in local time.

A recurrence falls into periods (years, months, weeks, days …) that are counted from its start; every
`interval`th of them has instances. The count is arithmetic: what comes next costs the same however long
ago the recurrence began, and where nothing comes, the search ends with the stretch that was asked for.

dateutil 2.9 is the tests' second opinion, not the walker: it steps through everything since the start and,
where nothing matches, on to the year 9999; it is wrong around New Year for the weeks 52, 53, -52 and -53,
takes `BYDAY=1MO,FR` for the days that are both, and a week without BYDAY for seven days where RFC 5545
takes the weekday of the start. A week belongs to the year that its number counts in.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from math import gcd
from typing import NamedTuple

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_SECONDS_OF_DAY = 86_400
_SECONDS_OF_HOUR = 3600


class Frequency(IntEnum):
    """The kinds of periods, long to short."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


_UNIT = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


class Weekday(NamedTuple):
    """Monday is 0. `ordinal` 2 is the second of its month or year, -1 the last, 0 all of them."""

    day: int
    ordinal: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The BY parts of a rule; an empty one is not there. `week_start` is a weekday, Monday 0."""

    frequency: Frequency
    interval: int = 1
    week_start: int = 0
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[Weekday, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    def walls(self, start: datetime, low: datetime, high: datetime) -> Iterator[datetime]:
        """The instances t of what begins at `start`, low <= t < high, ascending; all naive, local.

        What the rule does not say is taken from the start: its seconds are in every instance of `FREQ=DAILY`.
        The start itself is an instance only where the rule matches it.
        """
        if max(low, start) >= high:
            return iter(())
        return _begin(self, start).walls(max(low, start), high)


class _Times(Sequence[int]):
    """Each hour with each minute with each second, as seconds since midnight; never written out."""

    def __init__(self, hours: Iterable[int], minutes: Iterable[int], seconds: Iterable[int]) -> None:
        self._hours, self._minutes, self._seconds = tuple(hours), tuple(minutes), tuple(seconds)

    def __len__(self) -> int:
        return len(self._hours) * len(self._minutes) * len(self._seconds)

    def __getitem__(self, index: int) -> int:  # type: ignore[override]  # never sliced
        index, second = divmod(index, len(self._seconds))
        hour, minute = divmod(index, len(self._minutes))
        return 3600 * self._hours[hour] + 60 * self._minutes[minute] + self._seconds[second]


def _picked(positions: Sequence[int], size: int) -> list[int]:
    """The indexes into a set of that size that BYSETPOS names."""
    indexes = {position - 1 if position > 0 else size + position for position in positions}
    return sorted(index for index in indexes if 0 <= index < size)


def _chosen(times: _Times, positions: Sequence[int]) -> Sequence[int]:
    """All the times, or those that BYSETPOS names."""
    return [times[index] for index in _picked(positions, len(times))] if positions else times


class _Periods:
    """Periods of a day or longer as numbers: `index` of a day, and the first day of a period."""

    def __init__(self, frequency: Frequency, week_start: int, *, by_week: bool) -> None:
        self._frequency, self._week_start, self._by_week = frequency, week_start, by_week

    def index(self, day: date) -> int:
        match self._frequency:
            case Frequency.YEARLY:
                return _week_of(day, self._week_start).year if self._by_week else day.year
            case Frequency.MONTHLY:
                return 12 * day.year + day.month - 1
            case Frequency.WEEKLY:
                return (day.toordinal() - 1 - self._week_start) // 7
        return day.toordinal()

    def first_day(self, index: int) -> date:
        match self._frequency:
            case Frequency.YEARLY:
                return _first_week(index, self._week_start) if self._by_week else date(index, 1, 1)
            case Frequency.MONTHLY:
                return date(index // 12, index % 12 + 1, 1)
            case Frequency.WEEKLY:
                return date.fromordinal(7 * index + 1 + self._week_start)
        return date.fromordinal(index)


class _Days:
    """The dates of a recurrence, what it takes from its start included."""

    def __init__(self, rule: Recurrence, start: datetime) -> None:
        self._filter = _Filter.of(rule, start)
        self._periods = _Periods(min(rule.frequency, Frequency.DAILY), rule.week_start, by_week=bool(rule.weeks))
        self._interval = rule.interval if rule.frequency <= Frequency.DAILY else 1
        self._is_every_day = rule.frequency >= Frequency.DAILY and self._interval == 1
        self._origin = self._periods.index(start.date())

    def between(self, first: date, last: date) -> Iterator[date]:
        """The dates from `first` to `last`, both included, ascending; `first` is not before the start."""
        if self._is_every_day:
            return self._filter.between(first, last)
        return (
            day
            for begin, end in self._periods_between(first, last)
            for day in self._filter.between(max(begin, first), min(end, last))
        )

    def by_period(self, first: date, last: date) -> Iterator[list[date]]:
        """The dates of each whole period from that of `first` to that of `last`."""
        return (list(self._filter.between(*bounds)) for bounds in self._periods_between(first, last))

    def _periods_between(self, first: date, last: date) -> Iterator[tuple[date, date]]:
        """The first and last day of each period that counts and has a day from `first` to `last`."""
        low, high = self._periods.index(first), self._periods.index(last)
        for index in range(low + (self._origin - low) % self._interval, high + 1, self._interval):
            yield self._periods.first_day(index), self._periods.first_day(index + 1) - _DAY


@dataclass(frozen=True, slots=True)
class _Filter:
    """What a date must be; an empty part asks for nothing."""

    months: frozenset[int]
    month_days: frozenset[int]
    year_days: frozenset[int]
    weeks: frozenset[int]
    weekdays: frozenset[int]
    ordinal_weekdays: frozenset[Weekday]
    ordinals_are_of_the_month: bool
    week_start: int

    @classmethod
    def of(cls, rule: Recurrence, start: datetime) -> _Filter:
        months, month_days, weekdays = _days_said_outright(rule, start)
        return cls(
            months=frozenset(months),
            month_days=frozenset(month_days),
            year_days=frozenset(rule.year_days),
            weeks=frozenset(rule.weeks),
            weekdays=frozenset(each.day for each in weekdays if not each.ordinal),
            ordinal_weekdays=frozenset(each for each in weekdays if each.ordinal),
            ordinals_are_of_the_month=rule.frequency is Frequency.MONTHLY or bool(rule.months),
            week_start=rule.week_start,
        )

    def between(self, first: date, last: date) -> Iterator[date]:
        """The dates from `first` to `last`, both included, ascending."""
        day = first
        while day <= last:
            if self.months and day.month not in self.months:
                day = _first_of_next_month(day)
                continue
            if self._matches(day):
                yield day
            day += _DAY

    def _matches(self, day: date) -> bool:
        return (
            (not (self.weekdays or self.ordinal_weekdays) or self._matches_weekday(day))
            and (not self.month_days or self._matches_month_day(day))
            and (not self.year_days or self._matches_year_day(day))
            and (not self.weeks or self._matches_week(day))
        )

    def _matches_weekday(self, day: date) -> bool:
        weekday = day.weekday()
        if weekday in self.weekdays:
            return True
        if not self.ordinal_weekdays:
            return False
        number, size = (
            (day.day, monthrange(day.year, day.month)[1])
            if self.ordinals_are_of_the_month
            else (_day_of_year(day), _days_in_year(day))
        )
        ordinals = (number - 1) // 7 + 1, -((size - number) // 7 + 1)
        return any(Weekday(weekday, ordinal) in self.ordinal_weekdays for ordinal in ordinals)

    def _matches_month_day(self, day: date) -> bool:
        return day.day in self.month_days or day.day - monthrange(day.year, day.month)[1] - 1 in self.month_days

    def _matches_year_day(self, day: date) -> bool:
        number = _day_of_year(day)
        return number in self.year_days or number - _days_in_year(day) - 1 in self.year_days

    def _matches_week(self, day: date) -> bool:
        week = _week_of(day, self.week_start)
        return week.number in self.weeks or week.from_end in self.weeks


def _days_said_outright(
    rule: Recurrence, start: datetime
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Weekday, ...]]:
    """Months, days of the month and weekdays, with those of the start where the rule says nothing of days."""
    if rule.month_days or rule.year_days or rule.weekdays or rule.frequency >= Frequency.DAILY:
        return rule.months, rule.month_days, rule.weekdays
    if rule.weeks or rule.frequency is Frequency.WEEKLY:
        return rule.months, (), (Weekday(start.weekday()),)
    if rule.frequency is Frequency.YEARLY:
        return rule.months or (start.month,), (start.day,), ()
    return rule.months, (start.day,), ()


def _first_of_next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _day_of_year(day: date) -> int:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def _days_in_year(day: date) -> int:
    return 366 if isleap(day.year) else 365


class _Week(NamedTuple):
    """The year that the week's number counts in, its number from 1, and from the end, the last being -1."""

    year: int
    number: int
    from_end: int


def _week_of(day: date, week_start: int) -> _Week:
    first = day - (day.weekday() - week_start) % 7 * _DAY
    year = (first + 3 * _DAY).year
    begin, end = _first_week(year, week_start), _first_week(year + 1, week_start)
    return _Week(year, (first - begin) // _WEEK + 1, (first - end) // _WEEK)


@lru_cache(maxsize=2048)
def _first_week(year: int, week_start: int) -> date:
    """The first day of week 1: the first week with at least four days in the year. Source: RFC 5545, 3.3.10."""
    fourth = date(year, 1, 4)
    return fourth - (fourth.weekday() - week_start) % 7 * _DAY


class _Steps:
    """The times of day where the periods are hours, minutes or seconds, counted from the start."""

    def __init__(self, rule: Recurrence, start: datetime) -> None:
        every, unit = range(60), _UNIT[rule.frequency]
        self._step = rule.interval * unit
        self._origin = _absolute(start) // unit * unit
        self._hours = rule.hours or tuple(range(24))
        minutes = rule.minutes or ((start.minute,) if unit == 3600 else every)
        seconds = rule.seconds or ((start.second,) if unit > 1 else every)
        # Which hours, minutes or seconds there are, and which times within each of them.
        self._unit_minutes = frozenset(every if unit == 3600 else minutes)
        self._unit_seconds = frozenset(every if unit > 1 else seconds)
        within = _Times((0,), minutes if unit == 3600 else (0,), seconds if unit > 1 else (0,))
        self._within = tuple(_chosen(within, rule.positions))
        self.is_possible = bool(self._within) and self._meets_a_time_of_day()

    def of(self, day: date, earliest: int) -> Iterator[int]:
        """The times of that day from `earliest` on, as seconds since midnight."""
        midnight = day.toordinal() * _SECONDS_OF_DAY
        if (self._origin - midnight) % self._step >= _SECONDS_OF_DAY:
            return
        for hour in self._hours[bisect_left(self._hours, earliest // _SECONDS_OF_HOUR) :]:
            begin = _SECONDS_OF_HOUR * hour
            for unit in self._units(midnight + begin, self._step):
                for second in self._within:
                    if begin + unit + second >= earliest:
                        yield begin + unit + second

    def _units(self, hour_begins: int, step: int) -> Iterator[int]:
        for unit in range((self._origin - hour_begins) % step, _SECONDS_OF_HOUR, step):
            if unit // 60 in self._unit_minutes and unit % 60 in self._unit_seconds:
                yield unit

    def _meets_a_time_of_day(self) -> bool:
        """Whether the steps ever come to one; they come to every `gcd`th second of a day."""
        step = gcd(self._step, _SECONDS_OF_DAY)
        return any(any(True for _ in self._units(_SECONDS_OF_HOUR * hour, step)) for hour in self._hours)


class _EveryDay:
    """The same times on each day."""

    def __init__(self, times: Sequence[int]) -> None:
        self._times = times
        self.is_possible = bool(times)

    def of(self, day: date, earliest: int) -> Iterator[int]:
        times = self._times
        return (times[index] for index in range(bisect_left(times, earliest), len(times)))


@dataclass(frozen=True, slots=True)
class _DayByDay:
    """Dates, and on each the times of day."""

    days: _Days
    times: _Steps | _EveryDay

    def walls(self, low: datetime, high: datetime) -> Iterator[datetime]:
        if not self.times.is_possible:
            return
        for day in self.days.between(low.date(), high.date()):
            midnight = datetime(day.year, day.month, day.day)
            for second in self.times.of(day, max(_whole_seconds(low - midnight), 0)):
                wall = midnight + timedelta(seconds=second)
                if wall >= high:
                    return
                yield wall


@dataclass(frozen=True, slots=True)
class _PeriodByPeriod:
    """Of the dates of each period, with all times of day, those that BYSETPOS names."""

    days: _Days
    times: _Times
    positions: tuple[int, ...]

    def walls(self, low: datetime, high: datetime) -> Iterator[datetime]:
        size = len(self.times)
        for days in self.days.by_period(low.date(), high.date()):
            for index in _picked(self.positions, len(days) * size):
                day = days[index // size]
                wall = datetime(day.year, day.month, day.day) + timedelta(seconds=self.times[index % size])
                if wall >= high:
                    return
                if wall >= low:
                    yield wall


@lru_cache(maxsize=4096)
def _begin(rule: Recurrence, start: datetime) -> _DayByDay | _PeriodByPeriod:
    days = _Days(rule, start)
    if rule.frequency > Frequency.DAILY:
        return _DayByDay(days, _Steps(rule, start))
    times = _Times(rule.hours or (start.hour,), rule.minutes or (start.minute,), rule.seconds or (start.second,))
    if rule.positions and rule.frequency < Frequency.DAILY:
        return _PeriodByPeriod(days, times, rule.positions)
    return _DayByDay(days, _EveryDay(_chosen(times, rule.positions)))


def _absolute(moment: datetime) -> int:
    """Seconds since the first day there is."""
    return moment.toordinal() * _SECONDS_OF_DAY + 3600 * moment.hour + 60 * moment.minute + moment.second


def _whole_seconds(length: timedelta) -> int:
    """Rounded up."""
    return -(-length // timedelta(seconds=1))
