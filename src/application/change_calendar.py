"""A calendar gets a new definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rota.application.command import Message
from rota.application.inclusion import open_days_after
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.ids import CalendarId, ScheduleId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFire:
    """A schedule whose next fire comes at another instant than before; None is no further one."""

    schedule_id: ScheduleId
    name: str
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True)
class ChangedCalendar:
    before: CalendarSnapshot
    after: CalendarSnapshot
    moved: Sequence[MovedFire] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCalendar(Message[ChangedCalendar]):
    """`revise` makes the new definition of what stands. A dry run answers the same and changes nothing."""

    tenant_id: TenantId
    calendar_id: CalendarId
    revise: Callable[[CalendarSnapshot], CalendarDefinition]
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ChangeCalendarHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: ChangeCalendar) -> ChangedCalendar:
        async with self.begin() as work:
            calendar = await work.calendars.get(command.tenant_id, command.calendar_id)
            before = calendar.snapshot()
            calendar.change(command.revise(before), now=self.clock.now())
            await open_days_after(work, calendar)
            if not command.is_dry_run:
                await work.commit()
        return ChangedCalendar(before, calendar.snapshot())
