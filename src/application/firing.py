"""From a decision to its records: shared by the tick and by every change of a schedule."""

from __future__ import annotations

from datetime import datetime

from rota.application.dispatch import Credit
from rota.application.ports.clock import Ids
from rota.application.ports.store import UnitOfWork
from rota.domain.ids import RunId
from rota.domain.run import Run
from rota.domain.schedule import Decision, Schedule


def keep(
    work: UnitOfWork,
    schedule: Schedule,
    decision: Decision,
    *,
    now: datetime,
    ids: Ids,
    epoch: int | None = None,
    credit: Credit | None = None,
) -> list[Run]:
    """Adds a run for each due time that fires, the miss and the catch-up. Answers the runs.

    A run with credit goes straight to the bus; without, it waits for the leader to find it credit.
    """
    if decision.miss:
        work.misses.add(decision.miss)
    if decision.catch_up:
        work.catch_ups.add(decision.catch_up)
    made = []
    for due in decision.fire:
        run = schedule.run_for(due, RunId(ids()), now=now, epoch=epoch)
        queued = credit is not None and credit.grant(run)
        made.append(run.accept_queued() if queued else run.accept())
        work.runs.add(run)
    return made


def settle(work: UnitOfWork, schedule: Schedule, *, now: datetime, ids: Ids) -> None:
    """Decides, under the present definition, everything that is already due: a change rules only what comes later."""
    while schedule.is_due(now):
        keep(work, schedule, schedule.decide(now), now=now, ids=ids)
