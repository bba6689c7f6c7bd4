"""What is over, found and removed in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rota.application.ports.log import Cursors
from rota.application.ports.retention import DefinitionKey, RunWindow, TenantRuns
from rota.domain.ids import RunId, TenantId
from rota.domain.redrive import RedriveState
from rota.domain.retention import FinishedRun
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.trigger import FixedDelay
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.tables import InMemoryStore

WHOLE = frozenset({"schedule.created", "schedule.updated", "job.created", "job.updated"})


class InMemoryRetention:
    """Runs are in the order of their ids; when one was made is what itself says."""

    def __init__(self, store: InMemoryStore, cursors: Cursors) -> None:
        self._tables = store.tables
        self._locks = store.locks
        self._cursors = cursors

    async def tenants(self) -> Sequence[TenantRuns]:
        runs = self._tables.runs.values()
        found = sorted({run.tenant_id for run in runs})
        return [TenantRuns(each, min(_made(runs, each)), self._shortest(each)) for each in found]

    async def runs(self, tenant_id: TenantId, made_before: datetime, after: RunId | None, limit: int) -> RunWindow:
        own = (run for run in self._tables.runs.values() if run.tenant_id == tenant_id)
        old = (run for run in own if run.created_at < made_before and (after is None or run.id > after))
        window = sorted(old, key=lambda run: run.id)[:limit]
        finished = [judged for run in window if (judged := self._to_finished(run)) is not None]
        return RunWindow(finished, window[-1].id if len(window) == limit else None)

    async def remove_runs(self, tenant_id: TenantId, runs: Sequence[RunId]) -> int:
        published = await self._published()
        rows = (self._tables.runs.get((tenant_id, run_id)) for run_id in runs)
        gone = [run for run in rows if run is not None and self._is_removable(run, published)]
        for run in gone:
            del self._tables.runs[tenant_id, run.id]
            self._tables.removed_runs[tenant_id, run.lane, run.schedule_id, run.state] += 1
            self._forget(run)
        self._remove_events_of((tenant_id, run.id) for run in gone)
        return len(gone)

    async def definitions(self, after: DefinitionKey | None, limit: int) -> Sequence[DefinitionKey]:
        schedules = (key for key, row in self._tables.schedules.items() if row.version > 1)
        jobs = (key for key, row in self._tables.jobs.items() if row.version > 1)
        keys: list[DefinitionKey] = sorted([*schedules, *jobs])
        return [key for key in keys if after is None or key > after][:limit]

    async def remove_events(self, before: Mapping[DefinitionKey, datetime], limit: int) -> int:
        published = await self._published()
        whole: dict[DefinitionKey, int] = {}
        for entry in self._tables.events:
            if entry.type in WHOLE:
                whole[entry.tenant_id, entry.subject] = entry.seq
        old = [
            entry
            for entry in self._tables.events
            if (key := (entry.tenant_id, entry.subject)) in before
            and entry.seq < whole.get(key, 0)
            and entry.at < before[key]
            and entry.position <= published
        ]
        gone = {entry.position for entry in sorted(old, key=lambda each: (each.subject, each.seq))[:limit]}
        self._tables.events[:] = [entry for entry in self._tables.events if entry.position not in gone]
        return len(gone)

    async def remove_rejected(self, before: datetime, limit: int) -> int:
        rejections = self._tables.rejections
        gone = {each.id for each in [each for each in rejections if each.at < before][:limit]}
        rejections[:] = [each for each in rejections if each.id not in gone]
        return len(gone)

    async def remove_workers(self, before: datetime, limit: int) -> int:
        published = await self._published()
        busy = {(run.tenant_id, run.worker_id) for run in self._tables.unfinished.values() if _is_running(run)}
        old = [
            key
            for key, row in self._tables.workers.items()
            if row.worker.state is WorkerState.OFFLINE
            and row.worker.last_seen_at < before
            and key not in busy
            and self._last_position(key) <= published
        ][:limit]
        for key in old:
            del self._tables.workers[key]
        self._remove_events_of(old)
        return len(old)

    async def remove_redrives(self, before: datetime, limit: int) -> int:
        tables = self._tables
        old = [key for key, row in tables.redrives.items() if row.finished_at is not None and row.finished_at < before]
        for key in old[:1]:
            listed = [each for each in tables.redrive_runs if each[:2] == key][:limit]
            for each in listed:
                del tables.redrive_runs[each]
            if len(listed) == limit:
                return limit
            del tables.redrives[key]
            return len(listed) + 1
        return 0

    async def remove_backfills(self, before: datetime, limit: int) -> int:
        rows = self._tables.backfills
        old = [key for key, row in rows.items() if row.finished_at is not None and row.finished_at < before][:limit]
        for key in old:
            del rows[key]
        return len(old)

    async def remove_differences(self, before: datetime, limit: int) -> int:
        rows = self._tables.audit_differences
        old = [key for key, row in rows.items() if row.found_at < before][:limit]
        for key in old:
            del rows[key]
        return len(old)

    async def remove_keyed_calls(self, before: datetime, limit: int) -> int:
        rows = self._tables.keyed_calls
        old = [key for key, row in rows.items() if row.made_at < before][:limit]
        for key in old:
            del rows[key]
        return len(old)

    async def _published(self) -> int:
        relayed = await self._cursors.read("relay")
        return relayed.position if relayed else 0

    def _shortest(self, tenant_id: TenantId) -> timedelta | None:
        own = (job.definition.retention for job in self._tables.jobs.values() if job.tenant_id == tenant_id)
        return min((length for length in own if length is not None), default=None)

    def _to_finished(self, run: Run) -> FinishedRun | None:
        if run.finished_at is None:
            return None
        job = self._tables.jobs[run.tenant_id, run.job.id] if run.job else None
        kept_for = job.definition.retention if job else None
        return FinishedRun(id=run.id, state=run.state, finished_at=run.finished_at, kept_for=kept_for)

    def _is_removable(self, run: Run, published: int) -> bool:
        key = (run.tenant_id, run.id)
        return (
            run.finished_at is not None
            and self._last_position(key) <= published
            and (run.retry_of is None or (run.tenant_id, run.retry_of) not in self._tables.runs)
            and not self._is_to_be_redriven(run)
            and not self._is_waited_for(run)
            and self._is_free(run)
        )

    def _is_free(self, run: Run) -> bool:
        holder = Holder()
        is_free = self._locks.try_take(("run", (run.tenant_id, run.id)), holder)
        self._locks.release_all(holder)
        return is_free

    def _is_to_be_redriven(self, run: Run) -> bool:
        return any(
            redrive.state is RedriveState.RUNNING
            and (*key, run.id) in self._tables.redrive_runs
            and (redrive.reached is None or redrive.reached < run.id)
            for key, redrive in self._tables.redrives.items()
        )

    def _is_waited_for(self, run: Run) -> bool:
        if run.cause is not Cause.SCHEDULE or run.schedule_id is None:
            return False
        key = (run.tenant_id, run.schedule_id)
        schedule = self._tables.schedules.get(key)
        rests = (
            schedule is not None
            and isinstance(schedule.definition.trigger, FixedDelay)
            and schedule.enabled
            and schedule.next is None
        )
        return rests and self._tables.last_fired[key].id == run.id

    def _forget(self, run: Run) -> None:
        """Its due time stays decided; what it was the last run of has the one before as its last."""
        tables = self._tables
        if run.schedule_id is None:
            return
        own = (run.tenant_id, run.schedule_id)
        tables.removed_to[own] = max(tables.removed_to.get(own, run.scheduled_for), run.scheduled_for)
        due_time = (*own, run.scheduled_for)
        if tables.due_times.get(due_time) == run.id:
            del tables.due_times[due_time]
        if own in tables.last_fired and tables.last_fired[own].id == run.id:
            del tables.last_fired[own]
            fired = (row for row in tables.runs.values() if (row.tenant_id, row.schedule_id) == own)
            left = [row for row in fired if row.cause is Cause.SCHEDULE]
            if left:
                tables.last_fired[own] = max(left, key=lambda row: row.scheduled_for)

    def _last_position(self, key: DefinitionKey) -> int:
        return max((each.position for each in self._tables.events if (each.tenant_id, each.subject) == key), default=0)

    def _remove_events_of(self, keys: Iterable[tuple[TenantId, UUID]]) -> None:
        gone = set(keys)
        events = self._tables.events
        events[:] = [entry for entry in events if (entry.tenant_id, entry.subject) not in gone]


def _made(runs: Iterable[Run], tenant_id: TenantId) -> list[datetime]:
    return [run.created_at for run in runs if run.tenant_id == tenant_id]


def _is_running(run: Run) -> bool:
    return run.state is RunState.RUNNING
