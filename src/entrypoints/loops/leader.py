"""The leader's loops: sleep until something is due, then do all of it.

tick      due schedules, due runs, what waited for ends, pauses that are over, turns, then (when nothing is live) a
          portion of catching up, of redriving or of a backfill
workers   every second, who is still there
carriers  every second, whether those who carry deliveries still do
lanes     every second, whether the bus still has what it was given
removal   in the tick's rests, what is old
audit     now and then, whether is on record what should have fired
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import structlog

from rota.application.backfill_once import BackfillOnce
from rota.application.catch_up import CatchUpOnce
from rota.application.command import MessageBus
from rota.application.dispatch_runs import ROUND, Dispatched, DispatchRuns
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.judge_carriers import JudgeCarriers
from rota.application.judge_workers import JudgeWorkers
from rota.application.keep_lanes import KeepLanes
from rota.application.ports.clock import Clock
from rota.application.ports.reads import Upcoming
from rota.application.redrive_once import RedriveOnce
from rota.application.restore_lanes import RestoreLanes
from rota.application.resume_schedules import ResumeSchedules
from rota.application.send_again import SendAgain
from rota.application.wake_runs import WakeRuns
from rota.entrypoints.loops.audit import AuditLoop
from rota.entrypoints.loops.pace import every, forever
from rota.entrypoints.loops.removal import RemovalLoop

log = structlog.get_logger()

LONGEST_SLEEP = 0.5
"""A lost nudge is made good after this long."""
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 0.25
"""How soon it is looked again whether runs that wait for their turn may go; longer each time that none may."""
STEP_TIMEOUT = 10.0
BLOCKED_PAUSE = 0.1
SHORT_REST = 0.05
"""What is old is removed only in longer rests than this."""


class LeaderLoop:
    """Does the leader's work; `nudge` wakes it."""

    def __init__(self, bus: MessageBus, clock: Clock, upcoming: Upcoming) -> None:
        self._bus = bus
        self._clock = clock
        self._upcoming = upcoming
        self._nudged = asyncio.Event()
        self._blocked_on: datetime | None = None
        self._followed_at = 0.0
        self._look = SHORTEST_LOOK
        self._rests_until = 0.0

    def nudge(self) -> None:
        self._nudged.set()

    async def lead(self, epoch: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever("tick", lambda: self._tick(epoch)))
            tasks.create_task(every(1.0, "workers", lambda: self._bus.handle(JudgeWorkers())))
            tasks.create_task(every(1.0, "carriers", lambda: self._bus.handle(JudgeCarriers())))
            tasks.create_task(self._keep_lanes())
            tasks.create_task(every(5.0, "attended lanes", lambda: self._bus.handle(RestoreLanes())))
            tasks.create_task(RemovalLoop(self._bus, self._rests).run())
            tasks.create_task(AuditLoop(self._bus).run())

    async def _keep_lanes(self) -> None:
        sent = False

        async def step() -> None:
            nonlocal sent
            if not sent:
                await self._bus.handle(SendAgain())
                sent = True
            await self._bus.handle(KeepLanes())

        await every(1.0, "lanes", step)

    async def _tick(self, epoch: int) -> None:
        """One round; a step that hangs is given up, and so is one that a lost lease would overtake."""
        was_nudged = self._nudged.is_set()
        self._nudged.clear()
        async with asyncio.timeout(STEP_TIMEOUT):
            moved = await self._bus.handle(FireSchedules(epoch))
            moved += await self._bus.handle(WakeRuns())
            if was_nudged or time.monotonic() - self._followed_at >= LONGEST_SLEEP:
                self._followed_at = time.monotonic()
                moved += await self._bus.handle(FollowEnds()) + await self._bus.handle(ResumeSchedules())
            dispatched = await self._bus.handle(DispatchRuns())
            if moved or dispatched.moved == ROUND or await self._behind_live_work():
                return
            due = await self._upcoming.next_instant()
        await self._sleep_until(due, self._next_look(dispatched) if dispatched.is_waiting else LONGEST_SLEEP)

    async def _behind_live_work(self) -> int:
        for portion in (CatchUpOnce(), RedriveOnce(), BackfillOnce()):
            if dealt_with := await self._bus.handle(portion):
                return dealt_with
        return 0

    def _next_look(self, dispatched: Dispatched) -> float:
        """Not at once, even where some went: to give turns one by one costs as much as to give them by the hundred."""
        self._look = SHORTEST_LOOK if dispatched.moved else min(self._look * 2, LONGEST_LOOK)
        return self._look

    async def _sleep_until(self, due: datetime | None, longest: float) -> None:
        seconds = longest
        if due is not None:
            seconds = min((due - self._clock.now()).total_seconds(), longest)
        if seconds <= 0:
            if due == self._blocked_on:  # due before already: the bus is away, or another holds it
                await asyncio.sleep(BLOCKED_PAUSE)
            self._blocked_on = due
            return
        self._rests_until = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass
        finally:
            self._rests_until = 0.0

    def _rests(self) -> bool:
        """Whether nothing is to be done for a moment."""
        return self._rests_until - time.monotonic() > SHORT_REST
