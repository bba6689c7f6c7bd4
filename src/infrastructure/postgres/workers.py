"""Workers as rows, and what their heartbeats said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import FromClause, Row, and_, case, func, insert, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from rota.application.json import dump, load
from rota.application.ports.bus import Lane
from rota.application.ports.keys import WorkerKey
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.worker import Beat, Worker, WorkerSnapshot, WorkerState
from rota.infrastructure.postgres.tables import jobs, workers
from rota.infrastructure.postgres.types import Batch, Str


def _said_by_us(worker: Worker) -> dict[str, Any]:  # Any: column values
    """What its own heartbeats say is theirs to write: one may have come since the worker was read."""
    state = {"state": worker.state.value, "seq": worker.next_seq}
    return state | {"running": 0} if worker.state is WorkerState.OFFLINE else state


ANNOUNCE_EVERY = timedelta(minutes=1)


def to_worker(row: Row[Any]) -> Worker:
    return Worker(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        name=row.name,
        jobs=tuple(load(row.jobs)),
        capabilities=tuple(load(row.capabilities)),
        slots=row.slots,
        registered_at=row.registered_at,
        last_seen_at=row.last_seen_at,
        state=WorkerState(row.state),
        running=row.running,
    )


def from_worker(worker: Worker) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": worker.tenant_id,
        "id": worker.id,
        "name": worker.name,
        "state": worker.state.value,
        "jobs": dump(worker.jobs),
        "capabilities": dump(worker.capabilities),
        "slots": worker.slots,
        "running": worker.running,
        "registered_at": worker.registered_at,
        "last_seen_at": worker.last_seen_at,
        "seq": worker.next_seq,
    }


def _beat(said: FromClause) -> ReturningUpdate[Any]:
    """Arrays do not nest in `unnest`, so each worker's named runs come as one text, split here."""
    named = func.string_to_array(said.c.named, ",").cast(workers.c.beat_running.type)
    is_due = func.coalesce(said.c.last_seen_at - workers.c.announced_at >= ANNOUNCE_EVERY, True)
    return (
        update(workers)
        .where(workers.c.tenant_id == said.c.tenant_id, workers.c.id == said.c.id, workers.c.state != "OFFLINE")
        .values(
            last_seen_at=func.greatest(workers.c.last_seen_at, said.c.last_seen_at),
            slots=said.c.slots,
            running=said.c.running,
            prior_at=workers.c.beat_at,
            prior_running=workers.c.beat_running,
            prior_stream=workers.c.beat_stream,
            prior_seq=workers.c.beat_seq,
            beat_at=said.c.last_seen_at,
            beat_running=named,
            beat_stream=said.c.beat_stream,
            beat_seq=said.c.beat_seq,
            announced_at=case((is_due, said.c.last_seen_at), else_=workers.c.announced_at),
        )
        .returning(workers, (workers.c.announced_at == said.c.last_seen_at).label("is_due"))
    )


_BEAT = Batch(
    _beat, workers, "tenant_id", "id", "last_seen_at", "slots", "running", "beat_stream", "beat_seq", named=Str
)


class PostgresWorkers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Worker] = []
        self._seen: dict[WorkerKey, tuple[Worker, int]] = {}

    async def get(self, tenant_id: TenantId, worker_id: WorkerId) -> Worker:
        wanted = select(workers).where(workers.c.tenant_id == tenant_id, workers.c.id == worker_id).with_for_update()
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("worker", worker_id)
        return self._keep(row)

    def add(self, worker: Worker) -> None:
        self._added.append(worker)

    async def load(self, keys: Iterable[WorkerKey]) -> Mapping[WorkerKey, Worker]:
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        query = select(workers).where(tuple_(workers.c.tenant_id, workers.c.id).in_(wanted))
        found = [to_worker(row) for row in await self._connection.execute(query)]
        return {(worker.tenant_id, worker.id): worker for worker in found}

    async def beat(self, beats: Mapping[WorkerKey, Beat]) -> Sequence[WorkerSnapshot]:
        if not beats:
            return []
        said = sorted(beats.items(), key=lambda item: item[0][1])
        statement, given = _BEAT(
            {
                "tenant_id": [key[0] for key, _ in said],
                "id": [key[1] for key, _ in said],
                "last_seen_at": [beat.at for _, beat in said],
                "slots": [beat.slots for _, beat in said],
                "running": [len(beat.running) for _, beat in said],
                "beat_stream": [beat.report_seq and beat.report_seq.stream for _, beat in said],
                "beat_seq": [beat.report_seq and beat.report_seq.seq for _, beat in said],
                "named": [",".join(map(str, beat.running)) for _, beat in said],
            }
        )
        stored = await self._connection.execute(statement, given)
        return [to_worker(row).snapshot() for row in stored if row.is_due]

    async def silent_since(self, instant: datetime, limit: int) -> Sequence[Worker]:
        wanted = (
            select(workers)
            .where(workers.c.state != WorkerState.OFFLINE.value, workers.c.last_seen_at < instant)
            .order_by(workers.c.last_seen_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [self._keep(row) for row in await self._connection.execute(wanted)]

    async def attended(self) -> Collection[Lane]:
        known = func.json_array_elements_text(workers.c.jobs).table_valued("name")
        wanted = (
            select(jobs.c.tenant_id, jobs.c.id)
            .distinct()
            .select_from(workers)
            .join(known, true())
            .join(jobs, and_(jobs.c.tenant_id == workers.c.tenant_id, jobs.c.name == known.c.name))
            .where(workers.c.state != WorkerState.OFFLINE.value, jobs.c.deleted_at.is_(None))
        )
        return [Lane(row.tenant_id, row.id) for row in await self._connection.execute(wanted)]

    async def write(self) -> list[Worker]:
        """Stores what was added and what changed; answers them."""
        if self._added:
            await self._connection.execute(insert(workers), [from_worker(worker) for worker in self._added])
        changed = [(worker, seq) for worker, seq in self._seen.values() if worker.is_changed]
        for worker, seq in changed:
            done = await self._connection.execute(
                update(workers)
                .where(workers.c.tenant_id == worker.tenant_id, workers.c.id == worker.id, workers.c.seq == seq)
                .values(_said_by_us(worker))
            )
            if done.rowcount != 1:
                raise ConcurrentChangeError("worker")
        return self._added + [worker for worker, _ in changed]

    def _keep(self, row: Row[Any]) -> Worker:
        worker = to_worker(row)
        return self._seen.setdefault((worker.tenant_id, worker.id), (worker, worker.seq))[0]
