"""The runs in the store, found, locked and written whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from rota.application.ports.keys import RunKey, ScheduleKey
from rota.domain.errors import ConcurrentChangeError
from rota.domain.ids import TenantId
from rota.domain.overlap import Going
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.infrastructure.postgres.run_rows import CHANGING, COLUMNS, WITH_JOB, changing, from_run, to_run, with_job
from rota.infrastructure.postgres.tables import leases, runs, workers
from rota.infrastructure.postgres.types import Batch, Big, Instant, Str, updating


def _found_by_key(wanted: FromClause) -> Select[Any]:
    """One run, through the primary key. LIMIT keeps the planner, whose statistics of a busy table are always old,
    from joining in any other order: it has read two million rows for 340 runs.
    """
    return select(runs).where(runs.c.tenant_id == wanted.c.tenant_id, runs.c.id == wanted.c.id).limit(1)


def _by_keys(wanted: FromClause) -> Select[Any]:
    return with_job(wanted, _found_by_key(wanted).lateral("found"))


def _locked_by_keys(wanted: FromClause) -> Select[Any]:
    return with_job(wanted, _found_by_key(wanted).with_for_update().lateral("found"))


def _insert(incoming: FromClause) -> ReturningInsert[Any]:
    """A due time that is taken is passed over; a key that is taken is an error (`taken_keys`)."""
    made = insert(runs).from_select(COLUMNS, select(incoming))
    return made.on_conflict_do_nothing(
        index_elements=["tenant_id", "schedule_id", "scheduled_for"],
        index_where=text("cause IN ('SCHEDULE', 'BACKFILL')"),
    ).returning(runs.c.tenant_id, runs.c.id)


def _going(wanted: FromClause) -> Select[Any]:
    own = func.concat("schedule:", wanted.c.id.cast(Str))  # `schedule_gate`
    counted = (
        select(
            func.count().label("unfinished"),
            func.count().filter(runs.c.parked_on == own).label("parked"),
            func.count().filter(runs.c.state == "RUNNING").label("running"),
        )
        .where(runs.c.tenant_id == wanted.c.tenant_id, runs.c.schedule_id == wanted.c.id, runs.c.finished_at.is_(None))
        .lateral("counted")
    )
    return select(wanted.c.tenant_id, wanted.c.id, counted).select_from(wanted.join(counted, counted.c.unfinished > 0))


def _unfinished_of(wanted: FromClause) -> Select[Any]:
    most = bindparam("most", type_=Big)
    found = (
        select(runs.c.tenant_id, runs.c.id)
        .where(runs.c.tenant_id == wanted.c.tenant_id, runs.c.schedule_id == wanted.c.id, runs.c.finished_at.is_(None))
        .limit(most)
        .lateral("found")
    )
    return select(found).select_from(wanted.join(found, true())).limit(most)


_PEEK = Batch(_by_keys, runs, "tenant_id", "id")
_LOAD = Batch(_locked_by_keys, runs, "tenant_id", "id")
_INSERT = Batch(_insert, runs, *COLUMNS)
_UPDATE = updating(runs, *CHANGING)
_GOING = Batch(_going, runs, "tenant_id", "id")
_UNFINISHED_OF = Batch(_unfinished_of, runs, "tenant_id", "id")

_WAKING = (
    WITH_JOB.where(runs.c.wake_at.is_not(None), runs.c.wake_at <= bindparam("now"))
    .order_by(runs.c.wake_at)
    .limit(bindparam("most"))
    .with_for_update(of=runs, skip_locked=True)
)


def _unnamed() -> Any:  # Any: SQLAlchemy's own generic
    stream = bindparam("stream", type_=Str)
    floor = bindparam("floor", type_=Big)
    this_life = workers.c.beat_stream == stream
    earlier_life = runs.c.started_at < cast(stream, Instant)  # the stream is named by its creation
    return (
        WITH_JOB.join(workers, and_(workers.c.tenant_id == runs.c.tenant_id, workers.c.id == runs.c.worker_id))
        .where(
            runs.c.state == "RUNNING",
            runs.c.job_id.is_not(None),
            workers.c.state != "OFFLINE",
            runs.c.started_place.is_not(None),
            workers.c.beat_running.is_not(None),
            workers.c.prior_running.is_not(None),
            runs.c.id != func.all(workers.c.beat_running),
            runs.c.id != func.all(workers.c.prior_running),
            workers.c.prior_at > runs.c.started_at,
            or_(workers.c.beat_stream != stream, workers.c.beat_seq >= runs.c.started_place, earlier_life),
            or_(workers.c.prior_stream != stream, workers.c.prior_seq >= runs.c.started_place, earlier_life),
            or_(~this_life, workers.c.beat_seq <= floor),
        )
        .order_by(runs.c.id)
        .limit(1000)
        .with_for_update(of=runs, skip_locked=True)
    )


_UNNAMED = _unnamed()

_ORPHANED = (
    WITH_JOB.join(workers, and_(workers.c.tenant_id == runs.c.tenant_id, workers.c.id == runs.c.worker_id))
    .where(runs.c.state == "RUNNING", runs.c.job_id.is_not(None), workers.c.state == "OFFLINE")
    .order_by(runs.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=runs, skip_locked=True)
)


_DELIVERABLE = (
    WITH_JOB.where(runs.c.state == "QUEUED", runs.c.job_id.is_(None))
    .order_by(runs.c.queued_at)
    .limit(bindparam("most"))
    .with_for_update(of=runs, skip_locked=True)
)

_CARRIED = exists(  # `carrier_lease`
    select(literal(1)).where(
        leases.c.name == func.concat("carrier:", runs.c.worker_id.cast(Str)),
        leases.c.expires_at > func.clock_timestamp(),
    )
)
_ABANDONED = (
    WITH_JOB.where(runs.c.state == "RUNNING", runs.c.job_id.is_(None), ~_CARRIED)
    .order_by(runs.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=runs, skip_locked=True)
)


def _keys(wanted: Sequence[tuple[TenantId, UUID]]) -> dict[str, list[Any]]:  # Any: column values
    return {"tenant_id": [key[0] for key in wanted], "id": [key[1] for key in wanted]}


class PostgresRuns:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Run] = []
        self._refused: list[Run] = []
        self._seen: dict[RunKey, tuple[Run, int]] = {}

    def add(self, run: Run) -> None:
        self._added.append(run)

    async def peek(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        found = await self._connection.execute(*_PEEK(_keys(wanted)))
        return {(row.tenant_id, row.id): to_run(row) for row in found}

    async def load(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        wanted = sorted(set(keys), key=lambda key: key[1].int)  # all lock in one order, so that none waits in a ring
        if not wanted:
            return {}
        found = await self._connection.execute(*_LOAD(_keys(wanted)))
        return {(run.tenant_id, run.id): run for run in self.keep(found)}

    async def waking(self, now: datetime, limit: int) -> Sequence[Run]:
        return self.keep(await self._connection.execute(_WAKING, {"now": now, "most": limit}))

    async def orphaned(self, limit: int) -> Sequence[Run]:
        return self.keep(await self._connection.execute(_ORPHANED, {"most": limit}))

    async def deliverable(self, limit: int) -> Sequence[Run]:
        return self.keep(await self._connection.execute(_DELIVERABLE, {"most": limit}))

    async def abandoned(self, limit: int) -> Sequence[Run]:
        return self.keep(await self._connection.execute(_ABANDONED, {"most": limit}))

    async def going(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Going]:
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        found = await self._connection.execute(*_GOING(_keys(wanted)))
        return {(tenant_id, schedule_id): Going(*counts) for tenant_id, schedule_id, *counts in found}

    async def unfinished_of(self, keys: Iterable[ScheduleKey], limit: int) -> Sequence[Run]:
        """Found first and locked by key after that: whoever locks several runs does it in the order of their ids."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return []
        statement, given = _UNFINISHED_OF(_keys(wanted))
        found = await self._connection.execute(statement, given | {"most": limit})
        locked = await self.load((tenant_id, run_id) for tenant_id, run_id in found)
        return [run for run in locked.values() if not run.state.is_final]

    async def unnamed(self, stream: str, intake_floor: int) -> Sequence[Run]:
        return self.keep(await self._connection.execute(_UNNAMED, {"stream": stream, "floor": intake_floor}))

    async def holding(self, tenant_id: TenantId, dedupe_keys: Iterable[str]) -> Mapping[str, Run]:
        wanted = WITH_JOB.where(
            runs.c.tenant_id == tenant_id,
            runs.c.dedupe_key.in_(list(dedupe_keys)),
            runs.c.dedupe_key.is_not(None),
            runs.c.cause != Cause.EVENT.value,
            runs.c.finished_at.is_(None),
        )
        return {row.dedupe_key: to_run(row) for row in await self._connection.execute(wanted)}

    def refused(self) -> Sequence[Run]:
        return self._refused

    async def write(self) -> list[Run]:
        """Stores what was added and what changed; answers them, without what was refused."""
        changed = [(run, seq) for run, seq in self._seen.values() if run.is_changed]
        if changed:
            await self._write_changed(changed)
        made = await self._write_added() if self._added else []
        return made + [run for run, _ in changed]

    async def _write_added(self) -> list[Run]:
        values = [from_run(run) for run in self._added]
        given = {name: [value[name] for value in values] for name in COLUMNS}
        stored = await self._connection.execute(*_INSERT(given))
        ours = {row.id for row in stored}
        if len(ours) == len(self._added):
            return self._added
        self._refused = [run for run in self._added if run.id not in ours]
        return [run for run in self._added if run.id in ours]

    async def _write_changed(self, changed: Sequence[tuple[Run, int]]) -> None:
        values = [changing(run) for run, _ in changed]
        given = _keys([(run.tenant_id, run.id) for run, _ in changed])
        given |= {name: [value[name] for value in values] for name in CHANGING}
        given["read_seq"] = [seq for _, seq in changed]
        done = await self._connection.execute(*_UPDATE(given))
        if done.rowcount != len(changed):
            raise ConcurrentChangeError("run")

    def keep(self, found: Iterable[Row[Any]]) -> list[Run]:
        """Runs out of rows of WITH_JOB that are locked: what becomes of them is stored at commit."""
        kept = []
        for row in found:
            key = (row.tenant_id, row.id)
            if key not in self._seen:
                run = to_run(row)
                self._seen[key] = (run, run.seq)
            kept.append(self._seen[key][0])
        return kept
