"""How many runs there are and were."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.run_counts import Counted
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.run_events import RunState
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import jobs, removed_runs, runs
from rota.infrastructure.postgres.types import Str

MOST_COUNTED = 100_000
"""Runs of a tenant that are looked at, the newest: counting them takes the better part of 0.1 s."""


class PostgresRunCounts:
    def __init__(self, engine: AsyncEngine, most: int = MOST_COUNTED) -> None:
        self._engine = engine
        self._most = most

    async def __call__(self, tenant_id: TenantId, job: str | None, schedule_id: ScheduleId | None) -> Counted:
        newest = (
            select(runs.c.state, runs.c.lane, runs.c.schedule_id)
            .where(runs.c.tenant_id == tenant_id)
            .order_by(runs.c.id.desc())
            .limit(self._most + 1)
            .subquery()
        )
        wanted = _wanted(newest.c.lane, newest.c.schedule_id, tenant_id, job, schedule_id)
        stored = select(newest.c.state, func.count(), func.count().filter(wanted)).group_by(newest.c.state)
        wanted = _wanted(removed_runs.c.lane, removed_runs.c.schedule_id, tenant_id, job, schedule_id)
        removed = (
            select(removed_runs.c.state, func.sum(removed_runs.c["count"]))
            .where(removed_runs.c.tenant_id == tenant_id, wanted)
            .group_by(removed_runs.c.state)
        )
        states: Counter[RunState] = Counter()
        looked_at = 0
        async with transaction(self._engine) as connection:
            for state, all_of_it, own in await connection.execute(stored):
                looked_at += all_of_it
                states[RunState(state)] += own
            for state, count in await connection.execute(removed):
                states[RunState(state)] += int(count)
        return Counted(+states, looked_at <= self._most)


def _wanted(
    lane: ColumnElement[str],
    schedule: ColumnElement[object],
    tenant_id: TenantId,
    job: str | None,
    schedule_id: ScheduleId | None,
) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if job is not None:
        named = select(jobs.c.id.cast(Str)).where(jobs.c.tenant_id == tenant_id, jobs.c.name == job)
        conditions.append(lane.in_(named))
    if schedule_id is not None:
        conditions.append(schedule == schedule_id)
    return and_(true(), *conditions)
