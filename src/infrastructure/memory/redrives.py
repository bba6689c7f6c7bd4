"""Redrives in memory, and the lists of their dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime

from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, RunId, TenantId
from rota.domain.redrive import Redrive, RedriveState
from rota.domain.run_events import RunState
from rota.infrastructure.memory.letters import letters
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.tables import Draft, InMemoryStore, Listed, RedriveKey, Tables


class InMemoryRedrives:
    def __init__(self, store: InMemoryStore, holder: Holder) -> None:
        self._tables = store.tables
        self._locks = store.locks
        self._holder = holder
        self._rows = Draft(store.tables.redrives)
        self._listed = Draft(store.tables.redrive_runs)
        self._seen: dict[RedriveKey, Redrive] = {}

    async def add(self, redrive: Redrive) -> int:
        self._seen[_key(redrive)] = redrive
        chosen = letters(self._tables, redrive.tenant_id, redrive.wanted)[: redrive.terms.most]
        for run in chosen:
            self._listed.put((*_key(redrive), run.id), Listed())
        return len(chosen)

    async def get(self, tenant_id: TenantId, redrive_id: RedriveId) -> Redrive:
        key = (tenant_id, redrive_id)
        await self._locks.take(("redrive", key), self._holder)
        if self._rows.get(key) is None:
            raise NotFoundError("redrive", redrive_id)
        return self._own(key)

    async def ready(self, now: datetime) -> Redrive | None:
        running = [row for _, row in self._rows.items() if row.state is RedriveState.RUNNING and row.next_at <= now]
        running.sort(key=lambda row: row.next_at)
        free = self._locks.take_free("redrive", map(_key, running), self._holder, 1)
        return self._own(free[0]) if free else None

    async def letters(self, redrive: Redrive, limit: int) -> Sequence[RunId]:
        own = sorted(run_id for *key, run_id in (key for key, _ in self._listed.items()) if tuple(key) == _key(redrive))
        return [run_id for run_id in own if redrive.reached is None or run_id > redrive.reached][:limit]

    async def retried(self, tenant_id: TenantId, runs: Iterable[RunId]) -> Collection[RunId]:
        asked = set(runs)
        own = (run.retry_of for run in self._tables.runs.values() if run.tenant_id == tenant_id)
        return {run_id for run_id in own if run_id in asked}

    async def link(self, redrive: Redrive, made: Mapping[RunId, RunId]) -> None:
        for letter, run_id in made.items():
            self._listed.put((*_key(redrive), letter), Listed(run_id))

    async def dead(self, redrive: Redrive) -> int:
        return dead_of(self._tables, _key(redrive))

    def stage(self) -> None:
        for key, redrive in self._seen.items():
            self._rows.put(key, copy(redrive))

    def publish(self) -> None:
        self._rows.publish()
        self._listed.publish()

    def _own(self, key: RedriveKey) -> Redrive:
        row = self._rows.get(key)
        assert row is not None  # one that is not over is never removed
        return self._seen.setdefault(key, copy(row))


def dead_of(tables: Tables, key: RedriveKey) -> int:
    """How many of its new runs are DEAD."""
    made = [row.made for listed, row in tables.redrive_runs.items() if listed[:2] == key and row.made is not None]
    found = (tables.runs.get((key[0], run_id)) for run_id in made)
    return sum(run is not None and run.state is RunState.DEAD for run in found)


def _key(redrive: Redrive) -> RedriveKey:
    return (redrive.tenant_id, redrive.id)
