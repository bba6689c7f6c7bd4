"""Runs as rows, whole batches at a time."""

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

from rota.application.json import dump, load
from rota.application.ports.store import RunKey, ScheduleKey
from rota.domain.attempt import Attempt, Outcome, Progress, RunError
from rota.domain.errors import ConcurrentChangeError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.overlap import Going
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.infrastructure.postgres.definitions import dump_delivery, job_terms, load_delivery
from rota.infrastructure.postgres.tables import jobs, leases, runs, workers
from rota.infrastructure.postgres.types import Batch, Big, Instant, Str, updating

WITH_JOB = select(runs, jobs.c.definition.label("job_definition")).select_from(
    runs.outerjoin(jobs, (jobs.c.tenant_id == runs.c.tenant_id) & (jobs.c.id == runs.c.job_id))
)
"""Every query for runs starts here: what a run does next depends on its job's terms. A delivery brings its own."""

_COLUMNS = tuple(column.name for column in runs.columns)
_CHANGING = (
    "state",
    "fired_at",
    "queued_at",
    "started_at",
    "finished_at",
    "cancel_requested_at",
    "cancel_acknowledged_at",
    "wake_at",
    "rank",
    "parked_on",
    "attempt",
    "attempts",
    "worker_id",
    "started_place",
    "sends",
    "result",
    "error",
    "fingerprint",
    "reason",
    "progress",
    "seq",
)

_STATES = {state.value: state for state in RunState}
_CAUSES = {cause.value: cause for cause in Cause}


def to_run(row: Row[Any]) -> Run:
    """`row` is of WITH_JOB. Taken apart by place, which costs a third of doing it by name."""
    (
        tenant_id, run_id, schedule_id, job_id, delivery, _lane, cause, state, scheduled_for, due_at, created_at,
        fired_at, queued_at, started_at, finished_at, cancel_requested_at, cancel_acknowledged_at, wake_at, rank,
        parked_on, attempt, attempts, worker_id, started_place, sends, retry_of, payload, result, error, fingerprint,
        reason, progress, priority, concurrency_key, dedupe_key, awaited, labels, correlation_id, traceparent,
        fired_epoch, seq, job_definition,
    ) = tuple(row)  # fmt: skip
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        seq=seq,
        schedule_id=schedule_id,
        job=None if job_id is None else job_terms(job_id, job_definition),
        delivery=None if delivery is None else load_delivery(delivery),
        cause=_CAUSES[cause],
        state=_STATES[state],
        scheduled_for=scheduled_for,
        due_at=due_at,
        created_at=created_at,
        fired_at=fired_at,
        queued_at=queued_at,
        started_at=started_at,
        finished_at=finished_at,
        cancel_requested_at=cancel_requested_at,
        cancel_acknowledged_at=cancel_acknowledged_at,
        wake_at=wake_at,
        rank=rank,
        parked_on=parked_on,
        attempt=attempt,
        attempts=_load_attempts(attempts) if attempts else (),
        worker_id=worker_id,
        started_place=started_place,
        sends=sends,
        retry_of=retry_of,
        payload=payload,
        result=result,
        error=_load_error(load(error)) if error else None,
        fingerprint=fingerprint,
        reason=reason,
        progress=Progress(**load(progress)) if progress else None,
        priority=priority,
        concurrency_key=concurrency_key,
        dedupe_key=dedupe_key,
        is_awaited=awaited,
        labels=load(labels) if labels else {},
        correlation_id=correlation_id,
        traceparent=traceparent,
        fired_epoch=fired_epoch,
    )


def from_run(run: Run) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": run.tenant_id,
        "id": run.id,
        "schedule_id": run.schedule_id,
        "job_id": None if run.job is None else run.job.id,
        "delivery": None if run.delivery is None else dump_delivery(run.delivery),
        "lane": run.lane,
        "cause": run.cause,
        "scheduled_for": run.scheduled_for,
        "due_at": run.due_at,
        "created_at": run.created_at,
        "retry_of": run.retry_of,
        "payload": run.payload,
        "priority": run.priority,
        "concurrency_key": run.concurrency_key,
        "dedupe_key": run.dedupe_key,
        "awaited": run.is_awaited,
        "labels": dump(run.labels) if run.labels else None,
        "correlation_id": run.correlation_id,
        "traceparent": run.traceparent,
        "fired_epoch": run.fired_epoch,
        **_changing(run),
    }


def _changing(run: Run) -> dict[str, Any]:  # Any: column values
    """What may change once it is made: _CHANGING."""
    return {
        "state": run.state,
        "fired_at": run.fired_at,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "cancel_requested_at": run.cancel_requested_at,
        "cancel_acknowledged_at": run.cancel_acknowledged_at,
        "wake_at": run.wake_at,
        "rank": run.rank,
        "parked_on": run.parked_on,
        "attempt": run.attempt,
        "attempts": _dump_attempts(run.attempts) if run.attempts else None,
        "worker_id": run.worker_id,
        "started_place": run.started_place,
        "sends": run.sends,
        "result": run.result,
        "error": dump(_dump_error(run.error)) if run.error else None,
        "fingerprint": run.fingerprint,
        "reason": run.reason,
        "progress": dump({"value": run.progress.value, "note": run.progress.note}) if run.progress else None,
        "seq": run.next_seq,
    }


def _dump_error(error: RunError | None) -> dict[str, Any] | None:  # Any: JSON
    return None if error is None else {"type": error.type, "message": error.message, "stack": error.stack}


def _load_error(stored: dict[str, Any] | None) -> RunError | None:  # Any: JSON
    return None if stored is None else RunError(stored["type"], stored["message"], stored["stack"])


def _dump_attempts(attempts: tuple[Attempt, ...]) -> str:
    return dump(
        [
            {
                "number": ended.number,
                "worker_id": ended.worker_id,
                "queued_at": ended.queued_at,
                "started_at": ended.started_at,
                "finished_at": ended.finished_at,
                "outcome": ended.outcome,
                "error": _dump_error(ended.error),
                "answer": ended.answer,
            }
            for ended in attempts
        ]
    )


def _load_attempts(text: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            number=stored["number"],
            worker_id=stored["worker_id"] and WorkerId(UUID(stored["worker_id"])),
            queued_at=_instant(stored["queued_at"]),
            started_at=_instant(stored["started_at"]),
            finished_at=datetime.fromisoformat(stored["finished_at"]),
            outcome=Outcome(stored["outcome"]),
            error=_load_error(stored["error"]),
            answer=stored.get("answer"),
        )
        for stored in load(text)
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _found_by_key(wanted: FromClause) -> Select[Any]:
    """One run, through the primary key. LIMIT keeps the planner, whose statistics of a busy table are always old,
    from joining in any other order: it has read two million rows for 340 runs.
    """
    return select(runs).where(runs.c.tenant_id == wanted.c.tenant_id, runs.c.id == wanted.c.id).limit(1)


def with_job(wanted: FromClause, found: FromClause) -> Select[Any]:
    """As WITH_JOB, of the runs that were found for each wanted."""
    same_job = (jobs.c.tenant_id == found.c.tenant_id) & (jobs.c.id == found.c.job_id)
    every_one = wanted.join(found, true()).outerjoin(jobs, same_job)
    return select(found, jobs.c.definition.label("job_definition")).select_from(every_one)


def _by_keys(wanted: FromClause) -> Select[Any]:
    return with_job(wanted, _found_by_key(wanted).lateral("found"))


def _locked_by_keys(wanted: FromClause) -> Select[Any]:
    return with_job(wanted, _found_by_key(wanted).with_for_update().lateral("found"))


def _insert(incoming: FromClause) -> ReturningInsert[Any]:
    """A due time that is taken is passed over; a key that is taken is an error (`taken_keys`)."""
    made = insert(runs).from_select(_COLUMNS, select(incoming))
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
_INSERT = Batch(_insert, runs, *_COLUMNS)
_UPDATE = updating(runs, *_CHANGING)
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
        given = {name: [value[name] for value in values] for name in _COLUMNS}
        stored = await self._connection.execute(*_INSERT(given))
        ours = {row.id for row in stored}
        if len(ours) == len(self._added):
            return self._added
        self._refused = [run for run in self._added if run.id not in ours]
        return [run for run in self._added if run.id in ours]

    async def _write_changed(self, changed: Sequence[tuple[Run, int]]) -> None:
        values = [_changing(run) for run, _ in changed]
        given = _keys([(run.tenant_id, run.id) for run, _ in changed])
        given |= {name: [value[name] for value in values] for name in _CHANGING}
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
