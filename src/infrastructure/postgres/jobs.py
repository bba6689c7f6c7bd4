"""Jobs as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import JobId, TenantId
from rota.domain.job import Job, JobSnapshot
from rota.infrastructure.postgres.definitions import dump_job, load_job
from rota.infrastructure.postgres.tables import catchups, jobs, runs, schedule_revisions, schedules

_LIVING = select(jobs).where(jobs.c.deleted_at.is_(None))


def to_job(row: Row[Any]) -> Job:
    return Job(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        definition=load_job(row.definition),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        from_registration=row.from_registration,
        deleted_at=row.deleted_at,
    )


def to_job_snapshot(row: Row[Any]) -> JobSnapshot:
    return to_job(row).snapshot()


def from_job(job: Job) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": job.tenant_id,
        "id": job.id,
        "name": job.definition.name,
        "queue": job.definition.queue,
        "definition": dump_job(job.definition),
        "from_registration": job.from_registration,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deleted_at": job.deleted_at,
        "version": job.version,
        "seq": job.next_seq,
    }


class PostgresJobs:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Job] = []
        self._seen: dict[tuple[TenantId, JobId], tuple[Job, int]] = {}

    async def get(self, tenant_id: TenantId, job_id: JobId) -> Job:
        wanted = _LIVING.where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id).with_for_update()
        row = (await self._connection.execute(wanted)).one_or_none()
        if row is None:
            raise NotFoundError("job", job_id)
        return self._keep(to_job(row))

    async def named(self, tenant_id: TenantId, names: Iterable[str]) -> Mapping[str, Job]:
        wanted = (
            _LIVING.where(jobs.c.tenant_id == tenant_id, jobs.c.name.in_(sorted(set(names))))
            .order_by(jobs.c.id)
            .with_for_update(read=True, key_share=True)
        )
        found = [self._keep(to_job(row)) for row in await self._connection.execute(wanted)]
        return {job.definition.name: job for job in found}

    def add(self, job: Job) -> None:
        self._added.append(job)

    async def user_of(self, job: Job) -> str | None:
        # Every unfinished run is under way, waits for its turn, is parked or has a `wake_at`: partial indexes, no scan.
        a_run = select(literal(1)).where(runs.c.tenant_id == job.tenant_id).limit(1)
        in_lane = a_run.where(runs.c.lane == str(job.id))
        of_job = a_run.where(runs.c.job_id == job.id)
        uses = (
            (
                "a schedule",
                select(literal(1))
                .where(
                    schedules.c.tenant_id == job.tenant_id,
                    schedules.c.job_id == job.id,
                    schedules.c.deleted_at.is_(None),
                )
                .limit(1),
            ),
            ("an unfinished run", in_lane.where(runs.c.state.in_(["QUEUED", "RUNNING"]))),
            ("an unfinished run", in_lane.where(runs.c.rank.is_not(None), runs.c.parked_on.is_(None))),
            ("an unfinished run", of_job.where(runs.c.parked_on.is_not(None))),
            ("an unfinished run", of_job.where(runs.c.wake_at.is_not(None))),
            (
                "a catch-up",
                select(literal(1))
                .select_from(
                    catchups.join(
                        schedule_revisions,
                        (catchups.c.tenant_id == schedule_revisions.c.tenant_id)
                        & (catchups.c.schedule_id == schedule_revisions.c.schedule_id)
                        & (catchups.c.revision == schedule_revisions.c.revision),
                    )
                )
                .where(schedule_revisions.c.tenant_id == job.tenant_id, schedule_revisions.c.job_id == job.id)
                .limit(1),
            ),
        )
        for words, query in uses:
            if await self._connection.scalar(query):
                return words
        return None

    async def write(self) -> list[Job]:
        """Stores what was added and what changed; answers them."""
        if self._added:
            await self._connection.execute(insert(jobs), [from_job(job) for job in self._added])
        changed = [(job, seq) for job, seq in self._seen.values() if job.is_changed]
        for job, seq in changed:
            await self._update(job, seq)
        return self._added + [job for job, _ in changed]

    async def _update(self, job: Job, seq: int) -> None:
        done = await self._connection.execute(
            update(jobs)
            .where(jobs.c.tenant_id == job.tenant_id, jobs.c.id == job.id, jobs.c.seq == seq)
            .values(from_job(job))
        )
        if done.rowcount != 1:
            raise ConcurrentChangeError("job")

    def _keep(self, job: Job) -> Job:
        return self._seen.setdefault((job.tenant_id, job.id), (job, job.seq))[0]
