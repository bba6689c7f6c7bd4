"""The runs that should be on the bus, in memory: those that workers carry out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rota.application.ports.bus import Lane
from rota.application.ports.keys import RunKey
from rota.domain.run import Run
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.runs import handed_out
from rota.infrastructure.memory.tables import InMemoryStore, twin


class InMemoryQueuedRuns:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables
        self._locks = store.locks

    async def lanes(self, queued_before: datetime) -> Sequence[tuple[Lane, int]]:
        counted = Counter(_lane(run) for run in self._queued() if _since(run) < queued_before)
        return list(counted.items())

    async def page(self, queued_since: datetime, after: RunKey | None, limit: int) -> Sequence[Run]:
        wanted = [_key(run) for run in self._queued() if _since(run) >= queued_since]
        return [handed_out(self._tables.jobs, self._tables.runs[key]) for key in _beyond(after, wanted)[:limit]]

    async def send_anew(
        self, queued_before: datetime, lane: Lane | None, after: RunKey | None, limit: int
    ) -> Sequence[Run]:
        wanted = [_key(run) for run in self._queued() if _since(run) < queued_before and lane in (None, _lane(run))]
        holder = Holder()
        try:
            return [run for key in _beyond(after, wanted)[:limit] if (run := await self._sent_anew(key, holder))]
        finally:
            self._locks.release_all(holder)

    async def _sent_anew(self, key: RunKey, holder: Holder) -> Run | None:
        """None if it has started while its lock was waited for."""
        await self._locks.take(("run", key), holder)
        row = self._tables.runs[key]
        if not row.is_queued:
            return None
        again = twin(row)
        again.sends += 1
        self._tables.runs[key] = self._tables.unfinished[key] = again
        return handed_out(self._tables.jobs, again)

    def _queued(self) -> Iterator[Run]:
        return (run for run in self._tables.unfinished.values() if run.is_queued and run.job)


def _beyond(after: RunKey | None, keys: list[RunKey]) -> list[RunKey]:
    return sorted(key for key in keys if after is None or key > after)


def _key(run: Run) -> RunKey:
    return (run.tenant_id, run.id)


def _lane(run: Run) -> Lane:
    assert run.job is not None  # it is carried out by a worker
    return Lane(run.tenant_id, run.job.id)


def _since(run: Run) -> datetime:
    assert run.queued_at is not None  # it is QUEUED
    return run.queued_at
