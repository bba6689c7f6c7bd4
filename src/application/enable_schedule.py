"""A schedule runs again."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.firing import carry_out, going_of, key_of, settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.overlap import NONE_GOING
from rota.domain.pause import MakeUp
from rota.domain.schedule_events import ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableSchedule(Message[ScheduleSnapshot]):
    tenant_id: TenantId
    schedule_id: ScheduleId
    reason: str = ""
    make_up: MakeUp = MakeUp.NONE


@dataclass(frozen=True, slots=True)
class EnableScheduleHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: EnableSchedule) -> ScheduleSnapshot:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            going = (await going_of(work, [schedule])).get(key_of(schedule), NONE_GOING)
            decision = schedule.enable(command.reason, now=now, make_up=command.make_up, going=going)
            orders = [*orders, *await carry_out(work, schedule, decision, now=now, ids=self.ids, replaced=[])]
            keep_answer(work, schedule.snapshot())
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return schedule.snapshot()
