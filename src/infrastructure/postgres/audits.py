"""The auditor's book as rows.

What is on record of a batch of schedules is read in one statement, so at one moment: a schedule that is changed or
fires meanwhile is seen before or after, never half.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.keys import ScheduleKey
from rota.domain.audit.account import MOST, Account, Recorded
from rota.domain.audit.round import AuditRound, Coverage, Difference
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.schedule import Schedule
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.definitions import load_schedule
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.schedule_rows import schedule_as, with_open_days
from rota.infrastructure.postgres.types import Instant, Str, Uuid

# What is asked of each schedule is a subquery of its own that nothing can turn into a join: see docs/decisions/0009.
_ACCOUNTS = text(
    """
    SELECT s.*, life.*, j.definition AS job_definition, audited.low, runs.*, covered.*
    FROM schedules s
    LEFT JOIN audits a ON a.tenant_id = s.tenant_id AND a.schedule_id = s.id
    CROSS JOIN LATERAL (
        SELECT coalesce(a.audited_to, s.created_at - interval '1 microsecond') AS low
    ) audited
    CROSS JOIN LATERAL (
        SELECT r.definition AS then_definition, r.payload AS then_payload, r.job_id AS then_job_id,
               r.delivery AS then_delivery, r.revision AS then_version, r.enabled AS then_enabled,
               r.deleted AS then_deleted, r.at AS began,
               (
                   SELECT n.at FROM schedule_revisions n
                   WHERE n.tenant_id = r.tenant_id AND n.schedule_id = r.schedule_id AND n.revision > r.revision
                   ORDER BY n.revision LIMIT 1
               ) AS ends
        FROM schedule_revisions r
        WHERE r.tenant_id = s.tenant_id AND r.schedule_id = s.id AND r.at <= audited.low + interval '1 microsecond'
        ORDER BY r.revision DESC LIMIT 1
    ) life
    LEFT JOIN LATERAL (
        SELECT definition FROM jobs WHERE tenant_id = s.tenant_id AND id = life.then_job_id LIMIT 1
    ) j ON true
    CROSS JOIN LATERAL (
        SELECT array_agg(own.scheduled_for ORDER BY own.scheduled_for) AS ran_for,
               array_agg(own.created_at ORDER BY own.scheduled_for) AS made_at,
               array_agg(own.cause = 'SCHEDULE' ORDER BY own.scheduled_for) AS are_own
        FROM (
            SELECT scheduled_for, created_at, cause FROM runs
            WHERE tenant_id = s.tenant_id AND schedule_id = s.id AND cause IN ('SCHEDULE', 'BACKFILL')
              AND scheduled_for > audited.low AND scheduled_for <= :horizon
              AND (life.ends IS NULL OR scheduled_for < life.ends)
            ORDER BY scheduled_for LIMIT :most
        ) own
    ) runs
    CROSS JOIN LATERAL (
        SELECT array_agg(span.first) AS firsts, array_agg(span.last) AS lasts
        FROM (
            SELECT first, last FROM misses
            WHERE tenant_id = s.tenant_id AND schedule_id = s.id AND first > audited.low AND first <= :horizon
            UNION ALL
            SELECT first, last FROM (
                SELECT first, last FROM misses
                WHERE tenant_id = s.tenant_id AND schedule_id = s.id AND first <= audited.low
                ORDER BY first DESC LIMIT :earlier
            ) begun WHERE last > audited.low
            UNION ALL
            SELECT first, last FROM catchups
            WHERE tenant_id = s.tenant_id AND schedule_id = s.id AND last > audited.low AND first <= :horizon
        ) span
    ) covered
    WHERE (s.tenant_id, s.id) > (:tenant, :id)
      AND (s.deleted_at IS NULL OR audited.low < s.deleted_at - interval '1 microsecond')
    ORDER BY s.tenant_id, s.id
    LIMIT :limit
    """
).bindparams(bindparam("id", type_=Uuid), bindparam("tenant", type_=Str), bindparam("horizon", type_=Instant))

_EARLIER = 20
"""So many of the misses that begin earlier may go on: they lie one behind the other, but where calendars change."""

_AT_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

_REMOVED_TO = text(
    """
    SELECT r.tenant_id, r.schedule_id, max(r.last_scheduled_for) AS last
    FROM removed_runs r
    JOIN unnest(:tenants, :ids) AS own (tenant_id, id) ON own.tenant_id = r.tenant_id AND own.id = r.schedule_id
    GROUP BY r.tenant_id, r.schedule_id
    """
).bindparams(bindparam("tenants", type_=ARRAY(Str)), bindparam("ids", type_=ARRAY(Uuid)))

_KEEP = text(
    """
    INSERT INTO audits (tenant_id, schedule_id, audited_to)
    SELECT * FROM unnest(:tenants, :ids, :instants)
    ON CONFLICT (tenant_id, schedule_id) DO UPDATE SET audited_to = excluded.audited_to
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Str)),
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("instants", type_=ARRAY(Instant)),
)
_FOUND = text(
    """
    INSERT INTO audit_differences (tenant_id, schedule_id, kind, first, last, count, found_at)
    VALUES (:tenant_id, :schedule_id, :kind, :first, :last, :count, :found_at)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("schedule_id", type_=Uuid))

_COUNTED = ("schedules", "uncovered", "due_times", "audited_to")
_ROUND = text("SELECT * FROM audit_rounds WHERE name = 'audit'")
_COLUMNS = (
    "began_at", "reached_tenant", "reached_id", *_COUNTED,
    "last_began_at", "last_ended_at", *(f"last_{name}" for name in _COUNTED),
)  # fmt: skip
_KEEP_ROUND = text(
    f"""
    INSERT INTO audit_rounds (name, {", ".join(_COLUMNS)})
    VALUES ('audit', {", ".join(f":{each}" for each in _COLUMNS)})
    ON CONFLICT (name) DO UPDATE SET {", ".join(f"{each} = excluded.{each}" for each in _COLUMNS)}
    """
).bindparams(
    bindparam("reached_id", type_=Uuid),
    *(
        bindparam(each, type_=Instant)
        for each in ("began_at", "audited_to", "last_began_at", "last_ended_at", "last_audited_to")
    ),
)


class PostgresAudits:
    def __init__(self, engine: AsyncEngine, open_days: KnownOpenDays | None = None) -> None:
        self._engine = engine
        self._known = open_days or KnownOpenDays()

    async def round(self, now: datetime) -> AuditRound:
        async with transaction(self._engine) as connection:
            row = (await connection.execute(_ROUND)).one_or_none()
        return AuditRound(began_at=now) if row is None else _to_round(row)

    async def accounts(self, after: ScheduleKey | None, horizon: datetime, limit: int) -> Sequence[Account]:
        tenant_id, schedule_id = after or ("", UUID(int=0))
        given = {
            "tenant": tenant_id,
            "id": schedule_id,
            "horizon": horizon,
            "limit": limit,
            "most": MOST + 1,
            "earlier": _EARLIER,
        }
        async with transaction(self._engine) as connection:
            await connection.execute(_AT_ONE_MOMENT)  # the calendars too
            rows = (await connection.execute(_ACCOUNTS, given)).all()
            schedules = [_as_it_was(row) for row in rows]
            await with_open_days(connection, self._known, schedules)
        return [_to_account(row, schedule, horizon) for row, schedule in zip(rows, schedules, strict=True)]

    async def removed_to(self, keys: Collection[ScheduleKey]) -> Mapping[ScheduleKey, datetime]:
        given = {"tenants": [key[0] for key in keys], "ids": [key[1] for key in keys]}
        async with transaction(self._engine) as connection:
            found = await connection.execute(_REMOVED_TO, given)
            return {(TenantId(row.tenant_id), ScheduleId(row.schedule_id)): row.last for row in found}

    async def keep(
        self, audited_to: Mapping[ScheduleKey, datetime], found: Sequence[Difference], standing: AuditRound
    ) -> None:
        async with transaction(self._engine) as connection:
            if audited_to:
                tenants, ids = [key[0] for key in audited_to], [key[1] for key in audited_to]
                given = {"tenants": tenants, "ids": ids, "instants": list(audited_to.values())}
                await connection.execute(_KEEP, given)
            if found:
                await connection.execute(_FOUND, [_difference_values(each) for each in found])
            await connection.execute(_KEEP_ROUND, _round_values(standing))


def _as_it_was(row: Row[Any]) -> Schedule:
    definition = load_schedule(
        row.then_definition, row.then_payload, row.then_job_id, row.job_definition, row.then_delivery
    )
    then = schedule_as(row, definition)
    then.version, then.enabled = row.then_version, row.then_enabled
    return then


def _to_account(row: Row[Any], schedule: Schedule, horizon: datetime) -> Account:
    """What calendars said is known only of the present: since they or the schedule were changed last."""
    since = row.began
    by_calendar = schedule.definition.calendar is not None
    if by_calendar and row.ends is None:
        since = max(since, row.updated_at)
    return Account(
        schedule=schedule,
        since=since,
        until=row.ends,
        audited_to=max(row.low, since) if since > row.began else row.low,
        horizon=horizon,
        runs=tuple(map(Recorded, row.ran_for or (), row.made_at or (), row.are_own or ())),
        covered=tuple(zip(row.firsts or (), row.lasts or (), strict=True)),
        is_deleted=row.then_deleted,
        is_known=not by_calendar or row.ends is None,
    )


def _difference_values(difference: Difference) -> dict[str, Any]:  # Any: column values
    span = difference.span
    return {
        "tenant_id": difference.tenant_id,
        "schedule_id": difference.schedule_id,
        "kind": difference.kind.value,
        "first": span.first,
        "last": span.last,
        "count": span.count,
        "found_at": difference.found_at,
    }


def _to_round(row: Row[Any]) -> AuditRound:
    reached = None if row.reached_tenant is None else (TenantId(row.reached_tenant), ScheduleId(row.reached_id))
    last = None
    if row.last_ended_at is not None:
        last = Coverage(**{name: row._mapping[f"last_{name}"] for name in _COUNTED})
    return AuditRound(
        began_at=row.began_at,
        reached=reached,
        present=Coverage(**{name: row._mapping[name] for name in _COUNTED}),
        last=last,
        last_began_at=row.last_began_at,
        last_ended_at=row.last_ended_at,
    )


def _round_values(standing: AuditRound) -> dict[str, Any]:  # Any: column values
    tenant_id, schedule_id = standing.reached or (None, None)
    return {
        "began_at": standing.began_at,
        "reached_tenant": tenant_id,
        "reached_id": schedule_id,
        **{name: getattr(standing.present, name) for name in _COUNTED},
        "last_began_at": standing.last_began_at,
        "last_ended_at": standing.last_ended_at,
        **{f"last_{name}": getattr(standing.last, name, None) for name in _COUNTED},
    }
