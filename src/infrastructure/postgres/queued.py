"""The runs that should be on the bus: those that workers carry out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.bus import Lane
from rota.application.ports.keys import RunKey
from rota.domain.ids import JobId, TenantId
from rota.domain.run import Run
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.run_rows import WITH_JOB, to_run
from rota.infrastructure.postgres.tables import runs

_QUEUED = and_(runs.c.state == "QUEUED", runs.c.job_id.is_not(None))
_KEY = tuple_(runs.c.tenant_id, runs.c.id)


class PostgresQueuedRuns:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def lanes(self, queued_before: datetime) -> Sequence[tuple[Lane, int]]:
        query = (
            select(runs.c.tenant_id, runs.c.job_id, func.count())
            .where(_QUEUED, runs.c.queued_at < queued_before)
            .group_by(runs.c.tenant_id, runs.c.job_id)
        )
        async with transaction(self._engine) as connection:
            found = await connection.execute(query)
            return [(Lane(TenantId(tenant_id), JobId(job_id)), count) for tenant_id, job_id, count in found]

    async def page(self, queued_since: datetime, after: RunKey | None, limit: int) -> Sequence[Run]:
        query = WITH_JOB.where(_QUEUED, runs.c.queued_at >= queued_since)
        if after is not None:
            query = query.where(after < _KEY)
        async with transaction(self._engine) as connection:
            found = await connection.execute(query.order_by(runs.c.tenant_id, runs.c.id).limit(limit))
            return [to_run(row) for row in found]

    async def send_anew(
        self, queued_before: datetime, lane: Lane | None, after: RunKey | None, limit: int
    ) -> Sequence[Run]:
        query = WITH_JOB.where(_QUEUED, runs.c.queued_at < queued_before)
        if lane is not None:
            query = query.where(runs.c.tenant_id == lane.tenant_id, runs.c.lane == str(lane.job_id))
        if after is not None:
            query = query.where(after < _KEY)
        query = query.order_by(runs.c.tenant_id, runs.c.id).limit(limit).with_for_update(of=runs)
        async with transaction(self._engine) as connection:
            found = [to_run(row) for row in await connection.execute(query)]
            if found:
                keys = [(run.tenant_id, run.id) for run in found]
                await connection.execute(update(runs).where(_KEY.in_(keys)).values(sends=runs.c.sends + 1))
        for run in found:
            run.sends += 1
        return found
