"""What should have fired, worked out by other means than the tick's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from rota.domain.audit.cron_reading import NotReadError, cron_times, read_cron
from rota.domain.calendars.business_days import BusinessDay, Period
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.trigger import Cron, FixedRate, OnBusinessDay, OneShot

FURTHEST_MOVE = 366
_DAY = timedelta(days=1)
_MARGIN = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Expected:
    """`acted_on` is where a calendar moves it to, without the schedule's spread."""

    scheduled_for: datetime
    acted_on: datetime


def has_second_opinion(definition: ScheduleDefinition) -> bool:
    """There is none on FIXED_DELAY, EVENT and RRULE, and on a few forms of the others."""
    match trigger := definition.trigger:
        case Cron():
            try:
                read_cron(trigger.cron)
            except NotReadError:
                return False
            return True
        case OnBusinessDay():
            return trigger.rule.dst is None
    return isinstance(trigger, FixedRate | OneShot)


def expected(schedule: Schedule, after: datetime, until: datetime) -> Iterator[Expected]:
    """The due times in (after, until], by `scheduled_for` and in its order; `open_days` are those of the schedule.

    Raises NotReadError where there is no second opinion.
    """
    own = schedule.definition
    zone = ZoneInfo(own.tz)
    calendar = schedule.open_days if own.calendar is not None else None
    for instant in _instants(schedule, zone, after, until):
        if own.start_at is not None and instant < own.start_at:
            continue
        if own.end_at is not None and instant >= own.end_at:
            return
        acted_on = instant
        if own.calendar is not None and calendar is not None:
            landed = _landing(instant, zone, calendar, own.calendar.on_closed)
            if landed is None:
                continue
            acted_on = landed
        yield Expected(instant, acted_on)


def _instants(schedule: Schedule, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    match trigger := schedule.definition.trigger:
        case Cron():
            return cron_times(trigger.cron, zone, trigger.dst, after, until)
        case FixedRate():
            anchor = trigger.anchor_at or schedule.definition.start_at or schedule.created_at
            return _fixed_rate(anchor, trigger.every, after, until)
        case OneShot():
            found = _readings(trigger.start_at, zone) if trigger.start_at.tzinfo is None else [trigger.start_at]
            return (at for at in found[:1] if after < at <= until)
        case OnBusinessDay():
            return _on_business_days(trigger.rule, zone, schedule.open_days, after, until)
    raise NotReadError(trigger.kind)


def _fixed_rate(anchor: datetime, every: timedelta, after: datetime, until: datetime) -> Iterator[datetime]:
    """In whole microseconds since the anchor."""
    step = every // timedelta(microseconds=1)
    behind = max((after - anchor) // timedelta(microseconds=1) + 1, 0)
    due = anchor + timedelta(microseconds=-(-behind // step) * step)
    while due <= until:
        yield due
        due += every


def _on_business_days(
    rule: BusinessDay, zone: ZoneInfo, calendar: OpenDays | None, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Each day is asked whether it is the one; those of the others that are open are counted anew each time."""
    if calendar is None:
        return
    day, last = (after - _MARGIN).date(), (until + _MARGIN).date()
    while day <= last:
        if calendar.is_open(day) and _number(day, rule, calendar) == abs(rule.day):
            for at in _readings(datetime.combine(day, rule.at), zone)[:1]:
                if after < at <= until:
                    yield at
        day += _DAY


def _number(day: date, rule: BusinessDay, calendar: OpenDays) -> int:
    """Its number among the open days of its period, from the end where the rule counts from there."""
    step = _DAY if rule.day < 0 else -_DAY
    number, other = 1, day + step
    while _period(other, rule.of) == _period(day, rule.of):
        number += calendar.is_open(other)
        other += step
    return number


def _period(day: date, of: Period) -> tuple[int, int]:
    match of:
        case Period.WEEK:
            return day.isocalendar()[:2]
        case Period.MONTH:
            return day.year, day.month
        case Period.QUARTER:
            return day.year, (day.month - 1) // 3
        case Period.YEAR:
            return day.year, 0


def _landing(at: datetime, zone: ZoneInfo, calendar: OpenDays, on_closed: OnClosed) -> datetime | None:
    """Day by day, until one is open."""
    if _is_open(at, zone, calendar):
        return at
    following, preceding = _nearest(at, zone, calendar, 1), _nearest(at, zone, calendar, -1)
    match on_closed:
        case OnClosed.SKIP:
            return None
        case OnClosed.NEXT_OPEN:
            return following
        case OnClosed.PREVIOUS_OPEN:
            return preceding
        case OnClosed.MODIFIED_FOLLOWING:
            month = at.astimezone(zone).month
            stays = following is not None and following.astimezone(zone).month == month
            return following if stays else preceding


def _nearest(at: datetime, zone: ZoneInfo, calendar: OpenDays, step: int) -> datetime | None:
    wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
    for n in range(1, FURTHEST_MOVE + 1):
        landed = _readings(wall + n * step * _DAY, zone)[0]
        if _is_open(landed, zone, calendar):
            return landed
    return None


def _is_open(at: datetime, zone: ZoneInfo, calendar: OpenDays) -> bool:
    return calendar.is_open_at(at.astimezone(calendar.zone or zone).replace(tzinfo=None))


def _readings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the clock reads `wall`, in order; in a gap, the first instant after it."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    found = sorted({at for at in (first, second) if at.astimezone(zone).replace(tzinfo=None, fold=0) == wall})
    return found or [_after_gap(min(first, second), max(first, second), zone)]


def _after_gap(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Between the two readings by the offsets before and after lies the change."""
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + ((high - low) / 2 // timedelta(seconds=1)) * timedelta(seconds=1)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
    return high
