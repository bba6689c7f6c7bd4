"""Schedules as rows, and the compare-and-set by which a due time becomes ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, bindparam, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from rota.application.json import dump
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.infrastructure.postgres.definitions import dump_schedule, job_terms, load_schedule
from rota.infrastructure.postgres.tables import jobs, schedule_revisions, schedules
from rota.infrastructure.postgres.types import Batch, Big, Instant, columnwise, inserting

WITH_JOB = select(schedules, jobs.c.definition.label("job_definition")).select_from(
    schedules.join(jobs, (jobs.c.tenant_id == schedules.c.tenant_id) & (jobs.c.id == schedules.c.job_id))
)
"""Every query for schedules starts here: their runs need the terms of their job."""

_DUE = (
    WITH_JOB.where(schedules.c.enabled, schedules.c.next_due.is_not(None), schedules.c.next_due <= bindparam("now"))
    .order_by(schedules.c.next_due)
    .limit(bindparam("most"))
)

_TICK_COLUMNS = ("decided_to", "next_scheduled_for", "next_due", "last_fire_at", "runs_made", "seq")


def _advance(incoming: FromClause) -> ReturningUpdate[Any]:
    """Locks what still stands as it was read, passing over what others hold, and moves it on."""
    held = (  # by the key and nothing else: of ten thousand due at one instant the planner once compared all with all
        select(schedules)
        .where(schedules.c.tenant_id == incoming.c.tenant_id, schedules.c.id == incoming.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .lateral("held")
    )
    as_read = (
        held.c.version == incoming.c.version,
        held.c.seq == incoming.c.read_seq,
        held.c.next_due == incoming.c.read_due,
        held.c.enabled,
        held.c.fired_epoch <= bindparam("epoch", type_=Big),
    )
    ours = select(incoming).select_from(incoming.join(held, true())).where(*as_read).cte("ours")
    return (
        update(schedules)
        .where(schedules.c.tenant_id == ours.c.tenant_id, schedules.c.id == ours.c.id)
        .values({name: ours.c[name] for name in _TICK_COLUMNS} | {"fired_epoch": bindparam("epoch", type_=Big)})
        .returning(schedules.c.tenant_id, schedules.c.id)
    )


_ADVANCE = Batch(_advance, schedules, "tenant_id", "id", "version", *_TICK_COLUMNS, read_due=Instant, read_seq=Big)


def to_schedule(row: Row[Any]) -> Schedule:
    """`row` is of WITH_JOB."""
    due = None
    if row.next_due is not None:
        due = DueTime(row.next_scheduled_for, row.next_due)
    return Schedule(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        definition=load_schedule(row.definition, row.payload, job_terms(row.job_id, row.job_definition)),
        created_at=row.created_at,
        updated_at=row.updated_at,
        enabled=row.enabled,
        version=row.version,
        decided_to=row.decided_to,
        next=due,
        last_fire_at=row.last_fire_at,
        runs_made=row.runs_made,
        fired_epoch=row.fired_epoch,
        deleted_at=row.deleted_at,
    )


def from_schedule(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    own = schedule.definition
    due = schedule.next
    return {
        "tenant_id": schedule.tenant_id,
        "id": schedule.id,
        "name": own.name,
        "labels": dump(own.labels),
        "target_kind": own.target.kind,
        "job_id": own.target.job.id,
        "definition": dump_schedule(own),
        "payload": own.target.payload,
        "enabled": schedule.enabled,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "deleted_at": schedule.deleted_at,
        "version": schedule.version,
        "seq": schedule.next_seq,
        "decided_to": schedule.decided_to,
        "next_scheduled_for": due and due.scheduled_for,
        "next_due": due and due.due_at,
        "last_fire_at": schedule.last_fire_at,
        "runs_made": schedule.runs_made,
        "fired_epoch": schedule.fired_epoch,
    }


_INSERT = inserting(schedules)
_INSERT_REVISIONS = inserting(schedule_revisions)


class PostgresSchedules:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Schedule] = []
        self._seen: dict[tuple[TenantId, ScheduleId], tuple[Schedule, int, int]] = {}
        self._advanced: list[Schedule] = []

    async def get(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        wanted = WITH_JOB.where(
            schedules.c.tenant_id == tenant_id, schedules.c.id == schedule_id, schedules.c.deleted_at.is_(None)
        ).with_for_update(of=schedules)
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("schedule", schedule_id)
        found = to_schedule(row)
        return self._seen.setdefault((tenant_id, schedule_id), (found, found.version, found.seq))[0]

    def add(self, schedule: Schedule) -> None:
        self._added.append(schedule)

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        found = await self._connection.execute(_DUE, {"now": now, "most": limit})
        return [to_schedule(row) for row in found]

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        if not decided:
            return []
        given: dict[str, list[Any]] = {"read_due": [], "read_seq": []}  # Any: column values
        for name in ("tenant_id", "id", "version", *_TICK_COLUMNS):
            given[name] = []
        for schedule, read_due in decided:
            given["tenant_id"].append(schedule.tenant_id)
            given["id"].append(schedule.id)
            given["version"].append(schedule.version)
            given["read_due"].append(read_due)
            given["read_seq"].append(schedule.seq)
            given["decided_to"].append(schedule.decided_to)
            given["next_scheduled_for"].append(schedule.next and schedule.next.scheduled_for)
            given["next_due"].append(schedule.next and schedule.next.due_at)
            given["last_fire_at"].append(schedule.last_fire_at)
            given["runs_made"].append(schedule.runs_made)
            given["seq"].append(schedule.next_seq)
        statement, parameters = _ADVANCE(given)
        stored = await self._connection.execute(statement, parameters | {"epoch": epoch})
        ours = {(row.tenant_id, row.id) for row in stored}
        won = [schedule for schedule, _ in decided if (schedule.tenant_id, schedule.id) in ours]
        self._advanced.extend(won)
        return won

    async def fired(self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime) -> None:
        await self._connection.execute(
            update(schedules)
            .where(schedules.c.tenant_id == tenant_id, schedules.c.id == schedule_id)
            .values(last_fire_at=func.greatest(schedules.c.last_fire_at, at))
        )

    async def at_revision(self, tenant_id: TenantId, schedule_id: ScheduleId, revision: int) -> Schedule:
        wanted = (
            select(schedules, *_AS_IT_WAS, jobs.c.definition.label("job_definition"))
            .select_from(_WITH_REVISION)
            .where(
                schedules.c.tenant_id == tenant_id,
                schedules.c.id == schedule_id,
                schedule_revisions.c.revision == revision,
            )
        )
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("schedule", schedule_id)
        now = to_schedule(row)
        then = load_schedule(row.then_definition, row.then_payload, job_terms(row.then_job_id, row.job_definition))
        now.definition = then
        return now

    async def write(self) -> list[Schedule]:
        """Stores what was added, changed or advanced, and new revisions; answers them."""
        fresh = list(self._added)
        if self._added:
            values = columnwise([from_schedule(schedule) for schedule in self._added])
            await self._connection.execute(*_INSERT(values))
        for schedule, version, seq in self._seen.values():
            await self._update(schedule, seq)
            if schedule.version != version:
                fresh.append(schedule)
        if fresh:
            await self._connection.execute(*_INSERT_REVISIONS(columnwise(list(map(_revision, fresh)))))
        return self._added + [seen[0] for seen in self._seen.values()] + self._advanced

    async def _update(self, schedule: Schedule, seq: int) -> None:
        done = await self._connection.execute(
            update(schedules)
            .where(schedules.c.tenant_id == schedule.tenant_id, schedules.c.id == schedule.id, schedules.c.seq == seq)
            .values(from_schedule(schedule))
        )
        if done.rowcount != 1:
            raise ConcurrentChangeError("schedule")


_AS_IT_WAS: tuple[ColumnElement[Any], ...] = (
    schedule_revisions.c.definition.label("then_definition"),
    schedule_revisions.c.payload.label("then_payload"),
    schedule_revisions.c.job_id.label("then_job_id"),
)
_WITH_REVISION = schedules.join(
    schedule_revisions,
    (schedule_revisions.c.tenant_id == schedules.c.tenant_id) & (schedule_revisions.c.schedule_id == schedules.c.id),
).join(jobs, (jobs.c.tenant_id == schedule_revisions.c.tenant_id) & (jobs.c.id == schedule_revisions.c.job_id))


def _revision(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    own = schedule.definition
    return {
        "tenant_id": schedule.tenant_id,
        "schedule_id": schedule.id,
        "revision": schedule.version,
        "job_id": own.target.job.id,
        "definition": dump_schedule(own),
        "payload": own.target.payload,
        "enabled": schedule.enabled,
        "deleted": schedule.deleted_at is not None,
        "at": schedule.updated_at,
    }
