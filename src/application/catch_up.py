"""Due times that FIRE_ALL set aside become runs, in portions, behind live work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rota.application.command import Message
from rota.application.firing import going_of, key_of
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.errors import NotFoundError
from rota.domain.ids import RunId
from rota.domain.misfire import DueTime
from rota.domain.overlap import NONE_GOING, OVERLAP, Overlap
from rota.domain.run import Run, schedule_gate
from rota.domain.schedule import Schedule

PORTION = 1_000


@dataclass(frozen=True, slots=True)
class CatchUpOnce(Message[int]):
    """Makes one portion; answers how many runs, 0 when nothing is left to catch up."""


@dataclass(frozen=True, slots=True)
class CatchUpHandler:
    """A due time that has its run already, from a portion that seemed lost, is passed over by the store."""

    begin: Begin
    clock: Clock
    ids: Ids

    async def __call__(self, command: CatchUpOnce) -> int:
        now = self.clock.now()
        async with self.begin() as work:
            catch_up = await work.catch_ups.oldest()
            if catch_up is None:
                return 0
            schedule = await work.schedules.at_revision(catch_up.tenant_id, catch_up.schedule_id, catch_up.revision)
            portion = list(islice(schedule.due_times_of(catch_up), PORTION))
            if schedule.definition.overlap is not Overlap.ALLOW:
                await self._make_apart(work, schedule, portion, now)
            else:
                for due in portion:
                    work.runs.add(schedule.run_for(due, RunId(self.ids()), now=now, epoch=None).accept())
            if portion:
                await work.schedules.fired(catch_up.tenant_id, catch_up.schedule_id, now)
            if len(portion) < PORTION:
                await work.catch_ups.finish(catch_up)
            else:
                await work.catch_ups.move(catch_up, portion[-1].scheduled_for)
            await work.commit()
        return max(len(portion), 1)

    async def _make_apart(self, work: UnitOfWork, then: Schedule, portion: Sequence[DueTime], now: datetime) -> None:
        """Where runs must not overlap they wait for each other, or are skipped; late ones replace nothing."""
        own = await _standing(work, then)
        going = (await going_of(work, [own])).get(key_of(own), NONE_GOING)
        arranged = own.arrange(portion, going, then.definition.overlap)

        def new(due: DueTime) -> Run:
            return then.run_for(due, RunId(self.ids()), now=now, epoch=None)

        made = [new(due).accept() for due in arranged.go]
        made += [new(due).accept_parked(schedule_gate(own.id)) for due in arranged.park]
        made += [new(due).accept_skipped(OVERLAP) for due in arranged.skip]
        for run in made:
            work.runs.add(run)


async def _standing(work: UnitOfWork, then: Schedule) -> Schedule:
    """The schedule as it stands, locked; one that was deleted, of which nobody else makes runs, as it was then."""
    try:
        return await work.schedules.get(then.tenant_id, then.id)
    except NotFoundError:
        return then
