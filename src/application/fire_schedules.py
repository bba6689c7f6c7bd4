"""The tick: due times become runs, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rota.application.command import Message
from rota.application.dispatch import Credit, Sender
from rota.application.firing import keep
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.run import Run
from rota.domain.schedule import Decision, Schedule

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
    at: Checkpoint = pass_by

    async def __call__(self, command: FireSchedules) -> int:
        now = self.clock.now()
        # Deciding may take a while, and is therefore done between two transactions, not inside one.
        async with self.begin() as work:
            due = await work.schedules.due(now, BATCH)
        decided = _decide(due, now)
        if not decided:
            return 0
        self.at("fire.begun")
        self.sender.send(await self._store(decided, now, command.epoch))
        self.at("fire.after_send")
        return len(decided)

    async def _store(self, decided: Sequence[_Decided], now: datetime, epoch: int) -> Sequence[Run]:
        decisions = {id(each.schedule): each.decision for each in decided}
        async with self.begin() as work:
            won = await work.schedules.advance([(each.schedule, each.read_due) for each in decided], epoch)
            self.at("fire.advanced")
            made: list[Run] = []
            for schedule in won:
                decision = decisions[id(schedule)]
                made += keep(work, schedule, decision, now=now, ids=self.ids, epoch=epoch, credit=self.credit)
            self.at("fire.before_commit")
            await work.commit()
            refused = set(map(id, work.runs.refused()))
        self.at("fire.after_commit")
        return [run for run in made if run.is_queued and id(run) not in refused]


def _decide(due: Sequence[Schedule], now: datetime) -> list[_Decided]:
    decided = []
    budget = DUE_TIMES
    for schedule in due:
        if budget <= 0 or schedule.next is None:
            break
        read_due = schedule.next.due_at
        decision = schedule.decide(now)
        budget -= decision.count
        decided.append(_Decided(schedule, read_due, decision))
    return decided
