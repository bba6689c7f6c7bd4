"""A run that has ended is carried out once more, as a new run."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.payload_check import check_payload
from rota.application.ports.bus import Nudge
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import ConflictError, NotFoundError
from rota.domain.gates import schedule_gate
from rota.domain.ids import RunId, TenantId
from rota.domain.job import Job
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRun(Message[Run]):
    """`payload` replaces the old one."""

    tenant_id: TenantId
    run_id: RunId
    payload: Json | None = None
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RetryRunHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    nudge: Nudge

    async def __call__(self, command: RetryRun) -> Run:
        key = (command.tenant_id, command.run_id)
        async with self.begin() as work:
            old = (await work.runs.load([key])).get(key)
            if old is None:
                raise NotFoundError("run", command.run_id)
            job = await job_of(work, old)
            if command.payload is not None:
                check_payload(self.rules, job, command.payload)
            run = old.again(RunId(self.ids()), now=self.clock.now(), payload=command.payload)
            run.correlation_id = command.correlation_id or run.correlation_id
            run.traceparent = command.traceparent
            work.runs.add(await accept_again(work, run))
            keep_answer(work, run)
            await work.commit()
        self.nudge()
        return run


async def accept_again(work: UnitOfWork, run: Run) -> Run:
    """Where a schedule does not let its runs overlap, a retried one waits until the others have ended."""
    if run.schedule_id is None:
        return run.accept()
    try:
        schedule = await work.schedules.get(run.tenant_id, run.schedule_id)
    except NotFoundError:
        return run.accept()
    if schedule.definition.overlap is Overlap.ALLOW:
        return run.accept()
    return run.accept_parked(schedule_gate(schedule.id))


async def job_of(work: UnitOfWork, old: Run) -> Job | None:
    """None for a delivery. Raises ConflictError if there is nobody any more who could carry it out."""
    if old.job is None:
        return None
    job = (await work.jobs.named(old.tenant_id, {old.job.name})).get(old.job.name)
    if job is None or job.id != old.job.id:  # another may have its name by now
        raise ConflictError(f"its job {old.job.name!r} was deleted")
    return job
