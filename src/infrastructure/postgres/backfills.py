"""Backfills as rows, and what the tables tell of a schedule's past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rota.application.ports.backfills import BackfillLook
from rota.domain.backfill import Backfill, BackfillState, Reign, in_calendars
from rota.domain.errors import NotFoundError
from rota.domain.ids import BackfillId, ScheduleId, TenantId
from rota.infrastructure.postgres.calendars import history_of
from rota.infrastructure.postgres.definitions import load_schedule
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.schedule_rows import schedule_as
from rota.infrastructure.postgres.tables import (
    backfills,
    catchups,
    jobs,
    misses,
    removed_runs,
    runs,
    schedule_revisions,
    schedules,
)
from rota.infrastructure.postgres.types import Instant, Str, Uuid

_CHANGING = ("state", "count", "made", "reached", "reason", "next_at", "finished_at")

# Begins at the running backfills, and at the unfinished runs of each (`runs_backfilled_idx`), which are few.
_READY = text(
    """
    SELECT b.*, own.unfinished
    FROM backfills b
    JOIN schedules s ON s.tenant_id = b.tenant_id AND s.id = b.schedule_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS unfinished FROM runs r
        WHERE r.tenant_id = b.tenant_id AND r.schedule_id = b.schedule_id AND r.cause = 'BACKFILL'
          AND r.finished_at IS NULL AND r.correlation_id = b.id::text
    ) own
    WHERE b.state = 'RUNNING'
      AND CASE WHEN s.deleted_at IS NOT NULL THEN true
               WHEN coalesce(s.definition ->> 'overlap', 'ALLOW') = 'ALLOW' THEN own.unfinished < b.max_concurrent
               ELSE NOT EXISTS (
                   SELECT FROM runs r
                   WHERE r.tenant_id = b.tenant_id AND r.schedule_id = b.schedule_id AND r.finished_at IS NULL
               ) END
    ORDER BY b.next_at
    LIMIT 1 FOR UPDATE OF b SKIP LOCKED
    """
)


def to_backfill(row: Row[Any]) -> Backfill:
    return Backfill(
        tenant_id=row.tenant_id,
        id=row.id,
        schedule_id=row.schedule_id,
        since=row.since,
        until=row.until,
        max_concurrent=row.max_concurrent,
        created_at=row.created_at,
        next_at=row.next_at,
        state=BackfillState(row.state),
        count=row._mapping["count"],
        made=row.made,
        reached=row.reached,
        reason=row.reason,
        finished_at=row.finished_at,
    )


def from_backfill(backfill: Backfill) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": backfill.tenant_id,
        "id": backfill.id,
        "schedule_id": backfill.schedule_id,
        "since": backfill.since,
        "until": backfill.until,
        "max_concurrent": backfill.max_concurrent,
        "state": backfill.state.value,
        "count": backfill.count,
        "made": backfill.made,
        "reached": backfill.reached,
        "reason": backfill.reason,
        "created_at": backfill.created_at,
        "next_at": backfill.next_at,
        "finished_at": backfill.finished_at,
    }


def _reigns() -> Select[Any]:
    """Of ONE_SHOTs also what came later: their instant may lie before them."""
    revision, own_id = schedule_revisions.c, bindparam("id", type_=Uuid)
    tenant, since, until = (
        bindparam("tenant", type_=Str),
        bindparam("since", type_=Instant),
        bindparam("until", type_=Instant),
    )
    ends = func.lead(revision.at).over(order_by=revision.revision).label("ends")
    lives = select(schedule_revisions, ends).where(revision.tenant_id == tenant, revision.schedule_id == own_id)
    life = lives.subquery("life")
    of_it = (schedules.c.tenant_id == life.c.tenant_id) & (schedules.c.id == life.c.schedule_id)
    its_job = (jobs.c.tenant_id == life.c.tenant_id) & (jobs.c.id == life.c.job_id)
    ran = (
        select(func.max(runs.c.scheduled_for).label("last"))
        .where(runs.c.tenant_id == tenant, runs.c.schedule_id == own_id, runs.c.cause == "SCHEDULE")
        .where(runs.c.scheduled_for >= life.c.at, or_(life.c.ends.is_(None), runs.c.scheduled_for < life.c.ends))
        .lateral("ran")
    )
    missed = (
        select(func.max(misses.c.last).label("last"))
        .where(misses.c.tenant_id == tenant, misses.c.schedule_id == own_id)
        .where(misses.c.last >= life.c.at, or_(life.c.ends.is_(None), misses.c.last < life.c.ends))
        .lateral("missed")
    )
    told = (
        life.c.definition.label("then_definition"),
        life.c.payload.label("then_payload"),
        life.c.job_id.label("then_job_id"),
        life.c.delivery.label("then_delivery"),
        life.c.revision.label("then_version"),
        life.c.enabled.label("then_enabled"),
        life.c.deleted.label("then_deleted"),
        life.c.at.label("began"),
        life.c.ends,
    )
    is_one_shot = func.json_extract_path_text(life.c.definition, "trigger", "type") == "ONE_SHOT"
    return (
        select(
            schedules,
            *told,
            jobs.c.definition.label("job_definition"),
            func.greatest(ran.c.last, missed.c.last).label("recorded_to"),
        )
        .select_from(life.join(schedules, of_it).outerjoin(jobs, its_job).join(ran, true()).join(missed, true()))
        .where(or_(life.c.ends.is_(None), (life.c.ends > since) & or_(life.c.at < until, is_one_shot)))
        .order_by(life.c.revision)
    )


_REIGNS = _reigns()


class PostgresBackfills:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Backfill] = []
        self._seen: list[Backfill] = []

    def add(self, backfill: Backfill) -> None:
        self._added.append(backfill)

    async def get(self, tenant_id: TenantId, backfill_id: BackfillId) -> Backfill:
        query = select(backfills).where(backfills.c.tenant_id == tenant_id, backfills.c.id == backfill_id)
        row = (await self._connection.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise NotFoundError("backfill", backfill_id)
        return self._keep(row)

    async def ready(self) -> tuple[Backfill, int] | None:
        row = (await self._connection.execute(_READY)).one_or_none()
        return None if row is None else (self._keep(row), row.unfinished)

    async def reigns(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Sequence[Reign]:
        given = {"tenant": tenant_id, "id": schedule_id, "since": since, "until": until}
        found = [_to_reign(row) for row in await self._connection.execute(_REIGNS, given)]
        rules = [each.schedule.definition.calendar for each in found]
        calendars = {rule.calendar_id for rule in rules if rule is not None}
        return list(in_calendars(found, await history_of(self._connection, tenant_id, calendars)))

    async def taken(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Collection[datetime]:
        query = select(runs.c.scheduled_for).where(
            runs.c.tenant_id == tenant_id,
            runs.c.schedule_id == schedule_id,
            runs.c.cause.in_(["SCHEDULE", "BACKFILL"]),
            runs.c.scheduled_for >= since,
            runs.c.scheduled_for < until,
        )
        return set(await self._connection.scalars(query))

    async def caught_up(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Sequence[tuple[datetime, datetime]]:
        query = select(catchups.c.first, catchups.c.last).where(
            catchups.c.tenant_id == tenant_id, catchups.c.schedule_id == schedule_id
        )
        return [(first, last) for first, last in await self._connection.execute(query)]

    async def removed_to(self, tenant_id: TenantId, schedule_id: ScheduleId) -> datetime | None:
        query = select(func.max(removed_runs.c.last_scheduled_for)).where(
            removed_runs.c.tenant_id == tenant_id, removed_runs.c.schedule_id == schedule_id
        )
        latest: datetime | None = await self._connection.scalar(query)
        return latest

    async def look(self, backfill: Backfill) -> BackfillLook:
        return await _look(self._connection, backfill)

    async def write(self) -> None:
        if self._added:
            await self._connection.execute(insert(backfills), [from_backfill(each) for each in self._added])
        for backfill in self._seen:
            values = from_backfill(backfill)
            own = (backfills.c.tenant_id == backfill.tenant_id) & (backfills.c.id == backfill.id)
            await self._connection.execute(
                update(backfills).where(own).values({name: values[name] for name in _CHANGING})
            )

    def _keep(self, row: Row[Any]) -> Backfill:
        backfill = to_backfill(row)
        self._seen.append(backfill)
        return backfill


def _to_reign(row: Row[Any]) -> Reign:
    definition = load_schedule(
        row.then_definition, row.then_payload, row.then_job_id, row.job_definition, row.then_delivery
    )
    then = schedule_as(row, definition)
    then.version, then.enabled, then.ahead = row.then_version, row.then_enabled, frozenset()
    return Reign(
        schedule=then, since=row.began, until=row.ends, recorded_to=row.recorded_to, is_deleted=row.then_deleted
    )


class PostgresBackfillReads:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def backfill(self, tenant_id: TenantId, backfill_id: BackfillId) -> BackfillLook:
        query = select(backfills).where(backfills.c.tenant_id == tenant_id, backfills.c.id == backfill_id)
        async with transaction(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise NotFoundError("backfill", backfill_id)
            return await _look(connection, to_backfill(row))


async def _look(connection: AsyncConnection, backfill: Backfill) -> BackfillLook:
    states = {state: count for state, count in await connection.execute(_states_of(backfill))}
    ended = {"SUCCEEDED": 0, "DEAD": 0, "CANCELLED": 0} | states
    known = (ended["SUCCEEDED"], ended["DEAD"], ended["CANCELLED"])
    return BackfillLook(backfill, sum(states.values()) - sum(known), *known)


def _states_of(backfill: Backfill) -> Select[Any]:  # Any: a state and how many
    """Along `runs_due_time_key`, and no further than it has come."""
    return (
        select(runs.c.state, func.count())
        .where(
            runs.c.tenant_id == backfill.tenant_id,
            runs.c.schedule_id == backfill.schedule_id,
            runs.c.cause == "BACKFILL",
            runs.c.scheduled_for >= backfill.since,
            runs.c.scheduled_for <= (backfill.reached or backfill.since),
            runs.c.correlation_id == str(backfill.id),
        )
        .group_by(runs.c.state)
    )
