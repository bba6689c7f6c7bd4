"""Schedules on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from rota.application.drafts import ScheduleDraft
from rota.application.json import dump, load
from rota.application.preview_fires import MOST, Fire
from rota.application.views import View, schedule_view
from rota.domain.ids import JobId, ScheduleId, TenantId
from rota.domain.job import JobTerms
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.retry import RetryPolicy
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.target import JobTarget
from rota.entrypoints.http.wire.base import (
    Answer,
    Body,
    Count,
    Instant,
    Labels,
    Name,
    Note,
    NotYet,
    Payload,
    PayloadOrNull,
    Seconds,
    Wire,
    inside,
    seconds,
)
from rota.entrypoints.http.wire.patch import Document, patched
from rota.entrypoints.http.wire.triggers import TriggerIn

_LATER = ("EVENT", "HTTP", "QUEUE")
_NOWHERE = JobTerms(JobId(UUID(int=0)), "preview", "default", timedelta(seconds=1), RetryPolicy())


class JobTargetIn(Wire):
    kind: Literal["JOB"]
    job: Name
    payload: Payload = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_job(cls, said: Any) -> Any:  # Any: whatever was sent
        """Other kinds have other fields: to name these too would hide the one thing that is wrong."""
        kind = said.get("kind", "JOB") if isinstance(said, dict) else "JOB"
        if kind != "JOB":
            why = "not supported yet" if kind in _LATER else "must be 'JOB'"
            raise PydanticCustomError("inside", why, {"inside": ("kind",)})
        return said


class MisfireIn(Wire):
    policy: Annotated[MisfirePolicy, Field(strict=False)] = MisfirePolicy.FIRE_ONCE
    grace_sec: Seconds = 30
    catchup_window_sec: Seconds | None = None

    def to_misfire(self) -> Misfire:
        window = self.catchup_window_sec
        return Misfire(
            policy=self.policy,
            grace=seconds(self.grace_sec),
            catchup_window=None if window is None else seconds(window),
        )


class ScheduleIn(Body):
    """A schedule, as it is created. `tz` left out is the server's default zone."""

    name: Name
    description: Note = ""
    labels: Labels
    tz: str | None = Field(default=None, examples=["Europe/Berlin"])
    enabled: bool = True
    trigger: TriggerIn
    target: JobTargetIn
    misfire: MisfireIn = MisfireIn()
    start_at: Instant | None = None
    end_at: Instant | None = None
    max_runs: Count | None = None
    calendar: Annotated[object, NotYet(None)] = None
    overlap: Annotated[object, NotYet("ALLOW")] = "ALLOW"
    jitter_sec: Annotated[object, NotYet(0)] = 0
    priority: Annotated[object, NotYet(None)] = None
    retry: Annotated[object, NotYet(None)] = None
    timeout_sec: Annotated[object, NotYet(None)] = None

    def to_draft(self, default_tz: str) -> ScheduleDraft:
        """Raises InvalidError."""
        with inside("trigger"):
            trigger = self.trigger.to_trigger()
        with inside("misfire"):
            misfire = self.misfire.to_misfire()
        return ScheduleDraft(
            name=self.name,
            trigger=trigger,
            job=self.target.job,
            tz=default_tz if self.tz is None else self.tz,
            payload=self.target.payload,
            description=self.description,
            labels=self.labels,
            misfire=misfire,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
            enabled=self.enabled,
        )


def revised_schedule(standing: ScheduleSnapshot, patch: Document, default_tz: str) -> ScheduleDraft:
    """Raises InvalidError."""
    return patched(ScheduleIn, load(dump(schedule_view(standing))), patch).to_draft(default_tz)


class EnableIn(Body):
    catch_up: Annotated[object, NotYet("NONE")] = "NONE"
    reason: Note = ""


class DisableIn(Body):
    until: Annotated[object, NotYet(None)] = None
    reason: Note = ""


class TriggerNowIn(Body):
    """A payload, be it null, replaces the target's."""

    payload: PayloadOrNull = None


class PreviewIn(Body):
    trigger: TriggerIn
    tz: str = Field(examples=["Europe/Berlin"])
    start_at: Instant | None = None
    end_at: Instant | None = None
    from_: Instant | None = Field(default=None, alias="from")
    count: int = Field(default=10, ge=1, le=MOST)
    calendar: Annotated[object, NotYet(None)] = None
    jitter_sec: Annotated[object, NotYet(0)] = 0
    schedule_id: Annotated[object, NotYet(None)] = None

    def to_schedule(self, tenant: TenantId, now: datetime) -> Schedule:
        """Created now, and never stored. Raises InvalidError."""
        with inside("trigger"):
            trigger = self.trigger.to_trigger()
        definition = ScheduleDefinition(
            name="preview",
            trigger=trigger,
            target=JobTarget(_NOWHERE),
            tz=self.tz,
            start_at=self.start_at,
            end_at=self.end_at,
        )
        return Schedule.create(tenant, ScheduleId(UUID(int=0)), definition, now=now)


class MisfireOut(Answer):
    policy: MisfirePolicy
    grace_sec: float
    catchup_window_sec: float | None


class CronOut(Answer):
    type: Literal["CRON"]
    cron: str


class OneShotOut(Answer):
    type: Literal["ONE_SHOT"]
    start_at: str


class FixedRateOut(Answer):
    type: Literal["FIXED_RATE"]
    every_sec: float
    anchor_at: datetime | None


class JobTargetOut(Answer):
    kind: Literal["JOB"]
    job: str
    payload: Any


class ScheduleOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    description: str
    labels: dict[str, str]
    tz: str
    enabled: bool
    trigger: Annotated[CronOut | OneShotOut | FixedRateOut, Field(discriminator="type")]
    target: JobTargetOut
    calendar: None
    misfire: MisfireOut
    overlap: Literal["ALLOW"]
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


class FireOut(Answer):
    at: datetime
    scheduled_for: datetime
    local: datetime


class FiresOut(Answer):
    fires: list[FireOut]


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
            {"at": fire.at, "scheduledFor": fire.scheduled_for, "local": fire.local.isoformat()} for fire in fires
        ]
    }
