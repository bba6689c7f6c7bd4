"""What there is at this moment, in memory."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from rota.application.ports.clock import Clock
from rota.application.ports.log import Cursors
from rota.application.ports.numbers import QueueDepth, StoreNumbers
from rota.domain.run import Run
from rota.domain.run_life import AGEING
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryNumbers:
    def __init__(self, store: InMemoryStore, leases: InMemoryLeases, cursors: Cursors, clock: Clock) -> None:
        self._tables = store.tables
        self._leases = leases
        self._cursors = cursors
        self._clock = clock

    async def __call__(self) -> StoreNumbers:
        now = self._clock.now()
        runs = list(self._tables.unfinished.values())
        workers = [row.worker for row in self._tables.workers.values()]
        here = [each for each in workers if each.state is not WorkerState.OFFLINE]
        relayed = await self._cursors.read("relay")
        place = relayed.position if relayed else 0
        waiting = next((entry for entry in self._tables.events if entry.position > place), None)
        epochs = {name: await self._leases.epoch(name) for name in ("leader", "relay")}
        return StoreNumbers(
            runs=Counter(run.state for run in runs),
            queues=self._queues(runs, now),
            workers=Counter(each.state for each in workers),
            slots=sum(each.slots for each in here),
            used=sum(each.running for each in here),
            relay_lag=max(now - waiting.at, timedelta(0)) if waiting else timedelta(0),
            epochs={name: epoch for name, epoch in epochs.items() if epoch},
        )

    def _queues(self, runs: list[Run], now: datetime) -> list[QueueDepth]:
        found: dict[str | None, list[timedelta]] = {}
        for run in runs:
            since = _waits_since(run)
            if since is not None:
                found.setdefault(run.job.queue if run.job else None, []).append(max(now - since, timedelta(0)))
        return [QueueDepth(queue, len(waits), max(waits)) for queue, waits in found.items()]


def _waits_since(run: Run) -> datetime | None:
    if run.is_queued:
        return run.queued_at
    if run.rank is not None and run.parked_on is None:
        return run.rank + run.priority * AGEING
    return None
