"""A calendar as a thing that is kept: made, changed, deleted. What it says of days is in `calendars`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSnapshot:
    """All that a reader sees of a calendar, at one version."""

    id: CalendarId
    tenant_id: TenantId
    definition: CalendarDefinition
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarCreated(DomainEvent):
    type: ClassVar[str] = "calendar.created"
    calendar: CalendarSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarUpdated(DomainEvent):
    type: ClassVar[str] = "calendar.updated"
    calendar: CalendarSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDeleted(DomainEvent):
    type: ClassVar[str] = "calendar.deleted"


@dataclass(slots=True, kw_only=True, eq=False)
class Calendar(Aggregate):
    """Schedules and other calendars know it by its id, so that its name may change."""

    id: CalendarId
    definition: CalendarDefinition
    created_at: datetime
    updated_at: datetime
    version: int = 1
    deleted_at: datetime | None = None

    @classmethod
    def create(
        cls, tenant_id: TenantId, calendar_id: CalendarId, definition: CalendarDefinition, *, now: datetime
    ) -> Calendar:
        _check_includes(calendar_id, definition)
        calendar = cls(tenant_id=tenant_id, id=calendar_id, definition=definition, created_at=now, updated_at=now)
        calendar._record(
            CalendarCreated(tenant_id=tenant_id, subject=calendar_id, at=now, calendar=calendar.snapshot())
        )
        return calendar

    def change(self, definition: CalendarDefinition, *, now: datetime) -> None:
        """A definition equal to the present one changes nothing. Longer cycles of inclusion the caller must see."""
        if definition == self.definition:
            return
        _check_includes(self.id, definition)
        self.definition = definition
        self.updated_at = now
        self.version += 1
        self._record(CalendarUpdated(tenant_id=self.tenant_id, subject=self.id, at=now, calendar=self.snapshot()))

    def delete(self, *, now: datetime) -> None:
        self.deleted_at = now
        self._record(CalendarDeleted(tenant_id=self.tenant_id, subject=self.id, at=now))

    def snapshot(self) -> CalendarSnapshot:
        return CalendarSnapshot(
            id=self.id,
            tenant_id=self.tenant_id,
            definition=self.definition,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


def _check_includes(calendar_id: CalendarId, definition: CalendarDefinition) -> None:
    if calendar_id in definition.includes:
        raise InvalidError("a calendar cannot include itself", "includes")
