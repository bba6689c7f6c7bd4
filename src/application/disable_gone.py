"""A receiver wants no more: the schedule that delivers to it rests."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.firing import settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.delivery import Receiver
from rota.domain.errors import NotFoundError
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.schedule import Schedule
from rota.domain.target import DeliveryTarget

REASON = "the receiver answered 410"


@dataclass(frozen=True, slots=True)
class DisableGone(Message[None]):
    """Harmless when the schedule is gone, rests already, or has been given another receiver since."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    receiver: Receiver


@dataclass(frozen=True, slots=True)
class DisableGoneHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: DisableGone) -> None:
        async with self.begin() as work:
            try:
                schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            except NotFoundError:
                return
            if not schedule.enabled or not _delivers_to(schedule, command.receiver):
                return
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            schedule.disable(REASON, now=now)
            await work.commit()
        await self.control.tell(orders)
        self.nudge()


def _delivers_to(schedule: Schedule, receiver: Receiver) -> bool:
    target = schedule.definition.target
    return isinstance(target, DeliveryTarget) and target.delivery.receiver == receiver
