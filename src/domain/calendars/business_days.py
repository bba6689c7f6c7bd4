"""Counting open days: the third of a month, the last of a quarter; and the due times on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from rota.domain.calendars.open_days import HORIZON, OpenDays
from rota.domain.errors import InvalidError
from rota.domain.time.zone import EARLIEST, LATEST, ClockChange, on_time_line

_DAY = timedelta(days=1)


class Period(StrEnum):
    """What open days are counted in; weeks begin on Monday."""

    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"

    def begin(self, day: date) -> date:
        """The first day of the period that `day` is in."""
        match self:
            case Period.WEEK:
                return day - day.weekday() * _DAY
            case Period.MONTH:
                return day.replace(day=1)
            case Period.QUARTER:
                return date(day.year, day.month - (day.month - 1) % 3, 1)
            case Period.YEAR:
                return date(day.year, 1, 1)

    def end(self, day: date) -> date:
        """The last day of the period that `day` is in."""
        return self.begin(self.begin(day) + _LONGEST[self]) - _DAY


# As many days after its first day, the next period has begun and the one after that has not.
_LONGEST = {
    Period.WEEK: timedelta(days=7),
    Period.MONTH: timedelta(days=31),
    Period.QUARTER: timedelta(days=92),
    Period.YEAR: timedelta(days=366),
}


def nth_open_day(calendar: OpenDays, nth: int, period: Period, day: date) -> date | None:
    """The nth open day of the period that `day` is in, -1 the last; None if it has not so many."""
    open_days = [*calendar.open_days(period.begin(day), period.end(day))]
    index = nth - 1 if nth > 0 else nth
    return open_days[index] if -len(open_days) <= index < len(open_days) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDay:
    """Due at a local time on the nth open day of each period, counted from its end where `day` is negative.

    Only days are counted: opening hours do not matter. A period with fewer open days has no due time.
    `dst` None is the first instant after a gap and the first of two.
    """

    day: int
    at: time
    of: Period = Period.MONTH
    dst: ClockChange | None = None

    def __post_init__(self) -> None:
        most = _LONGEST[self.of].days
        if not 1 <= abs(self.day) <= most:
            raise InvalidError(f"must be from 1 to {most}, or from -{most} to -1", "day")
        if self.at.tzinfo is not None or self.at.microsecond:
            raise InvalidError("must be a local time in hours, minutes and seconds", "at")

    def next_fire(self, after: datetime, zone: ZoneInfo, calendar: OpenDays) -> datetime | None:
        """The first due time strictly later than `after`, in UTC; None if there is none within ten years."""
        start = max(after, EARLIEST)
        return next(self.fires_between(start, start + min(HORIZON, LATEST - start), zone, calendar), None)

    def fires_between(self, after: datetime, until: datetime, zone: ZoneInfo, calendar: OpenDays) -> Iterator[datetime]:
        """The due times in (after, until], in UTC, strictly ascending."""

        def walls(low: datetime, high: datetime) -> Iterator[datetime]:
            return self.walls(low, high, calendar)

        return on_time_line(walls, zone, self.dst or ClockChange(), after, until)

    def walls(self, low: datetime, high: datetime, calendar: OpenDays) -> Iterator[datetime]:
        """The naive local times t that it names, low <= t < high, ascending."""
        day = self.of.begin(low.date())
        while day <= high.date():
            if due := nth_open_day(calendar, self.day, self.of, day):
                wall = datetime.combine(due, self.at)
                if low <= wall < high:
                    yield wall
            day = self.of.end(day) + _DAY
