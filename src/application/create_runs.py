"""Runs that somebody asks for, one or many: all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rota.application.answering import keep_answer
from rota.application.batches import each
from rota.application.command import Message
from rota.application.dispatch import Credit, Sender
from rota.application.payload_check import check_payload
from rota.application.ports.bus import Nudge
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, TenantId
from rota.domain.job import JobTerms
from rota.domain.labels import check_labels
from rota.domain.payload import Json
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause
from rota.domain.terms import check_priority


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDraft:
    """`run_at` None is at once; `priority` None is the job's."""

    job: str
    payload: Json | None = None
    run_at: datetime | None = None
    dedupe_key: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`is_new` is False for a run that already held the dedupe key."""

    run: Run
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRuns(Message[Sequence[Accepted]]):
    """Answers one for each draft, in order. `batch` says that faults are named by their place."""

    tenant_id: TenantId
    drafts: Sequence[RunDraft]
    batch: bool = False
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class CreateRunsHandler:
    """A run that is due and has credit goes to the bus from here; all others wait for the leader."""

    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    credit: Credit
    sender: Sender
    nudge: Nudge

    async def __call__(self, command: CreateRuns) -> Sequence[Accepted]:
        async with self.begin() as work:
            jobs = await work.jobs.named(command.tenant_id, {draft.job for draft in command.drafts})
            terms = {name: job.terms() for name, job in jobs.items()}
            held = await self._held(work, command)
            now = self.clock.now()

            def accept(draft: RunDraft) -> Accepted:
                holder = held.get(draft.dedupe_key) if draft.dedupe_key else None
                if holder is not None:
                    return Accepted(holder, False)
                check_payload(self.rules, jobs.get(draft.job), draft.payload)
                run = self._new(command, draft, terms, now)
                if draft.dedupe_key:
                    held[draft.dedupe_key] = run
                return Accepted(run, True)

            accepted = each(command.drafts, accept, indexed=command.batch)
            for each_accepted in accepted:
                if each_accepted.is_new:
                    work.runs.add(each_accepted.run)
            keep_answer(work, accepted)
            await work.commit()
        made = [each_accepted.run for each_accepted in accepted if each_accepted.is_new]
        self.sender.send(run for run in made if run.is_queued)
        if not all(run.is_queued for run in made):
            self.nudge()
        return accepted

    async def _held(self, work: UnitOfWork, command: CreateRuns) -> dict[str, Run]:
        keys = {draft.dedupe_key for draft in command.drafts if draft.dedupe_key}
        return dict(await work.runs.holding(command.tenant_id, keys)) if keys else {}

    def _new(self, command: CreateRuns, draft: RunDraft, jobs: Mapping[str, JobTerms], now: datetime) -> Run:
        job = jobs.get(draft.job)
        if job is None:
            raise InvalidError(f"there is no job named {draft.job!r}", "job")
        check_labels(draft.labels)
        if draft.priority is not None:
            check_priority(draft.priority)
        run = new_run(
            command.tenant_id,
            RunId(self.ids()),
            job,
            Cause.API,
            now=now,
            due_at=draft.run_at,
            payload=draft.payload,
            dedupe_key=draft.dedupe_key,
            labels=draft.labels,
            priority=draft.priority,
            correlation_id=command.correlation_id,
            traceparent=command.traceparent,
        )
        return run.accept_queued() if run.due_at <= now and self.credit.grant(run) else run.accept()
