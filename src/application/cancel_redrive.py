"""A redrive is to make no more runs."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.dead_letters import RedriveLook
from rota.application.ports.store import Begin
from rota.domain.ids import RedriveId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRedrive(Message[RedriveLook]):
    """What it has made stays."""

    tenant_id: TenantId
    redrive_id: RedriveId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelRedriveHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: CancelRedrive) -> RedriveLook:
        async with self.begin() as work:
            redrive = await work.redrives.get(command.tenant_id, command.redrive_id)
            redrive.cancel(command.reason, self.clock.now())
            look = RedriveLook(redrive, await work.redrives.dead(redrive))
            keep_answer(work, look)
            await work.commit()
        return look
