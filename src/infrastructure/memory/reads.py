"""What readers ask, answered straight from what is committed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from rota.application.ports.reads import CalendarFilter, JobFilter, Page, Paging, RunFilter, ScheduleFilter
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import Miss
from rota.domain.errors import NotFoundError
from rota.domain.ids import CalendarId, JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job, JobSnapshot
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.worker import WorkerSnapshot
from rota.infrastructure.memory import runs as run_rows
from rota.infrastructure.memory import schedules as schedule_rows
from rota.infrastructure.memory.calendars import living
from rota.infrastructure.memory.pages import page_by, page_of
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryReads:
    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._tables = store.tables
        self._open_days = store.open_days

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        found = self._tables.schedules.get((tenant_id, schedule_id))
        if found is None or found.deleted_at:
            raise NotFoundError("schedule", schedule_id)
        return schedule_rows.handed_out(self._store, self._tables.jobs, found)

    async def schedules(
        self, tenant_id: TenantId, wanted: ScheduleFilter, paging: Paging[UUID]
    ) -> Page[ScheduleSnapshot]:
        own = (each for each in self._tables.schedules.values() if each.tenant_id == tenant_id)
        living = (schedule_rows.handed_out(self._store, self._tables.jobs, each) for each in own if not each.deleted_at)
        return page_of((each.snapshot() for each in living if _is_schedule_wanted(each, wanted)), paging)

    async def misses(self, tenant_id: TenantId, schedule_id: ScheduleId, paging: Paging[datetime]) -> Page[Miss]:
        own = (tenant_id, schedule_id)
        found = [miss for miss in self._tables.misses.values() if (miss.tenant_id, miss.schedule_id) == own]
        return page_by(found, paging, lambda miss: miss.span.first, falls=True)

    async def job(self, tenant_id: TenantId, job_id: JobId) -> JobSnapshot:
        found = self._tables.jobs.get((tenant_id, job_id))
        if found is None or found.deleted_at:
            raise NotFoundError("job", job_id)
        return found.snapshot()

    async def jobs(self, tenant_id: TenantId, wanted: JobFilter, paging: Paging[UUID]) -> Page[JobSnapshot]:
        own = (each for each in self._tables.jobs.values() if each.tenant_id == tenant_id and not each.deleted_at)
        return page_of((each.snapshot() for each in own if _is_job_wanted(each, wanted)), paging)

    async def calendar(self, tenant_id: TenantId, calendar_id: CalendarId) -> CalendarSnapshot:
        found = living(self._tables, (tenant_id, calendar_id))
        if found is None:
            raise NotFoundError("calendar", calendar_id)
        return found.snapshot()

    async def calendars(
        self, tenant_id: TenantId, wanted: CalendarFilter, paging: Paging[UUID]
    ) -> Page[CalendarSnapshot]:
        own = (each for each in self._tables.calendars.values() if each.tenant_id == tenant_id and not each.deleted_at)
        prefix = wanted.name_prefix or ""
        return page_of((each.snapshot() for each in own if each.definition.name.startswith(prefix)), paging)

    async def open_days(self, tenant_id: TenantId, calendar_id: CalendarId) -> OpenDays:
        key = (tenant_id, calendar_id)
        told = self._open_days.of(
            [key], {own: row for own, row in self._tables.calendars.items() if not row.deleted_at}
        )
        if key not in told:
            raise NotFoundError("calendar", calendar_id)
        return told[key]

    async def run(self, tenant_id: TenantId, run_id: RunId) -> Run:
        found = self._tables.runs.get((tenant_id, run_id))
        if found is None:
            raise NotFoundError("run", run_id)
        return run_rows.handed_out(self._tables.jobs, found)

    async def runs(self, tenant_id: TenantId, wanted: RunFilter, paging: Paging[UUID]) -> Page[Run]:
        own = (each for each in self._tables.runs.values() if each.tenant_id == tenant_id)
        page = page_of((each for each in own if _is_run_wanted(each, wanted)), paging)
        items = [run_rows.handed_out(self._tables.jobs, each) for each in page.items]
        return Page(items, page.next_after, page.total)

    async def worker(self, tenant_id: TenantId, worker_id: WorkerId) -> WorkerSnapshot:
        found = self._tables.workers.get((tenant_id, worker_id))
        if found is None:
            raise NotFoundError("worker", worker_id)
        return found.worker.snapshot()

    async def workers(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[WorkerSnapshot]:
        own = (row.worker for row in self._tables.workers.values() if row.worker.tenant_id == tenant_id)
        return page_of((each.snapshot() for each in own), paging)


class InMemoryUpcoming:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables

    async def next_instant(self) -> datetime | None:
        due = [each.next.due_at for each in self._tables.schedules.values() if each.enabled and each.next]
        waking = [run.wake_at for run in self._tables.unfinished.values() if run.wake_at]
        return min(due + waking, default=None)

    async def has_catch_ups(self) -> bool:
        return bool(self._tables.catch_ups)


def _is_schedule_wanted(schedule: Schedule, wanted: ScheduleFilter) -> bool:
    own = schedule.definition
    return (
        wanted.enabled in (None, schedule.enabled)
        and own.name.startswith(wanted.name_prefix or "")
        and has_labels(own.labels, wanted.labels)
        and wanted.kind in (None, own.target.kind)
    )


def _is_job_wanted(job: Job, wanted: JobFilter) -> bool:
    own = job.definition
    return own.name.startswith(wanted.name_prefix or "") and wanted.queue in (None, own.queue)


def _is_run_wanted(run: Run, wanted: RunFilter) -> bool:
    return (
        wanted.schedule_id in (None, run.schedule_id)
        and wanted.job in (None, run.job and run.job.name)
        and wanted.worker_id in (None, run.worker_id)
        and (not wanted.states or run.state in wanted.states)
        and wanted.fingerprint in (None, run.fingerprint)
        and (not wanted.causes or run.cause in wanted.causes)
        and has_labels(run.labels, wanted.labels)
        and (wanted.since is None or run.scheduled_for >= wanted.since)
        and (wanted.until is None or run.scheduled_for < wanted.until)
    )


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    return labels.items() >= (wanted or {}).items()
