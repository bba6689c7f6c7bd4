"""How many runs there are and were, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rota.application.ports.run_counts import Counted
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.tables import InMemoryStore, RemovedKey

MOST_COUNTED = 100_000


class InMemoryRunCounts:
    def __init__(self, store: InMemoryStore, most: int = MOST_COUNTED) -> None:
        self._tables = store.tables
        self._most = most

    async def __call__(self, tenant_id: TenantId, job: str | None, schedule_id: ScheduleId | None) -> Counted:
        own = [run for run in self._tables.runs.values() if run.tenant_id == tenant_id]
        newest = sorted(own, key=lambda run: run.id, reverse=True)[: self._most]
        lanes = {str(row.id) for row in self._tables.jobs.values() if row.definition.name == job}
        states: Counter[RunState] = Counter()
        for (tenant, lane, schedule, state), count in self._all(newest):
            if tenant == tenant_id and (job is None or lane in lanes) and schedule_id in (None, schedule):
                states[state] += count
        return Counted(states, len(own) <= self._most)

    def _all(self, newest: list[Run]) -> Iterator[tuple[RemovedKey, int]]:
        yield from self._tables.removed_runs.items()
        for run in newest:
            yield (run.tenant_id, run.lane, run.schedule_id, run.state), 1
