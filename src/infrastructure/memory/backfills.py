"""Backfills in memory, and what the tables tell of a schedule's past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from copy import copy
from datetime import datetime

from rota.application.ports.backfills import BackfillLook
from rota.domain.backfill import Backfill, BackfillState, Reign, in_calendars
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.history import CalendarHistory
from rota.domain.errors import NotFoundError
from rota.domain.ids import BackfillId, CalendarId, ScheduleId, TenantId
from rota.domain.job import Job
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import OneShot
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.runs import ONCE_PER_DUE_TIME
from rota.infrastructure.memory.schedules import handed_out
from rota.infrastructure.memory.tables import BackfillKey, Draft, InMemoryStore, JobKey, Tables, twin


class InMemoryBackfills:
    def __init__(self, store: InMemoryStore, holder: Holder, jobs: Draft[JobKey, Job]) -> None:
        self._store = store
        self._tables = store.tables
        self._locks = store.locks
        self._holder = holder
        self._jobs = jobs
        self._rows = Draft(store.tables.backfills)
        self._seen: dict[BackfillKey, Backfill] = {}

    def add(self, backfill: Backfill) -> None:
        self._seen[_key(backfill)] = backfill

    async def get(self, tenant_id: TenantId, backfill_id: BackfillId) -> Backfill:
        key = (tenant_id, backfill_id)
        await self._locks.take(("backfill", key), self._holder)
        if self._rows.get(key) is None:
            raise NotFoundError("backfill", backfill_id)
        return self._own(key)

    async def ready(self) -> tuple[Backfill, int] | None:
        may = [row for _, row in self._rows.items() if row.state is BackfillState.RUNNING and self._may_go_on(row)]
        may.sort(key=lambda row: row.next_at)
        free = self._locks.take_free("backfill", map(_key, may), self._holder, 1)
        if not free:
            return None
        backfill = self._own(free[0])
        return backfill, self._unfinished(backfill)

    async def reigns(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Sequence[Reign]:
        of_it = [row for key, row in self._tables.revisions.items() if key[:2] == (tenant_id, schedule_id)]
        revisions = sorted(of_it, key=lambda row: row.version)
        ends = [row.updated_at for row in revisions[1:]]
        found = [self._reign(row, end) for row, end in zip(revisions, [*ends, None], strict=True)]
        wanted = [each for each in found if _is_wanted(each, since, until)]
        return list(in_calendars(wanted, self._history(tenant_id)))

    async def taken(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Collection[datetime]:
        own = (run for run in self._tables.runs.values() if _is_of(run, tenant_id, schedule_id))
        return {
            run.scheduled_for for run in own if run.cause in ONCE_PER_DUE_TIME and since <= run.scheduled_for < until
        }

    async def caught_up(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Sequence[tuple[datetime, datetime]]:
        found = self._tables.catch_ups.items()
        return [(row.span.first, row.span.last) for key, row in found if key[:2] == (tenant_id, schedule_id)]

    async def removed_to(self, tenant_id: TenantId, schedule_id: ScheduleId) -> datetime | None:
        return self._tables.removed_to.get((tenant_id, schedule_id))

    async def look(self, backfill: Backfill) -> BackfillLook:
        return _look(self._tables, backfill)

    def stage(self) -> None:
        for key, backfill in self._seen.items():
            self._rows.put(key, copy(backfill))

    def publish(self) -> None:
        self._rows.publish()

    def _own(self, key: BackfillKey) -> Backfill:
        row = self._rows.get(key)
        assert row is not None  # one that is not over is never removed
        return self._seen.setdefault(key, copy(row))

    def _may_go_on(self, backfill: Backfill) -> bool:
        schedule = self._tables.schedules[backfill.tenant_id, backfill.schedule_id]
        if schedule.deleted_at is not None:
            return True
        if schedule.definition.overlap is Overlap.ALLOW:
            return self._unfinished(backfill) < backfill.max_concurrent
        runs = self._tables.unfinished.values()
        return not any(_is_of(run, backfill.tenant_id, backfill.schedule_id) for run in runs)

    def _unfinished(self, backfill: Backfill) -> int:
        return sum(_is_by(run, backfill) for run in self._tables.unfinished.values())

    def _reign(self, row: Schedule, until: datetime | None) -> Reign:
        now = self._tables.schedules[row.tenant_id, row.id]
        then = twin(now)
        then.definition, then.version, then.enabled, then.ahead = row.definition, row.version, row.enabled, frozenset()
        then = handed_out(self._store, self._jobs, then)
        recorded = (each for each in _recorded(self._tables, row) if each >= row.updated_at)
        return Reign(
            schedule=then,
            since=row.updated_at,
            until=until,
            recorded_to=max((each for each in recorded if until is None or each < until), default=None),
            is_deleted=row.deleted_at is not None,
        )

    def _history(self, tenant_id: TenantId) -> CalendarHistory:
        own = sorted((key, row) for key, row in self._tables.calendar_revisions.items() if key[0] == tenant_id)
        revisions: dict[CalendarId, list[tuple[datetime, CalendarDefinition]]] = {}
        for (_, calendar_id, _), row in own:
            revisions.setdefault(calendar_id, []).append((row.updated_at, row.definition))
        return CalendarHistory(revisions)


class InMemoryBackfillReads:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables

    async def backfill(self, tenant_id: TenantId, backfill_id: BackfillId) -> BackfillLook:
        found = self._tables.backfills.get((tenant_id, backfill_id))
        if found is None:
            raise NotFoundError("backfill", backfill_id)
        return _look(self._tables, found)


def _look(tables: Tables, backfill: Backfill) -> BackfillLook:
    states = Counter(run.state for run in tables.runs.values() if _is_by(run, backfill))
    known = [states.pop(each, 0) for each in (RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED)]
    return BackfillLook(copy(backfill), states.total(), *known)


def _is_wanted(reign: Reign, since: datetime, until: datetime) -> bool:
    if reign.until is None:
        return True
    is_one_shot = isinstance(reign.schedule.definition.trigger, OneShot)
    return reign.until > since and (reign.since < until or is_one_shot)


def _recorded(tables: Tables, of: Schedule) -> Sequence[datetime]:
    """The due times that have a run of cause SCHEDULE, and the last of each miss."""
    runs = (run for run in tables.runs.values() if _is_of(run, of.tenant_id, of.id))
    missed = (miss for key, miss in tables.misses.items() if key[:2] == (of.tenant_id, of.id))
    return [*(run.scheduled_for for run in runs if run.cause is Cause.SCHEDULE), *(miss.span.last for miss in missed)]


def _is_by(run: Run, backfill: Backfill) -> bool:
    is_of = _is_of(run, backfill.tenant_id, backfill.schedule_id)
    return is_of and run.cause is Cause.BACKFILL and run.correlation_id == str(backfill.id)


def _is_of(run: Run, tenant_id: TenantId, schedule_id: ScheduleId) -> bool:
    return (run.tenant_id, run.schedule_id) == (tenant_id, schedule_id)


def _key(backfill: Backfill) -> BackfillKey:
    return (backfill.tenant_id, backfill.id)
