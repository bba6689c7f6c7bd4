"""The leader's loops: sleep until something is due, then do all of it.

tick      due schedules, then due runs, then (when nothing is live) a portion of catching up
workers   every second, who is still there
lanes     every second, whether the bus still has what it was given
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from rota.application.catch_up import CatchUpOnce
from rota.application.command import MessageBus
from rota.application.fire_schedules import FireSchedules
from rota.application.judge_workers import JudgeWorkers
from rota.application.keep_lanes import KeepLanes
from rota.application.ports.clock import Clock
from rota.application.ports.reads import Upcoming
from rota.application.send_again import SendAgain
from rota.application.wake_runs import WakeRuns
from rota.entrypoints.loops.pace import every, forever

log = structlog.get_logger()

LONGEST_SLEEP = 0.5
"""A lost nudge is made good after this long."""
STEP_TIMEOUT = 10.0
BLOCKED_PAUSE = 0.1


class LeaderLoop:
    """Does the leader's work; `nudge` wakes it."""

    def __init__(self, bus: MessageBus, clock: Clock, upcoming: Upcoming) -> None:
        self._bus = bus
        self._clock = clock
        self._upcoming = upcoming
        self._nudged = asyncio.Event()
        self._blocked_on: datetime | None = None

    def nudge(self) -> None:
        self._nudged.set()

    async def lead(self, epoch: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever("tick", lambda: self._tick(epoch)))
            tasks.create_task(every(1.0, "workers", lambda: self._bus.handle(JudgeWorkers())))
            tasks.create_task(self._keep_lanes())

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
        self._nudged.clear()
        async with asyncio.timeout(STEP_TIMEOUT):
            fired = await self._bus.handle(FireSchedules(epoch))
            woken = await self._bus.handle(WakeRuns())
            if fired or woken or await self._bus.handle(CatchUpOnce()):
                return
            due = await self._upcoming.next_instant()
        await self._sleep_until(due)

    async def _sleep_until(self, due: datetime | None) -> None:
        seconds = LONGEST_SLEEP
        if due is not None:
            seconds = min((due - self._clock.now()).total_seconds(), LONGEST_SLEEP)
        if seconds <= 0:
            if due == self._blocked_on:  # due before already: the bus is away, or another holds it
                await asyncio.sleep(BLOCKED_PAUSE)
            self._blocked_on = due
            return
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass
