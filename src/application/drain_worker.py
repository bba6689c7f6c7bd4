"""A worker is asked to take no more runs."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.bus import Control, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.ids import TenantId, WorkerId
from rota.domain.worker import WorkerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainWorker(Message[WorkerSnapshot]):
    tenant_id: TenantId
    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class DrainWorkerHandler:
    begin: Begin
    clock: Clock
    control: WorkerControl

    async def __call__(self, command: DrainWorker) -> WorkerSnapshot:
        async with self.begin() as work:
            worker = await work.workers.get(command.tenant_id, command.worker_id)
            worker.drain(now=self.clock.now())
            keep_answer(work, worker.snapshot())
            await work.commit()
        await self.control.tell([(command.tenant_id, command.worker_id, Control("DRAIN", "asked to drain"))])
        return worker.snapshot()
