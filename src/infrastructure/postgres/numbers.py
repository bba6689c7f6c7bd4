"""What there is at this moment, counted by a bounded set of statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.numbers import QueueDepth, StoreNumbers
from rota.domain.run_events import RunState
from rota.domain.run_life import AGEING
from rota.domain.worker import WorkerState
from rota.infrastructure.postgres.engine import transaction

MOST_COUNTED = 20_000
"""Runs of each kind that are looked at: some 0.1 s on a busy machine, however many wait."""

# Each part stands on a partial index of its own; there is none on the state alone, which would cost every run.
# What waits for its turn has done so since its rank, but for what its priority has taken off.
_RUNS = text(
    """
    SELECT part, job.queue, state, count(*) AS many,
        coalesce(max(clock_timestamp() - since), interval '0') AS oldest
    FROM (
        (SELECT 'sent' AS part, tenant_id, job_id, state, queued_at AS since
         FROM runs WHERE state IN ('QUEUED', 'RUNNING') LIMIT :most)
        UNION ALL
        (SELECT 'turn', tenant_id, job_id, state, rank + priority * CAST(:ageing AS interval)
         FROM runs WHERE rank IS NOT NULL AND parked_on IS NULL LIMIT :most)
        UNION ALL
        (SELECT 'parked', tenant_id, job_id, state, NULL
         FROM runs WHERE parked_on IS NOT NULL LIMIT :most)
        UNION ALL
        (SELECT 'time', tenant_id, job_id, state, NULL
         FROM runs WHERE wake_at IS NOT NULL AND rank IS NULL AND state IN ('PENDING', 'RETRYING') LIMIT :most)
    ) AS found
    LEFT JOIN jobs job ON job.tenant_id = found.tenant_id AND job.id = found.job_id
    GROUP BY part, job.queue, state
    """
)

_WORKERS = text("SELECT state, count(*) AS many, sum(slots) AS slots, sum(running) AS running FROM workers GROUP BY 1")

_RELAY_LAG = text(
    """
    SELECT clock_timestamp() - at FROM events
    WHERE position > coalesce((SELECT position FROM cursors WHERE name = 'relay'), 0)
    ORDER BY position LIMIT 1
    """
)

_EPOCHS = text("SELECT name, epoch FROM leases WHERE name IN ('leader', 'relay')")


class PostgresNumbers:
    def __init__(self, engine: AsyncEngine, most: int = MOST_COUNTED) -> None:
        self._engine = engine
        self._most = most

    async def __call__(self) -> StoreNumbers:
        async with transaction(self._engine) as connection:
            runs = (await connection.execute(_RUNS, {"most": self._most, "ageing": AGEING})).all()
            workers = (await connection.execute(_WORKERS)).all()
            lag = await connection.scalar(_RELAY_LAG)
            epochs = (await connection.execute(_EPOCHS)).all()
        here = [row for row in workers if row.state != WorkerState.OFFLINE]
        return StoreNumbers(
            runs=_by_state(runs),
            queues=_queues(runs),
            is_complete=all(count < self._most for count in _by_part(runs).values()),
            workers={WorkerState(row.state): row.many for row in workers},
            slots=sum(row.slots for row in here),
            used=sum(row.running for row in here),
            relay_lag=max(lag or timedelta(0), timedelta(0)),
            epochs={row.name: row.epoch for row in epochs},
        )


def _by_state(runs: Iterable[Row[Any]]) -> Counter[RunState]:
    states: Counter[RunState] = Counter()
    for row in runs:
        states[RunState(row.state)] += row.many
    return states


def _by_part(runs: Iterable[Row[Any]]) -> Counter[str]:
    parts: Counter[str] = Counter()
    for row in runs:
        parts[row.part] += row.many
    return parts


def _queues(runs: Iterable[Row[Any]]) -> list[QueueDepth]:
    found: dict[str | None, tuple[int, timedelta]] = {}
    for row in runs:
        if row.state == RunState.QUEUED or row.part == "turn":
            depth, oldest = found.get(row.queue, (0, timedelta(0)))
            found[row.queue] = (depth + row.many, max(oldest, row.oldest))
    return [QueueDepth(queue, depth, oldest) for queue, (depth, oldest) in found.items()]
