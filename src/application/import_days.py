"""A calendar takes over the closed days of a file. What it has already is not taken twice."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.change_calendar import ChangeCalendar, ChangeCalendarHandler, ChangedCalendar
from rota.application.command import Message
from rota.application.ports.calendar_files import ImportedDays
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.definition import CalendarDefinition, Closure, Holiday
from rota.domain.ids import CalendarId, TenantId


@dataclass(frozen=True, slots=True)
class Imported:
    """`holidays` and `closures` are those that are new in the calendar."""

    changed: ChangedCalendar
    holidays: tuple[Holiday, ...]
    closures: tuple[Closure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDays(Message[Imported]):
    """A dry run answers the same and changes nothing."""

    tenant_id: TenantId
    calendar_id: CalendarId
    days: ImportedDays
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ImportDaysHandler:
    change: ChangeCalendarHandler

    async def __call__(self, command: ImportDays) -> Imported:
        days = command.days

        def revise(standing: CalendarSnapshot) -> CalendarDefinition:
            return standing.definition.with_days(days.holidays, days.closures)

        changed = await self.change(
            ChangeCalendar(
                tenant_id=command.tenant_id,
                calendar_id=command.calendar_id,
                revise=revise,
                is_dry_run=command.is_dry_run,
                tell=_imported,
            )
        )
        return _imported(changed)


def _imported(changed: ChangedCalendar) -> Imported:
    before, after = changed.before.definition, changed.after.definition
    return Imported(changed, after.holidays[len(before.holidays) :], after.closures[len(before.closures) :])
