"""Calendars in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rota.application.ports.keys import CalendarKey
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import CalendarId, TenantId
from rota.domain.schedule import Schedule
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.names import rename
from rota.infrastructure.memory.tables import Draft, InMemoryStore, Seen, Tables, twin


class InMemoryCalendars:
    def __init__(self, store: InMemoryStore, holder: Holder) -> None:
        self._tables = store.tables
        self._locks = store.locks
        self._known = store.open_days
        self._holder = holder
        self._rows = Draft(store.tables.calendars)
        self._names = Draft(store.tables.calendar_names)
        self._revisions = Draft(store.tables.calendar_revisions)
        self._seen: Seen[CalendarKey, Calendar] = Seen()
        self._added: list[Calendar] = []

    async def get(self, tenant_id: TenantId, calendar_id: CalendarId) -> Calendar:
        key = (tenant_id, calendar_id)
        if key in self._tables.calendars:
            await self._locks.take(("calendar", key), self._holder)
        found = living(self._tables, key)
        if found is None:
            raise NotFoundError("calendar", calendar_id)
        return self._seen.keep(key, twin(found))

    def add(self, calendar: Calendar) -> None:
        self._added.append(calendar)

    async def definitions(
        self, tenant_id: TenantId, ids: Iterable[CalendarId]
    ) -> Mapping[CalendarId, CalendarDefinition]:
        found = await self._held([(tenant_id, own) for own in ids])
        return {own: calendar.definition for (_, own), calendar in found.items()}

    async def including(self, tenant_id: TenantId, calendar_id: CalendarId) -> frozenset[CalendarId]:
        found: set[CalendarId] = set()
        ahead = {calendar_id}
        while ahead:
            ahead = {
                each.id
                for each in self._tables.calendars.values()
                if each.tenant_id == tenant_id and not each.deleted_at and ahead.intersection(each.definition.includes)
            } - found
            found |= ahead
        return frozenset(found)

    async def open_days(self, keys: Iterable[CalendarKey]) -> Mapping[CalendarKey, OpenDays]:
        wanted = set(keys)
        return self._known.of(wanted, await self._held(wanted))

    async def user_of(self, calendar: Calendar) -> str | None:
        own = (calendar.tenant_id, calendar.id)
        if any(calendar_of(each) == own for each in self._tables.schedules.values() if not each.deleted_at):
            return "a schedule"
        return "another calendar" if await self.including(*own) else None

    def stage(self) -> list[Calendar]:
        """Checks what was added and what changed, and answers it. Raises NameTakenError, ConcurrentChangeError."""
        for calendar in self._added:
            self._put(calendar, before=None)
        changed = self._seen.changed()
        for key, calendar, seq in changed:
            stored = self._rows.get(key)
            if stored is None or stored.seq != seq:
                raise ConcurrentChangeError("calendar")
            self._put(calendar, before=stored)
        return self._added + [calendar for _, calendar, _ in changed]

    def publish(self) -> None:
        self._rows.publish()
        self._names.publish()
        self._revisions.publish()

    async def _held(self, keys: Iterable[CalendarKey]) -> Mapping[CalendarKey, Calendar]:
        """With all that they include, locked against change."""
        found: dict[CalendarKey, Calendar] = {}
        ahead = sorted(keys)
        while ahead:
            key = ahead.pop()
            if key in found or key not in self._tables.calendars:
                continue
            await self._locks.take(("calendar", key), self._holder, shared=True)
            calendar = living(self._tables, key)
            if calendar is not None:
                found[key] = calendar
                ahead += ((key[0], own) for own in calendar.definition.includes)
        return found

    def _put(self, calendar: Calendar, *, before: Calendar | None) -> None:
        tenant_id, own = calendar.tenant_id, calendar.id
        rename(self._names, "calendar", tenant_id, own, _living_name(before), _living_name(calendar))
        row = twin(calendar)
        self._rows.put((tenant_id, own), row)
        if before is None or before.version != calendar.version:
            self._revisions.put((tenant_id, own, calendar.version), row)


def living(tables: Tables, key: CalendarKey) -> Calendar | None:
    found = tables.calendars.get(key)
    return None if found is None or found.deleted_at else found


def calendar_of(schedule: Schedule) -> CalendarKey | None:
    """The one that it goes by."""
    rule = schedule.definition.calendar
    return None if rule is None else (schedule.tenant_id, rule.calendar_id)


def _living_name(calendar: Calendar | None) -> str | None:
    return None if calendar is None or calendar.deleted_at else calendar.definition.name
