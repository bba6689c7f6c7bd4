"""What is kept of how a schedule came to fire, or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from rota.domain.explaining.verdict import Record
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.run import Run
from rota.domain.schedule import Schedule


class Evidence(Protocol):
    """All of one tenant; what is another tenant's is as if it was not there."""

    async def versions(
        self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime, following: int
    ) -> Sequence[Schedule]:
        """The version of the schedule that was in force at `at` and up to `following` after it, ascending; the first
        ones if none was in force yet. Empty for one that is unknown.

        `updated_at` of each is the moment from which on it was in force, and its open days are what its calendar said
        then or at `at`, whichever is later. What the tick keeps is left out.
        """
        ...

    async def record(self, tenant_id: TenantId, schedule_id: ScheduleId, scheduled_for: datetime) -> Record:
        """Of what is scheduled for that instant."""
        ...

    async def heard(self, tenant_id: TenantId, schedule_id: ScheduleId, since: datetime, until: datetime) -> Run | None:
        """The first run of cause EVENT with `scheduled_for` from `since` to before `until`."""
        ...
