"""What should fire, found by looking at the clock every half hour: nothing here is the code's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=30)
"""All times of the schedules here, all offsets of their zones and all changes of their clocks are multiples of it."""

DAY = timedelta(days=1)
Matches = Callable[[datetime], bool]


def fixed_times(matches: Matches, tz: str, since: datetime, until: datetime) -> list[datetime]:
    """As Debian's cron has it: what the clock skips is due right after the gap, what it repeats once."""
    due = []
    for at, wall, skipped in _readings(ZoneInfo(tz), since, until):
        if any(map(matches, skipped)) or (matches(wall) and not wall.fold):
            due.append(at)
    return due


def every_reading(matches: Matches, tz: str, since: datetime, until: datetime) -> list[datetime]:
    """As Debian's cron has it for expressions that begin with a star: whenever the clock reads it."""
    return [at for at, wall, _ in _readings(ZoneInfo(tz), since, until) if matches(wall)]


def _readings(zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, list[datetime]]]:
    """Each instant with what the clock reads then, and what it has skipped since the instant before."""
    at, before = since, (since - STEP).astimezone(zone).replace(tzinfo=None, fold=0)
    while at < until:
        wall = at.astimezone(zone).replace(tzinfo=None)
        skipped, before = [], before + STEP
        while before < wall.replace(fold=0):
            skipped.append(before)
            before += STEP
        before = wall.replace(fold=0)
        yield at, wall, skipped
        at += STEP


def next_open(at: datetime, tz: str, closed: Callable[[date], bool]) -> datetime:
    """The same local time on the first day that is not closed."""
    wall = at.astimezone(ZoneInfo(tz))
    day = wall.date()
    while closed(day):
        day += DAY
    return datetime.combine(day, time(wall.hour, wall.minute), wall.tzinfo).astimezone(at.tzinfo)
