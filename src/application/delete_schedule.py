"""A schedule goes; its name is free again, its history stays."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.firing import settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import ScheduleId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSchedule(Message[None]):
    tenant_id: TenantId
    schedule_id: ScheduleId
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class DeleteScheduleHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: DeleteSchedule) -> None:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            command.expected.check(schedule.version)
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            schedule.delete(now=now)
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
