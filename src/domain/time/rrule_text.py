"""Recurrence rules as RFC 5545 writes them: an RRULE line, with or without its name, and EXDATE and RDATE lines.

Read here, not by dateutil 2.9: that fills an incomplete UNTIL from today's date, takes an interval of 0 (and
never comes back), and drops the number of `2MO` where it has no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from rota.domain.errors import InvalidError
from rota.domain.time.recurrence import Frequency, Recurrence, Weekday
from rota.domain.time.rrule import Moment, RecurrenceRule
from rota.domain.time.zone import YEARS, load_zone

MAX_COUNT = 10_000
"""A rule with COUNT is walked from its start, once: less than 0.1 s for as many."""

_LONGEST_TEXT = 10_000
_LONGEST_INTERVAL_YEARS = 100


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
    if at.year not in YEARS and not (name == "UNTIL" and at.year > YEARS[-1]):
        raise _invalid(f"{name} {text!r} must lie in the years {YEARS[0]} to {YEARS[-1]}")
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
