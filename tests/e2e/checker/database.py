"""Reads the database: one snapshot, plain SQL, no table definitions of Rota's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import orjson
from tests.e2e.checker.history import (
    Attempt,
    Backoff,
    DueTimeIndex,
    Event,
    Job,
    Key,
    Miss,
    Rate,
    Rejected,
    Run,
    Stored,
    StoredRevision,
    StoredSchedule,
    Term,
    Worker,
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_INDEXES = """
    SELECT c.relname, i.indisunique, i.indisvalid, i.indimmediate,
           coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
           array(SELECT a.attname::text FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k(number, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'runs'::regclass
"""
_MISSES = "SELECT tenant_id, schedule_id, first, last, count, rule FROM misses ORDER BY first"
_CATCH_UPS = "SELECT tenant_id, schedule_id, first, last, count, '' AS rule FROM catchups"


async def read_database(url: str) -> Stored:
    connection: Connection = await asyncpg.connect(url, timeout=10, ssl=False)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await read_stored(connection)
    finally:
        await connection.close()


async def read_stored(connection: Connection) -> Stored:
    """Everything as this connection sees it; consistent only inside a transaction that holds one snapshot."""
    events = await _events(connection)
    return Stored(
        read_at=await connection.fetchval("SELECT clock_timestamp()"),
        events=events,
        runs={(row["tenant_id"], row["id"]): _run(row) for row in await connection.fetch("SELECT * FROM runs")},
        misses=[Miss(*row) for row in await connection.fetch(_MISSES)],
        open_catch_ups=[Miss(*row) for row in await connection.fetch(_CATCH_UPS)],
        schedules=await _schedules(connection),
        revisions=await _revisions(connection),
        jobs=_jobs(events),
        workers=await _workers(connection),
        terms=await _terms(connection),
        rejected=await _rejected(connection),
        indexes=await _indexes(connection),
    )


async def _events(connection: Connection) -> list[Event]:
    tracked = await connection.fetchval("SELECT current_setting('track_commit_timestamp')") == "on"
    committed = "pg_xact_commit_timestamp(xmin)" if tracked else "NULL::timestamptz"
    rows = await connection.fetch(
        "SELECT position, tenant_id, id, type, subject, seq, at, data::text,"
        f" xmin::text::bigint AS tx, {committed} AS committed FROM events ORDER BY position"
    )
    return [
        Event(
            position=row["position"],
            tenant=row["tenant_id"],
            id=row["id"],
            type=row["type"],
            subject=row["subject"],
            seq=row["seq"],
            at=row["at"],
            data=orjson.loads(row["data"]),
            tx=row["tx"],
            committed=row["committed"],
        )
        for row in rows
    ]


def _run(row: asyncpg.Record) -> Run:
    attempts = orjson.loads(row["attempts"]) if row["attempts"] else []
    return Run(
        tenant=row["tenant_id"],
        id=row["id"],
        schedule=row["schedule_id"],
        job=row["job_id"],
        cause=row["cause"],
        state=row["state"],
        scheduled_for=row["scheduled_for"],
        due_at=row["due_at"],
        created_at=row["created_at"],
        fired_at=row["fired_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        wake_at=row["wake_at"],
        attempt=row["attempt"],
        attempts=[
            Attempt(each["number"], each["outcome"], datetime.fromisoformat(each["finished_at"])) for each in attempts
        ],
        worker=row["worker_id"],
        fired_epoch=row["fired_epoch"],
        seq=row["seq"],
        kind="JOB" if row["job_id"] else orjson.loads(row["delivery"])["receiver"]["kind"],
        payload=orjson.loads(row["payload"]) if row["payload"] else None,
        has_place=row["rank"] is not None or row["parked_on"] is not None,
    )


async def _schedules(connection: Connection) -> dict[Key, StoredSchedule]:
    rows = await connection.fetch("SELECT tenant_id, id, version, enabled, seq FROM schedules")
    return {(row["tenant_id"], row["id"]): StoredSchedule(row["version"], row["enabled"], row["seq"]) for row in rows}


async def _revisions(connection: Connection) -> dict[Key, dict[int, StoredRevision]]:
    found: dict[Key, dict[int, StoredRevision]] = defaultdict(dict)
    for row in await connection.fetch("SELECT tenant_id, schedule_id, revision, at, enabled FROM schedule_revisions"):
        found[row["tenant_id"], row["schedule_id"]][row["revision"]] = StoredRevision(row["at"], row["enabled"])
    return found


def _jobs(events: Sequence[Event]) -> dict[Key, Job]:
    """From their events: those hold the contract's JSON."""
    return {event.key: _job(event.data) for event in events if event.type in ("job.created", "job.updated")}


def _job(told: Mapping[str, Any]) -> Job:  # Any: JSON
    rate = told.get("rateLimit")
    return Job(
        name=told["name"],
        max_attempts=told["retry"]["maxAttempts"],
        backoff=_backoff(told["retry"]["backoff"]),
        max_concurrent=told.get("maxConcurrent"),
        concurrency_key=told.get("concurrencyKey"),
        rate=Rate(rate["count"], timedelta(seconds=rate["perSec"])) if rate else None,
    )


def _backoff(told: Mapping[str, Any]) -> Backoff:  # Any: JSON
    initial, longest = timedelta(seconds=told["initialSec"]), timedelta(seconds=told["maxSec"])
    return Backoff(told["kind"], initial, told["factor"], longest, told["jitter"])


async def _workers(connection: Connection) -> dict[Key, Worker]:
    rows = await connection.fetch("SELECT tenant_id, id, name, state FROM workers")
    return {(row["tenant_id"], row["id"]): Worker(row["name"], row["state"]) for row in rows}


async def _terms(connection: Connection) -> dict[str, list[Term]]:
    found: dict[str, list[Term]] = defaultdict(list)
    for row in await connection.fetch("SELECT name, epoch, holder, began_at FROM lease_terms ORDER BY name, epoch"):
        found[row["name"]].append(Term(row["epoch"], row["holder"], row["began_at"]))
    return found


async def _rejected(connection: Connection) -> list[Rejected]:
    rows = await connection.fetch(
        "SELECT tenant_id, at, reason, kind, run_id, attempt, worker_id, body FROM rejected_reports ORDER BY at"
    )
    return [Rejected(*row) for row in rows]


async def _indexes(connection: Connection) -> list[DueTimeIndex]:
    return [
        DueTimeIndex(
            name=row["relname"],
            is_unique=row["indisunique"],
            is_valid=row["indisvalid"],
            is_immediate=row["indimmediate"],
            columns=tuple(row["columns"]),
            predicate=row["predicate"],
        )
        for row in await connection.fetch(_INDEXES)
    ]
