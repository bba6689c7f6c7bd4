"""The leader makes the runs of a backfill, in portions, behind live work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rota.application.backfill_schedule import without_run
from rota.application.command import Message
from rota.application.firing import going_of, key_of
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.backfill import Backfill, PastDue, past_due
from rota.domain.ids import JobId, RunId
from rota.domain.overlap import NONE_GOING, Overlap
from rota.domain.schedule import Schedule
from rota.domain.target import JobTarget

PORTION = 100
"""How many runs are made at once: few, so that what is due meanwhile does not wait."""

LEAST_LOOK = 100
"""So many due times are looked at at once, or twice as many as runs may be made: some have theirs already."""


@dataclass(frozen=True, slots=True)
class BackfillOnce(Message[int]):
    """One portion of one backfill; answers how many due times it dealt with, 0 when none may be by now."""


@dataclass(frozen=True, slots=True)
class BackfillOnceHandler:
    """The runs and how far the backfill has come are one transaction: no leader makes one twice.

    Should two backfills of one schedule come to a due time at once, the store keeps one of the two runs.
    """

    begin: Begin
    clock: Clock
    ids: Ids

    async def __call__(self, command: BackfillOnce) -> int:
        now = self.clock.now()
        async with self.begin() as work:
            found = await work.backfills.ready()
            if found is None:
                return 0
            backfill, unfinished = found
            dealt_with = await self._portion(work, backfill, unfinished, now)
            await work.commit()
        return dealt_with

    async def _portion(self, work: UnitOfWork, backfill: Backfill, unfinished: int, now: datetime) -> int:
        begins, ends = backfill.goes_on_from, backfill.until
        reigns = await work.backfills.reigns(backfill.tenant_id, backfill.schedule_id, begins, ends)
        standing = reigns[-1]
        if standing.is_deleted:
            backfill.cancel("the schedule was deleted", now)
            return 1
        room = min(await _room(work, backfill, standing.schedule, unfinished), PORTION)
        if room == 0:
            return 0
        look = max(2 * room, LEAST_LOOK)
        due = list(islice(past_due(reigns, begins, ends, backfill.created_at), look))
        wanted = await _carried(work, await without_run(work, backfill, due))
        made = wanted[:room]
        for past in made:
            work.runs.add(backfill.run_for(past, RunId(self.ids()), now=now).accept())
        if made:
            await work.schedules.fired([key_of(standing.schedule)], now)
        seen = due if len(made) == len(wanted) else due[: due.index(made[-1]) + 1]
        is_last = len(seen) == len(due) < look
        backfill.advance(seen[-1].scheduled_for if seen else None, made=len(made), is_last=is_last, now=now)
        return max(len(seen), 1)


async def _room(work: UnitOfWork, backfill: Backfill, standing: Schedule, unfinished: int) -> int:
    """The schedule is locked: nobody else makes a run of it meanwhile."""
    overlap = standing.definition.overlap
    await work.schedules.hold([key_of(standing)])
    if overlap is not Overlap.ALLOW:
        unfinished = (await going_of(work, [standing])).get(key_of(standing), NONE_GOING).unfinished
    return backfill.may_make(unfinished, overlap)


async def _carried(work: UnitOfWork, found: Sequence[PastDue]) -> Sequence[PastDue]:
    """Without those whose job was deleted since."""
    targets = {past.then.version: past.then.definition.target for past in found}
    jobs = {target.job.name for target in targets.values() if isinstance(target, JobTarget)}
    if not jobs:
        return found
    living = {job.id for job in (await work.jobs.named(found[0].then.tenant_id, jobs)).values()}
    return [past for past in found if _is_carried(past, living)]


def _is_carried(past: PastDue, living: Collection[JobId]) -> bool:
    target = past.then.definition.target
    return not isinstance(target, JobTarget) or target.job.id in living
