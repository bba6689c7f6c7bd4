"""Backfills in the store, and what they must know of the past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rota.domain.backfill import Backfill, Reign
from rota.domain.ids import BackfillId, ScheduleId, TenantId


@dataclass(frozen=True, slots=True)
class BackfillLook:
    """A backfill, and what has become of its runs; of those that retention removed nothing is known."""

    backfill: Backfill
    unfinished: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0


class Backfills(Protocol):
    """Those of all tenants. What was handed out is stored at commit, as it then is."""

    def add(self, backfill: Backfill) -> None: ...

    async def get(self, tenant_id: TenantId, backfill_id: BackfillId) -> Backfill:
        """Locked. Raises NotFoundError."""
        ...

    async def ready(self) -> tuple[Backfill, int] | None:
        """Of the RUNNING ones that may make a run the one that waits longest, locked, and how many of its runs are
        unfinished. One that somebody else works on is passed over.

        Where the schedule lets no runs overlap it may only while none of its runs is unfinished.
        """
        ...

    async def reigns(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Sequence[Reign]:
        """The schedule's definitions that were in force then, those of a ONE_SHOT that came later, and the present
        one, last; in order.
        """
        ...

    async def taken(
        self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime
    ) -> Collection[datetime]:
        """The due times in [since, until) that have a run of cause SCHEDULE or BACKFILL."""
        ...

    async def caught_up(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Sequence[tuple[datetime, datetime]]:
        """From where to where (both included) due times are set aside, and will have their runs."""
        ...

    async def look(self, backfill: Backfill) -> BackfillLook:
        """The backfill as it is in hand, and what has become of its runs so far."""
        ...

    async def removed_to(self, tenant_id: TenantId, schedule_id: ScheduleId) -> datetime | None:
        """The latest due time of which retention has removed a run; None if it has removed none."""
        ...


class BackfillReads(Protocol):
    async def backfill(self, tenant_id: TenantId, backfill_id: BackfillId) -> BackfillLook:
        """Raises NotFoundError."""
        ...
