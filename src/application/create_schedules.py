"""New schedules, one or many: all or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.batches import each
from rota.application.command import Message
from rota.application.drafts import ScheduleDraft, calendars_of, jobs_of, open_days_for
from rota.application.payload_check import check_draft
from rota.application.ports.bus import Nudge
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.store import Begin
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSchedules(Message[Sequence[ScheduleSnapshot]]):
    """Answers them in the order given. `batch` says that faults are named by their place."""

    tenant_id: TenantId
    drafts: Sequence[ScheduleDraft]
    batch: bool = False


@dataclass(frozen=True, slots=True)
class CreateSchedulesHandler:
    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    nudge: Nudge

    async def __call__(self, command: CreateSchedules) -> Sequence[ScheduleSnapshot]:
        async with self.begin() as work:
            jobs = await work.jobs.named(command.tenant_id, jobs_of(command.drafts))
            calendars = await calendars_of(work.calendars, command.tenant_id, command.drafts)
            now = self.clock.now()

            def create(draft: ScheduleDraft) -> Schedule:
                check_draft(self.rules, draft, jobs.get(draft.job or ""))
                return Schedule.create(
                    command.tenant_id,
                    ScheduleId(self.ids()),
                    draft.definition(jobs),
                    now=now,
                    enabled=draft.enabled,
                    open_days=open_days_for(draft.calendar, calendars),
                )

            created = each(command.drafts, create, indexed=command.batch)
            for schedule in created:
                work.schedules.add(schedule)
            snapshots = [schedule.snapshot() for schedule in created]
            keep_answer(work, snapshots)
            await work.commit()
        self.nudge()
        return snapshots
