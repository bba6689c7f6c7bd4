"""A change of a calendar is a change of all that include it."""

from __future__ import annotations

from collections.abc import Mapping

from rota.application.ports.store import UnitOfWork
from rota.domain.calendar import Calendar
from rota.domain.calendars.open_days import OpenDays, open_days_of
from rota.domain.ids import CalendarId


async def open_days_after(work: UnitOfWork, calendar: Calendar) -> Mapping[CalendarId, OpenDays]:
    """The calendar, whose present definition is not stored yet, and those that include it, as they are with it.

    Raises InvalidError on `includes`: one that is unknown, that leads back to the calendar, or too many in all.
    """
    tenant_id = calendar.tenant_id
    including = await work.calendars.including(tenant_id, calendar.id)
    stored = await work.calendars.definitions(tenant_id, [*calendar.definition.includes, *including])
    definitions = {**stored, calendar.id: calendar.definition}
    return {own: open_days_of(own, definitions) for own in (calendar.id, *including) if own in definitions}
