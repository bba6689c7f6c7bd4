"""What would a set of schedules fire in a period? In virtual time: nothing is stored, and nobody waits.

The leader is never late and each run ends at once, so that no misfire policy and no overlap is ever asked. The
schedules count as made when the period begins, which cuts off nothing that was scheduled before and is due in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby, islice
from uuid import UUID

from rota.application.batches import each
from rota.application.drafts import ScheduleDraft, jobs_of, open_days_for
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import open_days_of
from rota.domain.calendars.settling import FURTHEST
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, JobId, ScheduleId, TenantId
from rota.domain.job import Job, JobDefinition
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay

_JUST = timedelta(microseconds=1)
_FURTHEST_MOVE = FURTHEST + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SimulatedFire:
    schedule: Schedule
    due: DueTime


def standing(
    tenant_id: TenantId,
    drafts: Sequence[tuple[ScheduleId, ScheduleDraft]],
    calendars: Mapping[CalendarId, CalendarDefinition],
    now: datetime,
) -> Sequence[Schedule]:
    """The schedules, made at `now`; any job that they name is taken to be there. Raises InvalidError on `schedules`."""
    open_days = {own: open_days_of(own, calendars) for own in calendars}
    names = sorted(jobs_of(draft for _, draft in drafts))
    jobs = {
        name: Job.create(tenant_id, JobId(UUID(int=n)), JobDefinition(name=name), now=now)
        for n, name in enumerate(names, start=1)
    }

    def make(said: tuple[ScheduleId, ScheduleDraft]) -> Schedule:
        own_id, draft = said
        return Schedule.create(
            tenant_id,
            own_id,
            draft.definition(jobs),
            now=now,
            enabled=draft.enabled,
            open_days=open_days_for(draft.calendar, open_days),
        )

    try:
        return each(drafts, make, indexed=True)
    except InvalidError as error:
        raise error.under("schedules") from error


def check_period(since: datetime, until: datetime) -> None:
    """Raises InvalidError on `to`."""
    if until <= since:
        raise InvalidError("must be after `from`", "to")


def simulated_fires(schedules: Iterable[Schedule], since: datetime, until: datetime) -> Iterator[SimulatedFire]:
    """Those with `due_at` from `since` to before `until`, in order of that; at one instant, in the order given.

    Made as they are asked for, however long the period.
    """
    found = [_placed(place, own, since, until) for place, own in enumerate(schedules)]
    return (SimulatedFire(own, due) for _, _, own, due in merge(*found, key=lambda fire: fire[:2]))


def _placed(
    place: int, own: Schedule, since: datetime, until: datetime
) -> Iterator[tuple[datetime, int, Schedule, DueTime]]:
    return ((due.due_at, place, own, due) for due in fires_of(own, since, until))


def fires_of(own: Schedule, since: datetime, until: datetime) -> Iterator[DueTime]:
    """Those of one schedule."""
    if not own.enabled:
        return iter(())
    return islice(_all_fires_of(own, since, until), own.definition.max_runs)


def _all_fires_of(own: Schedule, since: datetime, until: datetime) -> Iterator[DueTime]:
    said = own.definition
    if isinstance(said.trigger, FixedDelay):
        return _one_after_another(own, said.trigger.delay, until)
    if said.calendar is not None and said.calendar.moves:
        return _moved(own, since, until)
    found = own.due_times(since - said.jitter - _JUST, until - _JUST)
    return (due for due in found if since <= due.due_at < until)


def _moved(own: Schedule, since: datetime, until: datetime) -> Iterator[DueTime]:
    """What lands at one instant fires once."""
    low = since - own.definition.jitter - _FURTHEST_MOVE
    found = own.due_times(low, until + _FURTHEST_MOVE)
    landed = sorted((due.due_at, due.scheduled_for) for due in found if since <= due.due_at < until)
    return (DueTime(next(each)[1], at) for at, each in groupby(landed, key=lambda pair: pair[0]))


def _one_after_another(own: Schedule, delay: timedelta, until: datetime) -> Iterator[DueTime]:
    """Each run ends at once, so that the next is due a delay after this one was."""
    due, end = own.next, own.definition.end_at
    while due is not None and due.due_at < until and (end is None or due.scheduled_for < end):
        yield due
        spread = due.due_at - due.scheduled_for
        due = DueTime(due.due_at + delay, due.due_at + delay + spread)
