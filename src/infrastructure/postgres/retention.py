"""What is over, found and removed: by primary keys, which are in the order in which things were made.

No index is kept for it: ids are UUIDv7, so what is old stands first (docs/decisions/0010). Each removal is one short
transaction that waits for no lock and for no disk; one that the database loses in a crash is made again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rota.application.ports.retention import DefinitionKey, RunWindow, TenantRuns
from rota.domain.ids import RunId, TenantId
from rota.domain.retention import FinishedRun
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.ids import first_made_at, made_at
from rota.infrastructure.postgres.run_rows import STATES
from rota.infrastructure.postgres.types import Instant, Str, Uuid
from rota.infrastructure.postgres.values import duration

NO_SCHEDULE = UUID(int=0)
"""Stands for none in the key of `removed_runs`."""

_QUIETLY = text("SELECT set_config('statement_timeout', '2000', true), set_config('synchronous_commit', 'off', true)")

_PUBLISHED = "(SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'relay')"


def _each_tenant(table: str) -> str:
    """Each tenant with rows there, by one look at the index and not by all of his rows; of a WITH RECURSIVE."""
    return f"""tenant AS (
        (SELECT tenant_id FROM {table} ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.tenant_id FROM {table} r WHERE r.tenant_id > t.tenant_id ORDER BY r.tenant_id LIMIT 1)
        FROM tenant t WHERE t.tenant_id IS NOT NULL
    )"""


_TENANTS = text(
    f"""
    WITH RECURSIVE {_each_tenant("runs")}
    SELECT t.tenant_id,
           (SELECT r.id FROM runs r WHERE r.tenant_id = t.tenant_id ORDER BY r.id LIMIT 1) AS oldest,
           (SELECT min((j.definition ->> 'retention')::double precision) FROM jobs j WHERE j.tenant_id = t.tenant_id)
               AS shortest
    FROM tenant t WHERE t.tenant_id IS NOT NULL
    """
)

_WINDOW = text(
    """
    SELECT r.id, r.state, r.finished_at, (j.definition ->> 'retention')::double precision AS kept_for
    FROM (
        SELECT tenant_id, id, job_id, state, finished_at FROM runs
        WHERE tenant_id = :tenant AND id > :after AND id < :before ORDER BY id LIMIT :most
    ) r
    LEFT JOIN jobs j ON j.tenant_id = r.tenant_id AND j.id = r.job_id
    ORDER BY r.id
    """
).bindparams(bindparam("after", type_=Uuid), bindparam("before", type_=Uuid))

# What is asked of each run is a subquery of its own that nothing can turn into a join: see docs/decisions/0009.
_REMOVABLE = text(
    f"""
    SELECT run.id
    FROM unnest(:runs) AS given (id)
    CROSS JOIN LATERAL (
        SELECT * FROM runs WHERE tenant_id = :tenant AND id = given.id AND finished_at IS NOT NULL
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) run
    WHERE coalesce(
              (SELECT max(e.position) FROM events e WHERE e.tenant_id = :tenant AND e.subject = run.id), 0
          ) <= {_PUBLISHED}
      AND (run.retry_of IS NULL OR NOT EXISTS (
          SELECT FROM runs old WHERE old.tenant_id = :tenant AND old.id = run.retry_of
      ))
      AND (run.state <> 'DEAD' OR NOT EXISTS (
          SELECT FROM redrives d
          JOIN redrive_runs l ON l.tenant_id = d.tenant_id AND l.redrive_id = d.id AND l.run_id = run.id
          WHERE d.tenant_id = :tenant AND d.state = 'RUNNING' AND (d.reached IS NULL OR d.reached < run.id)
      ))
      AND (run.cause <> 'SCHEDULE' OR NOT EXISTS (
          SELECT FROM schedules s
          WHERE s.tenant_id = :tenant AND s.id = run.schedule_id
            AND s.trigger_kind = 'FIXED_DELAY' AND s.enabled AND s.next_due IS NULL
            AND NOT EXISTS (
                SELECT FROM runs later
                WHERE later.tenant_id = :tenant AND later.schedule_id = run.schedule_id AND later.cause = 'SCHEDULE'
                  AND later.scheduled_for > run.scheduled_for
            )
      ))
    """
).bindparams(bindparam("runs", type_=ARRAY(Uuid)), bindparam("tenant", type_=Str))

_REMOVE_RUNS = text(
    """
    WITH gone AS (
        DELETE FROM runs WHERE tenant_id = :tenant AND id = ANY (:runs)
        RETURNING tenant_id, lane, coalesce(schedule_id, :none) AS schedule_id, state, scheduled_for
    )
    INSERT INTO removed_runs AS r (tenant_id, lane, schedule_id, state, count, last_scheduled_for)
    SELECT tenant_id, lane, schedule_id, state, count(*), max(scheduled_for) FROM gone GROUP BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, lane, schedule_id, state) DO UPDATE SET
        count = r.count + excluded.count,
        last_scheduled_for = greatest(r.last_scheduled_for, excluded.last_scheduled_for)
    """
).bindparams(bindparam("runs", type_=ARRAY(Uuid)), bindparam("none", type_=Uuid))

_REMOVE_EVENTS_OF = text("DELETE FROM events WHERE tenant_id = :tenant AND subject = ANY (:subjects)").bindparams(
    bindparam("subjects", type_=ARRAY(Uuid))
)


def _changed_definitions(table: str) -> str:
    return f"""
        (SELECT tenant_id, id FROM {table} WHERE version > 1 AND (tenant_id, id) > (:tenant, :id)
         ORDER BY tenant_id, id LIMIT :most)
    """


_DEFINITIONS = text(
    f"""
    SELECT tenant_id, id FROM ({_changed_definitions("schedules")} UNION ALL {_changed_definitions("jobs")}) AS changed
    ORDER BY tenant_id, id LIMIT :most
    """
).bindparams(bindparam("id", type_=Uuid))

# Oldest first, so that what remains of an aggregate never has a gap.
_REMOVE_SUPERFLUOUS = text(
    f"""
    DELETE FROM events WHERE ctid = ANY (ARRAY(
        SELECT e.ctid
        FROM unnest(:tenants, :ids, :befores) AS own (tenant_id, id, before)
        CROSS JOIN LATERAL (
            SELECT max(w.seq) AS seq FROM events w
            WHERE w.tenant_id = own.tenant_id AND w.subject = own.id
              AND w.type IN ('schedule.created', 'schedule.updated', 'job.created', 'job.updated')
        ) whole
        JOIN events e ON e.tenant_id = own.tenant_id AND e.subject = own.id AND e.seq < whole.seq
        WHERE e.at < own.before AND e.position <= {_PUBLISHED}
        ORDER BY e.tenant_id, e.subject, e.seq
        LIMIT :most
    ))
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Str)),
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("befores", type_=ARRAY(Instant)),
)

_REMOVE_REJECTED = text(
    f"""
    WITH RECURSIVE {_each_tenant("rejected_reports")}
    DELETE FROM rejected_reports WHERE ctid = ANY (ARRAY(
        SELECT old.ctid FROM tenant t
        CROSS JOIN LATERAL (
            SELECT ctid FROM rejected_reports r WHERE r.tenant_id = t.tenant_id AND r.id < :before LIMIT :most
        ) old
        LIMIT :most
    ))
    """
).bindparams(bindparam("before", type_=Uuid))

_OLD_WORKERS = text(
    f"""
    SELECT w.tenant_id, w.id FROM workers w
    WHERE w.state = 'OFFLINE' AND w.last_seen_at < :before
      AND NOT EXISTS (
          SELECT FROM runs r WHERE r.tenant_id = w.tenant_id AND r.worker_id = w.id AND r.state = 'RUNNING'
      )
      AND coalesce(
              (SELECT max(e.position) FROM events e WHERE e.tenant_id = w.tenant_id AND e.subject = w.id), 0
          ) <= {_PUBLISHED}
    LIMIT :most FOR UPDATE SKIP LOCKED
    """
)


def _of_workers(table: str, key: str) -> TextClause:
    return text(
        f"""
        DELETE FROM {table} t USING unnest(:tenants, :ids) AS gone (tenant_id, id)
        WHERE t.tenant_id = gone.tenant_id AND t.{key} = gone.id
        """
    ).bindparams(bindparam("tenants", type_=ARRAY(Str)), bindparam("ids", type_=ARRAY(Uuid)))


_REMOVE_WORKERS = (_of_workers("events", "subject"), _of_workers("workers", "id"))

_OLD_REDRIVE = text("SELECT tenant_id, id FROM redrives WHERE finished_at < :before LIMIT 1 FOR UPDATE SKIP LOCKED")
_REMOVE_LIST = text(
    """
    DELETE FROM redrive_runs WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM redrive_runs WHERE tenant_id = :tenant AND redrive_id = :id LIMIT :most
    ))
    """
)
_REMOVE_REDRIVE = text("DELETE FROM redrives WHERE tenant_id = :tenant AND id = :id")


def _of_table(table: str, at: str) -> TextClause:
    return text(
        f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {at} < :before LIMIT :most))"
    )


_REMOVE_BACKFILLS = _of_table("backfills", "finished_at")
_REMOVE_DIFFERENCES = _of_table("audit_differences", "found_at")
_REMOVE_KEYED_CALLS = _of_table("keyed_calls", "made_at")


class PostgresRetention:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def tenants(self) -> Sequence[TenantRuns]:
        async with self._quietly() as connection:
            found = await connection.execute(_TENANTS)
            return [TenantRuns(row.tenant_id, made_at(row.oldest), duration(row.shortest)) for row in found]

    async def runs(self, tenant_id: TenantId, made_before: datetime, after: RunId | None, limit: int) -> RunWindow:
        given = {"tenant": tenant_id, "after": after or UUID(int=0), "before": first_made_at(made_before)}
        async with self._quietly() as connection:
            found = (await connection.execute(_WINDOW, given | {"most": limit})).all()
        finished = [
            FinishedRun(id=run_id, state=STATES[state], finished_at=finished_at, kept_for=duration(kept_for))
            for run_id, state, finished_at, kept_for in found
            if finished_at is not None
        ]
        return RunWindow(finished, RunId(found[-1].id) if len(found) == limit else None)

    async def remove_runs(self, tenant_id: TenantId, runs: Sequence[RunId]) -> int:
        async with self._quietly() as connection:
            chosen = await connection.scalars(_REMOVABLE, {"tenant": tenant_id, "runs": list(runs)})
            removable = list(chosen)
            if removable:
                given = {"tenant": tenant_id, "runs": removable, "none": NO_SCHEDULE}
                await connection.execute(_REMOVE_RUNS, given)
                await connection.execute(_REMOVE_EVENTS_OF, {"tenant": tenant_id, "subjects": removable})
        return len(removable)

    async def definitions(self, after: DefinitionKey | None, limit: int) -> Sequence[DefinitionKey]:
        tenant_id, own_id = after or ("", UUID(int=0))
        async with self._quietly() as connection:
            found = await connection.execute(_DEFINITIONS, {"tenant": tenant_id, "id": own_id, "most": limit})
            return [(TenantId(row.tenant_id), row.id) for row in found]

    async def remove_events(self, before: Mapping[DefinitionKey, datetime], limit: int) -> int:
        if not before:
            return 0
        given = {
            "tenants": [tenant_id for tenant_id, _ in before],
            "ids": [own_id for _, own_id in before],
            "befores": list(before.values()),
        }
        return await self._remove(_REMOVE_SUPERFLUOUS, **given, most=limit)

    async def remove_rejected(self, before: datetime, limit: int) -> int:
        return await self._remove(_REMOVE_REJECTED, before=first_made_at(before), most=limit)

    async def remove_workers(self, before: datetime, limit: int) -> int:
        async with self._quietly() as connection:
            found = (await connection.execute(_OLD_WORKERS, {"before": before, "most": limit})).all()
            given = {"tenants": [row.tenant_id for row in found], "ids": [row.id for row in found]}
            for removal in _REMOVE_WORKERS if found else ():
                await connection.execute(removal, given)
        return len(found)

    async def remove_redrives(self, before: datetime, limit: int) -> int:
        async with self._quietly() as connection:
            old = (await connection.execute(_OLD_REDRIVE, {"before": before})).one_or_none()
            if old is None:
                return 0
            given = {"tenant": old.tenant_id, "id": old.id}
            listed: int = (await connection.execute(_REMOVE_LIST, given | {"most": limit})).rowcount
            if listed < limit:
                await connection.execute(_REMOVE_REDRIVE, given)
                listed += 1
        return listed

    async def remove_backfills(self, before: datetime, limit: int) -> int:
        return await self._remove(_REMOVE_BACKFILLS, before=before, most=limit)

    async def remove_differences(self, before: datetime, limit: int) -> int:
        return await self._remove(_REMOVE_DIFFERENCES, before=before, most=limit)

    async def remove_keyed_calls(self, before: datetime, limit: int) -> int:
        return await self._remove(_REMOVE_KEYED_CALLS, before=before, most=limit)

    async def _remove(self, statement: TextClause, **given: Any) -> int:  # Any: what the statement binds
        async with self._quietly() as connection:
            removed: int = (await connection.execute(statement, given)).rowcount
        return removed

    @asynccontextmanager
    async def _quietly(self) -> AsyncIterator[AsyncConnection]:
        async with transaction(self._engine) as connection:
            await connection.execute(_QUIETLY)
            yield connection
