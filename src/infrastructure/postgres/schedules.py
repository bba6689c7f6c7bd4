"""Schedules stored, and the compare-and-set by which a due time becomes ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
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
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate, Update
from sqlalchemy.sql.selectable import LateralFromClause

from rota.application.ports.keys import RevisionKey, ScheduleKey
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import CalendarId, ScheduleId, TenantId
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay, OnEvent
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.definitions import load_schedule
from rota.infrastructure.postgres.schedule_rows import (
    AS_IT_WAS,
    TICK_COLUMNS,
    WITH_JOB,
    WITH_REVISION,
    from_schedule,
    revision_values,
    schedule_as,
    tick_values,
    to_schedule,
    with_open_days,
)
from rota.infrastructure.postgres.tables import jobs, runs, schedule_revisions, schedules
from rota.infrastructure.postgres.types import Batch, Big, Instant, columnwise, inserting, updating

_DUE = (
    WITH_JOB.where(schedules.c.enabled, schedules.c.next_due.is_not(None), schedules.c.next_due <= bindparam("now"))
    .order_by(schedules.c.next_due)
    .limit(bindparam("most"))
)


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
        held.c.updated_at == incoming.c.updated_at,  # it changes with the calendar too
        held.c.seq == incoming.c.read_seq,
        held.c.next_due == incoming.c.read_due,
        held.c.enabled,
        held.c.fired_epoch <= bindparam("epoch", type_=Big),
    )
    ours = select(incoming).select_from(incoming.join(held, true())).where(*as_read).cte("ours")
    return (
        update(schedules)
        .where(schedules.c.tenant_id == ours.c.tenant_id, schedules.c.id == ours.c.id)
        .values({name: ours.c[name] for name in TICK_COLUMNS} | {"fired_epoch": bindparam("epoch", type_=Big)})
        .returning(schedules.c.tenant_id, schedules.c.id)
    )


_ADVANCE = Batch(
    _advance, schedules, "tenant_id", "id", "version", "updated_at", *TICK_COLUMNS, read_due=Instant, read_seq=Big
)


def _hold(wanted: FromClause, *, skip_locked: bool = False) -> Select[Any]:
    """In the order in which the keys are given."""
    held = (
        select(schedules.c.tenant_id, schedules.c.id)
        .where(schedules.c.tenant_id == wanted.c.tenant_id, schedules.c.id == wanted.c.id)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
        .lateral("held")
    )
    return select(held.c.tenant_id, held.c.id).select_from(wanted.join(held, true()))


def _fired(incoming: FromClause) -> Update:
    return (
        update(schedules)
        .where(schedules.c.tenant_id == incoming.c.tenant_id, schedules.c.id == incoming.c.id)
        .values(last_fire_at=func.greatest(schedules.c.last_fire_at, incoming.c.at))
    )


_INSERT = inserting(schedules)
_UPDATE = updating(schedules, *(column.name for column in schedules.columns if column.name not in ("tenant_id", "id")))
_INSERT_REVISIONS = inserting(schedule_revisions)
_HOLD = Batch(_hold, schedules, "tenant_id", "id")
_HOLD_FREE = Batch(partial(_hold, skip_locked=True), schedules, "tenant_id", "id")
_FIRED = Batch(_fired, schedules, "tenant_id", "id", at=Instant)

_PAUSED = (
    WITH_JOB.where(schedules.c.disabled_until.is_not(None), schedules.c.disabled_until <= bindparam("now"))
    .order_by(schedules.c.disabled_until)
    .limit(bindparam("most"))
    .with_for_update(of=schedules, skip_locked=True)
)
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
    def __init__(self, connection: AsyncConnection, known: KnownOpenDays) -> None:
        self._connection = connection
        self._known = known
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
        return (await self._keep([row]))[0]

    def add(self, schedule: Schedule) -> None:
        self._added.append(schedule)

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        found = await self._connection.execute(_DUE, {"now": now, "most": limit})
        return await self._told([to_schedule(row) for row in found])

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        if not decided:
            return []
        given = _keys([(schedule.tenant_id, schedule.id) for schedule, _ in decided])
        given |= columnwise([tick_values(schedule) for schedule, _ in decided])
        given["version"] = [schedule.version for schedule, _ in decided]
        given["updated_at"] = [schedule.updated_at for schedule, _ in decided]
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

    async def hold_free(self, keys: Iterable[ScheduleKey]) -> Collection[ScheduleKey]:
        wanted = sorted(set(keys), key=lambda key: key[1].int)
        if not wanted:
            return ()
        held = await self._connection.execute(*_HOLD_FREE(_keys(wanted)))
        return {(row.tenant_id, row.id) for row in held}

    async def going_by(self, tenant_id: TenantId, calendars: Iterable[CalendarId]) -> Sequence[ScheduleId]:
        wanted = select(schedules.c.id).where(
            schedules.c.tenant_id == tenant_id,
            schedules.c.calendar_id.in_(sorted(set(calendars))),
            schedules.c.deleted_at.is_(None),
        )
        return [ScheduleId(own) for own in await self._connection.scalars(wanted.order_by(schedules.c.id))]

    async def load(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Schedule]:
        wanted = WITH_JOB.where(
            tuple_(schedules.c.tenant_id, schedules.c.id).in_(sorted(set(keys))), schedules.c.deleted_at.is_(None)
        )
        rows = await self._connection.execute(wanted.order_by(schedules.c.id).with_for_update(of=schedules))
        found = await self._keep(list(rows))
        return {(schedule.tenant_id, schedule.id): schedule for schedule in found}

    async def rested(self, limit: int) -> Sequence[tuple[Schedule, datetime]]:
        """When the last run ended is asked again once the lock is held: until then somebody else may have fired."""
        locked = await self._keep(list(await self._connection.execute(_RESTED, {"most": limit})))
        if not locked:
            return []
        keys = [(schedule.tenant_id, schedule.id) for schedule in locked]
        found = await self._connection.execute(*_LAST_ENDS(_keys(keys)))
        ends = {(tenant_id, schedule_id): ended_at for tenant_id, schedule_id, ended_at in found}
        told = [(schedule, ends.get(key, schedule.updated_at)) for key, schedule in zip(keys, locked, strict=True)]
        return [(schedule, ended_at) for schedule, ended_at in told if ended_at is not None]

    async def paused(self, now: datetime, limit: int) -> Sequence[Schedule]:
        return await self._keep(list(await self._connection.execute(_PAUSED, {"now": now, "most": limit})))

    async def listening(self) -> Sequence[Schedule]:
        return [to_schedule(row) for row in await self._connection.execute(_LISTENING)]

    async def fired(self, keys: Iterable[ScheduleKey], at: datetime) -> None:
        fired = list(keys)
        for key in fired:
            if seen := self._seen.get(key):
                seen[0].last_fire_at = max(seen[0].last_fire_at or at, at)
        if fired:
            await self._connection.execute(*_FIRED(_keys(fired) | {"at": [at] * len(fired)}))

    async def at_revisions(self, wanted: Sequence[RevisionKey]) -> Sequence[Schedule]:
        named = tuple_(schedules.c.tenant_id, schedules.c.id, schedule_revisions.c.revision).in_(wanted)
        rows = await self._connection.execute(
            select(schedules, *AS_IT_WAS, jobs.c.definition.label("job_definition"))
            .select_from(WITH_REVISION)
            .where(named)
            .add_columns(schedule_revisions.c.revision)
        )
        found = {(row.tenant_id, row.id, row.revision): _as_it_was(row) for row in rows}
        for key in wanted:
            if key not in found:
                raise NotFoundError("schedule", key[1])
        return await self._told([found[key] for key in wanted])

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
            await self._connection.execute(*_INSERT_REVISIONS(columnwise(list(map(revision_values, fresh)))))
        return self._added + [seen[0] for seen in self._seen.values()] + self._advanced

    async def _write_seen(self) -> None:
        """All of them: a step of the tick is a change without an event."""
        given = columnwise([from_schedule(schedule) for schedule, _, _ in self._seen.values()])
        given["read_seq"] = [seq for _, _, seq in self._seen.values()]
        done = await self._connection.execute(*_UPDATE(given))
        if done.rowcount != len(self._seen):
            raise ConcurrentChangeError("schedule")

    async def _keep(self, rows: Sequence[Row[Any]]) -> Sequence[Schedule]:
        """What was read, each once: of one that was seen before, what it has become since."""
        fresh = {(row.tenant_id, row.id): to_schedule(row) for row in rows if (row.tenant_id, row.id) not in self._seen}
        await self._told(list(fresh.values()))
        self._seen |= {key: (schedule, schedule.version, schedule.seq) for key, schedule in fresh.items()}
        return [self._seen[row.tenant_id, row.id][0] for row in rows]

    async def _told(self, found: Sequence[Schedule]) -> Sequence[Schedule]:
        return await with_open_days(self._connection, self._known, found)


def _as_it_was(row: Row[Any]) -> Schedule:
    then = load_schedule(row.then_definition, row.then_payload, row.then_job_id, row.job_definition, row.then_delivery)
    return schedule_as(row, then)


def _keys(wanted: Sequence[ScheduleKey]) -> dict[str, list[Any]]:  # Any: column values
    return {"tenant_id": [key[0] for key in wanted], "id": [key[1] for key in wanted]}
