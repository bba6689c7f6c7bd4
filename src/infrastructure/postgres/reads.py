"""What readers ask, answered straight from the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Table, cast, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.json import dump
from rota.application.ports.reads import CalendarFilter, JobFilter, Page, Paging, RunFilter, ScheduleFilter
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import Miss
from rota.domain.errors import NotFoundError
from rota.domain.ids import CalendarId, JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import JobSnapshot
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.worker import WorkerSnapshot
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres import calendars as calendar_rows
from rota.infrastructure.postgres import run_rows, schedule_rows
from rota.infrastructure.postgres.backlog import to_miss
from rota.infrastructure.postgres.calendars import to_calendar
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.jobs import to_job_snapshot
from rota.infrastructure.postgres.pages import Identified, page_of
from rota.infrastructure.postgres.run_rows import to_run
from rota.infrastructure.postgres.schedule_rows import to_schedule, with_open_days
from rota.infrastructure.postgres.tables import calendars, catchups, jobs, misses, runs, schedules, workers
from rota.infrastructure.postgres.types import JsonbText
from rota.infrastructure.postgres.workers import to_worker

Item = TypeVar("Item", bound=Identified)


class PostgresReads:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._one_look = engine.execution_options(isolation_level="REPEATABLE READ")
        self._open_days = KnownOpenDays()

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        query = schedule_rows.WITH_JOB.where(schedules.c.deleted_at.is_(None))
        found = to_schedule(await self._one(query, schedules, "schedule", tenant_id, schedule_id))
        if found.definition.calendar is not None:
            async with transaction(self._one_look) as connection:
                await with_open_days(connection, self._open_days, [found])
        return found

    async def schedules(
        self, tenant_id: TenantId, wanted: ScheduleFilter, paging: Paging[UUID]
    ) -> Page[ScheduleSnapshot]:
        query = schedule_rows.WITH_JOB.where(schedules.c.deleted_at.is_(None))
        if wanted.enabled is not None:
            query = query.where(schedules.c.enabled == wanted.enabled)
        if wanted.name_prefix is not None:
            query = query.where(schedules.c.name.startswith(wanted.name_prefix, autoescape=True))
        if wanted.labels:
            query = query.where(has_labels(schedules, wanted.labels))
        if wanted.kind is not None:
            query = query.where(schedules.c.target_kind == wanted.kind)
        return await self._page(query, schedules, tenant_id, paging, lambda row: to_schedule(row).snapshot())

    async def misses(self, tenant_id: TenantId, schedule_id: ScheduleId, paging: Paging[datetime]) -> Page[Miss]:
        query = select(misses).where(misses.c.tenant_id == tenant_id, misses.c.schedule_id == schedule_id)
        part = query.order_by(misses.c.first.desc())
        if paging.after is not None:
            part = part.where(misses.c.first < paging.after)
        async with transaction(self._engine) as connection:
            return await page_of(connection, query, part, paging, to_miss, lambda miss: miss.span.first)

    async def job(self, tenant_id: TenantId, job_id: JobId) -> JobSnapshot:
        query = select(jobs).where(jobs.c.deleted_at.is_(None))
        return to_job_snapshot(await self._one(query, jobs, "job", tenant_id, job_id))

    async def jobs(self, tenant_id: TenantId, wanted: JobFilter, paging: Paging[UUID]) -> Page[JobSnapshot]:
        query = select(jobs).where(jobs.c.deleted_at.is_(None))
        if wanted.name_prefix is not None:
            query = query.where(jobs.c.name.startswith(wanted.name_prefix, autoescape=True))
        if wanted.queue is not None:
            query = query.where(jobs.c.queue == wanted.queue)
        return await self._page(query, jobs, tenant_id, paging, to_job_snapshot)

    async def calendar(self, tenant_id: TenantId, calendar_id: CalendarId) -> CalendarSnapshot:
        row = await self._one(calendar_rows.LIVING, calendars, "calendar", tenant_id, calendar_id)
        return to_calendar(row).snapshot()

    async def calendars(
        self, tenant_id: TenantId, wanted: CalendarFilter, paging: Paging[UUID]
    ) -> Page[CalendarSnapshot]:
        query = calendar_rows.LIVING
        if wanted.name_prefix is not None:
            query = query.where(calendars.c.name.startswith(wanted.name_prefix, autoescape=True))
        return await self._page(query, calendars, tenant_id, paging, lambda row: to_calendar(row).snapshot())

    async def open_days(self, tenant_id: TenantId, calendar_id: CalendarId) -> OpenDays:
        key = (tenant_id, calendar_id)
        async with transaction(self._one_look) as connection:
            found = await calendar_rows.with_included(connection, [key])
        told = self._open_days.of([key], found)
        if key not in told:
            raise NotFoundError("calendar", calendar_id)
        return told[key]

    async def run(self, tenant_id: TenantId, run_id: RunId) -> Run:
        return to_run(await self._one(run_rows.WITH_JOB, runs, "run", tenant_id, run_id))

    async def runs(self, tenant_id: TenantId, wanted: RunFilter, paging: Paging[UUID]) -> Page[Run]:
        query = run_rows.WITH_JOB
        for condition in _run_conditions(wanted):
            query = query.where(condition)
        return await self._page(query, runs, tenant_id, paging, to_run)

    async def worker(self, tenant_id: TenantId, worker_id: WorkerId) -> WorkerSnapshot:
        return to_worker(await self._one(select(workers), workers, "worker", tenant_id, worker_id)).snapshot()

    async def workers(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[WorkerSnapshot]:
        return await self._page(select(workers), workers, tenant_id, paging, lambda row: to_worker(row).snapshot())

    async def _one(self, query: Select[Any], table: Table, kind: str, tenant_id: TenantId, key: UUID) -> Row[Any]:
        async with transaction(self._engine) as connection:
            found = await connection.execute(query.where(table.c.tenant_id == tenant_id, table.c.id == key))
            row: Row[Any] | None = found.one_or_none()
        if row is None:
            raise NotFoundError(kind, key)
        return row

    async def _page(
        self,
        query: Select[Any],
        table: Table,
        tenant_id: TenantId,
        paging: Paging[UUID],
        to_item: Callable[[Row[Any]], Item],
    ) -> Page[Item]:
        """Newest first: ids are UUIDv7, so their order is that of creation."""
        query = query.where(table.c.tenant_id == tenant_id)
        part = query.order_by(table.c.id.desc())
        if paging.after is not None:
            part = part.where(table.c.id < paging.after)
        async with transaction(self._engine) as connection:
            return await page_of(connection, query, part, paging, to_item, lambda item: item.id)


def _run_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.schedule_id is not None:
        conditions.append(runs.c.schedule_id == wanted.schedule_id)
    if wanted.job is not None:
        conditions.append(jobs.c.name == wanted.job)
    if wanted.worker_id is not None:
        conditions.append(runs.c.worker_id == wanted.worker_id)
    if wanted.states:
        conditions.append(runs.c.state.in_([state.value for state in wanted.states]))
    if wanted.fingerprint is not None:
        conditions.append(runs.c.fingerprint == wanted.fingerprint)
    if wanted.causes:
        conditions.append(runs.c.cause.in_([cause.value for cause in wanted.causes]))
    if wanted.labels:
        conditions.append(has_labels(runs, wanted.labels))
    if wanted.since is not None:
        conditions.append(runs.c.scheduled_for >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.scheduled_for < wanted.until)
    return conditions


def has_labels(table: Table, labels: Mapping[str, str]) -> ColumnElement[bool]:
    return table.c.labels.op("@>", is_comparison=True)(cast(literal(dump(dict(labels)), JsonbText()), JsonbText()))


_NEXT_DUE = (
    select(schedules.c.next_due)
    .where(schedules.c.enabled, schedules.c.next_due.is_not(None))
    .order_by(schedules.c.next_due)
    .limit(1)
    .scalar_subquery()
)
_NEXT_WAKE = (
    select(runs.c.wake_at).where(runs.c.wake_at.is_not(None)).order_by(runs.c.wake_at).limit(1).scalar_subquery()
)
_NEXT = select(func.least(_NEXT_DUE, _NEXT_WAKE), exists(select(catchups.c.first)))


class PostgresUpcoming:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def next_instant(self) -> datetime | None:
        async with transaction(self._engine) as connection:
            return (await connection.execute(_NEXT)).one()[0]  # type: ignore[no-any-return]  # a timestamp or None

    async def has_catch_ups(self) -> bool:
        async with transaction(self._engine) as connection:
            return bool((await connection.execute(_NEXT)).one()[1])
