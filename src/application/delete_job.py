"""A job goes, once nothing needs it."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.bus import Lane, WorkLanes
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.errors import JobInUseError
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import JobId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob(Message[None]):
    tenant_id: TenantId
    job_id: JobId
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class DeleteJobHandler:
    begin: Begin
    clock: Clock
    lanes: WorkLanes

    async def __call__(self, command: DeleteJob) -> None:
        async with self.begin() as work:
            job = await work.jobs.get(command.tenant_id, command.job_id)
            command.expected.check(job.version)
            if user := await work.jobs.user_of(job):
                raise JobInUseError(job.definition.name, user)
            job.delete(now=self.clock.now())
            await work.commit()
        await self.lanes.remove(Lane(command.tenant_id, command.job_id))
