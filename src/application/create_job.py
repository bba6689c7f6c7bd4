"""A new job."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.ids import JobId, TenantId
from rota.domain.job import Job, JobDefinition, JobSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob(Message[JobSnapshot]):
    tenant_id: TenantId
    definition: JobDefinition


@dataclass(frozen=True, slots=True)
class CreateJobHandler:
    begin: Begin
    clock: Clock
    ids: Ids

    async def __call__(self, command: CreateJob) -> JobSnapshot:
        async with self.begin() as work:
            job = Job.create(command.tenant_id, JobId(self.ids()), command.definition, now=self.clock.now())
            work.jobs.add(job)
            keep_answer(work, job.snapshot())
            await work.commit()
        return job.snapshot()
