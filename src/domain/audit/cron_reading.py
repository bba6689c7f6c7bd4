"""Cron expressions, read and laid out once more, by other means than `time.cron` and `time.zone`.

The auditor's second opinion is worth something only as long as it shares nothing with the first: fields are read
here without croniter, and local time is cut into stretches of one offset, each of which is a plain sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from zoneinfo import ZoneInfo

from rota.domain.time.zone import ClockChange, Gap, Overlap

_DAY = timedelta(days=1)
_REACH = timedelta(hours=50)
"""Longer than any offset and any clock change, together: what came before cannot matter."""

_LOOK = timedelta(hours=6)
_SECOND = timedelta(seconds=1)
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_PART = re.compile(r"(?:\*|\?|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?")
_ORDINAL = re.compile(r"(\w+)#([1-5])|(\w+)l|l(\w+)")


class NotReadError(Exception):
    """An expression that is not read here: no word on whether it is right."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression names: `nth` are weekdays (Sunday 0) with their number in the month, -1 the last."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    is_last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    joined_by_and: bool
    every_reading: bool

    def names(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month = day.day in self.days or (self.is_last_day and (day + _DAY).month != day.month)
        weekday = (day.weekday() + 1) % 7
        by_week = weekday in self.weekdays or (weekday, -(-day.day // 7)) in self.nth
        by_week = by_week or ((weekday, -1) in self.nth and (day + 7 * _DAY).month != day.month)
        return (by_month and by_week) if self.joined_by_and else (by_month or by_week)

    def walls(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The naive local times t that it names, low <= t < high, ascending."""
        for n in range((high.date() - low.date()).days + 1):
            day = low.date() + n * _DAY
            if not self.names(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    for second in self.seconds:
                        wall = datetime.combine(day, time(hour, minute, second))
                        if low <= wall < high:
                            yield wall


@lru_cache(maxsize=4096)
def read_cron(text: str) -> Reading:
    """Raises NotReadError."""
    fields = _ALIASES.get(text.strip().lower(), text).lower().split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise NotReadError(text)
    second, minute, hour, day, month, weekday = fields
    ordinals = [_ORDINAL.fullmatch(part) for part in weekday.split(",")]
    if any(ordinals) and not all(ordinals):
        raise NotReadError(text)
    return Reading(
        seconds=_values(second, 0, 59),
        minutes=_values(minute, 0, 59),
        hours=_values(hour, 0, 23),
        days=frozenset(_values(",".join(part for part in day.split(",") if part != "l"), 1, 31)),
        is_last_day="l" in day.split(","),
        months=frozenset(_values(month, 1, 12, _MONTHS)),
        weekdays=frozenset() if any(ordinals) else frozenset(n % 7 for n in _values(weekday, 0, 7, _WEEKDAYS)),
        nth=frozenset(map(_ordinal, filter(None, ordinals))),
        joined_by_and=day[0] in "*?" or weekday[0] in "*?",
        every_reading=minute[0] == "*" or hour[0] == "*",
    )


def _ordinal(match: re.Match[str]) -> tuple[int, int]:
    weekday, nth, last, also_last = match.groups()
    (value,) = _values(weekday or last or also_last, 0, 7, _WEEKDAYS)
    return value % 7, int(nth) if nth else -1


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.split(",") if field else ():
        match = _PART.fullmatch(part)
        if match is None:
            raise NotReadError(field)
        step = int(match["step"] or 1)
        first, last = low, high
        if match["low"]:
            first = _value(match["low"], names)
            last = _value(match["high"], names) if match["high"] else (high if match["step"] else first)
        if step < 1 or not low <= first <= last <= high:
            raise NotReadError(field)
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))


def _value(text: str, names: dict[str, int] | None) -> int:
    if text.isdecimal():
        return int(text)
    if names is None or text not in names:
        raise NotReadError(text)
    return names[text]


def cron_times(
    text: str, zone: ZoneInfo, change: ClockChange | None, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The due times in (after, until], in UTC, ascending, each once. Raises NotReadError."""
    reading = read_cron(text)
    if change is None:
        every = reading.every_reading
        change = ClockChange(Gap.SKIP, Overlap.BOTH) if every else ClockChange(Gap.NEXT_VALID, Overlap.FIRST)
    last: datetime | None = None
    for instant in _laid_out(reading, zone, change, after, until):
        if instant > until:
            return
        if instant > after and instant != last:
            yield instant
        last = instant


def _laid_out(
    reading: Reading, zone: ZoneInfo, change: ClockChange, after: datetime, until: datetime
) -> Iterator[datetime]:
    """A stretch of one offset after the other; of those that lie behind `after` only what may reach beyond."""
    stretches = _stretches(zone, after - _REACH, until + _REACH)
    for n, (start, end, offset) in enumerate(stretches):
        low, high = max(start, after) + offset, end + offset
        before = stretches[n - 1][2] if n else offset
        following = stretches[n + 1][2] if n + 1 < len(stretches) else offset
        if change.overlap is Overlap.FIRST and before > offset:
            low = max(low, start + before)  # read already, before the clock was put back
        if change.overlap is Overlap.LAST and following < offset:
            high = end + following  # will be read again
        read = (_at(wall, offset) for wall in reading.walls(_naive(low), _naive(high)))
        skipped = reading.walls(_naive(start + before), _naive(start + offset)) if before < offset else iter(())
        yield from merge(_moved(skipped, change.gap, start, before), read)


def _moved(skipped: Iterator[datetime], gap: Gap, start: datetime, before: timedelta) -> Iterator[datetime]:
    match gap:
        case Gap.SHIFT:
            yield from (_at(wall, before) for wall in skipped)
        case Gap.NEXT_VALID:
            yield from (start for _ in skipped)


def _stretches(zone: ZoneInfo, low: datetime, high: datetime) -> list[tuple[datetime, datetime, timedelta]]:
    """[low, high) in UTC, cut where the offset changes."""
    found = []
    start, looked, offset = low, low, _offset(low, zone)
    while looked < high:
        ahead = min(looked + _LOOK, high)
        if (later := _offset(ahead, zone)) != offset:
            left, right = looked, ahead
            while right - left > _SECOND:
                middle = left + ((right - left) / 2 // _SECOND) * _SECOND
                left, right = (middle, right) if _offset(middle, zone) == offset else (left, middle)
            change = right.replace(microsecond=0)
            found.append((start, change, offset))
            start, offset = change, later
        looked = ahead
    return [*found, (start, high, offset)]


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _naive(wall: datetime) -> datetime:
    return wall.replace(tzinfo=None)


def _at(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC)
