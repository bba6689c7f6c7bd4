"""What a change of calendars does to the schedules that go by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rota.application.firing import settle
from rota.application.ports.bus import Order
from rota.application.ports.clock import Ids
from rota.application.ports.store import UnitOfWork
from rota.domain.calendars.open_days import OpenDays
from rota.domain.ids import CalendarId, ScheduleId, TenantId

AT_ONCE = 25
"""Schedules between two statements: a sparse one takes 20 ms, and a transaction that falls silent is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFire:
    """A schedule whose next fire comes at another instant than before; None is no further one."""

    schedule_id: ScheduleId
    name: str
    before: datetime | None
    after: datetime | None


async def move_fires(
    work: UnitOfWork, tenant_id: TenantId, changed: Mapping[CalendarId, OpenDays], *, now: datetime, ids: Ids
) -> tuple[Sequence[MovedFire], Sequence[Order]]:
    """Gives each schedule that goes by one of these calendars its new next instant; answers those that move.

    The calendars are locked: no schedule comes to go by them meanwhile. What is due already is decided first, as the
    calendars were. With it, what the workers of replaced runs are to be told after the commit.
    """
    moved: list[MovedFire] = []
    orders: list[Order] = []
    ahead = iter(await work.schedules.going_by(tenant_id, changed))
    while portion := list(islice(ahead, AT_ONCE)):
        for schedule in (await work.schedules.load([(tenant_id, own) for own in portion])).values():
            rule = schedule.definition.calendar
            if rule is None or rule.calendar_id not in changed:  # it was given another before it was locked
                continue
            if schedule.is_due(now):
                orders += await settle(work, schedule, now=now, ids=ids)
            move = schedule.recalendar(changed[rule.calendar_id], now=now)
            if move is not None and schedule.enabled:
                moved.append(
                    MovedFire(
                        schedule_id=schedule.id,
                        name=schedule.definition.name,
                        before=move.before,
                        after=move.after,
                    )
                )
    return moved, orders
