"""Schedules that were disabled until an instant run again."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ResumeSchedules(Message[int]):
    """Answers how many."""


@dataclass(frozen=True, slots=True)
class ResumeSchedulesHandler:
    """However late that is noticed: what has fallen due since that instant is due."""

    begin: Begin
    clock: Clock

    async def __call__(self, command: ResumeSchedules) -> int:
        now = self.clock.now()
        async with self.begin() as work:
            paused = await work.schedules.paused(now, BATCH)
            for schedule in paused:
                schedule.resume(now=now)
            await work.commit()
        return len(paused)
