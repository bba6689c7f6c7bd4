"""Runs in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rota.application.ports.keys import RunKey, ScheduleKey
from rota.application.ports.leases import carrier_lease
from rota.application.ports.waiting import ConcurrencyKey
from rota.domain.errors import ConcurrentChangeError
from rota.domain.gates import schedule_gate
from rota.domain.ids import TenantId
from rota.domain.job import Job
from rota.domain.overlap import Going
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.worker import Beat, WorkerState
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.tables import Draft, InMemoryStore, JobKey, Seen, WorkerRow, present_terms, twin

ONCE_PER_DUE_TIME = frozenset({Cause.SCHEDULE, Cause.BACKFILL})
UNDER_WAY = frozenset({RunState.QUEUED, RunState.RUNNING})
MOST_UNNAMED = 1000


class InMemoryRuns:
    def __init__(self, store: InMemoryStore, holder: Holder, jobs: Draft[JobKey, Job]) -> None:
        self._jobs = jobs
        self._leases = store.leases
        self._tables = store.tables
        self._locks = store.locks
        self._holder = holder
        self._rows = Draft(store.tables.runs)
        self._unfinished = Draft(store.tables.unfinished)
        self._due_times = Draft(store.tables.due_times)
        self._last_fired = Draft(store.tables.last_fired)
        self._dedupe_keys = Draft(store.tables.dedupe_keys)
        self._concurrency_keys = Draft(store.tables.concurrency_keys)
        self._seen: Seen[RunKey, Run] = Seen()
        self._added: list[Run] = []
        self._refused: list[Run] = []

    def add(self, run: Run) -> None:
        self._added.append(run)

    async def load(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        wanted = sorted({key for key in keys if key in self._tables.runs}, key=lambda key: key[1])
        for key in wanted:
            await self._locks.take(("run", key), self._holder)
        return {key: self._own(key) for key in wanted if key in self._tables.runs}

    async def peek(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        rows = self._tables.runs
        return {key: handed_out(self._jobs, rows[key]) for key in set(keys) if key in rows}

    async def waking(self, now: datetime, limit: int) -> Sequence[Run]:
        waking = [run for run in self.unfinished() if run.wake_at is not None and run.wake_at <= now]
        waking.sort(key=lambda run: run.wake_at or now)
        return self.take_free(map(key_of, waking), limit)

    async def orphaned(self, limit: int) -> Sequence[Run]:
        return self.take_free(self._running(self._has_lost_its_worker), limit)

    async def deliverable(self, limit: int) -> Sequence[Run]:
        queued = [run for run in self.unfinished() if run.is_queued and run.job is None]
        return self.take_free(map(key_of, sorted(queued, key=lambda run: run.queued_at or run.created_at)), limit)

    async def abandoned(self, limit: int) -> Sequence[Run]:
        return self.take_free(self._running(self._has_lost_its_carrier), limit)

    async def going(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Going]:
        return {key: _counted(found) for key in set(keys) if (found := self._unfinished_of(key))}

    async def unfinished_of(self, keys: Iterable[ScheduleKey], limit: int) -> Sequence[Run]:
        found = [key_of(run) for key in sorted(set(keys)) for run in self._unfinished_of(key)]
        locked = await self.load(found[:limit])
        return [run for run in locked.values() if not run.state.is_final]

    async def unnamed(self, stream: str, intake_floor: int) -> Sequence[Run]:
        def has_gone_unnamed(run: Run) -> bool:
            return is_unnamed(run, self._worker_of(run), stream, intake_floor)

        return self.take_free(self._running(has_gone_unnamed), MOST_UNNAMED)

    async def holding(self, tenant_id: TenantId, dedupe_keys: Iterable[str]) -> Mapping[str, Run]:
        holders = self._tables.dedupe_keys
        return {
            key: handed_out(self._jobs, self._tables.runs[tenant_id, holders[tenant_id, key]])
            for key in set(dedupe_keys)
            if (tenant_id, key) in holders
        }

    def refused(self) -> Sequence[Run]:
        return self._refused

    def stage(self) -> list[Run]:
        """Checks what changed and what was added, and answers it without what was refused.

        Raises ConcurrentChangeError.
        """
        changed = self._seen.changed()
        for key, run, seq in changed:
            stored = self._rows.get(key)
            if stored is None or stored.seq != seq:
                raise ConcurrentChangeError("run")
            self.put(run)
        made = [run for run in self._added if self._is_accepted(run)]
        return made + [run for _, run, _ in changed]

    def publish(self) -> None:
        for rows in (self._rows, self._unfinished):
            rows.publish()
        for ids in (self._due_times, self._dedupe_keys):
            ids.publish()
        self._last_fired.publish()
        self._concurrency_keys.publish()

    # For the runs that wait: the same rows, seen by the same unit of work

    def unfinished(self) -> Iterator[Run]:
        """The rows themselves."""
        return (run for _, run in self._unfinished.items())

    def take_free(self, keys: Iterable[RunKey], most: int) -> list[Run]:
        """Of these, in their order, what nobody else holds."""
        return [self._own(key) for key in self._locks.take_free("run", keys, self._holder, most)]

    def is_busy(self, key: ConcurrencyKey) -> bool:
        """Whether a run with it is QUEUED or RUNNING."""
        return self._concurrency_keys.get(key) is not None

    def put(self, run: Run) -> None:
        """Raises ConcurrentChangeError."""
        key, row = key_of(run), twin(run)
        self._rows.put(key, row)
        if run.finished_at is None:
            self._unfinished.put(key, row)
        else:
            self._unfinished.remove(key)
        self._hold_dedupe_key(run)
        self._hold_concurrency_key(run)

    def _is_accepted(self, run: Run) -> bool:
        due_time = (run.tenant_id, run.schedule_id, run.scheduled_for)
        holds_due_time = run.cause in ONCE_PER_DUE_TIME and run.schedule_id is not None
        if holds_due_time and self._due_times.get(due_time) is not None:
            self._refused.append(run)
            return False
        if self._is_dedupe_key_held(run):
            raise ConcurrentChangeError("dedupe key")
        if run.job is not None:
            present_terms(self._jobs, run.tenant_id, run.job.id)  # else nobody could read the run back
        self.put(run)
        if holds_due_time:
            self._due_times.put(due_time, run.id)
            self._note_last_fired(run)
        return True

    def _note_last_fired(self, run: Run) -> None:
        if run.cause is not Cause.SCHEDULE or run.schedule_id is None:
            return
        key = (run.tenant_id, run.schedule_id)
        last = self._last_fired.get(key)
        if last is None or last.scheduled_for < run.scheduled_for:
            self._last_fired.put(key, twin(run))

    def _is_dedupe_key_held(self, run: Run) -> bool:
        if run.dedupe_key is None or run.finished_at is not None or run.cause is Cause.EVENT:
            return False
        return self._dedupe_keys.get((run.tenant_id, run.dedupe_key)) is not None

    def _hold_dedupe_key(self, run: Run) -> None:
        if run.dedupe_key is None or run.cause is Cause.EVENT:
            return
        key = (run.tenant_id, run.dedupe_key)
        if run.finished_at is None:
            self._dedupe_keys.put(key, run.id)
        elif self._dedupe_keys.get(key) == run.id:
            self._dedupe_keys.remove(key)

    def _hold_concurrency_key(self, run: Run) -> None:
        if run.job is None or run.concurrency_key is None:
            return
        key = ConcurrencyKey(run.tenant_id, run.job.id, run.concurrency_key)
        holder = self._concurrency_keys.get(key)
        if run.state in UNDER_WAY:
            if holder not in (None, run.id):
                raise ConcurrentChangeError("concurrency key")
            self._concurrency_keys.put(key, run.id)
        elif holder == run.id:
            self._concurrency_keys.remove(key)

    def _unfinished_of(self, key: ScheduleKey) -> list[Run]:
        return [run for run in self.unfinished() if (run.tenant_id, run.schedule_id) == key]

    def _running(self, wanted: Callable[[Run], bool]) -> list[RunKey]:
        found = [key_of(run) for run in self.unfinished() if run.state is RunState.RUNNING and wanted(run)]
        return sorted(found, key=lambda key: key[1])

    def _has_lost_its_worker(self, run: Run) -> bool:
        row = self._worker_of(run)
        return row is not None and row.worker.state is WorkerState.OFFLINE

    def _has_lost_its_carrier(self, run: Run) -> bool:
        if run.job is not None or run.worker_id is None:
            return False
        return self._leases is None or not self._leases.is_held(carrier_lease(run.worker_id))

    def _worker_of(self, run: Run) -> WorkerRow | None:
        return self._tables.workers.get((run.tenant_id, run.worker_id)) if run.job and run.worker_id else None

    def _own(self, key: RunKey) -> Run:
        row = self._rows.get(key)
        assert row is not None  # what has not ended is never removed, nor what is locked
        return self._seen.keep(key, handed_out(self._jobs, row))


def key_of(run: Run) -> RunKey:
    return (run.tenant_id, run.id)


def _counted(unfinished: Sequence[Run]) -> Going:
    return Going(
        unfinished=len(unfinished),
        parked=sum(
            run.schedule_id is not None and run.parked_on == schedule_gate(run.schedule_id) for run in unfinished
        ),
        running=sum(run.state is RunState.RUNNING for run in unfinished),
    )


def handed_out(jobs: Draft[JobKey, Job] | dict[JobKey, Job], row: Run) -> Run:
    """A copy of the row to give away."""
    run = twin(row)
    if row.job is not None:
        run.job = present_terms(jobs, row.tenant_id, row.job.id)
    return run


def is_unnamed(run: Run, worker: WorkerRow | None, stream: str, intake_floor: int) -> bool:
    """Whether its living worker has twice not named it, when it should have (`design.md`, 4)."""
    if worker is None or worker.worker.state is WorkerState.OFFLINE:
        return False
    if worker.beat is None or worker.prior is None:
        return False
    later = worker.beat.report_seq
    intake_has_come = later is not None and (later.stream != stream or later.seq <= intake_floor)
    return intake_has_come and all(_should_have_named(beat, run, stream) for beat in (worker.beat, worker.prior))


def _should_have_named(beat: Beat, run: Run, stream: str) -> bool:
    """And has not."""
    if beat.report_seq is None or run.started_place is None or run.started_at is None or beat.at <= run.started_at:
        return False
    is_past = beat.report_seq.is_past(run.started_place, stream) or run.started_at < datetime.fromisoformat(stream)
    return run.id not in beat.running and is_past
