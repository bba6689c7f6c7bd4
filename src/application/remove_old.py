"""What is over and old enough is removed, a small batch at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.application.command import Message
from rota.application.ports.clock import Clock
from rota.application.ports.keyed_calls import KEPT
from rota.application.ports.retention import DefinitionKey, Retention, TenantRuns
from rota.domain.ids import RunId
from rota.domain.retention import RetentionPolicy

LOOK = 1_000
"""How many runs, schedules or jobs are looked at at once."""

BATCH = 250
"""How many go in one transaction. A run takes some four events along, so that is about a thousand rows."""

REST = timedelta(seconds=60)
LONGER = timedelta(milliseconds=50)
"""A sweep is followed by a rest: longer for each look that found nothing, so that looking stays a small share."""


@dataclass(frozen=True, slots=True)
class RemoveOld(Message[int]):
    """One batch; answers how many things it removed. 0 says nothing about what lies beyond."""


@dataclass(slots=True)
class RemoveOldHandler:
    """Sweeps over all that there is, then rests. Its place is only in memory: a new leader begins anew."""

    store: Retention
    clock: Clock
    policy: RetentionPolicy = field(default_factory=RetentionPolicy)
    rests_until: datetime | None = None
    _sweep: AsyncIterator[int] | None = None
    _looks: int = 0

    async def __call__(self, command: RemoveOld) -> int:
        now = self.clock.now()
        if self.rests_until is not None and now < self.rests_until:
            return 0
        self._sweep = self._sweep or self._all()
        try:
            removed = await anext(self._sweep)
        except StopAsyncIteration:
            self._sweep = None
            self.rests_until = now + REST + self._looks * LONGER
            self._looks = 0
            return 0
        except BaseException:
            self._sweep = None  # it is spent; the next one begins at the beginning
            raise
        self._looks += removed == 0
        return removed

    async def _all(self) -> AsyncIterator[int]:
        for tenant in await self.store.tenants():
            async for removed in self._runs(tenant):
                yield removed
        async for removed in self._events():
            yield removed
        async for removed in self._others():
            yield removed

    async def _runs(self, tenant: TenantRuns) -> AsyncIterator[int]:
        now = self.clock.now()
        shortest = self.policy.shortest(tenant.tenant_id, tenant.shortest)
        if shortest is None or now - shortest < tenant.oldest_at:
            return
        after: RunId | None = None
        while True:
            window = await self.store.runs(tenant.tenant_id, now - shortest, after, LOOK)
            old = [run.id for run in window.finished if self.policy.is_over(tenant.tenant_id, run, now)]
            for start in range(0, len(old), BATCH):
                yield await self.store.remove_runs(tenant.tenant_id, old[start : start + BATCH])
            if not old:
                yield 0
            if window.last is None:
                return
            after = window.last

    async def _events(self) -> AsyncIterator[int]:
        after: DefinitionKey | None = None
        while definitions := await self.store.definitions(after, LOOK):
            before = self._old_events(definitions)
            removed = BATCH
            while removed == BATCH:
                removed = await self.store.remove_events(before, BATCH)
                yield removed
            after = definitions[-1]

    def _old_events(self, definitions: Sequence[DefinitionKey]) -> dict[DefinitionKey, datetime]:
        now = self.clock.now()
        ages = {tenant_id: self.policy.ages_of(tenant_id).events for tenant_id, _ in definitions}
        return {key: now - age for key in definitions if (age := ages[key[0]]) is not None}

    async def _others(self) -> AsyncIterator[int]:
        now, policy = self.clock.now(), self.policy
        for remove, age in (
            (self.store.remove_rejected, policy.rejected_reports),
            (self.store.remove_workers, policy.offline_workers),
            (self.store.remove_redrives, policy.redrives),
            (self.store.remove_backfills, policy.backfills),
            (self.store.remove_differences, policy.differences),
            (self.store.remove_keyed_calls, KEPT),
        ):
            while removed := await remove(now - age, BATCH):
                yield removed
