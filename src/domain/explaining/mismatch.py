"""Why a trigger does not name a local time, and which instants it does name before and after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from rota.domain.calendars.business_days import nth_open_day
from rota.domain.calendars.open_days import OpenDays
from rota.domain.explaining.words import few, local, reading
from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule import Moment, RecurrenceRule, default_start
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.trigger import Cron, FixedRate, Ground, OnBusinessDay, Rrule, Trigger

_SECOND = timedelta(seconds=1)
_JUST = timedelta(microseconds=1)
_LOOK_BACK = timedelta(days=3653)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def said_by(trigger: Trigger) -> str:
    """What the trigger names, in words."""
    match trigger:
        case Cron():
            return repr(trigger.cron)
        case Rrule():
            return repr(trigger.rrule)
        case OnBusinessDay(rule):
            return f"open day {rule.day} of each {rule.of.lower()} at {rule.at}"
    return trigger.kind


def why_not(trigger: Trigger, ground: Ground, wall: datetime) -> str:
    """`wall` is what the clock of the schedule's zone reads; naive."""
    match trigger:
        case Cron():
            return "; ".join(_wrong_fields(trigger.cron, wall))
        case Rrule():
            return _not_recurring(trigger, ground, wall)
        case OnBusinessDay() if ground.open_days is not None:
            return _not_the_day(trigger, ground.open_days, wall)
    return ""


def _wrong_fields(text: str, wall: datetime) -> Iterator[str]:
    """Each field is asked by itself."""
    expression = parse_cron(text)
    if wall.microsecond:
        yield "it names whole seconds only"
    for name, value, wanted in (
        ("second", wall.second, expression.seconds),
        ("minute", wall.minute, expression.minutes),
        ("hour", wall.hour, expression.hours),
    ):
        if value not in wanted:
            yield f"the {name} {value} is not among {few(wanted)}"
    if next(expression.days.between(wall.date(), wall.date()), None) is None:
        yield from _wrong_day_fields(text, wall)


def _wrong_day_fields(text: str, wall: datetime) -> Iterator[str]:
    words = text.split()
    if words[0].startswith("@"):
        yield f"{text} names no time on {wall.date()}"
        return
    month_day, month, weekday = words[-3:]
    day_is, month_is, weekday_is = (
        _is_on(wall, alone) for alone in (f"{month_day} * *", f"* {month} *", f"* * {weekday}")
    )
    if not month_is:
        yield f"the month {wall.month} is not in {month!r}"
    by_day = f"the day-of-month {wall.day} is not in {month_day!r}"
    by_weekday = f"{_WEEKDAYS[wall.weekday()]} is not in the day-of-week {weekday!r}"
    both = not month_day.startswith("*") and not weekday.startswith("*")
    if both and not (day_is or weekday_is):
        yield f"{by_day} and {by_weekday}, one of which would be enough"
    elif not both:
        if not day_is:
            yield by_day
        if not weekday_is:
            yield by_weekday


def _is_on(wall: datetime, day_fields: str) -> bool:
    days = parse_cron(f"0 0 {day_fields}").days
    return next(days.between(wall.date(), wall.date()), None) is not None


def _not_recurring(trigger: Rrule, ground: Ground, wall: datetime) -> str:
    rule, start = parse_rrule(trigger.rrule), _start_of(trigger, ground)
    if wall < start:
        return f"it begins at {reading(start)}"
    if next(rule.recurrence.walls(start, wall, wall + _SECOND), None) != wall:
        return "its parts name no such local time"
    if _is_excluded(rule, ground, wall):
        return "its parts match, and an EXDATE takes it away"
    if rule.count is not None:
        return f"its parts match, and its COUNT of {rule.count} is used up before"
    return "its parts match, and it ends before, with its UNTIL"


def _start_of(trigger: Rrule, ground: Ground) -> datetime:
    """As the clock reads it; naive."""
    start = trigger.start_at or default_start(ground.created_at, ground.zone)
    wall = start.astimezone(ground.zone) if start.tzinfo else start
    return wall.replace(tzinfo=None, microsecond=0, fold=0)


def _is_excluded(rule: RecurrenceRule, ground: Ground, wall: datetime) -> bool:
    return any(_takes(moment, ground, wall) for moment in rule.excluded)


def _takes(moment: Moment, ground: Ground, wall: datetime) -> bool:
    if moment.is_whole_day:
        return moment.at.date() == wall.date()
    if moment.is_local_to(ground.zone):
        return moment.at == wall
    return moment.instant().astimezone(ground.zone).replace(tzinfo=None) == wall


def _not_the_day(trigger: OnBusinessDay, calendar: OpenDays, wall: datetime) -> str:
    own = trigger.rule
    day = nth_open_day(calendar, own.day, own.of, wall.date())
    if day is None:
        return f"this {own.of.lower()} has not so many open days in {calendar.name}"
    if day != wall.date():
        return f"that day of this {own.of.lower()} is {day} in {calendar.name}"
    return f"on {day} it is due at {own.at}"


def neighbours(trigger: Trigger, ground: Ground, at: datetime) -> str:
    """The nearest instants that the trigger names before and after, in words; before, no further than ten years."""
    before, after = _last_before(trigger, ground, at), trigger.next_fire(at, ground)
    said = [f"before it {local(before, ground.zone)}"] if before else []
    said += [f"after it {local(after, ground.zone)}" if after else "none after it"]
    return "the nearest are " + ", ".join(said) if before else said[0]


def _last_before(trigger: Trigger, ground: Ground, at: datetime) -> datetime | None:
    """Found by asking for what comes next after ever later instants, as triggers only look ahead."""

    def following(low: datetime) -> datetime | None:
        found = trigger.next_fire(low - _JUST, ground)
        return found if found is not None and found < at else None

    if isinstance(trigger, FixedRate):
        return following(at - trigger.every)
    back = _SECOND
    while (found := following(at - back)) is None:
        if back >= _LOOK_BACK:
            return None
        back = min(8 * back, _LOOK_BACK)
    high = at
    while high - found > _SECOND:
        middle = found + (high - found) / 2
        later = following(middle)
        if later is None:
            high = middle
        else:
            found = later
    return found
