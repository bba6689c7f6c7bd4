"""What can happen to a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rota.domain.aggregate import DomainEvent
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import DueTime, Span
from rota.domain.pause import MakeUp
from rota.domain.schedule_definition import ScheduleDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSnapshot:
    """All that a reader sees of a schedule, at one moment."""

    id: ScheduleId
    tenant_id: TenantId
    definition: ScheduleDefinition
    enabled: bool
    next_fire_at: datetime | None
    last_fire_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    disabled_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCreated(DomainEvent):
    type: ClassVar[str] = "schedule.created"
    schedule: ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleUpdated(DomainEvent):
    type: ClassVar[str] = "schedule.updated"
    schedule: ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEnabled(DomainEvent):
    type: ClassVar[str] = "schedule.enabled"
    version: int
    next_fire_at: datetime | None
    reason: str
    make_up: MakeUp = MakeUp.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDisabled(DomainEvent):
    """`until` None is for good."""

    type: ClassVar[str] = "schedule.disabled"
    version: int
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSkipped(DomainEvent):
    """Due times that were decided before their turn: they will not fire."""

    type: ClassVar[str] = "schedule.skipped"
    due_times: tuple[DueTime, ...]
    next_fire_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDeleted(DomainEvent):
    type: ClassVar[str] = "schedule.deleted"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsMissed(DomainEvent):
    """Its subject is the schedule."""

    type: ClassVar[str] = "run.missed"
    span: Span
    rule: str
