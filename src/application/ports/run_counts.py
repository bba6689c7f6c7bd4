"""How many runs there are and were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rota.domain.ids import ScheduleId, TenantId
from rota.domain.run_events import RunState


@dataclass(frozen=True, slots=True)
class Counted:
    """`is_complete` is False where more runs are stored than are counted: then each number is a least one."""

    states: Mapping[RunState, int]
    is_complete: bool


class RunCounts(Protocol):
    async def __call__(self, tenant_id: TenantId, job: str | None, schedule_id: ScheduleId | None) -> Counted:
        """All that retention has removed, and what is stored: of the newest runs of the tenant, up to a bound."""
        ...
