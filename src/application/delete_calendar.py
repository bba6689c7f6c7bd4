"""A calendar goes, once nothing goes by it."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.errors import CalendarInUseError
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import CalendarId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCalendar(Message[None]):
    tenant_id: TenantId
    calendar_id: CalendarId
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class DeleteCalendarHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: DeleteCalendar) -> None:
        async with self.begin() as work:
            calendar = await work.calendars.get(command.tenant_id, command.calendar_id)
            command.expected.check(calendar.version)
            if user := await work.calendars.user_of(calendar):
                raise CalendarInUseError(calendar.definition.name, user)
            calendar.delete(now=self.clock.now())
            await work.commit()
