"""Dead letters are to be carried out once more: those are listed that it is about, and the leader makes their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.payload_check import check_payload
from rota.application.ports.bus import Nudge
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.dead_letters import DeadGroup, DeadLetters
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.reads import Paging
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import InvalidError
from rota.domain.ids import RedriveId, TenantId
from rota.domain.payload import Json
from rota.domain.redrive import LetterFilter, Redrive, RedriveTerms

MOST_GROUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveRuns(Message[Redrive]):
    """`payload` replaces theirs, which must then be of one job or one fingerprint."""

    tenant_id: TenantId
    wanted: LetterFilter
    terms: RedriveTerms = field(default_factory=RedriveTerms)
    payload: Json | None = None


@dataclass(frozen=True, slots=True)
class RedriveRunsHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    nudge: Nudge

    async def __call__(self, command: RedriveRuns) -> Redrive:
        check_one_kind(command.wanted, command.payload)
        redrive = Redrive.ask(
            command.tenant_id,
            RedriveId(self.ids()),
            command.wanted,
            command.terms,
            now=self.clock.now(),
            payload=command.payload,
        )
        async with self.begin() as work:
            redrive.take(await work.redrives.add(redrive))
            if command.payload is not None:
                await self._check(work, redrive, command.payload)
            keep_answer(work, redrive)
            await work.commit()
        self.nudge()
        return redrive

    async def _check(self, work: UnitOfWork, redrive: Redrive, payload: Json) -> None:
        """By the first of its dead letters: the others are of the same kind."""
        for run_id in await work.redrives.letters(redrive, 1):
            key = (redrive.tenant_id, run_id)
            run = (await work.runs.peek([key])).get(key)
            if run is not None and run.job is not None:
                jobs = await work.jobs.named(redrive.tenant_id, {run.job.name})
                check_payload(self.rules, jobs.get(run.job.name), payload)


@dataclass(frozen=True, slots=True)
class WouldRedrive:
    """`count` dead letters, at most as many as were asked for; the biggest groups that they are of."""

    count: int
    groups: Sequence[DeadGroup]


async def would_redrive(
    letters: DeadLetters, tenant_id: TenantId, wanted: LetterFilter, terms: RedriveTerms, payload: Json | None
) -> WouldRedrive:
    """A dry run. Raises InvalidError as the redrive would, the payload's schema aside."""
    check_one_kind(wanted, payload)
    count = await letters.count(tenant_id, wanted, terms.most)
    return WouldRedrive(count, (await letters.groups(tenant_id, wanted, Paging(MOST_GROUPS))).items)


def check_one_kind(wanted: LetterFilter, payload: Json | None) -> None:
    """Raises InvalidError if a payload would replace those of runs that have nothing in common."""
    if payload is not None and wanted.job is None and wanted.fingerprint is None:
        raise InvalidError("replaces the payloads of one kind of runs: name their job or fingerprint", "payload")
