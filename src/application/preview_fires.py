"""When would it fire? Asks the schedule itself, and stores nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rota.application.ports.reads import Reads
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError, NotFoundError
from rota.domain.ids import TenantId
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.time.zone import load_zone

MOST = 1_000
_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fire:
    """`at` is the due instant, `local` the same on the wall clock of the schedule's zone."""

    at: datetime
    scheduled_for: datetime
    local: datetime


async def said_by(reads: Reads, tenant_id: TenantId, rule: CalendarRule | None) -> OpenDays | None:
    """What the calendar says at present. Raises InvalidError on `calendar.calendarId` where there is none."""
    if rule is None:
        return None
    try:
        return await reads.open_days(tenant_id, rule.calendar_id)
    except NotFoundError as error:
        raise InvalidError("there is no such calendar", "calendar.calendarId") from error


def upcoming_fires(schedule: Schedule, start: datetime, count: int, now: datetime | None = None) -> list[Fire]:
    """The first `count` with `at` not before `start`. With `now`, what is due later is only what is not decided yet."""
    zone = load_zone(schedule.definition.tz)
    left = schedule.runs_left
    following = islice(schedule.upcoming(start - _JUST, now), count if left is None else min(count, left))
    return [Fire(due.due_at, due.scheduled_for, due.due_at.astimezone(zone)) for due in following]
