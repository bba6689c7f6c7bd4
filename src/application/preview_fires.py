"""When would it fire? Asks the schedule itself, and stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rota.application.ports.reads import Reads
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError, NotFoundError
from rota.domain.ids import TenantId
from rota.domain.misfire import DueTime
from rota.domain.notes import note_of
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.time.zone import load_zone
from rota.domain.trigger import Ground

MOST = 1_000
_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fire:
    """`at` is the due instant, `local` the same on the wall clock of the schedule's zone; `note` is what touched it."""

    at: datetime
    scheduled_for: datetime
    local: datetime
    note: str = ""


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
    left = schedule.runs_left
    following = islice(schedule.upcoming(start - _JUST, now), count if left is None else min(count, left))
    return [*_noted(schedule, start, following)]


def _noted(schedule: Schedule, start: datetime, following: Iterable[DueTime]) -> Iterator[Fire]:
    own = schedule.definition
    ground = Ground(load_zone(own.tz), schedule.created_at, own.start_at, schedule.open_days)
    on_closed = own.calendar.on_closed if own.calendar else None
    since = start
    for due in following:
        note = note_of(due, own.trigger, ground, on_closed, since=since)
        yield Fire(due.due_at, due.scheduled_for, due.due_at.astimezone(ground.zone), note)
        since = due.scheduled_for
