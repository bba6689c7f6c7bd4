"""What a caller says of a schedule, before the store has been asked what it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.application.ports.store import Calendars
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, TenantId
from rota.domain.job import Job
from rota.domain.misfire import Misfire
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.schedule_definition import CalendarRule, ScheduleDefinition
from rota.domain.target import DeliveryTarget, JobTarget, Target
from rota.domain.trigger import Trigger


@dataclass(frozen=True, slots=True)
class NamedJob:
    """A target that is still the name of a job."""

    name: str
    payload: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDraft:
    """A definition whose job, if it has one, is still a name."""

    name: str
    trigger: Trigger
    target: NamedJob | DeliveryTarget
    tz: str
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    misfire: Misfire = field(default_factory=Misfire)
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None
    overlap: Overlap = Overlap.ALLOW
    priority: int | None = None
    calendar: CalendarRule | None = None
    jitter: timedelta = timedelta(0)
    enabled: bool = True

    @property
    def job(self) -> str | None:
        """The name to look up; None for a target that Rota delivers to itself."""
        return self.target.name if isinstance(self.target, NamedJob) else None

    def definition(self, jobs: Mapping[str, Job]) -> ScheduleDefinition:
        """Raises InvalidError if its job is not among `jobs`."""
        return ScheduleDefinition(
            name=self.name,
            trigger=self.trigger,
            target=self._target(jobs),
            tz=self.tz,
            description=self.description,
            labels=self.labels,
            misfire=self.misfire,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
            overlap=self.overlap,
            priority=self.priority,
            calendar=self.calendar,
            jitter=self.jitter,
        )

    def _target(self, jobs: Mapping[str, Job]) -> Target:
        if isinstance(self.target, DeliveryTarget):
            return self.target
        job = jobs.get(self.target.name)
        if job is None:
            raise InvalidError(f"there is no job named {self.target.name!r}", "target.job")
        return JobTarget(job.terms(), self.target.payload)


async def calendars_of(
    calendars: Calendars, tenant_id: TenantId, drafts: Iterable[ScheduleDraft]
) -> Mapping[CalendarId, OpenDays]:
    """Those that exist of the calendars that the drafts go by; nobody changes them until the end of the work."""
    wanted = {(tenant_id, draft.calendar.calendar_id) for draft in drafts if draft.calendar}
    found = await calendars.open_days(wanted) if wanted else {}
    return {own: open_days for (_, own), open_days in found.items()}


def open_days_for(rule: CalendarRule | None, calendars: Mapping[CalendarId, OpenDays]) -> OpenDays | None:
    """Raises InvalidError if the calendar is not among `calendars`."""
    if rule is None:
        return None
    if rule.calendar_id not in calendars:
        raise InvalidError("there is no such calendar", "calendar.calendarId")
    return calendars[rule.calendar_id]


def jobs_of(drafts: Iterable[ScheduleDraft]) -> set[str]:
    """The names that must be looked up before there can be definitions."""
    return {draft.job for draft in drafts if draft.job is not None}
