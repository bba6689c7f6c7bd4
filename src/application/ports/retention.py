"""What is over, and how it is removed: each call is one short transaction that waits for nobody's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias
from uuid import UUID

from rota.domain.ids import RunId, TenantId
from rota.domain.retention import FinishedRun


@dataclass(frozen=True, slots=True)
class TenantRuns:
    """`oldest_at` is when the tenant's oldest run was made, `shortest` the least that a job of his keeps its runs."""

    tenant_id: TenantId
    oldest_at: datetime
    shortest: timedelta | None


@dataclass(frozen=True, slots=True)
class RunWindow:
    """The finished ones of a stretch of runs. `last` is where it ends; None if no run lies beyond."""

    finished: Sequence[FinishedRun]
    last: RunId | None


DefinitionKey: TypeAlias = tuple[TenantId, UUID]
"""A schedule or a job."""


class Retention(Protocol):
    """Whether something is old is for the caller to say; what is still needed is never removed."""

    async def tenants(self) -> Sequence[TenantRuns]:
        """Those that have runs."""
        ...

    async def runs(self, tenant_id: TenantId, made_before: datetime, after: RunId | None, limit: int) -> RunWindow:
        """Of the tenant's runs made before that instant the next `limit` from beyond `after`, as they were made."""
        ...

    async def remove_runs(self, tenant_id: TenantId, runs: Sequence[RunId]) -> int:
        """Removes finished runs with their events, and counts them (`RunCounts`); answers how many.

        Kept are: what somebody holds; a run with an event that the relay has not published; a retry of a run that
        is still there, which would count as never retried; a dead letter that a redrive has yet to come to; and the
        runs of a FIXED_DELAY schedule that still waits for the end of one.
        """
        ...

    async def definitions(self, after: DefinitionKey | None, limit: int) -> Sequence[DefinitionKey]:
        """The next schedules and jobs that were ever changed, in order of tenants and ids, from beyond `after`."""
        ...

    async def remove_events(self, before: Mapping[DefinitionKey, datetime], limit: int) -> int:
        """Removes those of their events that are older than the instant given, were published, and are made
        superfluous by a later one that tells the whole definition: what remains of each has no gap.
        """
        ...

    async def remove_rejected(self, before: datetime, limit: int) -> int:
        """Rejected reports that came before that instant."""
        ...

    async def remove_workers(self, before: datetime, limit: int) -> int:
        """OFFLINE workers last heard before that instant, with their events; none that a run still names its own."""
        ...

    async def remove_redrives(self, before: datetime, limit: int) -> int:
        """Redrives that ended before that instant, with their lists: at most `limit` rows in all."""
        ...

    async def remove_backfills(self, before: datetime, limit: int) -> int:
        """Backfills that ended before that instant."""
        ...

    async def remove_differences(self, before: datetime, limit: int) -> int:
        """What the auditor found before that instant."""
        ...

    async def remove_keyed_calls(self, before: datetime, limit: int) -> int:
        """Calls with an idempotency key that came before that instant, with their answers."""
        ...
