"""The leader makes the new runs of a redrive, in portions, behind live work."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rota.application.command import Message
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin, UnitOfWork
from rota.application.retry_run import accept_again
from rota.domain.ids import RunId
from rota.domain.redrive import Redrive
from rota.domain.run import Run

PORTION = 100
"""Small, so that what is due meanwhile waits no longer than for a turn that is given."""


@dataclass(frozen=True, slots=True)
class RedriveOnce(Message[int]):
    """One portion of one redrive; answers how many dead letters it dealt with, 0 when none may be by now."""


@dataclass(frozen=True, slots=True)
class RedriveOnceHandler:
    """The portion, the new runs and how far the redrive has come are one transaction: no leader makes one twice.

    A dead letter is locked before it is asked whether it was retried, as whoever retries it locks it too: so it has
    one new run, however many redrives it is listed in.
    """

    begin: Begin
    clock: Clock
    ids: Ids

    async def __call__(self, command: RedriveOnce) -> int:
        now = self.clock.now()
        async with self.begin() as work:
            redrive = await work.redrives.ready(now)
            if redrive is None:
                return 0
            redrive.judge(await work.redrives.dead(redrive), now)
            portion = await work.redrives.letters(redrive, min(redrive.may_make(now), PORTION))
            if portion:
                await self._make(work, redrive, portion, now)
            await work.commit()
        return len(portion)

    async def _make(self, work: UnitOfWork, redrive: Redrive, portion: Sequence[RunId], now: datetime) -> None:
        letters = await work.runs.load((redrive.tenant_id, run_id) for run_id in portion)
        made = self._again(await _open(work, redrive, letters.values()), redrive, now)
        for run in made.values():
            work.runs.add(await accept_again(work, run))
        await work.redrives.link(redrive, {letter: run.id for letter, run in made.items()})
        redrive.advance(portion[-1], made=len(made), passed=len(portion) - len(made), now=now)

    def _again(self, letters: Sequence[Run], redrive: Redrive, now: datetime) -> Mapping[RunId, Run]:
        return {run.id: run.again(RunId(self.ids()), now=now, payload=redrive.payload) for run in letters}


async def _open(work: UnitOfWork, redrive: Redrive, letters: Collection[Run]) -> Sequence[Run]:
    """Those that nobody has retried yet, and that somebody can carry out."""
    retried = await work.redrives.retried(redrive.tenant_id, [run.id for run in letters])
    jobs = await work.jobs.named(redrive.tenant_id, {run.job.name for run in letters if run.job})
    living = {job.id for job in jobs.values()}
    return [run for run in letters if run.id not in retried and (run.job is None or run.job.id in living)]
