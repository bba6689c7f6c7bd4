"""A backfill is to make no more runs."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.backfills import BackfillLook
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.ids import BackfillId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBackfill(Message[BackfillLook]):
    """The runs that it has made go on."""

    tenant_id: TenantId
    backfill_id: BackfillId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelBackfillHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: CancelBackfill) -> BackfillLook:
        async with self.begin() as work:
            backfill = await work.backfills.get(command.tenant_id, command.backfill_id)
            backfill.cancel(command.reason, self.clock.now())
            look = await work.backfills.look(backfill)
            keep_answer(work, look)
            await work.commit()
        return look
