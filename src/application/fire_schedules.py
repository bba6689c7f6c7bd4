"""The tick: due times become runs, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rota.application.command import Message
from rota.application.dispatch import Credit, Sender
from rota.application.firing import going_of, keep, key_of, replace_going
from rota.application.ports.bus import Order, WorkerControl
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.keys import ScheduleKey
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.decision import Decision
from rota.domain.overlap import NONE_GOING, Going, Overlap
from rota.domain.run import Run
from rota.domain.schedule import Schedule

BATCH = 1_000
DUE_TIMES = 20_000
"""How many due times one tick decides at most, so that a long backlog never holds the loop."""


@dataclass(frozen=True, slots=True)
class FireSchedules(Message[int]):
    """Answers how many schedules were decided: 0 means that nothing is due."""

    epoch: int


@dataclass(frozen=True, slots=True)
class _Decided:
    schedule: Schedule
    read_due: datetime
    decision: Decision


@dataclass(frozen=True, slots=True)
class FireSchedulesHandler:
    """Safe with any number of leaders: a due time belongs to whoever's compare-and-set stored it."""

    begin: Begin
    clock: Clock
    ids: Ids
    credit: Credit
    sender: Sender
    control: WorkerControl
    at: Checkpoint = pass_by

    async def __call__(self, command: FireSchedules) -> int:
        now = self.clock.now()
        # Deciding may take a while, and is therefore done between two transactions, not inside one; except where it
        # depends on runs that have not ended.
        async with self.begin() as work:
            due = await work.schedules.due(now, BATCH)
        if not due:
            return 0
        free = _decide([each for each in due if each.definition.overlap is Overlap.ALLOW], now)
        exclusive = [each for each in due if each.definition.overlap is not Overlap.ALLOW]
        self.at("fire.begun")
        count, queued = await self._store(free, exclusive, now, command.epoch)
        self.sender.send(queued)
        self.at("fire.after_send")
        return count

    async def _store(
        self, free: Sequence[_Decided], exclusive: Sequence[Schedule], now: datetime, epoch: int
    ) -> tuple[int, Sequence[Run]]:
        """How many were decided, and the runs that may go at once."""
        async with self.begin() as work:
            decided = [*free, *(await _decide_held(work, exclusive, now))]
            decisions = {id(each.schedule): each.decision for each in decided}
            won = await work.schedules.advance([(each.schedule, each.read_due) for each in decided], epoch)
            self.at("fire.advanced")
            orders = await _replace(work, won, decisions, now)
            made: list[Run] = []
            for schedule in won:
                decision = decisions[id(schedule)]
                made += keep(work, schedule, decision, now=now, ids=self.ids, epoch=epoch, credit=self.credit)
            self.at("fire.before_commit")
            await work.commit()
            refused = set(map(id, work.runs.refused()))
        self.at("fire.after_commit")
        await self.control.tell(orders)
        return len(decided), [run for run in made if run.is_queued and id(run) not in refused]


def _decide(due: Sequence[Schedule], now: datetime, going: Mapping[ScheduleKey, Going] | None = None) -> list[_Decided]:
    decided = []
    budget = DUE_TIMES
    for schedule in due:
        if budget <= 0 or schedule.next is None:
            break
        read_due = schedule.next.due_at
        decision = schedule.decide(now, (going or {}).get(key_of(schedule), NONE_GOING))
        budget -= decision.count
        decided.append(_Decided(schedule, read_due, decision))
    return decided


async def _decide_held(work: UnitOfWork, due: Sequence[Schedule], now: datetime) -> list[_Decided]:
    """Those that do not let their runs overlap: nobody else may make runs of them while it is decided.

    What others hold is left to the next tick: a large change of a calendar holds its schedules for seconds.
    """
    if not due:
        return []
    held = await work.schedules.hold_free(map(key_of, due))
    ours = [schedule for schedule in due if key_of(schedule) in held]
    return _decide(ours, now, await going_of(work, ours))


async def _replace(
    work: UnitOfWork, won: Sequence[Schedule], decisions: Mapping[int, Decision], now: datetime
) -> Sequence[Order]:
    replacing = [schedule for schedule in won if decisions[id(schedule)].replaces]
    return await replace_going(work, replacing, now) if replacing else ()
