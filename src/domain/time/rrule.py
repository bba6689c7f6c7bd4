"""Recurrence rules as RFC 5545 writes them: an RRULE line, with or without its name, and EXDATE and RDATE lines.

The rule runs in local time and `zone.on_time_line` places what it finds. Where it says less than it seems:

* `COUNT` counts due times, excluded ones too and those that a clock change takes away not (RFC 5545, 3.3.10).
  A rule with COUNT ends `HORIZON` after its start at the latest.
* `UNTIL` with a `Z` is an instant, without it a local time, as a date that whole local day; all included.
* `EXDATE` and `RDATE` likewise: instants with a `Z`, else local times, in the zone of a `TZID` where one is
  given. An EXDATE that is a date takes all of that local day. An RDATE before the start is none.

Read here, not by dateutil 2.9: that fills an incomplete UNTIL from today's date, takes an interval of 0 (and
never comes back), and drops the number of `2MO` where it has no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rota.domain.errors import InvalidError
from rota.domain.time.recurrence import Frequency, Recurrence, Weekday
from rota.domain.time.zone import EARLIEST, LATEST, ClockChange, Gap, Overlap, Walls, load_zone, on_time_line, place

HORIZON = timedelta(days=100 * 366)
"""How far the next fire is looked for, from now or from a start yet to come."""

RFC_5545 = ClockChange(Gap.SKIP, Overlap.FIRST)
"""A skipped local time is no instance, a repeated one is its first."""

MAX_COUNT = 10_000
"""A rule with COUNT is walked from its start, once: less than 0.1 s for as many."""

_LONGEST_TEXT = 10_000
_LONGEST_INTERVAL_YEARS = 100
_REACH = timedelta(days=2)  # as in `zone`: longer than any offset and any clock change, together
_MICROSECOND = timedelta(microseconds=1)
_YEARS = range(1970, 9998)
_NEVER = datetime(9999, 1, 1)  # past the end of every time line


class Moment(NamedTuple):
    """A date or time of the text. An aware `at` is an instant; a naive one is local, in `tz` or the schedule's zone."""

    at: datetime
    tz: str | None = None
    is_whole_day: bool = False

    def is_local_to(self, zone: ZoneInfo) -> bool:
        return self.at.tzinfo is None and self.tz in (None, zone.key)

    def instant(self) -> datetime:
        """Of one that is not local to the schedule. Source of the placing: RFC 5545, 3.3.5."""
        if self.tz is None:
            return self.at
        return place(self.at, load_zone(self.tz), ClockChange(Gap.SHIFT, Overlap.FIRST))[0]


class _Stated(NamedTuple):
    """The moments of EXDATE or RDATE lines, as a zone sees them."""

    walls: tuple[datetime, ...]
    days: frozenset[date]
    instants: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """A rule that has been read; `parse_rrule` makes it. Equal texts are equal rules.

    A naive `start` is local time, an aware one an instant; both are cut to the second. Nothing is due before it.
    Without `change`, a skipped local time is no instance, and a repeated one is its first.
    Source: RFC 5545, 3.3.10 and 3.3.5.
    """

    text: str
    recurrence: Recurrence = field(compare=False, repr=False)
    count: int | None = field(default=None, compare=False, repr=False)
    until: Moment | None = field(default=None, compare=False, repr=False)
    excluded: tuple[Moment, ...] = field(default=(), compare=False, repr=False)
    added: tuple[Moment, ...] = field(default=(), compare=False, repr=False)

    def next_fire(
        self, after: datetime, start: datetime, zone: ZoneInfo, change: ClockChange | None = None
    ) -> datetime | None:
        """The first due time strictly later than `after`, in UTC; None if there is none within `HORIZON`."""
        low = max(after, _not_before(start), EARLIEST)
        return next(self.between(low, low + min(HORIZON, LATEST - low), start, zone, change), None)

    def between(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange | None = None
    ) -> Iterator[datetime]:
        """The due times in (after, until], in UTC, strictly ascending."""
        after = max(after, _not_before(start))
        change = change or RFC_5545
        found = self._by_rule(after, until, start, zone, change)
        if self.added:
            found = _once_each(merge(found, self._by_date(after, until, start, zone, change)))
        gone = frozenset(_stated(self.excluded, zone).instants)
        return (due for due in found if due not in gone) if gone else found

    def walls(self, start: datetime, zone: ZoneInfo) -> Walls:
        """The local times that it names, before a clock change takes or doubles any; as `on_time_line` asks for them.

        COUNT and what is stated as an instant are not looked at.
        """
        by_rule, by_date = self._walls(start, zone), self._dates(start, zone)
        return lambda low, high: _once_each(merge(by_rule(low, high), by_date(low, high)))

    def check_can_fire(self, start: datetime, zone: ZoneInfo, change: ClockChange | None = None) -> None:
        """Raises InvalidError on `rrule` where nothing is due within `HORIZON` of the start."""
        if self.next_fire(EARLIEST, start, zone, change) is None:
            raise _invalid("can never fire: from its start on, it has no instance within 100 years")

    def _by_rule(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange
    ) -> Iterator[datetime]:
        end = self._last_wall()
        last = min(until, self._last_instant(), _at_least(end))
        if self.count is not None and after < last:
            last = min(last, _last_counted(self, start, zone, change))
        return on_time_line(self._walls(start, zone), zone, change, after, last)

    def _walls(self, start: datetime, zone: ZoneInfo) -> Walls:
        """What the rule names in local time, less what EXDATE takes from it."""
        low, end = _wall(start, zone), self._last_wall()
        gone = _stated(self.excluded, zone)
        excluded = frozenset(gone.walls)

        def walls(first: datetime, until: datetime) -> Iterator[datetime]:
            found = self.recurrence.walls(low, first, min(until, end))
            if not excluded and not gone.days:
                return found
            return (wall for wall in found if wall not in excluded and wall.date() not in gone.days)

        return walls

    def _dates(self, start: datetime, zone: ZoneInfo) -> Walls:
        """What RDATE names in local time; EXDATE takes from it as from the rule."""
        gone, more = _stated(self.excluded, zone), _stated(self.added, zone)
        return _among(
            [wall for wall in more.walls if wall not in gone.walls and wall.date() not in gone.days], _wall(start, zone)
        )

    def _by_date(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange
    ) -> Iterator[datetime]:
        """What RDATE adds."""
        instants = (at for at in _stated(self.added, zone).instants if after < at <= until)
        return merge(on_time_line(self._dates(start, zone), zone, change, after, until), instants)

    def _last_wall(self) -> datetime:
        """The first local time that is too late by an UNTIL in local time."""
        if self.until is None or self.until.at.tzinfo is not None or self.until.at >= _NEVER:
            return _NEVER
        return self.until.at + (timedelta(days=1) if self.until.is_whole_day else _MICROSECOND)

    def _last_instant(self) -> datetime:
        if self.until is None or self.until.at.tzinfo is None:
            return LATEST
        return self.until.at


@lru_cache(maxsize=4096)
def _last_counted(rule: RecurrenceRule, start: datetime, zone: ZoneInfo, change: ClockChange) -> datetime:
    """The due time with which COUNT is used up, excluded ones counted; else the horizon."""
    everything = replace(rule, count=None, excluded=(), added=())
    low = _not_before(start)
    horizon = low + min(HORIZON, LATEST - low)
    found = everything.between(low, horizon, start, zone, change)
    return next(islice(found, (rule.count or 1) - 1, None), horizon)


def default_start(created: datetime, zone: ZoneInfo) -> datetime:
    """Where a rule begins that says nothing of it: 00:00 local of the day of creation, naive."""
    return datetime.combine(created.astimezone(zone).date(), time())


def _wall(start: datetime, zone: ZoneInfo) -> datetime:
    """The start as the clock reads it."""
    local = start.astimezone(zone) if start.tzinfo else start
    return local.replace(tzinfo=None, microsecond=0, fold=0)


def _not_before(start: datetime) -> datetime:
    """An instant that all due times are later than: just before an aware start, well before a naive one."""
    if start.tzinfo:
        return start.astimezone(UTC).replace(microsecond=0) - _MICROSECOND
    return start.replace(tzinfo=UTC) - _REACH


def _at_least(wall: datetime) -> datetime:
    """An instant when the clock has passed `wall` everywhere."""
    return min(wall, _NEVER).replace(tzinfo=UTC) + _REACH


def _among(walls: list[datetime], earliest: datetime) -> Callable[[datetime, datetime], list[datetime]]:
    return lambda low, high: [wall for wall in walls if max(low, earliest) <= wall < high]


def _once_each(ascending: Iterable[datetime]) -> Iterator[datetime]:
    latest = None
    for each in ascending:
        if each != latest:
            yield each
        latest = each


@lru_cache(maxsize=1024)
def _stated(moments: tuple[Moment, ...], zone: ZoneInfo) -> _Stated:
    local = [each for each in moments if each.is_local_to(zone)]
    return _Stated(
        walls=tuple(sorted({each.at for each in local if not each.is_whole_day})),
        days=frozenset(each.at.date() for each in local if each.is_whole_day),
        instants=tuple(sorted({each.instant() for each in moments if not each.is_local_to(zone)})),
    )


@lru_cache(maxsize=8192)
def parse_rrule(text: str) -> RecurrenceRule:
    """Raises InvalidError on `rrule`, also for a rule that can never fire, whatever its start."""
    if len(text) > _LONGEST_TEXT:
        raise _invalid(f"must have at most {_LONGEST_TEXT:,} characters")
    lines = [_Line.of(line) for line in _unfolded(text)]
    rules = [line for line in lines if line.name == "RRULE"]
    if len(rules) != 1:
        raise _invalid(f"must have one RRULE line, not {len(rules)}")
    parts = _Parts.of(rules[0])
    rule = RecurrenceRule(
        text,
        recurrence=parts.recurrence(),
        count=parts.count(),
        until=parts.until(),
        excluded=_moments(lines, "EXDATE"),
        added=_moments(lines, "RDATE"),
    )
    if not rule.added and not _has_instances(rule.recurrence):
        raise _invalid("can never fire: no date and time matches all of its parts")
    return rule


def _unfolded(text: str) -> list[str]:
    """The lines that are not blank, those that were folded put together. Source: RFC 5545, 3.1."""
    whole = re.sub(r"\r?\n[ \t]", "", text.strip())
    return [line for line in (line.strip() for line in whole.splitlines()) if line]


def _has_instances(recurrence: Recurrence) -> bool:
    """Whether it has any in 28 years, leap or not and beginning on each weekday, were its interval 1."""
    start, end = datetime(2000, 1, 1), datetime(2028, 1, 1)
    return next(replace(recurrence, interval=1).walls(start, start, end), None) is not None


_DATES = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Line(NamedTuple):
    """A content line: name, parameters, value. Source: RFC 5545, 3.1."""

    name: str
    parameters: dict[str, str]
    value: str

    @classmethod
    def of(cls, line: str) -> _Line:
        head, colon, value = line.partition(":")
        if not colon:
            head, value = "RRULE", line
        name, *parameters = head.split(";")
        if name.upper() not in ("RRULE", "EXDATE", "RDATE"):
            raise _invalid(_unknown_line(name.upper()))
        pairs = (each.partition("=") for each in parameters)
        return cls(name.upper(), {key.upper(): setting for key, _, setting in pairs}, value)

    def check_parameters(self, *known: str) -> None:
        for key in self.parameters:
            if key not in known:
                raise _invalid(f"{self.name} takes no {key!r}")


def _unknown_line(name: str) -> str:
    if name == "DTSTART":
        return "takes no DTSTART line: say it as `startAt`, and the zone as the schedule's `tz`"
    return f"takes RRULE, EXDATE and RDATE lines, not {name!r}"


def _moments(lines: Iterable[_Line], name: str) -> tuple[Moment, ...]:
    named = (line for line in lines if line.name == name)
    return tuple(moment for line in named for moment in _moments_of(line))


def _moments_of(line: _Line) -> Iterator[Moment]:
    line.check_parameters("TZID", "VALUE")
    tz = line.parameters.get("TZID")
    for text in line.value.split(","):
        moment = _moment(text, line.name)
        if line.name == "RDATE" and moment.is_whole_day:
            raise _invalid(f"RDATE {text!r} needs a time of day")
        if tz is not None:
            _check_zone(tz)
        yield moment._replace(tz=tz) if moment.at.tzinfo is None and not moment.is_whole_day else moment


def _check_zone(tz: str) -> None:
    try:
        load_zone(tz)
    except InvalidError as error:
        raise _invalid(f"TZID {tz!r}: {error}") from error


def _moment(text: str, name: str) -> Moment:
    read = _DATES.fullmatch(text.strip().upper())
    if read is None:
        raise _invalid(f"{name} {text!r} is no date (20260131) and no time (20260131T090000, with Z for UTC)")
    *numbers, utc = read.groups()
    try:
        at = datetime(*(int(number) for number in numbers if number), tzinfo=UTC if utc else None)  # type: ignore[misc, arg-type]  # three or six
    except ValueError as error:
        raise _invalid(f"{name} {text!r}: {error}") from error
    if at.year not in _YEARS and not (name == "UNTIL" and at.year > _YEARS[-1]):
        raise _invalid(f"{name} {text!r} must lie in the years {_YEARS[0]} to {_YEARS[-1]}")
    return Moment(at, is_whole_day=numbers[3] is None)


class _NumberPart(NamedTuple):
    """A part that lists numbers: from `least` to `most`, and from the end where it may be `negative`."""

    attribute: str
    least: int
    most: int
    negative: bool = False


_NUMBER_PARTS = {
    "BYMONTH": _NumberPart("months", 1, 12),
    "BYWEEKNO": _NumberPart("weeks", 1, 53, negative=True),
    "BYYEARDAY": _NumberPart("year_days", 1, 366, negative=True),
    "BYMONTHDAY": _NumberPart("month_days", 1, 31, negative=True),
    "BYHOUR": _NumberPart("hours", 0, 23),
    "BYMINUTE": _NumberPart("minutes", 0, 59),
    "BYSECOND": _NumberPart("seconds", 0, 60),
    "BYSETPOS": _NumberPart("positions", 1, 366, negative=True),
}
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBER_PARTS)

_ALL = frozenset(Frequency)
# Which parts a frequency has no use for. Source: the table in RFC 5545, 3.3.10.
_USELESS = {
    "BYWEEKNO": _ALL - {Frequency.YEARLY},
    "BYYEARDAY": {Frequency.MONTHLY, Frequency.WEEKLY, Frequency.DAILY},
    "BYMONTHDAY": {Frequency.WEEKLY},
}
_IN_A_YEAR = {
    Frequency.YEARLY: 1,
    Frequency.MONTHLY: 12,
    Frequency.WEEKLY: 53,
    Frequency.DAILY: 366,
    Frequency.HOURLY: 366 * 24,
    Frequency.MINUTELY: 366 * 1440,
    Frequency.SECONDLY: 366 * 86_400,
}


class _Parts(dict[str, str]):
    """The parts of an RRULE line, by name."""

    @classmethod
    def of(cls, line: _Line) -> _Parts:
        line.check_parameters()
        parts = cls()
        for part in line.value.upper().rstrip(";").split(";"):
            name, equals, value = part.strip().partition("=")
            if name not in _PARTS or not equals:
                raise _invalid(f"{part.strip()!r} is no part of a rule; they are {', '.join(_PARTS)}")
            if name in parts:
                raise _invalid(f"{name} is there twice")
            parts[name] = value.strip()
        return parts

    def recurrence(self) -> Recurrence:
        frequency = self._frequency()
        for name, useless in _USELESS.items():
            if name in self and frequency in useless:
                raise _invalid(f"{name} has no meaning with FREQ={frequency.name}")
        if "BYSETPOS" in self and not any(name.startswith("BY") for name in self if name != "BYSETPOS"):
            raise _invalid("BYSETPOS picks from what another BY part names, and there is none")
        numbers = {part.attribute: self._numbers(name, part) for name, part in _NUMBER_PARTS.items() if name in self}
        if 60 in numbers.get("seconds", ()):  # a leap second is taken for the second before it: RFC 5545, 3.3.12
            numbers["seconds"] = tuple(sorted({min(second, 59) for second in numbers["seconds"]}))
        return Recurrence(
            frequency=frequency,
            interval=self._interval(frequency),
            week_start=self._week_start(),
            weekdays=self._weekdays(frequency),
            **numbers,
        )

    def count(self) -> int | None:
        if "COUNT" not in self:
            return None
        if "UNTIL" in self:
            raise _invalid("COUNT and UNTIL exclude each other")
        return self._number("COUNT", range(1, MAX_COUNT + 1))

    def until(self) -> Moment | None:
        return _moment(self["UNTIL"], "UNTIL") if "UNTIL" in self else None

    def _frequency(self) -> Frequency:
        try:
            return Frequency[self.get("FREQ", "")]
        except KeyError:
            raise _invalid(f"FREQ must be one of {', '.join(each.name for each in Frequency)}") from None

    def _interval(self, frequency: Frequency) -> int:
        most = _LONGEST_INTERVAL_YEARS * _IN_A_YEAR[frequency]
        return self._number("INTERVAL", range(1, most + 1)) if "INTERVAL" in self else 1

    def _week_start(self) -> int:
        first = self.get("WKST", "MO")
        if first not in _WEEKDAYS:
            raise _invalid(f"WKST must be one of {', '.join(_WEEKDAYS)}")
        return _WEEKDAYS.index(first)

    def _weekdays(self, frequency: Frequency) -> tuple[Weekday, ...]:
        if "BYDAY" not in self:
            return ()
        found = {self._weekday(item.strip(), frequency) for item in self["BYDAY"].split(",")}
        return tuple(sorted(found))

    def _weekday(self, item: str, frequency: Frequency) -> Weekday:
        read = _WEEKDAY.fullmatch(item)
        if read is None:
            raise _invalid(f"BYDAY {item!r} is no weekday; they are {', '.join(_WEEKDAYS)}, as 2MO or -1FR too")
        day = _WEEKDAYS.index(read[2])
        return Weekday(day, self._ordinal(item, int(read[1]), frequency)) if read[1] else Weekday(day)

    def _ordinal(self, item: str, ordinal: int, frequency: Frequency) -> int:
        if frequency > Frequency.MONTHLY or "BYWEEKNO" in self:
            raise _invalid(f"BYDAY {item!r}: a number has a meaning only in a month or year, without BYWEEKNO")
        most = 5 if frequency is Frequency.MONTHLY or "BYMONTH" in self else 53
        if not 1 <= abs(ordinal) <= most:
            raise _invalid(f"BYDAY {item!r}: the number must be from 1 to {most}, or from -{most} to -1")
        return ordinal

    def _numbers(self, name: str, part: _NumberPart) -> tuple[int, ...]:
        return tuple(sorted({self._listed(item.strip(), name, part) for item in self[name].split(",")}))

    def _listed(self, item: str, name: str, part: _NumberPart) -> int:
        number = int(item) if _NUMBER.fullmatch(item) else None
        size = abs(number) if number is not None and part.negative else number
        if number is None or size is None or not part.least <= size <= part.most:
            from_end = f", or from -{part.most} to -{part.least}" if part.negative else ""
            raise _invalid(f"{name} {item!r} is no number from {part.least} to {part.most}{from_end}")
        return number

    def _number(self, name: str, allowed: range) -> int:
        text = self[name]
        if not _NUMBER.fullmatch(text) or int(text) not in allowed:
            raise _invalid(f"{name} must be a number from {allowed[0]} to {allowed[-1]:,}")
        return int(text)


def _invalid(message: str) -> InvalidError:
    return InvalidError(message, "rrule")
