"""Schedules on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.json import dump, load
from rota.application.preview_fires import MOST, Fire
from rota.application.skip_fires import Skipped
from rota.application.views.schedules import due_time_view, schedule_view
from rota.application.views.values import View
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.delivery import Delivery, Receiver
from rota.domain.errors import FieldFault, InvalidError
from rota.domain.explaining.explanation import Outcome, Rule
from rota.domain.ids import CalendarId, JobId, ScheduleId, TenantId
from rota.domain.job import JobTerms
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.pause import MakeUp
from rota.domain.schedule import MOST_AHEAD, Schedule
from rota.domain.schedule_definition import LONGEST_JITTER, CalendarRule, ScheduleDefinition
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.target import DeliveryTarget, JobTarget
from rota.entrypoints.http.wire.base import (
    AS_WHOLE,
    MOST_COUNT,
    Answer,
    Body,
    Count,
    Instant,
    Labels,
    Name,
    Note,
    PayloadOrNull,
    Priority,
    Ref,
    Seconds,
    Timeout,
    Whole,
    Wire,
    Zone,
    bounds,
    inside,
    seconds,
    seconds_or_none,
)
from rota.entrypoints.http.wire.jobs import RetryIn, RetryOut
from rota.entrypoints.http.wire.patch import Document, patched
from rota.entrypoints.http.wire.targets import HttpTargetIn, JobTargetIn, TargetIn, TargetOut
from rota.entrypoints.http.wire.triggers import TriggerIn, TriggerOut, trigger_of

_NOWHERE = JobTerms(id=JobId(UUID(int=0)), name="preview", queue="default")


class MisfireIn(Wire):
    policy: Annotated[MisfirePolicy, Field(strict=False)] = MisfirePolicy.FIRE_ONCE
    grace_sec: Seconds = 30
    catchup_window_sec: Seconds | None = None

    def to_misfire(self) -> Misfire:
        return Misfire(
            policy=self.policy,
            grace=seconds(self.grace_sec),
            catchup_window=seconds_or_none(self.catchup_window_sec),
        )


class CalendarRuleIn(Wire):
    """By which calendar it goes, and what becomes of the due times that it closes."""

    calendar_id: Ref
    on_closed: Annotated[OnClosed, Field(strict=False)] = OnClosed.SKIP

    def to_rule(self) -> CalendarRule:
        return CalendarRule(CalendarId(self.calendar_id), self.on_closed)


class ScheduleIn(Body):
    """A schedule, as it is created. `tz` left out is the server's default zone. `retry` and `timeoutSec` are for
    targets that are not a JOB.
    """

    name: Name
    description: Note = ""
    labels: Labels
    tz: Zone | None = None
    enabled: bool = True
    trigger: TriggerIn
    target: TargetIn
    retry: RetryIn | None = None
    timeout_sec: Timeout | None = None
    misfire: MisfireIn = MisfireIn()
    overlap: Annotated[Overlap, Field(strict=False)] = Overlap.ALLOW
    start_at: Instant | None = None
    end_at: Instant | None = None
    max_runs: Annotated[Count, bounds(1, MOST_COUNT)] | None = None
    priority: Priority | None = None
    calendar: CalendarRuleIn | None = None
    jitter_sec: Annotated[Seconds, bounds(0, LONGEST_JITTER.total_seconds())] = 0

    def to_draft(self, tenant: TenantId, default_tz: str) -> ScheduleDraft:
        """Raises InvalidError."""
        trigger = trigger_of(self.trigger, tenant)
        with inside("misfire"):
            misfire = self.misfire.to_misfire()
        return ScheduleDraft(
            name=self.name,
            trigger=trigger,
            target=self._target(),
            tz=default_tz if self.tz is None else self.tz,
            description=self.description,
            labels=self.labels,
            misfire=misfire,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
            overlap=self.overlap,
            priority=self.priority,
            calendar=None if self.calendar is None else self.calendar.to_rule(),
            jitter=seconds(self.jitter_sec),
            enabled=self.enabled,
        )

    def _target(self) -> NamedJob | DeliveryTarget:
        if isinstance(self.target, JobTargetIn):
            self._refuse_terms()
            return NamedJob(self.target.job, self.target.payload)
        with inside("target"):
            receiver = self.target.to_receiver()
        return DeliveryTarget(self._delivery(receiver), self.target.payload)

    def _refuse_terms(self) -> None:
        said = {"retry": self.retry, "timeoutSec": self.timeout_sec}
        faults = tuple(FieldFault(name, "is the job's own") for name, value in said.items() if value is not None)
        if faults:
            raise InvalidError("", faults=faults)

    def _delivery(self, receiver: Receiver) -> Delivery:
        with inside("retry"):
            retry = (self.retry or RetryIn()).to_policy()
        own = self.target.http.timeout_sec if isinstance(self.target, HttpTargetIn) else None
        timeout = seconds_or_none(self.timeout_sec if own is None else own)
        usual = Delivery(receiver=receiver, retry=retry)
        return usual if timeout is None else replace(usual, timeout=timeout)


def revised_schedule(standing: ScheduleSnapshot, patch: Document, default_tz: str) -> ScheduleDraft:
    """Raises InvalidError."""
    document = _mergeable(load(dump(schedule_view(standing))), patch)
    return patched(ScheduleIn, document, patch).to_draft(standing.tenant_id, default_tz)


def _mergeable(standing: Document, patch: Document) -> Document:
    """What stands, without what would be in the patch's way.

    The receiver's own time limit is also the schedule's, which a patch may name; and what was said of deliveries
    ends where a job takes their place.
    """
    standing["target"].get("http", {}).pop("timeoutSec", None)
    target = patch.get("target")
    if isinstance(target, dict) and target.get("kind") == "JOB":
        del standing["retry"], standing["timeoutSec"]
    return standing


class EnableIn(Body):
    """`catchUp`: which of the due times of the pause are run."""

    catch_up: Annotated[MakeUp, Field(strict=False)] = MakeUp.NONE
    reason: Note = ""


class DisableIn(Body):
    """With `until` it is enabled again by itself then."""

    until: Instant | None = None
    reason: Note = ""


class SkipIn(Body):
    """The next `count` fires (1 unless said), or the one `at` an instant as `fires` shows it."""

    count: Annotated[int, Field(ge=1, le=MOST_AHEAD), AS_WHOLE] | None = None
    at: Instant | None = None
    reason: Note = ""

    def to_wanted(self) -> int | datetime:
        """Raises InvalidError."""
        if self.at is None:
            return 1 if self.count is None else self.count
        if self.count is not None:
            raise InvalidError("either this or count", "at")
        return self.at


class TriggerNowIn(Body):
    """A payload, be it null, replaces the target's."""

    payload: PayloadOrNull = None


class PreviewIn(Body):
    """`jitterSec` takes `scheduleId` beside it: how far it spreads follows from the two."""

    trigger: TriggerIn
    tz: Zone
    start_at: Instant | None = None
    end_at: Instant | None = None
    from_: Instant | None = Field(default=None, alias="from")
    count: Whole = Field(default=10, ge=1, le=MOST)
    calendar: CalendarRuleIn | None = None
    jitter_sec: Annotated[Seconds, bounds(0, LONGEST_JITTER.total_seconds())] = 0
    schedule_id: Ref | None = None

    def to_rule(self) -> CalendarRule | None:
        return None if self.calendar is None else self.calendar.to_rule()

    def to_schedule(self, tenant: TenantId, now: datetime, open_days: OpenDays | None) -> Schedule:
        """Created now, and never stored. `open_days` are the calendar's. Raises InvalidError."""
        if self.jitter_sec and self.schedule_id is None:
            raise InvalidError("needs scheduleId beside it: how far it spreads follows from the two", "jitterSec")
        definition = ScheduleDefinition(
            name="preview",
            trigger=trigger_of(self.trigger, tenant),
            target=JobTarget(_NOWHERE),
            tz=self.tz,
            start_at=self.start_at,
            end_at=self.end_at,
            calendar=self.to_rule(),
            jitter=seconds(self.jitter_sec),
        )
        own_id = ScheduleId(self.schedule_id or UUID(int=0))
        return Schedule.create(tenant, own_id, definition, now=now, open_days=open_days)


class MisfireOut(Answer):
    policy: MisfirePolicy
    grace_sec: float
    catchup_window_sec: float | None


class CalendarRuleOut(Answer):
    calendar_id: UUID
    on_closed: OnClosed


class ScheduleOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    description: str
    labels: dict[str, str]
    tz: str
    enabled: bool
    disabled_until: datetime | None
    trigger: TriggerOut
    target: TargetOut
    retry: RetryOut | None
    timeout_sec: float | None
    calendar: CalendarRuleOut | None
    misfire: MisfireOut
    overlap: Overlap
    jitter_sec: float
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    priority: int | None
    next_fire_at: datetime | None
    last_fire_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class DueTimeOut(Answer):
    scheduled_for: datetime
    due_at: datetime


class SkippedOut(ScheduleOut):
    """`skipped` are the due times that will not fire."""

    skipped: list[DueTimeOut]


class FireOut(Answer):
    """`note` is there where a clock change, the calendar or the jitter touched it."""

    at: datetime
    scheduled_for: datetime
    local: datetime
    note: str | None = None


class FiresOut(Answer):
    fires: list[FireOut]


class StepOut(Answer):
    """What one rule said; `detail` is for people."""

    rule: Rule
    outcome: Outcome
    detail: str


class ExplanationOut(Answer):
    """The rules in the order in which they were asked; the last item is the result.

    `scheduledFor` and `dueAt` are null where `at` is no due time.
    """

    at: datetime
    scheduled_for: datetime | None
    due_at: datetime | None
    items: list[StepOut]


class MissOut(Answer):
    first: datetime
    last: datetime
    count: int
    rule: str
    decided_at: datetime


def fires_view(fires: Sequence[Fire]) -> View:
    """`local` tells its offset, be it zero."""
    return {
        "fires": [
            {"at": fire.at, "scheduledFor": fire.scheduled_for, "local": fire.local.isoformat()}
            | ({"note": fire.note} if fire.note else {})
            for fire in fires
        ]
    }


def skipped_view(skipped: Skipped) -> View:
    return {**schedule_view(skipped.schedule), "skipped": [due_time_view(due) for due in skipped.due_times]}
