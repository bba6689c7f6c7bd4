"""A schedule gets a new definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rota.application.command import Message
from rota.application.drafts import ScheduleDraft, calendars_of, jobs_of, open_days_for
from rota.application.firing import settle
from rota.application.payload_check import check_draft
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.calendars.open_days import OpenDays
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSchedule(Message[ScheduleSnapshot]):
    """`revise` makes the new draft of what stands: a merge patch needs to see what it merges into."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    revise: Callable[[ScheduleSnapshot], ScheduleDraft]
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class ChangeScheduleHandler:
    """What is already due is decided first, under the old definition, in the same transaction."""

    begin: Begin
    clock: Clock
    ids: Ids
    rules: PayloadRules
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: ChangeSchedule) -> ScheduleSnapshot:
        async with self.begin() as work:
            schedule = await work.schedules.get(command.tenant_id, command.schedule_id)
            command.expected.check(schedule.version)
            draft = command.revise(schedule.snapshot())
            jobs = await work.jobs.named(command.tenant_id, jobs_of([draft]))
            definition = draft.definition(jobs)
            check_draft(self.rules, draft, jobs.get(draft.job or ""))
            open_days = await _open_days(work, schedule, draft)
            now = self.clock.now()
            orders = await settle(work, schedule, now=now, ids=self.ids)
            schedule.change(definition, now=now, open_days=open_days)
            if draft.enabled:
                schedule.enable("", now=now)
            elif schedule.enabled:
                schedule.disable("", now=now)
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return schedule.snapshot()


async def _open_days(work: UnitOfWork, schedule: Schedule, draft: ScheduleDraft) -> OpenDays | None:
    """The calendar that it goes by already cannot change while the schedule is locked; to lock it too, behind the
    schedule, is the other way round than whoever changes a calendar does it.
    """
    standing, rule = schedule.definition.calendar, draft.calendar
    if rule and standing and rule.calendar_id == standing.calendar_id:
        return schedule.open_days
    return open_days_for(rule, await calendars_of(work.calendars, schedule.tenant_id, [draft]))
