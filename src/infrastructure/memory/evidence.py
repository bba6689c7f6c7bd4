"""What is kept of how a schedule came to fire, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rota.application.ports.keys import CalendarKey
from rota.domain.calendar import Calendar
from rota.domain.calendars.open_days import OpenDays
from rota.domain.explaining.verdict import Record
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.memory import runs as run_rows
from rota.infrastructure.memory.calendars import calendar_of
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryEvidence:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables
        self._known = KnownOpenDays()

    async def versions(
        self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime, following: int
    ) -> Sequence[Schedule]:
        rows = {key[2]: row for key, row in self._tables.revisions.items() if key[:2] == (tenant_id, schedule_id)}
        begin = max((version for version, row in rows.items() if row.updated_at <= at), default=1)
        found = [rows[version] for version in sorted(rows) if version >= begin][: following + 1]
        return [self._as_it_was(row, at) for row in found]

    async def record(self, tenant_id: TenantId, schedule_id: ScheduleId, scheduled_for: datetime) -> Record:
        own = [
            run for run in self._tables.runs.values() if (run.tenant_id, run.schedule_id) == (tenant_id, schedule_id)
        ]
        taken = self._tables.due_times.get((tenant_id, schedule_id, scheduled_for))
        before = [run for run in own if run.cause is Cause.SCHEDULE and run.scheduled_for < scheduled_for]
        earlier = max(before, key=lambda run: run.scheduled_for, default=None)
        misses = (each for key, each in self._tables.misses.items() if key[:2] == (tenant_id, schedule_id))
        covering = [each for each in misses if each.span.first <= scheduled_for <= each.span.last]
        catch_ups = (each for key, each in self._tables.catch_ups.items() if key[:2] == (tenant_id, schedule_id))
        return Record(
            run=self._handed_out(next((run for run in own if run.id == taken), None)),
            miss=max(covering, key=lambda miss: miss.span.first, default=None),
            catch_up=next((each for each in catch_ups if each.span.first <= scheduled_for <= each.span.last), None),
            earlier=self._handed_out(earlier),
        )

    async def heard(self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime) -> Run | None:
        found = [
            run
            for run in self._tables.runs.values()
            if (run.tenant_id, run.schedule_id, run.cause) == (tenant_id, schedule_id, Cause.EVENT)
            and since <= run.scheduled_for < until
        ]
        return self._handed_out(min(found, key=lambda run: (run.scheduled_for, run.id), default=None))

    def _handed_out(self, row: Run | None) -> Run | None:
        return None if row is None else run_rows.handed_out(self._tables.jobs, row)

    def _as_it_was(self, row: Schedule, at: datetime) -> Schedule:
        present = self._tables.schedules[row.tenant_id, row.id]
        return Schedule(
            tenant_id=row.tenant_id,
            id=row.id,
            definition=row.definition,
            created_at=row.created_at,
            updated_at=row.updated_at,
            enabled=row.enabled,
            version=row.version,
            deleted_at=row.deleted_at,
            disabled_until=present.disabled_until if row.version == present.version else None,
            open_days=self._said(calendar_of(row), max(at, row.updated_at)),
        )

    def _said(self, key: CalendarKey | None, at: datetime) -> OpenDays | None:
        return None if key is None else self._known.of([key], self._calendars_at(at)).get(key)

    def _calendars_at(self, at: datetime) -> Mapping[CalendarKey, Calendar]:
        """As they were then; of one that was not there yet, its first revision."""
        found: dict[CalendarKey, Calendar] = {}
        for (tenant_id, own, _), row in sorted(self._tables.calendar_revisions.items(), key=lambda item: item[0][2]):
            if (tenant_id, own) not in found or row.updated_at <= at:
                found[tenant_id, own] = row
        return found
