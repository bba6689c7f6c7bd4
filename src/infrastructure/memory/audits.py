"""The auditor's book in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta

from rota.application.ports.keys import ScheduleKey
from rota.domain.audit.account import MOST, Account, Recorded
from rota.domain.audit.round import AuditRound, Difference
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.infrastructure.memory.runs import ONCE_PER_DUE_TIME
from rota.infrastructure.memory.schedules import handed_out
from rota.infrastructure.memory.tables import InMemoryStore, twin

_JUST = timedelta(microseconds=1)


class InMemoryAudits:
    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._tables = store.tables

    async def round(self, now: datetime) -> AuditRound:
        return copy(self._tables.audit_round) if self._tables.audit_round else AuditRound(began_at=now)

    async def accounts(self, after: ScheduleKey | None, horizon: datetime, limit: int) -> Sequence[Account]:
        keys = sorted(key for key in self._tables.schedules if after is None or key > after)
        return [self._account(key, horizon) for key in keys if not self._is_done(key)][:limit]

    async def removed_to(self, keys: Collection[ScheduleKey]) -> Mapping[ScheduleKey, datetime]:
        return {key: self._tables.removed_to[key] for key in keys if key in self._tables.removed_to}

    async def keep(
        self, audited_to: Mapping[ScheduleKey, datetime], found: Sequence[Difference], standing: AuditRound
    ) -> None:
        self._tables.audited_to.update(audited_to)
        for each in found:
            key = (each.tenant_id, each.schedule_id, each.kind, each.span.first)
            self._tables.audit_differences.setdefault(key, each)
        self._tables.audit_round = copy(standing)

    def _low(self, key: ScheduleKey) -> datetime:
        return self._tables.audited_to.get(key, self._tables.schedules[key].created_at - _JUST)

    def _is_done(self, key: ScheduleKey) -> bool:
        deleted_at = self._tables.schedules[key].deleted_at
        return deleted_at is not None and self._low(key) >= deleted_at - _JUST

    def _account(self, key: ScheduleKey, horizon: datetime) -> Account:
        low = self._low(key)
        row, ends = self._in_force(key, low + _JUST)
        standing = self._tables.schedules[key]
        then = twin(standing)
        then.definition, then.version, then.enabled = row.definition, row.version, row.enabled
        by_calendar = then.definition.calendar is not None
        since = max(row.updated_at, standing.updated_at) if by_calendar and ends is None else row.updated_at
        return Account(
            schedule=handed_out(self._store, self._tables.jobs, then),
            since=since,
            until=ends,
            audited_to=max(low, since) if since > row.updated_at else low,
            horizon=horizon,
            runs=self._runs(key, low, horizon, ends)[: MOST + 1],
            covered=self._covered(key, low, horizon),
            is_deleted=row.deleted_at is not None,
            is_known=not by_calendar or ends is None,
        )

    def _in_force(self, key: ScheduleKey, at: datetime) -> tuple[Schedule, datetime | None]:
        """The definition, and until when."""
        of_it = (row for (tenant, own, _), row in self._tables.revisions.items() if (tenant, own) == key)
        revisions = sorted(of_it, key=lambda row: row.version)
        latest = max(n for n, row in enumerate(revisions) if row.updated_at <= at)
        following = revisions[latest + 1 :]
        return revisions[latest], following[0].updated_at if following else None

    def _runs(self, key: ScheduleKey, low: datetime, horizon: datetime, ends: datetime | None) -> tuple[Recorded, ...]:
        found = [
            Recorded(run.scheduled_for, run.created_at, run.cause is Cause.SCHEDULE)
            for run in self._tables.runs.values()
            if (run.tenant_id, run.schedule_id) == key
            and run.cause in ONCE_PER_DUE_TIME
            and low < run.scheduled_for <= horizon
            and (ends is None or run.scheduled_for < ends)
        ]
        return tuple(sorted(found, key=lambda each: each.scheduled_for))

    def _covered(self, key: ScheduleKey, low: datetime, horizon: datetime) -> tuple[tuple[datetime, datetime], ...]:
        spans = [row.span for own, row in self._tables.misses.items() if own[:2] == key]
        spans += [row.span for own, row in self._tables.catch_ups.items() if own[:2] == key]
        return tuple((span.first, span.last) for span in spans if span.last > low and span.first <= horizon)
