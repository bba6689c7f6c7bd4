"""A worker comes: its jobs exist afterwards, and it is told where their work is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.ports.bus import Lane, LaneAddress, WorkLanes
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import ConcurrentChangeError, NameTakenError
from rota.domain.ids import JobId, TenantId, WorkerId
from rota.domain.job import Job, JobDefinition
from rota.domain.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterWorker(Message["Registered"]):
    """Each definition is what the worker says of a job: it makes a missing one."""

    tenant_id: TenantId
    name: str | None
    jobs: Sequence[JobDefinition]
    capabilities: tuple[str, ...]
    slots: int


@dataclass(frozen=True, slots=True)
class Registered:
    """Only lanes whose capabilities the worker has."""

    worker_id: WorkerId
    lanes: Sequence[tuple[str, LaneAddress]]


@dataclass(frozen=True, slots=True)
class RegisterWorkerHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    lanes: WorkLanes

    async def __call__(self, command: RegisterWorker) -> Registered:
        worker_id = WorkerId(self.ids())
        async with self.begin() as work:
            jobs = await self._jobs(work, command)
            offered = set(command.capabilities)
            taken = [job for job in jobs if offered.issuperset(job.definition.capabilities)]
            work.workers.add(
                Worker.register(
                    command.tenant_id,
                    worker_id,
                    name=command.name or f"worker-{str(worker_id)[-12:]}",
                    jobs=tuple(job.definition.name for job in taken),
                    capabilities=command.capabilities,
                    slots=command.slots,
                    now=self.clock.now(),
                )
            )
            lanes = [Lane(command.tenant_id, job.id) for job in taken]
            addresses = [self.lanes.address(lane) for lane in lanes]
            names = [job.definition.name for job in taken]
            registered = Registered(worker_id, list(zip(names, addresses, strict=True)))
            keep_answer(work, registered)
            try:
                await work.commit()
            except NameTakenError as error:  # another worker has made the job at the same moment
                raise ConcurrentChangeError("job") from error
        await self.lanes.provide(lanes)
        return registered

    async def _jobs(self, work: UnitOfWork, command: RegisterWorker) -> list[Job]:
        known = await work.jobs.named(command.tenant_id, {said.name for said in command.jobs})
        return [self._job(work, command.tenant_id, known.get(said.name), said) for said in command.jobs]

    def _job(self, work: UnitOfWork, tenant_id: TenantId, known: Job | None, said: JobDefinition) -> Job:
        now = self.clock.now()
        if known is None:
            job = Job.create(tenant_id, JobId(self.ids()), said, now=now, from_registration=True)
            work.jobs.add(job)
            return job
        known.register(said, now=now)
        return known
