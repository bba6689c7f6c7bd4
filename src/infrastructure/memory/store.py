"""One transaction in memory: nothing is seen by others before it is committed, and then all of it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from rota.application.ports.meter import NO_METER, Meter
from rota.application.ports.store import Rejected, UnitOfWork
from rota.infrastructure.memory import log
from rota.infrastructure.memory.backfills import InMemoryBackfills
from rota.infrastructure.memory.backlog import InMemoryCatchUps, InMemoryMisses
from rota.infrastructure.memory.calendars import InMemoryCalendars
from rota.infrastructure.memory.jobs import InMemoryJobs
from rota.infrastructure.memory.keyed_calls import InMemoryAnswers
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.redrives import InMemoryRedrives
from rota.infrastructure.memory.rejections import rejection
from rota.infrastructure.memory.runs import InMemoryRuns
from rota.infrastructure.memory.schedules import InMemorySchedules
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.memory.waiting import InMemoryWaiting
from rota.infrastructure.memory.workers import InMemoryWorkers


class InMemoryUnitOfWork:
    def __init__(self, store: InMemoryStore, holder: Holder, meter: Meter) -> None:
        self._store = store
        self._meter = meter
        self._holder = holder
        self._rejected: list[Rejected] = []
        self.jobs = InMemoryJobs(store, holder)
        self.calendars = InMemoryCalendars(store, holder)
        self.schedules = InMemorySchedules(store, holder, self.jobs.rows)
        self.catch_ups = InMemoryCatchUps(store, holder)
        self.misses = InMemoryMisses(store)
        self.runs = InMemoryRuns(store, holder, self.jobs.rows)
        self.waiting = InMemoryWaiting(store, holder, self.runs, self.jobs.rows)
        self.workers = InMemoryWorkers(store, holder)
        self.redrives = InMemoryRedrives(store, holder)
        self.backfills = InMemoryBackfills(store, holder, self.jobs.rows)
        self.answers = InMemoryAnswers(store)

    def reject(self, reports: Iterable[Rejected]) -> None:
        self._rejected.extend(reports)

    async def commit(self) -> None:
        """Staging may raise and changes nothing that others see; publishing cannot. Neither waits."""
        jobs = self.jobs.stage()
        calendars = self.calendars.stage()
        schedules = self.schedules.stage()
        self.misses.stage()
        self.catch_ups.stage()
        runs = self.runs.stage()
        workers = self.workers.stage()
        self.redrives.stage()
        self.backfills.stage()
        self.answers.stage()
        staged = (self.jobs, self.calendars, self.schedules, self.misses, self.catch_ups, self.runs, self.waiting)
        for table in (*staged, self.workers, self.redrives, self.backfills, self.answers):
            table.publish()
        self._store.tables.rejected.extend(self._rejected)
        self._store.tables.rejections.extend(rejection(self._store, report) for report in self._rejected)
        recorded = log.append(self._store, [*jobs, *calendars, *schedules, *workers, *runs])
        self._store.locks.release_all(self._holder)
        self._meter.committed(recorded, len(self._rejected))


class InMemoryBegin:
    """`begin()` opens a fresh unit of work on the store."""

    def __init__(self, store: InMemoryStore, meter: Meter = NO_METER) -> None:
        self._store = store
        self._meter = meter

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        holder = Holder()
        try:
            yield InMemoryUnitOfWork(self._store, holder, self._meter)
        finally:
            self._store.locks.release_all(holder)
