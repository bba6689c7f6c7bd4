"""The whole application on adapters in memory, and what may happen to one of its use cases in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from itertools import count
from typing import Any, TypeVar, cast

from tests.support.builders import ACME, FAILURE, NOON, a_worker
from tests.support.stored import all_events, store

from rota.application.command import Message
from rota.application.create_runs import CreateRuns, RunDraft
from rota.application.dispatch import Sender
from rota.application.dispatch_runs import Dispatched, DispatchRuns
from rota.application.ports.bus import Lane, WorkItem
from rota.application.ports.checkpoint import Checkpoint
from rota.application.ports.log import LogEntry
from rota.application.ports.reads import Paging, RunFilter
from rota.application.ports.store import Begin, Rejected, UnitOfWork
from rota.application.take_reports import Report, ReportKind, TakeReports
from rota.application.tally import Tally
from rota.domain.attempt import RunError
from rota.domain.calendar import Calendar
from rota.domain.decision import CatchUp, Miss
from rota.domain.ids import RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.worker import Worker
from rota.entrypoints.bootstrap.wiring import Adapters, Wired, wire
from rota.infrastructure.memory.bus import (
    InMemoryAnnounce,
    InMemoryEventFeed,
    InMemoryNudge,
    InMemoryReports,
    InMemoryWorkerControl,
    InMemoryWorkLanes,
)
from rota.infrastructure.memory.clock import CountingIds, SettableClock
from rota.infrastructure.memory.health import InMemoryHealth
from rota.infrastructure.memory.hearing import InMemoryHearing
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.log import InMemoryCursors, InMemoryLog
from rota.infrastructure.memory.queued import InMemoryQueuedRuns
from rota.infrastructure.memory.reads import InMemoryReads
from rota.infrastructure.memory.store import InMemoryBegin
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.schemas import JsonSchemaRules

Answer = TypeVar("Answer")
Happening = Callable[[], Awaitable[object]]

ALL = Paging(limit=100_000)
PATIENCE = 5


class House:
    """Stands at NOON until the clock is moved. The bus is up, and nothing is sent until `flow` or `sending`."""

    def __init__(self) -> None:
        self.clock = SettableClock(NOON)
        self.ids = CountingIds(self.clock)
        self.leases = InMemoryLeases(self.clock)
        self.store = InMemoryStore(leases=self.leases)
        self.tally = Tally()
        self.begin = InMemoryBegin(self.store, self.tally)
        self.reads = InMemoryReads(self.store)
        self.queued = InMemoryQueuedRuns(self.store)
        self.log = InMemoryLog(self.store)
        self.cursors = InMemoryCursors()
        self.hearing = InMemoryHearing()
        self.reports = InMemoryReports()
        self.lanes = InMemoryWorkLanes(self.reports, self.clock)
        self.feed = InMemoryEventFeed()
        self.control = InMemoryWorkerControl()
        self.announce = InMemoryAnnounce()
        self.nudge = InMemoryNudge()
        self.deliveries = InMemoryNudge()
        self.passed: list[str] = []
        self.places = count(1)
        self.hands: dict[TenantId, Worker] = {}
        self.process = self.wired()
        self.sender = self.process.sender

    def wired(
        self,
        begin: Begin | None = None,
        at: Checkpoint | None = None,
        weights: Mapping[TenantId, float] | None = None,
    ) -> Wired:
        """The use cases once more, as in another process on the same store and bus."""
        return wire(
            Adapters(
                begin=begin or self.begin,
                loops=begin or self.begin,
                clock=self.clock,
                ids=self.ids,
                queued=self.queued,
                hearing=self.hearing,
                log=self.log,
                cursors=self.cursors,
                lanes=self.lanes,
                feed=self.feed,
                control=self.control,
                announce=self.announce,
                nudge=self.nudge,
                deliveries=self.deliveries,
                rules=JsonSchemaRules(),
                weights=weights or {},
                ask_store=InMemoryHealth(self.store, self.leases, self.cursors),
                at=at or self._pass,
            )
        )

    async def handle(self, message: Message[Answer]) -> Answer:
        return await self.process.bus.handle(message)

    async def dispatch(self) -> Dispatched:
        """One round of turns."""
        return await self.handle(DispatchRuns())

    def _pass(self, name: str) -> None:
        self.passed.append(name)

    # What callers do

    async def create(self, *drafts: RunDraft, tenant_id: TenantId = ACME) -> list[Run]:
        accepted = await self.handle(CreateRuns(tenant_id=tenant_id, drafts=drafts, batch=True))
        return [each.run for each in accepted]

    # What workers do

    async def start(self, *runs: Run) -> None:
        await self.report(ReportKind.STARTED, *runs)

    async def succeed(self, *runs: Run) -> None:
        await self.report(ReportKind.SUCCEEDED, *runs)

    async def fail(self, *runs: Run, error: RunError = FAILURE, **more: Any) -> None:
        await self.report(ReportKind.FAILED, *runs, error=error, **more)

    async def report(self, kind: ReportKind, *runs: Run, **more: Any) -> None:
        """Of the present attempts of these runs, by those who carry them out. `more` is what else a Report says."""
        await self.handle(TakeReports([await self._said(kind, run, more) for run in runs]))

    async def _said(self, kind: ReportKind, run: Run, more: Mapping[str, Any]) -> Report:
        now = await self.again(run)
        return Report(
            tenant_id=run.tenant_id,
            run_id=run.id,
            attempt=now.attempt,
            worker_id=now.worker_id or await self._hand(run.tenant_id),
            kind=kind,
            place=next(self.places),
            **more,
        )

    async def _hand(self, tenant_id: TenantId) -> WorkerId:
        """A worker that is known, and takes whatever comes."""
        if tenant_id not in self.hands:
            self.hands[tenant_id] = a_worker(tenant_id=tenant_id)
            await self.has(self.hands[tenant_id])
        return self.hands[tenant_id].id

    # What there is

    async def has(self, *things: Job | Calendar | Schedule | Run | Worker | Miss | CatchUp) -> None:
        await store(self.begin, *things)

    async def runs(self, tenant_id: TenantId = ACME, wanted: RunFilter | None = None) -> list[Run]:
        """In the order of their due times."""
        page = await self.reads.runs(tenant_id, wanted or RunFilter(), ALL)
        return sorted(page.items, key=lambda run: (run.scheduled_for, run.id))

    async def run(self, run_id: RunId, tenant_id: TenantId = ACME) -> Run:
        return await self.reads.run(tenant_id, run_id)

    async def again(self, run: Run) -> Run:
        """The run as it is now."""
        return await self.reads.run(run.tenant_id, run.id)

    async def only_run(self) -> Run:
        (run,) = await self.runs()
        return run

    async def schedule(self, schedule_id: ScheduleId) -> Schedule:
        return await self.reads.schedule(ACME, schedule_id)

    async def misses(self, schedule: Schedule) -> list[tuple[datetime, datetime, int, str]]:
        found = (await self.reads.misses(ACME, schedule.id, Paging(1000))).items
        return [(miss.span.first, miss.span.last, miss.span.count, miss.rule) for miss in found]

    @property
    def catch_ups(self) -> list[CatchUp]:
        return list(self.store.tables.catch_ups.values())

    @property
    def rejected(self) -> list[Rejected]:
        return self.store.tables.rejected

    async def events(self) -> list[LogEntry]:
        return await all_events(self.log)

    async def event_types(self) -> list[str]:
        return [entry.type for entry in await self.events()]

    async def somebody_waits(self) -> None:
        """Until one unit of work waits for what another has locked."""
        async with asyncio.timeout(PATIENCE):
            while not self.store.locks.somebody_waits:
                await asyncio.sleep(0)

    # The bus

    @asynccontextmanager
    async def sending(self, sender: Sender | None = None) -> AsyncIterator[None]:
        """Somebody sends in the background, as in a living process."""
        task = asyncio.create_task((sender or self.sender).run())
        try:
            async with asyncio.timeout(PATIENCE):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def flow(self) -> None:
        """Until all that waits is sent."""
        async with self.sending():
            await self.sender.drained()

    async def taken(self, job: Job) -> list[WorkItem]:
        """Everything that reaches the job's lane, taken off it."""
        await self.flow()
        lane = Lane(job.tenant_id, job.id)
        await self.lanes.provide([lane])
        taken = []
        while item := self.lanes.take(lane):
            self.lanes.acknowledge(item)
            taken.append(item)
        return taken


class Meanwhile:
    """A Begin: right before its n-th unit of work something else happens, once."""

    def __init__(self, begin: Begin, nth: int, happening: Happening) -> None:
        self._inner = begin
        self._left = nth
        self._happening = happening

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        self._left -= 1
        if self._left == 0:
            await self._happening()
        async with self._inner() as work:
            yield work


class BeforeCommit:
    """A Begin: right before its first commit something else happens, once."""

    def __init__(self, begin: Begin, happening: Happening) -> None:
        self._inner = begin
        self._happening: Happening | None = happening

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        async with self._inner() as work:
            happening, self._happening = self._happening, None
            if happening is None:
                yield work
            else:
                yield cast(UnitOfWork, _LateCommit(work, happening))  # it passes on all but the commit


class InTurns:
    """A Begin: whoever begins and whoever is about to commit lets everybody else get on first."""

    def __init__(self, begin: Begin) -> None:
        self._inner = begin

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        await asyncio.sleep(0)
        async with self._inner() as work:
            yield cast(UnitOfWork, _LateCommit(work, lambda: asyncio.sleep(0)))  # it passes on all but the commit


class _LateCommit:
    def __init__(self, work: UnitOfWork, happening: Happening) -> None:
        self._work = work
        self._happening = happening

    def __getattr__(self, name: str) -> Any:  # Any: whatever the unit of work has
        return getattr(self._work, name)

    async def commit(self) -> None:
        await self._happening()
        await self._work.commit()


def states(runs: Sequence[Run]) -> list[str]:
    return [run.state for run in runs]


def due_times(runs: Sequence[Run]) -> list[datetime]:
    return [run.scheduled_for for run in runs]
