"""From a decision to its records: shared by the tick and by every change of a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rota.application.dispatch import Credit
from rota.application.ports.bus import Order
from rota.application.ports.clock import Ids
from rota.application.ports.keys import ScheduleKey
from rota.application.ports.store import UnitOfWork
from rota.application.stopping import asked_to_stop
from rota.domain.decision import Decision
from rota.domain.gates import schedule_gate
from rota.domain.ids import RunId
from rota.domain.misfire import DueTime
from rota.domain.overlap import MERGED, NONE_GOING, OVERLAP, Going, Overlap, arrange
from rota.domain.run import Run
from rota.domain.schedule import Schedule

MOST_REPLACED = 10_000


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
    """Adds a run for each due time that was decided, the miss and the catch-up. Answers the runs.

    A run with credit goes straight to the bus; without, it waits for the leader to give it its turn.
    """
    if decision.miss:
        work.misses.add(decision.miss)
    if decision.catch_up:
        work.catch_ups.add(decision.catch_up)
    made = []

    def new(due: DueTime) -> Run:
        run = schedule.run_for(due, RunId(ids()), now=now, epoch=epoch)
        made.append(run)
        return run

    for due in decision.skip:
        new(due).accept_skipped(OVERLAP)
    for due in decision.merged:
        new(due).accept_skipped(MERGED)
    for due in decision.fire:
        accept(new(due), credit)
    for due in decision.park:
        new(due).accept_parked(schedule_gate(schedule.id))
    for run in made:
        work.runs.add(run)
    return made


def accept(run: Run, credit: Credit | None) -> Run:
    """Queued if it has credit, else it waits for its turn."""
    return run.accept_queued() if credit is not None and credit.grant(run) else run.accept()


async def settle(work: UnitOfWork, schedule: Schedule, *, now: datetime, ids: Ids) -> Sequence[Order]:
    """Decides, under the present definition, everything that is already due: a change rules only what comes later.

    The schedule is locked. Answers what the workers of replaced runs are to be told after the commit.
    """
    orders: list[Order] = []
    made: list[Run] = []
    going = (await going_of(work, [schedule])).get(key_of(schedule), NONE_GOING)
    while schedule.is_due(now):
        decision = schedule.decide(now, going)
        orders += await carry_out(work, schedule, decision, now=now, ids=ids, replaced=made)
        parked = len(decision.park)
        going = Going(going.unfinished + len(decision.fire) + parked, going.parked + parked, going.running)
    return orders


async def carry_out(
    work: UnitOfWork, schedule: Schedule, decision: Decision, *, now: datetime, ids: Ids, replaced: list[Run]
) -> Sequence[Order]:
    """Keeps a decision and adds its runs to `replaced`: those of earlier ones that it may replace.

    The schedule is locked. Answers what the workers of replaced runs are to be told after the commit.
    """
    orders: Sequence[Order] = ()
    if decision.replaces:
        orders = await replace_going(work, [schedule], now)
        _replace(replaced, now)
    replaced += keep(work, schedule, decision, now=now, ids=ids)
    return orders


async def start_now(work: UnitOfWork, schedule: Schedule, run: Run, *, now: datetime) -> tuple[bool, Sequence[Order]]:
    """Accepts a run that no due time asked for, as the schedule's overlap allows, and adds it.

    The schedule is locked. False if it was skipped. With it, what the workers of replaced runs are to be told after
    the commit.
    """
    going = (await going_of(work, [schedule])).get(key_of(schedule), NONE_GOING)
    arranged = arrange(schedule.definition.overlap, [DueTime(run.scheduled_for, run.due_at)], going)
    orders = await replace_going(work, [schedule], now) if arranged.replaces else ()
    if arranged.skip:
        run.accept_skipped(OVERLAP)
    elif arranged.park:
        run.accept_parked(schedule_gate(schedule.id))
    else:
        run.accept()
    work.runs.add(run)
    return not arranged.skip, orders


async def going_of(work: UnitOfWork, schedules: Sequence[Schedule]) -> Mapping[ScheduleKey, Going]:
    """Asked only for those to which it matters; they must be locked, or it is true no longer than it is said."""
    asked = [key_of(each) for each in schedules if each.definition.overlap is not Overlap.ALLOW]
    replacing = [key_of(each) for each in schedules if each.definition.overlap is Overlap.REPLACE]
    if replacing:  # locked first, or one that is said not to be RUNNING may start before it is cancelled
        await work.runs.unfinished_of(replacing, MOST_REPLACED)
    return await work.runs.going(asked) if asked else {}


async def replace_going(work: UnitOfWork, schedules: Sequence[Schedule], now: datetime) -> Sequence[Order]:
    """Cancels all runs of the schedules that have not ended; answers what their workers are to be told."""
    going = await work.runs.unfinished_of([key_of(each) for each in schedules], MOST_REPLACED)
    _replace(going, now)
    return [order for run in going for order in asked_to_stop(run)]


def _replace(runs: Sequence[Run], now: datetime) -> None:
    for run in runs:
        if not run.state.is_final:
            run.cancel("replaced by a later run", now)


def key_of(schedule: Schedule) -> ScheduleKey:
    return (schedule.tenant_id, schedule.id)
