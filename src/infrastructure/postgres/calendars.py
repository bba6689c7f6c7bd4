"""Calendars as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.application.ports.keys import CalendarKey
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.history import CalendarHistory
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import CalendarId, TenantId
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.calendar_definitions import dump_calendar, load_calendar
from rota.infrastructure.postgres.tables import calendar_revisions, calendars, schedules
from rota.infrastructure.postgres.types import Uuid

LIVING = select(calendars).where(calendars.c.deleted_at.is_(None))
HELD = LIVING.with_for_update(read=True)


def to_calendar(row: Row[Any]) -> Calendar:
    return Calendar(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        definition=load_calendar(row.definition),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        deleted_at=row.deleted_at,
    )


def from_calendar(calendar: Calendar) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": calendar.tenant_id,
        "id": calendar.id,
        "name": calendar.definition.name,
        "definition": dump_calendar(calendar.definition),
        "includes": list(calendar.definition.includes),
        "created_at": calendar.created_at,
        "updated_at": calendar.updated_at,
        "deleted_at": calendar.deleted_at,
        "version": calendar.version,
        "seq": calendar.next_seq,
    }


async def with_included(
    connection: AsyncConnection, keys: Iterable[CalendarKey], among: Select[Any] = LIVING
) -> Mapping[CalendarKey, Calendar]:
    """Those that exist, and what they include, a level at a time."""
    found: dict[CalendarKey, Calendar] = {}
    asked: set[CalendarKey] = set()
    ahead = set(keys)
    while ahead:
        wanted = among.where(tuple_(calendars.c.tenant_id, calendars.c.id).in_(sorted(ahead)))
        rows = await connection.execute(wanted.order_by(calendars.c.tenant_id, calendars.c.id))
        level = [to_calendar(row) for row in rows]
        asked |= ahead
        found |= {(each.tenant_id, each.id): each for each in level}
        ahead = {(each.tenant_id, own) for each in level for own in each.definition.includes} - asked
    return found


async def history_of(
    connection: AsyncConnection, tenant_id: TenantId, calendar_ids: Iterable[CalendarId]
) -> CalendarHistory:
    """Of these, and of all that they ever included, a level at a time; deleted ones too."""
    revisions: dict[CalendarId, list[tuple[datetime, CalendarDefinition]]] = {}
    ahead = set(calendar_ids)
    while ahead:
        wanted = select(calendar_revisions).where(
            calendar_revisions.c.tenant_id == tenant_id, calendar_revisions.c.calendar_id.in_(sorted(ahead))
        )
        rows = await connection.execute(
            wanted.order_by(calendar_revisions.c.calendar_id, calendar_revisions.c.revision)
        )
        asked, ahead = ahead, set()
        for row in rows:
            said = load_calendar(row.definition)
            revisions.setdefault(row.calendar_id, []).append((row.at, said))
            ahead |= set(said.includes)
        ahead -= asked | revisions.keys()
    return CalendarHistory(revisions)


class PostgresCalendars:
    def __init__(self, connection: AsyncConnection, known: KnownOpenDays) -> None:
        self._connection = connection
        self._known = known
        self._added: list[Calendar] = []
        self._seen: dict[CalendarKey, tuple[Calendar, int, int]] = {}

    async def get(self, tenant_id: TenantId, calendar_id: CalendarId) -> Calendar:
        wanted = LIVING.where(calendars.c.tenant_id == tenant_id, calendars.c.id == calendar_id).with_for_update()
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("calendar", calendar_id)
        found = to_calendar(row)
        return self._seen.setdefault((tenant_id, calendar_id), (found, found.version, found.seq))[0]

    def add(self, calendar: Calendar) -> None:
        self._added.append(calendar)

    async def definitions(
        self, tenant_id: TenantId, ids: Iterable[CalendarId]
    ) -> Mapping[CalendarId, CalendarDefinition]:
        found = await with_included(self._connection, [(tenant_id, own) for own in ids], HELD)
        return {own: calendar.definition for (_, own), calendar in found.items()}

    async def including(self, tenant_id: TenantId, calendar_id: CalendarId) -> frozenset[CalendarId]:
        found: set[CalendarId] = set()
        ahead = {calendar_id}
        while ahead:
            wanted = select(calendars.c.id).where(
                calendars.c.tenant_id == tenant_id,
                calendars.c.deleted_at.is_(None),
                calendars.c.includes.bool_op("&&")(literal(sorted(ahead), ARRAY(Uuid))),
            )
            ahead = {CalendarId(own) for own in await self._connection.scalars(wanted)} - found
            found |= ahead
        return frozenset(found)

    async def open_days(self, keys: Iterable[CalendarKey]) -> Mapping[CalendarKey, OpenDays]:
        wanted = set(keys)
        return self._known.of(wanted, await with_included(self._connection, wanted, HELD))

    async def user_of(self, calendar: Calendar) -> str | None:
        own = (calendar.tenant_id, calendar.id)
        schedule = select(literal(1)).where(
            schedules.c.tenant_id == own[0], schedules.c.calendar_id == own[1], schedules.c.deleted_at.is_(None)
        )
        if await self._connection.scalar(schedule.limit(1)):
            return "a schedule"
        return "another calendar" if await self.including(*own) else None

    async def write(self) -> list[Calendar]:
        """Stores what was added and what changed, and new revisions; answers them."""
        if self._added:
            await self._connection.execute(insert(calendars), [from_calendar(each) for each in self._added])
        changed = [each for each in self._seen.values() if each[0].is_changed]
        for calendar, _, seq in changed:
            await self._update(calendar, seq)
        fresh = self._added + [calendar for calendar, version, _ in changed if calendar.version != version]
        if fresh:
            await self._connection.execute(insert(calendar_revisions), [_revision(each) for each in fresh])
        return self._added + [calendar for calendar, _, _ in changed]

    async def _update(self, calendar: Calendar, seq: int) -> None:
        done = await self._connection.execute(
            update(calendars)
            .where(calendars.c.tenant_id == calendar.tenant_id, calendars.c.id == calendar.id, calendars.c.seq == seq)
            .values(from_calendar(calendar))
        )
        if done.rowcount != 1:
            raise ConcurrentChangeError("calendar")


def _revision(calendar: Calendar) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": calendar.tenant_id,
        "calendar_id": calendar.id,
        "revision": calendar.version,
        "definition": dump_calendar(calendar.definition),
        "at": calendar.updated_at,
    }
