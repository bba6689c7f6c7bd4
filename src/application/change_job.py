"""A job gets a new definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import JobId, TenantId
from rota.domain.job import JobDefinition, JobSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJob(Message[JobSnapshot]):
    """`revise` makes the new definition of what stands."""

    tenant_id: TenantId
    job_id: JobId
    revise: Callable[[JobSnapshot], JobDefinition]
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class ChangeJobHandler:
    begin: Begin
    clock: Clock

    async def __call__(self, command: ChangeJob) -> JobSnapshot:
        async with self.begin() as work:
            job = await work.jobs.get(command.tenant_id, command.job_id)
            command.expected.check(job.version)
            job.change(command.revise(job.snapshot()), now=self.clock.now())
            await work.commit()
        return job.snapshot()
