"""What is kept of how a schedule came to fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, case, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rota.application.ports.keys import CalendarKey
from rota.domain.calendar import Calendar
from rota.domain.decision import CatchUp
from rota.domain.explaining.verdict import Record
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import Span
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.backlog import to_miss
from rota.infrastructure.postgres.calendar_definitions import load_calendar
from rota.infrastructure.postgres.definitions import load_schedule
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.ids import first_made_at
from rota.infrastructure.postgres.run_rows import WITH_JOB, to_run
from rota.infrastructure.postgres.tables import (
    calendar_revisions,
    calendars,
    catchups,
    jobs,
    misses,
    runs,
    schedule_revisions,
    schedules,
)

_CLOCKS_APART = timedelta(minutes=5)
"""How far the clock of whoever gave a run its id may be from that of the database."""

_VERSIONS = (
    select(
        schedule_revisions,
        schedules.c.created_at,
        schedules.c.version,
        schedules.c.disabled_until,
        jobs.c.definition.label("job_definition"),
    )
    .select_from(schedule_revisions)
    .join(
        schedules,
        (schedules.c.tenant_id == schedule_revisions.c.tenant_id)
        & (schedules.c.id == schedule_revisions.c.schedule_id),
    )
    .outerjoin(jobs, (jobs.c.tenant_id == schedule_revisions.c.tenant_id) & (jobs.c.id == schedule_revisions.c.job_id))
    .order_by(schedule_revisions.c.revision)
)


class PostgresEvidence:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._one_look = engine.execution_options(isolation_level="REPEATABLE READ")
        self._known = KnownOpenDays()

    async def versions(
        self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime, following: int
    ) -> Sequence[Schedule]:
        own = schedule_revisions.alias("own")
        begin = select(func.max(own.c.revision)).where(
            own.c.tenant_id == tenant_id, own.c.schedule_id == schedule_id, own.c.at <= at
        )
        wanted = _VERSIONS.where(
            schedule_revisions.c.tenant_id == tenant_id,
            schedule_revisions.c.schedule_id == schedule_id,
            schedule_revisions.c.revision >= func.coalesce(begin.scalar_subquery(), 1),
        ).limit(following + 1)
        async with transaction(self._one_look) as connection:
            found = [_to_version(row) for row in await connection.execute(wanted)]
            for version in found:
                await self._tell(connection, version, max(at, version.updated_at))
        return found

    async def _tell(self, connection: AsyncConnection, version: Schedule, at: datetime) -> None:
        rule = version.definition.calendar
        if rule is not None:
            key = (version.tenant_id, rule.calendar_id)
            version.open_days = self._known.of([key], await _calendars_at(connection, key, at)).get(key)

    async def record(self, tenant_id: TenantId, schedule_id: ScheduleId, scheduled_for: datetime) -> Record:
        own = WITH_JOB.where(runs.c.tenant_id == tenant_id, runs.c.schedule_id == schedule_id)
        run = own.where(runs.c.cause.in_(("SCHEDULE", "BACKFILL")), runs.c.scheduled_for == scheduled_for)
        earlier = (
            own.where(runs.c.cause == "SCHEDULE", runs.c.scheduled_for < scheduled_for)
            .order_by(runs.c.scheduled_for.desc())
            .limit(1)
        )
        async with transaction(self._one_look) as connection:
            miss = (await connection.execute(_covering(misses, tenant_id, schedule_id, scheduled_for))).one_or_none()
            aside = (await connection.execute(_covering(catchups, tenant_id, schedule_id, scheduled_for))).one_or_none()
            return Record(
                run=await _run(connection, run),
                miss=None if miss is None else to_miss(miss),
                catch_up=None if aside is None else _to_catch_up(aside),
                earlier=await _run(connection, earlier),
            )

    async def heard(self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime) -> Run | None:
        wanted = (
            WITH_JOB.where(
                runs.c.tenant_id == tenant_id,
                runs.c.id >= first_made_at(since - _CLOCKS_APART),
                runs.c.id < first_made_at(until + _CLOCKS_APART),
                runs.c.schedule_id == schedule_id,
                runs.c.cause == "EVENT",
                runs.c.scheduled_for >= since,
                runs.c.scheduled_for < until,
            )
            .order_by(runs.c.scheduled_for, runs.c.id)
            .limit(1)
        )
        async with transaction(self._engine) as connection:
            return await _run(connection, wanted)


async def _run(connection: AsyncConnection, wanted: Select[Any]) -> Run | None:
    row = (await connection.execute(wanted)).one_or_none()
    return None if row is None else to_run(row)


def _covering(table: Table, tenant_id: TenantId, schedule_id: ScheduleId, scheduled_for: datetime) -> Select[Any]:
    covers: ColumnElement[bool] = (table.c.first <= scheduled_for) & (table.c.last >= scheduled_for)
    return (
        select(table)
        .where(table.c.tenant_id == tenant_id, table.c.schedule_id == schedule_id, covers)
        .order_by(table.c.first.desc())
        .limit(1)
    )


def _to_catch_up(row: Row[Any]) -> CatchUp:
    span = Span(row.first, row.last, row._mapping["count"])
    return CatchUp(row.tenant_id, row.schedule_id, row.revision, span, row.decided_at, row.made_to)


def _to_version(row: Row[Any]) -> Schedule:
    return Schedule(
        tenant_id=row.tenant_id,
        id=row.schedule_id,
        definition=load_schedule(row.definition, row.payload, row.job_id, row.job_definition, row.delivery),
        created_at=row.created_at,
        updated_at=row.at,
        enabled=row.enabled,
        version=row.revision,
        deleted_at=row.at if row.deleted else None,
        disabled_until=row.disabled_until if row.revision == row.version else None,
    )


async def _calendars_at(connection: AsyncConnection, key: CalendarKey, at: datetime) -> Mapping[CalendarKey, Calendar]:
    """As they were then, with what they included, a level at a time; of one that was not there yet, its first."""
    found: dict[CalendarKey, Calendar] = {}
    ahead = {key}
    while ahead:
        own = tuple_(calendar_revisions.c.tenant_id, calendar_revisions.c.calendar_id)
        in_force = case(
            (calendar_revisions.c.at <= at, calendar_revisions.c.revision), else_=-calendar_revisions.c.revision
        )
        wanted = (
            select(calendar_revisions, calendars.c.created_at)
            .join(
                calendars,
                (calendars.c.tenant_id == calendar_revisions.c.tenant_id)
                & (calendars.c.id == calendar_revisions.c.calendar_id),
            )
            .where(own.in_(sorted(ahead)))
            .ext(distinct_on(calendar_revisions.c.tenant_id, calendar_revisions.c.calendar_id))
            .order_by(calendar_revisions.c.tenant_id, calendar_revisions.c.calendar_id, in_force.desc())
        )
        level = [_to_calendar(row) for row in await connection.execute(wanted)]
        found |= {(each.tenant_id, each.id): each for each in level}
        ahead = {(each.tenant_id, own_id) for each in level for own_id in each.definition.includes} - found.keys()
    return found


def _to_calendar(row: Row[Any]) -> Calendar:
    return Calendar(
        tenant_id=row.tenant_id,
        id=row.calendar_id,
        definition=load_calendar(row.definition),
        created_at=row.created_at,
        updated_at=row.at,
        version=row.revision,
    )
