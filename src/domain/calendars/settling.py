"""What becomes of a due time on a closed day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from rota.domain.calendars.open_days import DayVerdict, OpenDays
from rota.domain.time.zone import EARLIEST, LATEST, ClockChange, place, wall_at

FURTHEST = timedelta(days=366)
"""The longest move: what finds no open day within it goes nowhere."""

_DAY = timedelta(days=1)
_SAME_ZONE = range(0, 2)  # where the clock skips a time, it is later, on the next day at most
_OTHER_ZONE = range(-2, 4)  # zones can be two days apart


class OnClosed(StrEnum):
    """Where a due time goes that the calendar closes: nowhere, or to an open day, at the same local time."""

    SKIP = "SKIP"
    NEXT_OPEN = "NEXT_OPEN"
    PREVIOUS_OPEN = "PREVIOUS_OPEN"
    MODIFIED_FOLLOWING = "MODIFIED_FOLLOWING"  # NEXT_OPEN, but PREVIOUS_OPEN where that is in another month


def settle(scheduled_for: datetime, zone: ZoneInfo, calendar: OpenDays, on_closed: OnClosed) -> datetime | None:
    """When a due time is to be acted on, in UTC; None if it is skipped, or nothing is open within `FURTHEST`.

    The calendar judges the day and time that the clock of its own zone reads, the schedule's where it has none.
    A move keeps the local time of the schedule's zone, and looks for a day on which the calendar is open at
    it; where a clock change skips that time, it is the first instant after the gap, where it is repeated, the
    first of the two.
    """
    if calendar.is_open_at(_local(scheduled_for, zone, calendar)):
        return scheduled_for
    wall = wall_at(scheduled_for, zone)
    match on_closed:
        case OnClosed.SKIP:
            return None
        case OnClosed.NEXT_OPEN:
            return _first_open(wall, zone, calendar, _DAY)
        case OnClosed.PREVIOUS_OPEN:
            return _first_open(wall, zone, calendar, -_DAY)
        case OnClosed.MODIFIED_FOLLOWING:
            return _modified_following(wall, zone, calendar)


def verdict_at(at: datetime, zone: ZoneInfo, calendar: OpenDays) -> DayVerdict:
    """What the calendar says of an instant; `zone` is the schedule's."""
    return calendar.why_at(_local(at, zone, calendar))


def _local(at: datetime, zone: ZoneInfo, calendar: OpenDays) -> datetime:
    """What the calendar's clock reads."""
    return at.astimezone(calendar.zone or zone).replace(tzinfo=None)


def _modified_following(wall: datetime, zone: ZoneInfo, calendar: OpenDays) -> datetime | None:
    """Source: the business day convention of that name, ISDA 2006 definitions, 4.12."""
    following = _first_open(wall, zone, calendar, _DAY)
    if following is not None and _month(following.astimezone(zone)) == _month(wall):
        return following
    return _first_open(wall, zone, calendar, -_DAY)


def _month(at: datetime) -> tuple[int, int]:
    return at.year, at.month


def _first_open(wall: datetime, zone: ZoneInfo, calendar: OpenDays, step: timedelta) -> datetime | None:
    """The nearest local time, so many steps from `wall`, at which the calendar is open."""
    if calendar.zone is None and not calendar.may_open_at(wall.time()):
        return None
    for candidate in _candidates(wall, step, calendar):
        at = _placed(candidate, zone)
        if calendar.is_open_at(_local(at, zone, calendar)):
            return at
    return None


def _candidates(wall: datetime, step: timedelta, calendar: OpenDays) -> Iterator[datetime]:
    """Without those on days that are closed, whichever day it may be then in the calendar's zone."""
    first, last = EARLIEST.replace(tzinfo=None) + 3 * _DAY, LATEST.replace(tzinfo=None) - 4 * _DAY
    reach = _SAME_ZONE if calendar.zone is None else _OTHER_ZONE
    n = 1
    while n <= FURTHEST.days and first <= (candidate := wall + n * step) <= last:
        day = candidate.date()
        if any(calendar.is_open(day + each * _DAY) for each in reach):
            yield candidate
            n += 1
        elif (leap := _closed_for(day, step, calendar, reach)) is not None:
            n += leap
        else:
            return


def _closed_for(day: date, step: timedelta, calendar: OpenDays, reach: range) -> int | None:
    """So many days further there may be an open one; None if there is none within a move's length."""
    if step > timedelta(0):
        opening = calendar.open_from(day, _DAY, FURTHEST.days + 4)
        return None if opening is None else max((opening - day).days - reach[-1], 1)
    opening = calendar.open_from(day, -_DAY, FURTHEST.days + 4)
    return None if opening is None else max((day - opening).days + reach[0], 1)


def _placed(wall: datetime, zone: ZoneInfo) -> datetime:
    """As `place` does it, and twenty times as fast where the clock does read `wall`."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    return place(wall, zone, ClockChange())[0]
