"""When would it fire? Asks the schedule itself, and stores nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rota.domain.schedule import Schedule
from rota.domain.time.zone import load_zone

MOST = 1_000
_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fire:
    """`at` is the due instant, `local` the same on the wall clock of the schedule's zone."""

    at: datetime
    scheduled_for: datetime
    local: datetime


def upcoming_fires(schedule: Schedule, start: datetime, count: int) -> list[Fire]:
    """The first `count` with `at` not before `start`."""
    zone = load_zone(schedule.definition.tz)
    left = schedule.runs_left
    following = islice(schedule.upcoming(start - _JUST), count if left is None else min(count, left))
    return [Fire(due.due_at, due.scheduled_for, due.due_at.astimezone(zone)) for due in following]
