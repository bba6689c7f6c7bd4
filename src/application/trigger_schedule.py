"""A schedule fires now, because somebody says so."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.bus import Nudge
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.payload import Json
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSchedule(Message[Run]):
    """A disabled schedule can be triggered too. `payload` replaces the target's."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    payload: Json | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class TriggerScheduleHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    nudge: Nudge

    async def __call__(self, command: TriggerSchedule) -> Run:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            target = schedule.definition.target
            run = new_run(
                command.tenant_id,
                RunId(self.ids()),
                target.job,
                Cause.MANUAL,
                now=self.clock.now(),
                schedule_id=schedule.id,
                payload=target.payload if command.payload is None else command.payload,
                labels=schedule.definition.labels,
                traceparent=command.traceparent,
            ).accept()
            work.runs.add(run)
            await work.commit()
        self.nudge()
        return run
