"""A schedule fires now, because somebody says so."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.firing import start_now
from rota.application.payload_check import check_payload
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import OverlapError
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.target import JobTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSchedule(Message[Run]):
    """A disabled schedule can be triggered too. `payload` replaces the target's.

    Raises OverlapError where runs that go on forbid it.
    """

    tenant_id: TenantId
    schedule_id: ScheduleId
    payload: Json | None = None
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class TriggerScheduleHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: TriggerSchedule) -> Run:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            await self._check(work, schedule, command.payload)
            now = self.clock.now()
            run = schedule.run_now(RunId(self.ids()), now=now, payload=command.payload)
            run.correlation_id = command.correlation_id or run.correlation_id
            run.traceparent = command.traceparent
            started, orders = await start_now(work, schedule, run, now=now)
            if not started:
                raise OverlapError(schedule.definition.name)
            keep_answer(work, run)
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return run

    async def _check(self, work: UnitOfWork, schedule: Schedule, payload: Json | None) -> None:
        target = schedule.definition.target
        if payload is not None and isinstance(target, JobTarget):
            jobs = await work.jobs.named(schedule.tenant_id, {target.job.name})
            check_payload(self.rules, jobs.get(target.job.name), payload)
