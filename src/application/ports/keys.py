"""What names one thing in the store, among those of all tenants."""

from __future__ import annotations

from typing import TypeAlias

from rota.domain.ids import CalendarId, RunId, ScheduleId, TenantId, WorkerId

RunKey: TypeAlias = tuple[TenantId, RunId]
ScheduleKey: TypeAlias = tuple[TenantId, ScheduleId]
RevisionKey: TypeAlias = tuple[TenantId, ScheduleId, int]
LaneKey: TypeAlias = tuple[TenantId, str]
"""A tenant, and one of its lanes as `Run.lane` names it."""
WorkerKey: TypeAlias = tuple[TenantId, WorkerId]
CalendarKey: TypeAlias = tuple[TenantId, CalendarId]
