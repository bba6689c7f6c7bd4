"""Due times that were set aside become runs, in portions, behind live work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rota.application.command import Message
from rota.application.firing import going_of, key_of
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.keys import ScheduleKey
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.decision import CatchUp
from rota.domain.errors import NotFoundError
from rota.domain.gates import schedule_gate
from rota.domain.ids import RunId
from rota.domain.misfire import DueTime
from rota.domain.overlap import NONE_GOING, OVERLAP, Overlap
from rota.domain.run import Run
from rota.domain.schedule import Schedule

PORTION = 1_000
LOOK = 500
"""How many schedules may share in a portion."""


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
            catch_ups = _enough(await work.catch_ups.oldest(LOOK))
            if not catch_ups:
                return 0
            await work.schedules.hold((each.tenant_id, each.schedule_id) for each in catch_ups)
            thens = await work.schedules.at_revisions(
                [(each.tenant_id, each.schedule_id, each.revision) for each in catch_ups]
            )
            made = 0
            fired: list[ScheduleKey] = []
            finished: list[CatchUp] = []
            for catch_up, then in zip(catch_ups, thens, strict=True):
                room = PORTION - made
                portion = list(islice(then.due_times_of(catch_up), room))
                await self._make(work, then, portion, now)
                made += len(portion)
                if portion:
                    fired.append(key_of(then))
                if len(portion) < room:
                    finished.append(catch_up)
                else:
                    await work.catch_ups.move(catch_up, portion[-1].scheduled_for)
                    break
            await work.schedules.fired(fired, now)
            await work.catch_ups.finish(finished)
            await work.commit()
        return max(made, 1)

    async def _make(self, work: UnitOfWork, then: Schedule, portion: Sequence[DueTime], now: datetime) -> None:
        if then.definition.overlap is not Overlap.ALLOW:
            await self._make_apart(work, then, portion, now)
            return
        for due in portion:
            work.runs.add(then.run_for(due, RunId(self.ids()), now=now, epoch=None).accept())

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


def _enough(catch_ups: Iterable[CatchUp]) -> Sequence[CatchUp]:
    """As many as fill a portion, one of a schedule: how many of its runs are going is asked of the store."""
    first: dict[ScheduleKey, CatchUp] = {}
    count = 0
    for each in catch_ups:
        if count >= PORTION:
            break
        if (each.tenant_id, each.schedule_id) not in first:
            first[each.tenant_id, each.schedule_id] = each
            count += each.span.count
    return list(first.values())


async def _standing(work: UnitOfWork, then: Schedule) -> Schedule:
    """The schedule as it stands, locked; one that was deleted, of which nobody else makes runs, as it was then."""
    try:
        return await work.schedules.get(then.tenant_id, then.id)
    except NotFoundError:
        return then
