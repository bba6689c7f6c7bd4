"""Triggers that name local times: what they name, and what becomes of it where the clock is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rota.domain.calendars.open_days import OpenDays
from rota.domain.explaining.words import reading
from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule import RFC_5545, default_start, parse_rrule
from rota.domain.time.zone import ClockChange, Walls
from rota.domain.trigger import Cron, Ground, OnBusinessDay, Rrule, Trigger

_SECOND = timedelta(seconds=1)
_MOST = 7


@dataclass(frozen=True, slots=True)
class LocalRule:
    """`walls` may name more than the rule means (EXDATE, UNTIL and COUNT are not asked); `change` is its policy."""

    said: str
    walls: Walls
    change: ClockChange

    def names(self, wall: datetime) -> bool:
        return not wall.microsecond and next(iter(self.walls(wall, wall + _SECOND)), None) == wall

    def some(self, low: datetime, high: datetime) -> list[str]:
        """The first of what it names from `low` to before `high`, in words."""
        return [reading(wall) for wall in islice(self.walls(low, high), _MOST)]


def local_rule(trigger: Trigger, ground: Ground) -> LocalRule | None:
    """None for a trigger that counts no local times."""
    match trigger:
        case Cron():
            expression = parse_cron(trigger.cron)
            return LocalRule(repr(trigger.cron), expression.walls, trigger.dst or expression.default_change)
        case Rrule():
            return _recurring(trigger, ground)
        case OnBusinessDay() if ground.open_days is not None:
            return _on_business_days(trigger, ground.open_days)
    return None


def start_of(trigger: Rrule, ground: Ground) -> datetime:
    """Where the rule begins, as the clock reads it; naive."""
    start = trigger.start_at or default_start(ground.created_at, ground.zone)
    local = start.astimezone(ground.zone) if start.tzinfo else start
    return local.replace(tzinfo=None, microsecond=0, fold=0)


def _recurring(trigger: Rrule, ground: Ground) -> LocalRule:
    recurrence, start = parse_rrule(trigger.rrule).recurrence, start_of(trigger, ground)

    def walls(low: datetime, high: datetime) -> Iterator[datetime]:
        return recurrence.walls(start, low, high)

    return LocalRule(repr(trigger.rrule), walls, trigger.dst or RFC_5545)


def _on_business_days(trigger: OnBusinessDay, calendar: OpenDays) -> LocalRule:
    own = trigger.rule

    def walls(low: datetime, high: datetime) -> Iterator[datetime]:
        return own.walls(low, high, calendar)

    which = f"open day {own.day}" if own.day > 0 else f"open day {own.day} (from the end)"
    return LocalRule(f"{which} of each {own.of.lower()} at {own.at}", walls, own.dst or ClockChange())
