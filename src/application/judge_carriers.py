"""Deliveries whose carrier is gone are tried again by another."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin

BATCH = 500


@dataclass(frozen=True, slots=True)
class JudgeCarriers(Message[int]):
    """One look; answers how many deliveries were lost."""


@dataclass(frozen=True, slots=True)
class JudgeCarriersHandler:
    begin: Begin
    clock: Clock
    sender: Sender

    async def __call__(self, command: JudgeCarriers) -> int:
        async with self.begin() as work:
            lost = await work.runs.abandoned(BATCH)
            if not lost:
                return 0
            now = self.clock.now()
            for run in lost:
                run.lose(now, "its carrier is gone")
            await work.commit()
        self.sender.send(run for run in lost if run.is_queued)
        return len(lost)
