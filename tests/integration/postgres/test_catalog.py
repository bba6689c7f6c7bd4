"""What the catalog itself vouches for: tenants are apart by key, and a due time has one row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.builders import NOON, next_id

from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import runs

NO_TENANTS_DATA = {"alembic_version", "audit_rounds", "cursors", "hearing", "lease_terms", "leases"}
"""What the service keeps of itself. Any other table is some tenant's."""

TABLES = """
    SELECT c.relname AS name,
           EXISTS (
               SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull
           ) AS has_tenant
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
UNIQUE_INDEXES = """
    SELECT i.indrelid::regclass::text AS table, i.indexrelid::regclass::text AS name, i.indisprimary AS is_primary,
           a.attname AS leads
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indisunique
"""
FOREIGN_KEYS = """
    SELECT k.conname AS name, own.attname AS leads, theirs.attname AS leads_theirs
    FROM pg_constraint k
    JOIN pg_attribute own ON own.attrelid = k.conrelid AND own.attnum = k.conkey[1]
    JOIN pg_attribute theirs ON theirs.attrelid = k.confrelid AND theirs.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
"""
DUE_TIME_INDEX = """
    SELECT i.indisunique, i.indisvalid, i.indisready, i.indislive, i.indimmediate,
           pg_get_expr(i.indpred, i.indrelid) AS condition,
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n) AS columns,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.condeferrable) AS is_deferrable
    FROM pg_index i WHERE i.indexrelid = 'runs_due_time_key'::regclass
"""
STATED_SEPARATELY = "SELECT count(*), count(DISTINCT (tenant_id, schedule_id, scheduled_for)) FROM runs"


async def asked(engine: AsyncEngine, question: str) -> list[Any]:  # Any: rows
    async with transaction(engine) as connection:
        return list(await connection.execute(text(question)))


class TestTenants:
    async def test_each_table_is_some_tenants_or_the_services_own(self, engine: AsyncEngine) -> None:
        found = await asked(engine, TABLES)

        assert {row.name for row in found if not row.has_tenant} == NO_TENANTS_DATA
        assert {"schedules", "jobs", "runs", "workers", "events"} <= {row.name for row in found if row.has_tenant}

    async def test_the_tenant_leads_each_primary_and_unique_key(self, engine: AsyncEngine) -> None:
        keys = [row for row in await asked(engine, UNIQUE_INDEXES) if row.table not in NO_TENANTS_DATA]

        assert {row.name: row.leads for row in keys if row.leads != "tenant_id"} == {}
        tables = {row.name for row in await asked(engine, TABLES)} - NO_TENANTS_DATA
        assert {row.table for row in keys if row.is_primary} == tables

    async def test_the_tenant_leads_each_foreign_key_on_both_sides(self, engine: AsyncEngine) -> None:
        keys = await asked(engine, FOREIGN_KEYS)

        assert keys
        assert {(row.leads, row.leads_theirs) for row in keys} == {("tenant_id", "tenant_id")}


class TestADueTimeHasOneRow:
    async def test_by_an_index_that_is_valid_and_judges_at_once(self, engine: AsyncEngine) -> None:
        (index,) = await asked(engine, DUE_TIME_INDEX)

        assert (index.indisunique, index.indisvalid, index.indisready, index.indislive) == (True, True, True, True)
        assert (index.indimmediate, index.is_deferrable) == (True, False)
        assert index.columns == ["tenant_id", "schedule_id", "scheduled_for"]
        assert index.condition == "(cause = ANY (ARRAY['SCHEDULE'::text, 'BACKFILL'::text]))"

    @pytest.mark.parametrize("cause", ["SCHEDULE", "BACKFILL"])
    @pytest.mark.parametrize("again", ["SCHEDULE", "BACKFILL"])
    async def test_so_a_second_one_is_refused_whoever_writes_it(
        self, engine: AsyncEngine, cause: str, again: str
    ) -> None:
        schedule_id = next_id()
        await write(engine, a_row(cause, schedule_id=schedule_id))

        with pytest.raises(IntegrityError, match="runs_due_time_key"):
            await write(engine, a_row(again, schedule_id=schedule_id))

        ((rows, times),) = await asked(engine, STATED_SEPARATELY)
        assert rows == times == 1

    @pytest.mark.parametrize("cause", ["MANUAL", "RETRY"])
    async def test_and_what_only_stands_beside_it_is_not(self, engine: AsyncEngine, cause: str) -> None:
        schedule_id = next_id()

        await write(engine, *(a_row(each, schedule_id=schedule_id) for each in ("SCHEDULE", cause, cause)))

    async def test_and_neither_is_another_time_schedule_or_tenant(self, engine: AsyncEngine) -> None:
        schedule_id = next_id()

        await write(
            engine,
            a_row(schedule_id=schedule_id),
            a_row(schedule_id=schedule_id, scheduled_for=NOON + timedelta(microseconds=1)),
            a_row(schedule_id=next_id()),
            a_row(schedule_id=schedule_id, tenant_id="globex"),
        )


async def write(engine: AsyncEngine, *rows: dict[str, object]) -> None:
    async with transaction(engine) as connection:
        await connection.execute(insert(runs), list(rows))


def a_row(cause: str = "SCHEDULE", **more: object) -> dict[str, object]:
    return {
        "tenant_id": "acme",
        "id": next_id(),
        "job_id": next_id(),
        "lane": "a lane",
        "cause": cause,
        "state": "PENDING",
        "scheduled_for": NOON,
        "due_at": NOON,
        "created_at": NOON,
        "attempt": 0,
        "sends": 0,
        "priority": 0,
        "awaited": False,
        "seq": 1,
        **more,
    }
