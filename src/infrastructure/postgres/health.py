"""One question to the database about how the service is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.health import AuditHealth, StoreHealth
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
        ) AS lonely) AS lonely_jobs,
        (SELECT count(*) FROM audit_differences WHERE found_at > clock_timestamp() - interval '1 day') AS differences,
        round.last_ended_at, round.last_began_at, round.last_schedules, round.last_uncovered, round.last_due_times,
        round.last_audited_to
    FROM (SELECT 1) AS one LEFT JOIN audit_rounds round ON round.name = 'audit'
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
                audit=_audit(row),
            )


def _audit(row: Row[Any]) -> AuditHealth:
    if row.last_ended_at is None:
        return AuditHealth(differences=row.differences)
    return AuditHealth(
        ended_at=row.last_ended_at,
        took_sec=(row.last_ended_at - row.last_began_at).total_seconds(),
        schedules=row.last_schedules,
        uncovered=row.last_uncovered,
        due_times=row.last_due_times,
        audited_to=row.last_audited_to,
        differences=row.differences,
    )
