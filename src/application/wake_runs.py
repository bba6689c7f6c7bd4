"""Runs whose time has come: a first attempt, the next one, or the end of an overlong one."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.dispatch import Credit, Sender
from rota.application.ports.bus import Control, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.ids import TenantId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class WakeRuns(Message[int]):
    """Answers how many runs moved: 0 means that none is due, or that none may go."""


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
            woken = [run for run in await work.runs.waking(now, BATCH) if self._may_go(run)]
            orders = [_timeout(run, run.worker_id) for run in woken if run.state is RunState.RUNNING and run.worker_id]
            for run in woken:
                run.wake(now)
            await work.commit()
        self.sender.send(run for run in woken if run.is_queued)
        await self.control.tell(orders)
        return len(woken)

    def _may_go(self, run: Run) -> bool:
        return run.state is RunState.RUNNING or self.credit.grant(run)


def _timeout(run: Run, worker_id: WorkerId) -> tuple[TenantId, WorkerId, Control]:
    return run.tenant_id, worker_id, Control("TIMEOUT", "the attempt's time is up", run.id, run.attempt)
