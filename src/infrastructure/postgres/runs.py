"""Runs as rows, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Row, Select, Update, and_, bindparam, cast, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from rota.application.json import dump, load
from rota.application.ports.store import RunKey
from rota.domain.attempt import Attempt, Outcome, Progress, RunError
from rota.domain.errors import ConcurrentChangeError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.infrastructure.postgres.definitions import job_terms
from rota.infrastructure.postgres.tables import jobs, runs, workers
from rota.infrastructure.postgres.types import Batch, Big, Instant, Str

WITH_JOB = select(runs, jobs.c.definition.label("job_definition")).select_from(
    runs.join(jobs, (jobs.c.tenant_id == runs.c.tenant_id) & (jobs.c.id == runs.c.job_id))
)
"""Every query for runs starts here: what a run does next depends on its job's terms."""

_COLUMNS = tuple(column.name for column in runs.columns)
_CHANGING = (
    "state",
    "fired_at",
    "queued_at",
    "started_at",
    "finished_at",
    "wake_at",
    "attempt",
    "attempts",
    "worker_id",
    "started_place",
    "sends",
    "result",
    "error",
    "reason",
    "progress",
    "seq",
)

_STATES = {state.value: state for state in RunState}
_CAUSES = {cause.value: cause for cause in Cause}


def to_run(row: Row[Any]) -> Run:
    """`row` is of WITH_JOB. Taken apart by place, which costs a third of doing it by name."""
    (
        tenant_id, run_id, schedule_id, job_id, cause, state, scheduled_for, due_at, created_at, fired_at, queued_at,
        started_at, finished_at, wake_at, attempt, attempts, worker_id, started_place, sends, payload, result, error,
        reason, progress, dedupe_key, labels, correlation_id, traceparent, fired_epoch, seq, job_definition,
    ) = tuple(row)  # fmt: skip
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        seq=seq,
        schedule_id=schedule_id,
        job=job_terms(job_id, job_definition),
        cause=_CAUSES[cause],
        state=_STATES[state],
        scheduled_for=scheduled_for,
        due_at=due_at,
        created_at=created_at,
        fired_at=fired_at,
        queued_at=queued_at,
        started_at=started_at,
        finished_at=finished_at,
        wake_at=wake_at,
        attempt=attempt,
        attempts=_load_attempts(attempts) if attempts else (),
        worker_id=worker_id,
        started_place=started_place,
        sends=sends,
        payload=payload,
        result=result,
        error=_load_error(load(error)) if error else None,
        reason=reason,
        progress=Progress(**load(progress)) if progress else None,
        dedupe_key=dedupe_key,
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
        "job_id": run.job.id,
        "cause": run.cause,
        "state": run.state,
        "scheduled_for": run.scheduled_for,
        "due_at": run.due_at,
        "created_at": run.created_at,
        "fired_at": run.fired_at,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "wake_at": run.wake_at,
        "attempt": run.attempt,
        "attempts": _dump_attempts(run.attempts) if run.attempts else None,
        "worker_id": run.worker_id,
        "started_place": run.started_place,
        "sends": run.sends,
        "payload": run.payload,
        "result": run.result,
        "error": dump(_dump_error(run.error)) if run.error else None,
        "reason": run.reason,
        "progress": dump({"value": run.progress.value, "note": run.progress.note}) if run.progress else None,
        "dedupe_key": run.dedupe_key,
        "labels": dump(run.labels) if run.labels else None,
        "correlation_id": run.correlation_id,
        "traceparent": run.traceparent,
        "fired_epoch": run.fired_epoch,
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


def _with_job(wanted: FromClause, found: FromClause) -> Select[Any]:
    same_job = (jobs.c.tenant_id == found.c.tenant_id) & (jobs.c.id == found.c.job_id)
    every_one = wanted.join(found, true()).join(jobs, same_job)
    return select(found, jobs.c.definition.label("job_definition")).select_from(every_one)


def _by_keys(wanted: FromClause) -> Select[Any]:
    return _with_job(wanted, _found_by_key(wanted).lateral("found"))


def _locked_by_keys(wanted: FromClause) -> Select[Any]:
    return _with_job(wanted, _found_by_key(wanted).with_for_update().lateral("found"))


def _insert(incoming: FromClause) -> ReturningInsert[Any]:
    made = insert(runs).from_select(_COLUMNS, select(incoming)).on_conflict_do_nothing()
    return made.returning(runs.c.tenant_id, runs.c.id)


def _update(incoming: FromClause) -> Update:
    same = (runs.c.tenant_id == incoming.c.tenant_id, runs.c.id == incoming.c.id, runs.c.seq == incoming.c.read_seq)
    return update(runs).where(*same).values({name: incoming.c[name] for name in _CHANGING})


_PEEK = Batch(_by_keys, runs, "tenant_id", "id")
_LOAD = Batch(_locked_by_keys, runs, "tenant_id", "id")
_INSERT = Batch(_insert, runs, *_COLUMNS)
_UPDATE = Batch(_update, runs, "tenant_id", "id", *_CHANGING, read_seq=Big)

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
    .where(runs.c.state == "RUNNING", workers.c.state == "OFFLINE")
    .order_by(runs.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=runs, skip_locked=True)
)


def _keys(wanted: Sequence[RunKey]) -> dict[str, list[Any]]:  # Any: column values
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
        return {(run.tenant_id, run.id): run for run in self._keep(found)}

    async def waking(self, now: datetime, limit: int) -> Sequence[Run]:
        return self._keep(await self._connection.execute(_WAKING, {"now": now, "most": limit}))

    async def orphaned(self, limit: int) -> Sequence[Run]:
        return self._keep(await self._connection.execute(_ORPHANED, {"most": limit}))

    async def unnamed(self, stream: str, intake_floor: int) -> Sequence[Run]:
        return self._keep(await self._connection.execute(_UNNAMED, {"stream": stream, "floor": intake_floor}))

    async def holding(self, tenant_id: TenantId, dedupe_keys: Iterable[str]) -> Mapping[str, Run]:
        wanted = WITH_JOB.where(
            runs.c.tenant_id == tenant_id,
            runs.c.dedupe_key.in_(list(dedupe_keys)),
            runs.c.dedupe_key.is_not(None),
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
        if any(run.dedupe_key for run in self._refused):
            raise ConcurrentChangeError("dedupe key")
        return [run for run in self._added if run.id in ours]

    async def _write_changed(self, changed: Sequence[tuple[Run, int]]) -> None:
        values = [from_run(run) for run, _ in changed]
        given = {name: [value[name] for value in values] for name in ("tenant_id", "id", *_CHANGING)}
        given["read_seq"] = [seq for _, seq in changed]
        done = await self._connection.execute(*_UPDATE(given))
        if done.rowcount != len(changed):
            raise ConcurrentChangeError("run")

    def _keep(self, found: Iterable[Row[Any]]) -> list[Run]:
        kept = []
        for row in found:
            key = (row.tenant_id, row.id)
            if key not in self._seen:
                run = to_run(row)
                self._seen[key] = (run, run.seq)
            kept.append(self._seen[key][0])
        return kept
