"""A new calendar."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.inclusion import open_days_after
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.calendar import Calendar, CalendarSnapshot
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.ids import CalendarId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCalendar(Message[CalendarSnapshot]):
    tenant_id: TenantId
    definition: CalendarDefinition


@dataclass(frozen=True, slots=True)
class CreateCalendarHandler:
    begin: Begin
    clock: Clock
    ids: Ids

    async def __call__(self, command: CreateCalendar) -> CalendarSnapshot:
        async with self.begin() as work:
            calendar = Calendar.create(
                command.tenant_id, CalendarId(self.ids()), command.definition, now=self.clock.now()
            )
            await open_days_after(work, calendar)
            work.calendars.add(calendar)
            keep_answer(work, calendar.snapshot())
            await work.commit()
        return calendar.snapshot()
