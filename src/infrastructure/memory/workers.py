"""Workers in memory, and what their heartbeats said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rota.application.ports.bus import Lane
from rota.application.ports.keys import WorkerKey
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.worker import Beat, Worker, WorkerSnapshot, WorkerState
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.tables import Draft, InMemoryStore, Seen, WorkerRow, twin

ANNOUNCE_EVERY = timedelta(minutes=1)


class InMemoryWorkers:
    def __init__(self, store: InMemoryStore, holder: Holder) -> None:
        self._locks = store.locks
        self._holder = holder
        self._rows = Draft(store.tables.workers)
        self._jobs = store.tables.job_names
        self._seen: Seen[WorkerKey, Worker] = Seen()
        self._added: list[Worker] = []

    async def get(self, tenant_id: TenantId, worker_id: WorkerId) -> Worker:
        key = (tenant_id, worker_id)
        if self._rows.get(key) is None:
            raise NotFoundError("worker", worker_id)
        await self._locks.take(("worker", key), self._holder)
        return self._own(key)

    def add(self, worker: Worker) -> None:
        self._added.append(worker)

    async def load(self, keys: Iterable[WorkerKey]) -> Mapping[WorkerKey, Worker]:
        found = ((key, self._rows.get(key)) for key in set(keys))
        return {key: twin(row.worker) for key, row in found if row is not None}

    async def beat(self, beats: Mapping[WorkerKey, Beat]) -> Sequence[WorkerSnapshot]:
        to_announce = []
        for key, beat in sorted(beats.items(), key=lambda item: item[0][1]):
            if self._rows.get(key) is None:
                continue
            await self._locks.take(("worker", key), self._holder)
            row = self._row(key)
            if row.worker.state is WorkerState.OFFLINE:
                continue
            is_due = row.announced_at is None or beat.at - row.announced_at >= ANNOUNCE_EVERY
            heard = _heard(row.worker, beat)
            self._rows.put(key, WorkerRow(heard, beat, row.beat, beat.at if is_due else row.announced_at))
            if is_due:
                to_announce.append(heard.snapshot())
        return to_announce

    async def silent_since(self, instant: datetime, limit: int) -> Sequence[Worker]:
        silent = [
            (row.worker.last_seen_at, key)
            for key, row in self._rows.items()
            if row.worker.state is not WorkerState.OFFLINE and row.worker.last_seen_at < instant
        ]
        silent.sort(key=lambda pair: pair[0])
        free = self._locks.take_free("worker", (key for _, key in silent), self._holder, limit)
        return [self._own(key) for key in free]

    async def attended(self) -> Collection[Lane]:
        alive = [row.worker for _, row in self._rows.items() if row.worker.state is not WorkerState.OFFLINE]
        named = {(worker.tenant_id, name) for worker in alive for name in worker.jobs}
        return [Lane(tenant_id, self._jobs[tenant_id, name]) for tenant_id, name in named & self._jobs.keys()]

    def stage(self) -> list[Worker]:
        """Checks what changed, and answers it with what was added. Raises ConcurrentChangeError."""
        for worker in self._added:
            self._rows.put((worker.tenant_id, worker.id), WorkerRow(twin(worker)))
        changed = self._seen.changed()
        for key, worker, seq in changed:
            row = self._row(key)
            if row.worker.seq != seq:
                raise ConcurrentChangeError("worker")
            self._rows.put(key, replace(row, worker=_with_what_was_heard(worker, row)))
        return self._added + [worker for _, worker, _ in changed]

    def publish(self) -> None:
        self._rows.publish()

    def _row(self, key: WorkerKey) -> WorkerRow:
        row = self._rows.get(key)
        assert row is not None  # a worker is never removed
        return row

    def _own(self, key: WorkerKey) -> Worker:
        return self._seen.keep(key, twin(self._row(key).worker))


def _heard(worker: Worker, beat: Beat) -> Worker:
    heard = twin(worker)
    heard.last_seen_at = max(worker.last_seen_at, beat.at)
    heard.slots = beat.slots
    heard.running = len(beat.running)
    return heard


def _with_what_was_heard(worker: Worker, row: WorkerRow) -> Worker:
    """A heartbeat kept by the same unit of work is not undone by a worker that was read before it."""
    kept = twin(worker)
    return kept if row.beat is None or kept.state is WorkerState.OFFLINE else _heard(kept, row.beat)
