"""Runs whose time has come: for an attempt, or for the end of what has overrun a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rota.application.command import Message
from rota.application.dispatch import Credit, Sender
from rota.application.ports.bus import Order, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.application.stopping import timed_out
from rota.domain.run import Run

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class WakeRuns(Message[int]):
    """Answers how many runs were woken: 0 means that none is due."""


@dataclass(frozen=True, slots=True)
class WakeRunsHandler:
    begin: Begin
    clock: Clock
    credit: Credit
    sender: Sender
    control: WorkerControl

    async def __call__(self, command: WakeRuns) -> int:
        now = self.clock.now()
        async with self.begin() as work:
            woken = await work.runs.waking(now, BATCH)
            orders = [order for run in woken for order in self._wake(run, now)]
            await work.commit()
        self.sender.send(run for run in woken if run.is_queued and run.queued_at == now)
        await self.control.tell(orders)
        return len(woken)

    def _wake(self, run: Run, now: datetime) -> list[Order]:
        stopping = timed_out(run)
        if run.expire(now):
            return stopping
        if not run.is_due(now):
            run.look_again()
        elif self.credit.grant(run):
            run.go(now)
        else:
            run.line_up(now)
        return []
