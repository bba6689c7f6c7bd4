"""The whole application in virtual time: the leader's rounds, a bus, and workers who take as long as they are told.

Nothing sleeps. The clock leaps to whatever comes next: a due time, a run's waking, the end of an attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from heapq import heappop, heappush

from tests.support.builders import ACME, a_job
from tests.unit.application.house import House

from rota.application.catch_up import CatchUpOnce
from rota.application.dispatch_runs import DispatchRuns
from rota.application.explain_fire import ExplainFire
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.look_at_lanes import LookAtLanes
from rota.application.ports.bus import Lane
from rota.application.ports.reads import Paging
from rota.application.relay_events import RelayEvents
from rota.application.wake_runs import WakeRuns
from rota.domain.decision import Miss
from rota.domain.explaining.explanation import Explanation
from rota.domain.ids import RunId
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.infrastructure.memory.evidence import InMemoryEvidence
from rota.infrastructure.memory.reads import InMemoryUpcoming

ROUNDS = 100_000
"""More than that at one instant is a loop that never rests."""

Takes = Callable[[Run], timedelta]


class World(House):
    """A year of it is as long as what happens in it. `takes` says how long a run of it is carried out."""

    def __init__(self, start: datetime, *, takes: Takes = lambda run: timedelta(seconds=90)) -> None:
        super().__init__()
        self.clock.set(start)
        self.upcoming = InMemoryUpcoming(self.store)
        self.explain = ExplainFire(self.reads, InMemoryEvidence(self.store), self.clock)
        self.job = a_job(now=start, timeout=timedelta(days=1))
        self.epoch = 1
        self.away: list[tuple[datetime, datetime]] = []
        self._takes = takes
        self._going: list[tuple[datetime, RunId]] = []

    async def begins(self, *schedules: Schedule) -> None:
        await self.has(self.job, *schedules)

    def leader_is_away(self, since: datetime, until: datetime) -> None:
        """Nobody leads meanwhile; who leads afterwards is another one."""
        self.away.append((since, until))

    async def until(self, end: datetime) -> None:
        """Lets time pass; what comes at `end` itself is not done."""
        async with self._sending():
            while self.clock.now() < end:
                await self._settle()
                self.clock.set(min(await self._next_instant(), end))

    async def told(self, schedule: Schedule, at: datetime) -> Explanation:
        return await self.explain(ACME, schedule.id, at)

    async def runs_of(self, schedule: Schedule) -> list[Run]:
        """In the order of their due times."""
        return [run for run in await self.runs() if run.schedule_id == schedule.id]

    async def misses_of(self, schedule: Schedule) -> Sequence[Miss]:
        """The oldest first."""
        return (await self.reads.misses(ACME, schedule.id, Paging(1_000))).items[::-1]

    async def _next_instant(self) -> datetime:
        """What comes next. Whatever waits for a leader waits until there is one again."""
        now = self.clock.now()
        instants = [at for at, _ in self._going[:1]] + [at for span in self.away for at in span if at > now]
        due = await self.upcoming.next_instant()
        if due is not None and not self._is_leaderless(due):
            instants.append(due)
        return max(min(instants, default=datetime.max.replace(tzinfo=now.tzinfo)), now)

    def _is_leaderless(self, at: datetime) -> bool:
        at = max(at, self.clock.now())
        return any(since <= at < until for since, until in self.away)

    async def _settle(self) -> None:
        """Until nothing more is to be done at this instant."""
        for _ in range(ROUNDS):
            moved = await self._lead() + await self._work()
            if not moved:
                return
        raise AssertionError(f"at {self.clock.now()} there is no end of what is to be done")

    async def _lead(self) -> int:
        """One round of the leader's, as its loop has them."""
        now = self.clock.now()
        if self._is_leaderless(now):
            return 0
        self.epoch = 1 + sum(until <= now for _, until in self.away)
        moved = await self.handle(FireSchedules(self.epoch))
        moved += await self.handle(WakeRuns())
        moved += await self.handle(FollowEnds())
        moved += (await self.handle(DispatchRuns())).moved
        if not moved:
            moved = await self.handle(CatchUpOnce())
        await self.sender.drained()
        await self.handle(RelayEvents())
        return moved

    async def _work(self) -> int:
        """The workers: what is over is reported, what lies in the lane is begun."""
        now = self.clock.now()
        over = []
        while self._going and self._going[0][0] <= now:
            over.append(heappop(self._going)[1])
        if over:
            await self.succeed(*[await self.run(run_id) for run_id in over])
        begun = await self._begin()
        if over or begun:
            await self.handle(LookAtLanes())
        return len(over) + begun

    async def _begin(self) -> int:
        lane = Lane(ACME, self.job.id)
        await self.lanes.provide([lane])
        items = []
        while item := self.lanes.take(lane):
            self.lanes.acknowledge(item)
            items.append(item)
        runs = [await self.run(item.run_id) for item in items]
        if runs:
            await self.start(*runs)
        for run in runs:
            heappush(self._going, (self.clock.now() + self._takes(run), run.id))
        return len(runs)

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sender.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
