"""Cron expressions: croniter reads them, Rota walks them.

The dialect is five fields, or six with the seconds first; names, lists, ranges and steps; `L` for the
last day of the month, `5L` or `L5` for its last Friday, `5#3` for its third; `@hourly` and its like.
Day-of-month and day-of-week are joined as Debian's cron joins them: if either field begins with `*`
both must match, else one is enough.

The walk goes through local time and knows no zone; `zone.on_time_line` places what it finds.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import isleap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from croniter.croniter import DOW_ALPHAS, M_ALPHAS

from rota.domain.errors import InvalidError
from rota.domain.time.zone import EARLIEST, LATEST, ClockChange, Gap, Overlap, on_time_line

HORIZON = timedelta(days=100 * 366)
"""How far the next fire is looked for; 29 February on a given weekday can be 40 years away."""

FIXED_TIMES = ClockChange(Gap.NEXT_VALID, Overlap.FIRST)
EVERY_READING = ClockChange(Gap.SKIP, Overlap.BOTH)

_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The dates of an expression, as bits: bit n is day n of a month.

    What falls on weekdays is there seven times, for the weekday that a month begins with; Sunday is 0. Of
    `last_weekdays` only those count that no other of their weekday follows.
    """

    months: tuple[int, ...]
    month_days: int
    has_last_day: bool
    weekdays: tuple[int, ...]
    last_weekdays: tuple[int, ...]
    must_match_both: bool

    def between(self, first: date, last: date) -> Iterator[date]:
        """The dates from `first` to `last`, both included, ascending."""
        year, index = first.year, bisect_left(self.months, first.month)
        low = first.day if self.months[index:] and self.months[index] == first.month else 1
        while (year, 1) <= (last.year, last.month):
            for month in self.months[index:]:
                left = self._of_month(year, month) >> low << low
                while left:
                    day = date(year, month, (left & -left).bit_length() - 1)
                    if day > last:
                        return
                    yield day
                    left &= left - 1
                low = 1
            year, index = year + 1, 0

    def _of_month(self, year: int, month: int) -> int:
        begins_with = date(year, month, 1).isoweekday() % 7
        size = 29 if month == 2 and isleap(year) else _SIZES[month]
        by_date = self.month_days | self.has_last_day << size
        by_weekday = self.weekdays[begins_with] | self.last_weekdays[begins_with] >> (size - 6) << (size - 6)
        joined = by_date & by_weekday if self.must_match_both else by_date | by_weekday
        return joined & _UP_TO[size]


@dataclass(frozen=True, slots=True)
class CronExpression:
    """An expression that has been read; `parse_cron` makes it. Equal texts are equal expressions."""

    text: str
    seconds: tuple[int, ...] = field(compare=False, repr=False)
    minutes: tuple[int, ...] = field(compare=False, repr=False)
    hours: tuple[int, ...] = field(compare=False, repr=False)
    days: Days = field(compare=False, repr=False)
    default_change: ClockChange = field(compare=False, repr=False)

    def next_fire(self, after: datetime, zone: ZoneInfo, change: ClockChange | None = None) -> datetime | None:
        """The first due time strictly later than `after`, in UTC; None if there is none within `HORIZON`.

        Without `change`, a fixed time inside a skipped stretch is due at the first instant after the gap,
        and inside a repeated stretch once, at the first of the two. An expression whose minute or hour
        begins with `*` is due at every instant whose local reading matches.
        Source: cron(8) of Debian, on daylight saving; gaps longer than its three hours are treated alike.
        """
        start = max(after, EARLIEST)
        return next(self.between(start, start + min(HORIZON, LATEST - start), zone, change), None)

    def between(
        self, after: datetime, until: datetime, zone: ZoneInfo, change: ClockChange | None = None
    ) -> Iterator[datetime]:
        """The due times in (after, until], in UTC, strictly ascending."""
        return on_time_line(self.walls, zone, change or self.default_change, after, until)

    def walls(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The naive local times t that match, low <= t < high, ascending."""
        for day in self.days.between(low.date(), high.date()):
            midnight = datetime(day.year, day.month, day.day)
            for second in self._times_of_day(max(low - midnight, timedelta(0))):
                wall = midnight + timedelta(seconds=second)
                if wall >= high:
                    return
                yield wall

    def _times_of_day(self, earliest: timedelta) -> Iterator[int]:
        """The matching times of a day from `earliest` on, in seconds since midnight."""
        start = -(-earliest // timedelta(seconds=1))
        for hour in _from(self.hours, start // 3600):
            in_hour = start - 3600 * hour
            for minute in _from(self.minutes, in_hour // 60):
                base = 3600 * hour + 60 * minute
                for second in _from(self.seconds, start - base):
                    yield base + second


def _from(values: tuple[int, ...], least: int) -> tuple[int, ...]:
    return values if least <= values[0] else values[bisect_left(values, least) :]


_SIZES = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UP_TO = tuple((2 << size) - 2 for size in range(32))


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


@lru_cache(maxsize=1024)
def _weekday_bits(weekdays: frozenset[tuple[int, int | str | None]]) -> tuple[int, ...]:
    """The days of a month that begins with Sunday, with Monday …; each nth of a weekday, or all of it with None."""
    return tuple(
        _bits({day for weekday, nth in weekdays for day in _days_on((weekday - begins_with) % 7 + 1, nth)})
        for begins_with in range(7)
    )


def _days_on(first: int, nth: int | str | None) -> Iterable[int]:
    return range(first, 32, 7) if nth is None else (first + 7 * (int(nth) - 1),)


@lru_cache(maxsize=16_384)
def parse_cron(text: str) -> CronExpression:
    """Raises InvalidError on `cron`, also for an expression that can never fire."""
    columns = _columns(text)
    plain = [column.plain(raw) for column, raw in zip(_COLUMNS, columns, strict=True)]
    try:
        expanded, ordinals = croniter.expand(" ".join(plain), second_at_beginning=True)
    except CroniterError as error:
        raise _invalid(f"cannot be read: {text!r}") from error
    minutes, hours, month_days, months, weekdays, seconds = expanded
    on: set[tuple[int, int | str | None]] = {(int(day), nth) for day, found in ordinals.items() for nth in found}
    if not ordinals:
        on = {(day, None) for day in _values(weekdays, _WEEKDAY)}
    expression = CronExpression(
        text,
        seconds=_values(seconds, _SECOND),
        minutes=_values(minutes, _MINUTE),
        hours=_values(hours, _HOUR),
        days=Days(
            months=_values(months, _MONTH),
            month_days=_bits(_values(month_days, _MONTH_DAY)),
            has_last_day="l" in month_days,
            weekdays=_weekday_bits(frozenset(each for each in on if each[1] != "l")),
            last_weekdays=_weekday_bits(frozenset((day, None) for day, nth in on if nth == "l")),
            must_match_both=columns[3].startswith("*") or columns[5].startswith("*"),
        ),
        default_change=EVERY_READING if columns[1].startswith("*") or columns[2].startswith("*") else FIXED_TIMES,
    )
    if next(expression.days.between(*_EVERY_KIND_OF_YEAR), None) is None:
        raise _invalid("can never fire: there is no such date")
    return expression


_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_EVERY_KIND_OF_YEAR = date(2000, 1, 1), date(2027, 12, 31)  # leap or not, beginning on each weekday


def _columns(text: str) -> list[str]:
    """The six columns in lower case, seconds first."""
    if len(text) > _LONGEST_TEXT:
        raise _invalid(f"must have at most {_LONGEST_TEXT} characters")
    words = re.findall(r"\S+", text.lower(), re.ASCII)
    if words and words[0].startswith("@"):
        known = _ALIASES.get(" ".join(words))
        if known is None:
            raise _invalid(f"{words[0]!r} is none of {', '.join(_ALIASES)}")
        words = known.split()
    if len(words) not in (5, 6):
        raise _invalid(f"must have five fields, or six with seconds first, not {len(words)}")
    return words if len(words) == 6 else ["0", *words]


_VALUE = r"(?:\d{1,2}|[a-z]{3})"
_SPAN = re.compile(rf"(?:\*|(?P<first>{_VALUE})(?:-(?P<last>{_VALUE}))?)(?:/(?P<step>0*[1-9]\d{{0,3}}))?", re.ASCII)
_LAST_WEEKDAY = re.compile(r"l\d|\dl", re.ASCII)
_ORDINAL_WEEKDAY = re.compile(rf"({_VALUE})#([1-5])", re.ASCII)
_HASHED = re.compile(r"[rh](\(.*\))?(/.*)?")
_NEAREST_WORKDAY = re.compile(r"\d*w\d*|lw|wl")


@dataclass(frozen=True, slots=True)
class _Column:
    """One field of the expression; `numbers` may be written, `cycle` is what they mean (7 is 0, Sunday)."""

    name: str
    cycle: range
    numbers: range
    names: Mapping[str, int]

    def plain(self, raw: str) -> str:
        """`raw` in a form that croniter reads as cron does; raises InvalidError.

        croniter 7.0 takes `9-9` for all hours, miscounts the steps of a range that wraps round (`21-5/2`
        as 21, 23, 2, 4), knows `L5` but not `5L`, takes `15W` for 15 and drops the 1 of `1#1,1`.
        """
        items = raw.split(",")
        if self is _WEEKDAY and len({"#" in item or "l" in item for item in items}) > 1:
            raise _invalid(f"{raw!r} in the {self.name} field mixes whole weekdays with `L` or `#`")
        return ",".join(dict.fromkeys(plain for item in items for plain in self._plain_items(item)))

    def _plain_items(self, item: str) -> Iterable[str]:
        if span := _SPAN.fullmatch(item):
            return self._plain_span(span)
        if self is _MONTH_DAY and item == "l":
            return (item,)
        if self is _WEEKDAY and _LAST_WEEKDAY.fullmatch(item):
            return (f"l{self._number(item.strip('l'))}",)
        if self is _WEEKDAY and (ordinal := _ORDINAL_WEEKDAY.fullmatch(item)):
            return (f"{self._number(ordinal[1])}#{ordinal[2]}",)
        raise self._unreadable(item)

    def _plain_span(self, span: re.Match[str]) -> Iterable[str]:
        first, last = (self._number(text) if text else None for text in (span["first"], span["last"]))
        if first is None or last is None:
            return (span[0],)
        values = [*range(first, last + 1)]
        if first > last:
            values = [*range(first, self.cycle.stop), *range(self.cycle.start, last + 1)]
        return map(str, values[:: int(span["step"] or 1)])

    def _number(self, text: str) -> int:
        number = int(text) if text.isdecimal() else self.names.get(text)
        if number is None:
            raise self._unreadable(text)
        if number not in self.numbers:
            raise _invalid(f"{number} in the {self.name} field is not in {self.numbers[0]}..{self.numbers[-1]}")
        return number

    def _unreadable(self, item: str) -> InvalidError:
        return _invalid(f"cannot read {item!r} in the {self.name} field{_advice(item)}")


_SECOND = _Column("second", range(60), range(60), {})
_MINUTE = _Column("minute", range(60), range(60), {})
_HOUR = _Column("hour", range(24), range(24), {})
_MONTH_DAY = _Column("day-of-month", range(1, 32), range(1, 32), {})
_MONTH = _Column("month", range(1, 13), range(1, 13), M_ALPHAS)
_WEEKDAY = _Column("day-of-week", range(7), range(8), DOW_ALPHAS)
_COLUMNS = (_SECOND, _MINUTE, _HOUR, _MONTH_DAY, _MONTH, _WEEKDAY)


def _advice(item: str) -> str:
    if "?" in item:
        return ": write `*` for any"
    if _HASHED.fullmatch(item):
        return ": `R` and `H` are refused, because a due time is known beforehand"
    if _NEAREST_WORKDAY.fullmatch(item):
        return ": `W`, the nearest workday, is not supported"
    return ""


def _values(expanded: Sequence[int | str], column: _Column) -> tuple[int, ...]:
    if "*" in expanded:
        return tuple(column.cycle)
    return tuple(sorted(value for value in expanded if isinstance(value, int)))


def _invalid(message: str) -> InvalidError:
    return InvalidError(message, "cron")
