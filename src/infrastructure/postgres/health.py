"""One question to the database about how the service is."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.health import StoreHealth
from rota.infrastructure.postgres.engine import transaction

# The lag: what retention has removed may have been the last that there was.
_ASK = text(
    """
    SELECT
        coalesce((SELECT expires_at > clock_timestamp() FROM leases WHERE name = 'leader'), false) AS has_leader,
        (SELECT holder FROM leases WHERE name = 'leader') AS leader,
        coalesce((SELECT expires_at > clock_timestamp() FROM leases WHERE name = 'relay'), false) AS has_relay,
        greatest(0, coalesce((SELECT max(position) FROM events), 0)
            - coalesce((SELECT position FROM cursors WHERE name = 'relay'), 0)) AS relay_lag,
        (SELECT count(*) FROM workers WHERE state <> 'OFFLINE') AS workers,
        (SELECT count(*) FROM (
            SELECT DISTINCT q.tenant_id, j.name FROM runs q
            JOIN jobs j ON j.tenant_id = q.tenant_id AND j.id = q.job_id
            WHERE q.state = 'QUEUED'
              AND NOT EXISTS (
                SELECT 1 FROM workers w
                WHERE w.tenant_id = q.tenant_id AND w.state = 'ONLINE' AND w.jobs::jsonb ? j.name)
        ) AS lonely) AS lonely_jobs
    """
)


class PostgresHealth:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self) -> StoreHealth:
        async with transaction(self._engine) as connection:
            row = (await connection.execute(_ASK)).one()
            return StoreHealth(
                has_leader=row.has_leader,
                leader=row.leader,
                has_relay=row.has_relay,
                relay_lag=row.relay_lag,
                workers=row.workers,
                lonely_jobs=row.lonely_jobs,
            )
