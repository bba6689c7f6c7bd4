"""Who is still there: silent workers are given up, and the runs that nobody carries are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.bus import WorkLanes
from rota.application.ports.clock import Clock
from rota.application.ports.hearing import Hearing
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import UnavailableError
from rota.domain.run import Run

HEARTBEAT = timedelta(seconds=3)
SILENCE = 3 * HEARTBEAT
BATCH = 500


@dataclass(frozen=True, slots=True)
class JudgeWorkers(Message[None]):
    """One look at all workers."""


@dataclass(frozen=True, slots=True)
class JudgeWorkersHandler:
    """Silence counts only while somebody listened; a run is lost only by the rule of two heartbeats."""

    begin: Begin
    clock: Clock
    hearing: Hearing
    lanes: WorkLanes
    sender: Sender

    async def __call__(self, command: JudgeWorkers) -> None:
        await self._give_up_the_silent()
        await self._lose_orphans()
        await self._lose_unnamed()

    async def _give_up_the_silent(self) -> None:
        heard = await self.hearing.span()
        if heard is None:
            return
        since, until = heard
        if until - since < SILENCE:
            return
        async with self.begin() as work:
            for worker in await work.workers.silent_since(until - SILENCE, BATCH):
                worker.give_up(f"silent for {SILENCE.total_seconds():g} s", now=self.clock.now())
            await work.commit()

    async def _lose_orphans(self) -> None:
        async with self.begin() as work:
            lost = await work.runs.orphaned(BATCH)
            await self._lose(work, lost, "its worker was given up")

    async def _lose_unnamed(self) -> None:
        try:
            intake = await self.lanes.intake()
        except UnavailableError:
            return
        async with self.begin() as work:
            lost = await work.runs.unnamed(intake.created, intake.floor)
            await self._lose(work, lost, "its worker no longer names it")

    async def _lose(self, work: UnitOfWork, lost: Sequence[Run], reason: str) -> None:
        if not lost:
            return
        now: datetime = self.clock.now()
        for run in lost:
            run.lose(now, reason)
        await work.commit()
        self.sender.send(run for run in lost if run.is_queued)
