"""Jobs in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import JobId, TenantId
from rota.domain.job import Job
from rota.domain.schedule import Schedule
from rota.domain.target import JobTarget
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.names import rename
from rota.infrastructure.memory.tables import Draft, InMemoryStore, JobKey, Seen, twin


class InMemoryJobs:
    def __init__(self, store: InMemoryStore, holder: Holder) -> None:
        self._tables = store.tables
        self._locks = store.locks
        self._holder = holder
        self.rows = Draft(store.tables.jobs)
        self._names = Draft(store.tables.job_names)
        self._seen: Seen[JobKey, Job] = Seen()
        self._added: list[Job] = []

    async def get(self, tenant_id: TenantId, job_id: JobId) -> Job:
        job = await self._locked((tenant_id, job_id), shared=False)
        if job is None:
            raise NotFoundError("job", job_id)
        return job

    async def named(self, tenant_id: TenantId, names: Iterable[str]) -> Mapping[str, Job]:
        living = self._tables.job_names
        ids = sorted(living[tenant_id, name] for name in set(names) if (tenant_id, name) in living)
        found = [await self._locked((tenant_id, job_id), shared=True) for job_id in ids]
        return {job.definition.name: job for job in found if job is not None}

    def add(self, job: Job) -> None:
        self._added.append(job)

    async def user_of(self, job: Job) -> str | None:
        tables = self._tables
        own = (job.tenant_id, job.id)
        schedules = tables.schedules.values()
        if any(_needs(each, own) for each in schedules if not each.deleted_at):
            return "a schedule"
        if any(run.job and (run.tenant_id, run.job.id) == own for run in tables.unfinished.values()):
            return "an unfinished run"
        decided_under = (
            tables.revisions[each.tenant_id, each.schedule_id, each.revision] for each in tables.catch_ups.values()
        )
        if any(_needs(then, own) for then in decided_under):
            return "a catch-up"
        return None

    def stage(self) -> list[Job]:
        """Checks what was added and what changed, and answers it. Raises NameTakenError, ConcurrentChangeError."""
        for job in self._added:
            self._put(job, before=None)
        changed = self._seen.changed()
        for key, job, seq in changed:
            stored = self.rows.get(key)
            if stored is None or stored.seq != seq:
                raise ConcurrentChangeError("job")
            self._put(job, before=stored)
        return self._added + [job for _, job, _ in changed]

    def publish(self) -> None:
        self.rows.publish()
        self._names.publish()

    def _put(self, job: Job, *, before: Job | None) -> None:
        rename(self._names, "job", job.tenant_id, job.id, _living_name(before), _living_name(job))
        self.rows.put((job.tenant_id, job.id), twin(job))

    async def _locked(self, key: JobKey, *, shared: bool) -> Job | None:
        if key not in self._tables.jobs:
            return None
        await self._locks.take(("job", key), self._holder, shared=shared)
        job = self._tables.jobs[key]
        return None if job.deleted_at else self._seen.keep(key, twin(job))


def _needs(schedule: Schedule, job: JobKey) -> bool:
    target = schedule.definition.target
    return isinstance(target, JobTarget) and (schedule.tenant_id, target.job.id) == job


def _living_name(job: Job | None) -> str | None:
    return None if job is None or job.deleted_at else job.definition.name
