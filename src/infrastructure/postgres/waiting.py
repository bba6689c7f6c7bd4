"""The runs that wait for their turn, or at a gate.

A lane may hold a hundred thousand of them, so nothing here counts or sorts a lane to its end. Which lanes and gates
there are is found by skipping from one to the next in the index; an ordinary DISTINCT reads every entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, FromClause, Row, Select, exists, func, select, text, true
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.application.ports.keys import LaneKey
from rota.application.ports.waiting import ConcurrencyKey, WaitingLane
from rota.domain.delivery import at_once
from rota.domain.run import Run
from rota.infrastructure.postgres.definitions import load_job
from rota.infrastructure.postgres.run_rows import with_job
from rota.infrastructure.postgres.runs import PostgresRuns
from rota.infrastructure.postgres.tables import rate_limits, runs
from rota.infrastructure.postgres.types import Batch, Big

_HOLD = text("SELECT pg_try_advisory_xact_lock(7073204903)")

_LANES = text(
    """
    WITH RECURSIVE lanes AS (
        (
            SELECT tenant_id, lane, job_id FROM runs
            WHERE rank IS NOT NULL AND parked_on IS NULL
            ORDER BY tenant_id, lane LIMIT 1
        )
        UNION ALL
        SELECT following.* FROM lanes CROSS JOIN LATERAL (
            SELECT tenant_id, lane, job_id FROM runs
            WHERE rank IS NOT NULL AND parked_on IS NULL AND (tenant_id, lane) > (lanes.tenant_id, lanes.lane)
            ORDER BY tenant_id, lane LIMIT 1
        ) AS following
    )
    SELECT lanes.tenant_id, lanes.lane, waiting.count AS waiting, queued.count AS queued, running.count AS running,
        job.definition AS job_definition, rate.spent_until
    FROM lanes
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM runs
            WHERE tenant_id = lanes.tenant_id AND lane = lanes.lane AND rank IS NOT NULL AND parked_on IS NULL
            LIMIT :count_to
        ) AS ready
    ) AS waiting
    CROSS JOIN LATERAL (
        SELECT count(*) FROM runs WHERE tenant_id = lanes.tenant_id AND lane = lanes.lane AND state = 'QUEUED'
    ) AS queued
    LEFT JOIN LATERAL (
        SELECT definition FROM jobs WHERE tenant_id = lanes.tenant_id AND id = lanes.job_id LIMIT 1
    ) AS job ON true
    CROSS JOIN LATERAL (
        SELECT count(*) FROM runs
        WHERE tenant_id = lanes.tenant_id AND lane = lanes.lane AND state = 'RUNNING'
            AND (lanes.job_id IS NULL OR job.definition ->> 'max_concurrent' IS NOT NULL)
    ) AS running
    LEFT JOIN LATERAL (
        SELECT spent_until FROM rate_limits WHERE tenant_id = lanes.tenant_id AND lane = lanes.lane LIMIT 1
    ) AS rate ON true
    """
)

# Only the very first behind a gate is tried: were a locked one passed over, two that open gates at once would let two
# runs through. What an index holds apart from one value is found in three steps, as `<>` uses none.
_OPEN_GATES = text(
    """
    WITH RECURSIVE gates AS (
        (
            SELECT tenant_id, parked_on AS gate FROM runs
            WHERE parked_on IS NOT NULL
            ORDER BY tenant_id, parked_on LIMIT 1
        )
        UNION ALL
        SELECT following.* FROM gates CROSS JOIN LATERAL (
            SELECT tenant_id, parked_on FROM runs
            WHERE parked_on IS NOT NULL AND (tenant_id, parked_on) > (gates.tenant_id, gates.gate)
            ORDER BY tenant_id, parked_on LIMIT 1
        ) AS following
    ), open AS (
        SELECT first.tenant_id, first.id
        FROM gates
        CROSS JOIN LATERAL (
            SELECT tenant_id, id, schedule_id, job_id, concurrency_key FROM runs
            WHERE tenant_id = gates.tenant_id AND parked_on = gates.gate
            ORDER BY rank, id LIMIT 1
        ) AS first
        CROSS JOIN LATERAL (
            SELECT FROM runs
            WHERE tenant_id = first.tenant_id AND id = first.id AND parked_on = gates.gate
            LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS held
        WHERE CASE WHEN starts_with(gates.gate, 'schedule:')
            THEN NOT EXISTS (
                SELECT FROM runs
                WHERE tenant_id = first.tenant_id AND schedule_id = first.schedule_id AND finished_at IS NULL
                    AND parked_on IS NULL
                UNION ALL
                SELECT FROM runs
                WHERE tenant_id = first.tenant_id AND schedule_id = first.schedule_id AND finished_at IS NULL
                    AND parked_on < gates.gate
                UNION ALL
                SELECT FROM runs
                WHERE tenant_id = first.tenant_id AND schedule_id = first.schedule_id AND finished_at IS NULL
                    AND parked_on > gates.gate
            )
            ELSE NOT EXISTS (
                SELECT FROM runs
                WHERE tenant_id = first.tenant_id AND job_id = first.job_id
                    AND concurrency_key = first.concurrency_key AND state IN ('QUEUED', 'RUNNING')
            )
        END
    )
    UPDATE runs SET parked_on = NULL FROM open WHERE runs.tenant_id = open.tenant_id AND runs.id = open.id
    """
)


def _take(wanted: FromClause) -> Select[Any]:
    found = (
        select(runs)
        .where(
            runs.c.tenant_id == wanted.c.tenant_id,
            runs.c.lane == wanted.c.lane,
            runs.c.rank.is_not(None),
            runs.c.parked_on.is_(None),
        )
        .order_by(runs.c.rank, runs.c.id)
        .limit(wanted.c.most)
        .with_for_update(skip_locked=True)
        .lateral("found")
    )
    return with_job(wanted, found)


def _held(wanted: FromClause) -> Select[Any]:
    busy = exists().where(
        runs.c.tenant_id == wanted.c.tenant_id,
        runs.c.job_id == wanted.c.job_id,
        runs.c.concurrency_key == wanted.c.concurrency_key,
        runs.c.state.in_(["QUEUED", "RUNNING"]),
    )
    return select(wanted.c.tenant_id, wanted.c.job_id, wanted.c.concurrency_key).where(busy)


def _spend(spent: FromClause) -> Insert:
    made = insert(rate_limits).from_select(["tenant_id", "lane", "spent_until"], select(spent))
    return made.on_conflict_do_update(
        index_elements=["tenant_id", "lane"], set_={"spent_until": made.excluded.spent_until}
    )


def _queued(wanted: FromClause) -> Select[Any]:
    counted = (
        select(func.count().label("queued"))
        .where(runs.c.tenant_id == wanted.c.tenant_id, runs.c.lane == wanted.c.lane, runs.c.state == "QUEUED")
        .lateral("counted")
    )
    return select(wanted.c.tenant_id, wanted.c.lane, counted.c.queued).select_from(wanted.join(counted, true()))


_TAKE = Batch(_take, runs, "tenant_id", "lane", most=Big)
_HELD = Batch(_held, runs, "tenant_id", "job_id", "concurrency_key")
_SPEND = Batch(_spend, rate_limits, "tenant_id", "lane", "spent_until")
_QUEUED = Batch(_queued, runs, "tenant_id", "lane")


class PostgresWaiting:
    def __init__(self, connection: AsyncConnection, runs: PostgresRuns) -> None:
        self._connection = connection
        self._runs = runs

    async def hold(self) -> bool:
        return bool(await self._connection.scalar(_HOLD))

    async def lanes(self, count_to: int) -> Sequence[WaitingLane]:
        return [_to_lane(row) for row in await self._connection.execute(_LANES, {"count_to": count_to})]

    async def take(self, wanted: Mapping[LaneKey, int]) -> Sequence[Run]:
        if not wanted:
            return []
        statement, given = _TAKE(_lanes(wanted) | {"most": list(wanted.values())})
        taken = self._runs.keep(await self._connection.execute(statement, given))
        return sorted(taken, key=lambda run: (run.rank, run.id))

    async def held(self, keys: Iterable[ConcurrencyKey]) -> Collection[ConcurrencyKey]:
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return ()
        statement, given = _HELD(
            {
                "tenant_id": [key.tenant_id for key in wanted],
                "job_id": [key.job_id for key in wanted],
                "concurrency_key": [key.key for key in wanted],
            }
        )
        return {ConcurrencyKey(*row) for row in await self._connection.execute(statement, given)}

    async def spend(self, spent: Mapping[LaneKey, datetime]) -> None:
        if spent:
            in_order = dict(sorted(spent.items()))
            given = _lanes(in_order) | {"spent_until": list(in_order.values())}
            await self._connection.execute(*_SPEND(given))

    async def open_gates(self) -> int:
        done: CursorResult[Any] = await self._connection.execute(_OPEN_GATES)
        return done.rowcount

    async def queued(self, lanes: Iterable[LaneKey]) -> Mapping[LaneKey, int]:
        wanted = list(dict.fromkeys(lanes))
        if not wanted:
            return {}
        found = await self._connection.execute(*_QUEUED(_lanes(wanted)))
        return {(tenant_id, lane): queued for tenant_id, lane, queued in found}


def _lanes(wanted: Iterable[LaneKey]) -> dict[str, list[Any]]:  # Any: column values
    keys = list(wanted)
    return {"tenant_id": [key[0] for key in keys], "lane": [key[1] for key in keys]}


def _to_lane(row: Row[Any]) -> WaitingLane:
    job = None if row.job_definition is None else load_job(row.job_definition)
    return WaitingLane(
        tenant_id=row.tenant_id,
        lane=row.lane,
        waiting=row.waiting,
        queued=row.queued,
        running=row.running,
        max_concurrent=at_once(row.lane) if job is None else job.max_concurrent,
        rate_limit=None if job is None else job.rate_limit,
        spent_until=row.spent_until,
    )
