"""The runs that wait for their turn, or at a gate, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from rota.application.ports.keys import LaneKey
from rota.application.ports.waiting import ConcurrencyKey, WaitingLane
from rota.domain.delivery import at_once
from rota.domain.gates import schedule_gate
from rota.domain.ids import RunId, TenantId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.runs import InMemoryRuns, key_of
from rota.infrastructure.memory.tables import Draft, InMemoryStore, JobKey, present_terms, twin

TURNS = "turns"


class InMemoryWaiting:
    def __init__(self, store: InMemoryStore, holder: Holder, runs: InMemoryRuns, jobs: Draft[JobKey, Job]) -> None:
        self._locks = store.locks
        self._holder = holder
        self._runs = runs
        self._jobs = jobs
        self._rate_limits = Draft(store.tables.rate_limits)

    async def hold(self) -> bool:
        return self._locks.try_take(TURNS, self._holder)

    async def lanes(self, count_to: int) -> Sequence[WaitingLane]:
        states: Counter[tuple[LaneKey, RunState]] = Counter(
            (lane_of(run), run.state) for run in self._runs.unfinished()
        )
        waiting: dict[LaneKey, list[Run]] = {}
        for run in self._ready():
            waiting.setdefault(lane_of(run), []).append(run)
        return [
            self._lane(runs[0], min(len(runs), count_to), states[lane, RunState.QUEUED], states[lane, RunState.RUNNING])
            for lane, runs in sorted(waiting.items())
        ]

    async def take(self, wanted: Mapping[LaneKey, int]) -> Sequence[Run]:
        taken: list[Run] = []
        for lane, most in wanted.items():
            ready = sorted((run for run in self._ready() if lane_of(run) == lane), key=_place)
            taken += self._runs.take_free(map(key_of, ready), most)
        return sorted(taken, key=_place)

    async def held(self, keys: Iterable[ConcurrencyKey]) -> Collection[ConcurrencyKey]:
        return {key for key in keys if self._runs.is_busy(key)}

    async def spend(self, spent: Mapping[LaneKey, datetime]) -> None:
        for lane, until in spent.items():
            self._rate_limits.put(lane, until)

    async def open_gates(self) -> int:
        first: dict[tuple[TenantId, str], Run] = {}
        for run in sorted((run for run in self._runs.unfinished() if run.parked_on), key=_place):
            first.setdefault((run.tenant_id, run.parked_on or ""), run)
        opened = [run for run in first.values() if self._is_open(run) and self._is_free(run)]
        for run in opened:
            moved = twin(run)
            moved.parked_on = None
            self._runs.put(moved)
        return len(opened)

    async def queued(self, lanes: Iterable[LaneKey]) -> Mapping[LaneKey, int]:
        counted = Counter(lane_of(run) for run in self._runs.unfinished() if run.is_queued)
        return {lane: counted[lane] for lane in lanes}

    def publish(self) -> None:
        self._rate_limits.publish()

    def _ready(self) -> Iterable[Run]:
        return (run for run in self._runs.unfinished() if run.rank is not None and run.parked_on is None)

    def _lane(self, one: Run, waiting: int, queued: int, running: int) -> WaitingLane:
        terms = present_terms(self._jobs, one.tenant_id, one.job.id) if one.job else None
        most = terms.max_concurrent if terms else at_once(one.lane)
        return WaitingLane(
            tenant_id=one.tenant_id,
            lane=one.lane,
            waiting=waiting,
            queued=queued,
            running=0 if most is None else running,
            max_concurrent=most,
            rate_limit=terms.rate_limit if terms else None,
            spent_until=self._rate_limits.get(lane_of(one)),
        )

    def _is_open(self, first: Run) -> bool:
        if first.schedule_id is not None and first.parked_on == schedule_gate(first.schedule_id):
            own = (first.tenant_id, first.schedule_id)
            runs = (run for run in self._runs.unfinished() if (run.tenant_id, run.schedule_id) == own)
            return all(run.parked_on == first.parked_on for run in runs)
        assert first.job is not None  # what waits at the gate of a key has one
        assert first.concurrency_key is not None
        return not self._runs.is_busy(ConcurrencyKey(first.tenant_id, first.job.id, first.concurrency_key))

    def _is_free(self, run: Run) -> bool:
        return self._locks.try_take(("run", key_of(run)), self._holder)


def lane_of(run: Run) -> LaneKey:
    return (run.tenant_id, run.lane)


def _place(run: Run) -> tuple[datetime, RunId]:
    assert run.rank is not None  # it waits for its turn, or at a gate
    return (run.rank, run.id)
