"""Due times of the past are to have their runs: those are counted that have none, and the leader makes the runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.firing import settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.backfill import MOST, Backfill, PastDue, Reign, past_due
from rota.domain.errors import InvalidError
from rota.domain.ids import BackfillId, ScheduleId, TenantId
from rota.domain.schedule import Schedule

MAX_CONCURRENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSchedule(Message[Backfill]):
    """`since` is included, `until` is not; both by `scheduled_for`. A dry run counts, and makes nothing."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    since: datetime
    until: datetime
    max_concurrent: int = MAX_CONCURRENT
    is_dry: bool = False


@dataclass(frozen=True, slots=True)
class BackfillScheduleHandler:
    """What is due already is decided first, as for a change of the schedule: so no due time of the stretch is still
    the tick's. A dry run, which decides nothing, leaves out what is not decided yet.

    How many due times there are is worked out between transactions: it may take a second.
    """

    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: BackfillSchedule) -> Backfill:
        backfill = Backfill.ask(
            command.tenant_id,
            BackfillId(self.ids()),
            command.schedule_id,
            since=command.since,
            until=command.until,
            max_concurrent=command.max_concurrent,
            now=self.clock.now(),
        )
        undecided = await self._prepare(backfill, is_dry=command.is_dry)
        async with self.begin() as work:
            reigns = await work.backfills.reigns(
                backfill.tenant_id, backfill.schedule_id, backfill.since, backfill.until
            )
        found = await asyncio.to_thread(_all_due, backfill, reigns)
        async with self.begin() as work:
            backfill.take(len(await _open(work, backfill, found, undecided)))
            if not command.is_dry:
                work.backfills.add(backfill)
                keep_answer(work, backfill)
                await work.commit()
        if not command.is_dry:
            self.nudge()
        return backfill

    async def _prepare(self, backfill: Backfill, *, is_dry: bool) -> datetime | None:
        """Answers from where on due times are not decided."""
        async with self.begin() as work:
            schedule = await work.schedules.get(backfill.tenant_id, backfill.schedule_id)
            backfill.check(schedule, await work.backfills.removed_to(backfill.tenant_id, backfill.schedule_id))
            if is_dry or not schedule.is_due(backfill.created_at):
                return _undecided(schedule, backfill.created_at)
            orders = await settle(work, schedule, now=backfill.created_at, ids=self.ids)
            await work.commit()
        await self.control.tell(orders)
        return None


def _undecided(schedule: Schedule, now: datetime) -> datetime | None:
    return schedule.next.scheduled_for if schedule.next and schedule.is_due(now) else None


def _all_due(backfill: Backfill, reigns: Sequence[Reign]) -> Sequence[PastDue]:
    """Raises InvalidError."""
    found = past_due(reigns, backfill.since, backfill.until, backfill.created_at)
    first = list(islice(found, MOST + 1))
    if len(first) > MOST:
        raise InvalidError(f"there are more than {MOST:,} due times from here to there: ask for less at once", "from")
    return first


async def _open(
    work: UnitOfWork, backfill: Backfill, found: Sequence[PastDue], undecided: datetime | None = None
) -> Sequence[PastDue]:
    """Those that have no run, and will have none but by a backfill."""
    left = await without_run(work, backfill, found)
    return [past for past in left if undecided is None or past.scheduled_for < undecided]


async def without_run(work: UnitOfWork, backfill: Backfill, found: Sequence[PastDue]) -> Sequence[PastDue]:
    """What is set aside for catching up has a run as good as made: asked first, lest it be made in between."""
    if not found:
        return []
    key = (backfill.tenant_id, backfill.schedule_id)
    aside = await work.backfills.caught_up(*key)
    taken = await work.backfills.taken(*key, found[0].scheduled_for, backfill.until)
    return [
        past
        for past in found
        if past.scheduled_for not in taken and not any(first <= past.scheduled_for <= last for first, last in aside)
    ]
