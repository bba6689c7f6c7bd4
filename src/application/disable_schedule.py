"""A schedule rests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.firing import settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.schedule_events import ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableSchedule(Message[ScheduleSnapshot]):
    """`until` None is for good."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DisableScheduleHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: DisableSchedule) -> ScheduleSnapshot:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            schedule.disable(command.reason, now=now, until=command.until)
            keep_answer(work, schedule.snapshot())
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return schedule.snapshot()
