"""A run is to stop."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.application.stopping import asked_to_stop
from rota.domain.errors import NotFoundError
from rota.domain.ids import RunId, TenantId
from rota.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRun(Message[Run]):
    tenant_id: TenantId
    run_id: RunId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelRunHandler:
    """A worker that does not hear it now hears it in the answer to its next heartbeat."""

    begin: Begin
    clock: Clock
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: CancelRun) -> Run:
        key = (command.tenant_id, command.run_id)
        async with self.begin() as work:
            run = (await work.runs.load([key])).get(key)
            if run is None:
                raise NotFoundError("run", command.run_id)
            run.cancel(command.reason, self.clock.now())
            keep_answer(work, run)
            await work.commit()
        await self.control.tell(asked_to_stop(run))
        self.nudge()
        return run
