"""Why did, or will, a schedule fire at an instant, or why not?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from rota.application.ports.clock import Clock
from rota.application.ports.evidence import Evidence
from rota.application.ports.reads import Reads
from rota.domain.errors import NotFoundError
from rota.domain.explaining.by_runs import concluded_by_runs
from rota.domain.explaining.case import Case, open_case
from rota.domain.explaining.explanation import Explanation
from rota.domain.explaining.verdict import Record, concluded
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.trigger import OnEvent

FOLLOWING = 10
"""Versions that may have taken over between a due time and its being due; of more, the later ones are not looked at."""

_AROUND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ExplainFire:
    reads: Reads
    evidence: Evidence
    clock: Clock

    async def __call__(self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime) -> Explanation:
        """Raises NotFoundError, for a deleted schedule too."""
        present = await self.reads.schedule(tenant_id, schedule_id)
        now = self.clock.now()
        versions = await self.evidence.versions(tenant_id, schedule_id, at, FOLLOWING)
        if not versions:
            raise NotFoundError("schedule", schedule_id)
        case = await asyncio.to_thread(open_case, versions, at, now)
        record = await self._record(tenant_id, schedule_id, case)
        conclude = concluded_by_runs if case.is_of_runs else concluded
        return await asyncio.to_thread(conclude, case, record, present, now)

    async def _record(self, tenant_id: TenantId, schedule_id: ScheduleId, case: Case) -> Record:
        if case.version is not None and isinstance(case.version.definition.trigger, OnEvent):
            since, until = case.at - _AROUND, case.at + _AROUND
            return Record(run=await self.evidence.heard(tenant_id, schedule_id, since, until))
        return await self.evidence.record(tenant_id, schedule_id, case.scheduled_for)
