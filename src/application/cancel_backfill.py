"""A backfill is to make no more runs."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.backfill import Backfill
from rota.domain.ids import BackfillId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBackfill(Message[Backfill]):
    """The runs that it has made go on."""

    tenant_id: TenantId
    backfill_id: BackfillId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelBackfillHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: CancelBackfill) -> Backfill:
        async with self.begin() as work:
            backfill = await work.backfills.get(command.tenant_id, command.backfill_id)
            backfill.cancel(command.reason, self.clock.now())
            await work.commit()
        return backfill
