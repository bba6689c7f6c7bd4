"""Fires of a schedule are skipped before their turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.firing import settle
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.misfire import DueTime
from rota.domain.schedule_events import ScheduleSnapshot


@dataclass(frozen=True, slots=True)
class Skipped:
    """`due_times` will not fire; what was merged into a fire is skipped with it."""

    due_times: Sequence[DueTime]
    schedule: ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipFires(Message[Skipped]):
    """`wanted` are the next so many fires, or the one that is due at that instant."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    wanted: int | datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkipFiresHandler:
    """What is already due is decided first; each due time that is skipped has its run at once, and so no other."""

    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: SkipFires) -> Skipped:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            skipped = schedule.skip(command.wanted, command.reason, now=now)
            for due in skipped:
                work.runs.add(schedule.skipped_run(due, RunId(self.ids()), command.reason, now=now))
            answer = Skipped(skipped, schedule.snapshot())
            keep_answer(work, answer)
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return answer
