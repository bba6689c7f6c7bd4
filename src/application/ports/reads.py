"""What readers ask: answers in the shape asked for, past the aggregates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import Miss
from rota.domain.ids import CalendarId, JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import JobSnapshot
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.worker import WorkerSnapshot

Item = TypeVar("Item")
Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Paging(Generic[Place]):
    """Either by cursor (`after`: the place of the last item before) or by `page` (from 1).

    Where nothing else is said a place is an id, and the newest come first.
    """

    limit: int = 50
    after: Place | None = None
    page: int | None = None

    @property
    def passed(self) -> int:
        """How many items stand on the pages before."""
        return 0 if self.page is None else (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """`next_after`, a place, is None on the last page; `total` is counted only when paging by number."""

    items: Sequence[Item]
    next_after: Any = None  # Any: the paging's kind of place
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFilter:
    enabled: bool | None = None
    name_prefix: str | None = None
    labels: Mapping[str, str] | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    name_prefix: str | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFilter:
    name_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """`since` is included, `until` is not; both judge `scheduled_for`."""

    schedule_id: ScheduleId | None = None
    job: str | None = None
    worker_id: WorkerId | None = None
    states: Sequence[RunState] = ()
    fingerprint: str | None = None
    causes: Sequence[Cause] = ()
    labels: Mapping[str, str] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Reads(Protocol):
    """All of one tenant; a key of another tenant is unknown. Single reads raise NotFoundError."""

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule: ...

    async def schedules(
        self, tenant_id: TenantId, wanted: ScheduleFilter, paging: Paging[UUID]
    ) -> Page[ScheduleSnapshot]: ...

    async def misses(self, tenant_id: TenantId, schedule_id: ScheduleId, paging: Paging[datetime]) -> Page[Miss]:
        """The latest first; a place is a miss's `first`."""
        ...

    async def job(self, tenant_id: TenantId, job_id: JobId) -> JobSnapshot: ...

    async def jobs(self, tenant_id: TenantId, wanted: JobFilter, paging: Paging[UUID]) -> Page[JobSnapshot]: ...

    async def calendar(self, tenant_id: TenantId, calendar_id: CalendarId) -> CalendarSnapshot: ...

    async def calendars(
        self, tenant_id: TenantId, wanted: CalendarFilter, paging: Paging[UUID]
    ) -> Page[CalendarSnapshot]: ...

    async def open_days(self, tenant_id: TenantId, calendar_id: CalendarId) -> OpenDays:
        """The calendar with all that it includes. Equal versions are answered by one and the same object."""
        ...

    async def run(self, tenant_id: TenantId, run_id: RunId) -> Run: ...

    async def runs(self, tenant_id: TenantId, wanted: RunFilter, paging: Paging[UUID]) -> Page[Run]: ...

    async def worker(self, tenant_id: TenantId, worker_id: WorkerId) -> WorkerSnapshot: ...

    async def workers(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[WorkerSnapshot]: ...


class Upcoming(Protocol):
    """What the leader sleeps towards."""

    async def next_instant(self) -> datetime | None:
        """The earliest due time or wake-up of all tenants; None if nothing waits."""
        ...

    async def has_catch_ups(self) -> bool: ...
