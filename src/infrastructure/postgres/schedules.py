"""Schedules as rows, and the compare-and-set by which a due time becomes ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Row,
    Select,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.selectable import LateralFromClause

from rota.application.json import dump
from rota.application.ports.store import ScheduleKey
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.trigger import FixedDelay, OnEvent
from rota.infrastructure.postgres.definitions import dump_delivery, dump_schedule, load_schedule
from rota.infrastructure.postgres.tables import jobs, runs, schedule_revisions, schedules
from rota.infrastructure.postgres.types import Batch, Big, Instant, columnwise, inserting, updating

WITH_JOB = select(schedules, jobs.c.definition.label("job_definition")).select_from(
    schedules.outerjoin(jobs, (jobs.c.tenant_id == schedules.c.tenant_id) & (jobs.c.id == schedules.c.job_id))
)
"""Every query for schedules starts here: their runs need the terms of their job. A delivery brings its own."""

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
    own = load_schedule(row.definition, row.payload, row.job_id, row.job_definition, row.delivery)
    return as_it_was(row, own)


def as_it_was(row: Row[Any], definition: ScheduleDefinition) -> Schedule:
    """The schedule as it stands, with the definition that it had at some time."""
    due = None
    if row.next_due is not None:
        due = DueTime(row.next_scheduled_for, row.next_due)
    return Schedule(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        definition=definition,
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
    return {
        "tenant_id": schedule.tenant_id,
        "id": schedule.id,
        "name": own.name,
        "labels": dump(own.labels),
        "trigger_kind": own.trigger.kind,
        "target_kind": own.target.kind,
        **_definition(own),
        "enabled": schedule.enabled,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "deleted_at": schedule.deleted_at,
        "version": schedule.version,
        "fired_epoch": schedule.fired_epoch,
        **_tick(schedule),
    }


def _definition(own: ScheduleDefinition) -> dict[str, Any]:  # Any: column values
    target = own.target
    return {
        "job_id": target.job.id if isinstance(target, JobTarget) else None,
        "delivery": None if isinstance(target, JobTarget) else dump_delivery(target.delivery),
        "definition": dump_schedule(own),
        "payload": target.payload,
    }


def _tick(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    """What walking its due times changes: _TICK_COLUMNS."""
    due = schedule.next
    return {
        "decided_to": schedule.decided_to,
        "next_scheduled_for": due and due.scheduled_for,
        "next_due": due and due.due_at,
        "last_fire_at": schedule.last_fire_at,
        "runs_made": schedule.runs_made,
        "seq": schedule.next_seq,
    }


def _hold(wanted: FromClause) -> Select[Any]:
    """In the order in which the keys are given."""
    held = (
        select(schedules.c.id)
        .where(schedules.c.tenant_id == wanted.c.tenant_id, schedules.c.id == wanted.c.id)
        .limit(1)
        .with_for_update()
        .lateral("held")
    )
    return select(held.c.id).select_from(wanted.join(held, true()))


_INSERT = inserting(schedules)
_UPDATE = updating(schedules, *(column.name for column in schedules.columns if column.name not in ("tenant_id", "id")))
_INSERT_REVISIONS = inserting(schedule_revisions)
_HOLD = Batch(_hold, schedules, "tenant_id", "id")

_LISTENING = WITH_JOB.where(schedules.c.trigger_kind == OnEvent.kind, schedules.c.enabled)


def _last_run_of(table: FromClause) -> LateralFromClause:
    return (
        select(true().label("is_there"), runs.c.finished_at)
        .where(runs.c.tenant_id == table.c.tenant_id, runs.c.schedule_id == table.c.id, runs.c.cause == "SCHEDULE")
        .order_by(runs.c.scheduled_for.desc())
        .limit(1)
        .lateral("last")
    )


def _rested() -> Select[Any]:
    """Without those that `max_runs` or `end_at` has brought to their end: they would rest for ever."""
    last = _last_run_of(schedules)
    stored = partial(func.json_extract_path_text, schedules.c.definition)
    ended_at = case((last.c.is_there, last.c.finished_at), else_=schedules.c.updated_at)
    most_runs = stored("max_runs").cast(Big)
    end_at = stored("end_at").cast(Instant)
    delay = timedelta(seconds=1) * stored("trigger", "delay").cast(Double)
    following = func.greatest(ended_at + delay, schedules.c.decided_to + timedelta(microseconds=1))
    resting = (schedules.c.trigger_kind == FixedDelay.kind, schedules.c.enabled, schedules.c.next_due.is_(None))
    return (
        WITH_JOB.outerjoin(last, true())
        .where(*resting, ended_at.is_not(None))
        .where(or_(most_runs.is_(None), schedules.c.runs_made < most_runs), or_(end_at.is_(None), following < end_at))
        .order_by(schedules.c.tenant_id, schedules.c.id)
        .limit(bindparam("most"))
        .with_for_update(of=schedules, skip_locked=True)
    )


def _last_ends(wanted: FromClause) -> Select[Any]:
    last = _last_run_of(wanted)
    return select(wanted.c.tenant_id, wanted.c.id, last.c.finished_at).select_from(wanted.join(last, true()))


_RESTED = _rested()
_LAST_ENDS = Batch(_last_ends, schedules, "tenant_id", "id")


class PostgresSchedules:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Schedule] = []
        self._seen: dict[ScheduleKey, tuple[Schedule, int, int]] = {}
        self._advanced: list[Schedule] = []

    async def get(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        wanted = WITH_JOB.where(
            schedules.c.tenant_id == tenant_id, schedules.c.id == schedule_id, schedules.c.deleted_at.is_(None)
        ).with_for_update(of=schedules)
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("schedule", schedule_id)
        return self._keep(row)

    def add(self, schedule: Schedule) -> None:
        self._added.append(schedule)

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        found = await self._connection.execute(_DUE, {"now": now, "most": limit})
        return [to_schedule(row) for row in found]

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        if not decided:
            return []
        given = _keys([(schedule.tenant_id, schedule.id) for schedule, _ in decided])
        given |= columnwise([_tick(schedule) for schedule, _ in decided])
        given["version"] = [schedule.version for schedule, _ in decided]
        given["read_due"] = [read_due for _, read_due in decided]
        given["read_seq"] = [schedule.seq for schedule, _ in decided]
        statement, parameters = _ADVANCE(given)
        stored = await self._connection.execute(statement, parameters | {"epoch": epoch})
        ours = {(row.tenant_id, row.id) for row in stored}
        won = [schedule for schedule, _ in decided if (schedule.tenant_id, schedule.id) in ours]
        self._advanced.extend(won)
        return won

    async def hold(self, keys: Iterable[ScheduleKey]) -> None:
        wanted = sorted(set(keys), key=lambda key: key[1].int)
        if wanted:
            await self._connection.execute(*_HOLD(_keys(wanted)))

    async def rested(self, limit: int) -> Sequence[tuple[Schedule, datetime]]:
        """When the last run ended is asked again once the lock is held: until then somebody else may have fired."""
        locked = [self._keep(row) for row in await self._connection.execute(_RESTED, {"most": limit})]
        if not locked:
            return []
        keys = [(schedule.tenant_id, schedule.id) for schedule in locked]
        found = await self._connection.execute(*_LAST_ENDS(_keys(keys)))
        ends = {(tenant_id, schedule_id): ended_at for tenant_id, schedule_id, ended_at in found}
        told = [(schedule, ends.get(key, schedule.updated_at)) for key, schedule in zip(keys, locked, strict=True)]
        return [(schedule, ended_at) for schedule, ended_at in told if ended_at is not None]

    async def listening(self) -> Sequence[Schedule]:
        return [to_schedule(row) for row in await self._connection.execute(_LISTENING)]

    async def fired(self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime) -> None:
        if seen := self._seen.get((tenant_id, schedule_id)):
            seen[0].last_fire_at = max(seen[0].last_fire_at or at, at)
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
        then = load_schedule(
            row.then_definition, row.then_payload, row.then_job_id, row.job_definition, row.then_delivery
        )
        return as_it_was(row, then)

    async def write(self) -> list[Schedule]:
        """Stores what was added, changed or advanced, and new revisions; answers them."""
        fresh = list(self._added)
        if self._added:
            values = columnwise([from_schedule(schedule) for schedule in self._added])
            await self._connection.execute(*_INSERT(values))
        if self._seen:
            await self._write_seen()
        fresh += [schedule for schedule, version, _ in self._seen.values() if schedule.version != version]
        if fresh:
            await self._connection.execute(*_INSERT_REVISIONS(columnwise(list(map(_revision, fresh)))))
        return self._added + [seen[0] for seen in self._seen.values()] + self._advanced

    async def _write_seen(self) -> None:
        """All of them: a step of the tick is a change without an event."""
        given = columnwise([from_schedule(schedule) for schedule, _, _ in self._seen.values()])
        given["read_seq"] = [seq for _, _, seq in self._seen.values()]
        done = await self._connection.execute(*_UPDATE(given))
        if done.rowcount != len(self._seen):
            raise ConcurrentChangeError("schedule")

    def _keep(self, row: Row[Any]) -> Schedule:
        found = to_schedule(row)
        return self._seen.setdefault((found.tenant_id, found.id), (found, found.version, found.seq))[0]


_AS_IT_WAS: tuple[ColumnElement[Any], ...] = (
    schedule_revisions.c.definition.label("then_definition"),
    schedule_revisions.c.payload.label("then_payload"),
    schedule_revisions.c.job_id.label("then_job_id"),
    schedule_revisions.c.delivery.label("then_delivery"),
)
_WITH_REVISION = schedules.join(
    schedule_revisions,
    (schedule_revisions.c.tenant_id == schedules.c.tenant_id) & (schedule_revisions.c.schedule_id == schedules.c.id),
).outerjoin(jobs, (jobs.c.tenant_id == schedule_revisions.c.tenant_id) & (jobs.c.id == schedule_revisions.c.job_id))


def _revision(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": schedule.tenant_id,
        "schedule_id": schedule.id,
        "revision": schedule.version,
        **_definition(schedule.definition),
        "enabled": schedule.enabled,
        "deleted": schedule.deleted_at is not None,
        "at": schedule.updated_at,
    }


def _keys(wanted: Sequence[ScheduleKey]) -> dict[str, list[Any]]:  # Any: column values
    return {"tenant_id": [key[0] for key in wanted], "id": [key[1] for key in wanted]}
