"""The service under measurement, as its user sees it: HTTP to drive it, and the database to read what became of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson

from benchmarks.processes import BenchmarkError, Program, exists, running
from benchmarks.usage import Meter, children_named
from benchmarks.work import WHEN

STARTS_WITHIN = 60.0
LOOK_EVERY = 0.1
BATCH = 1_000

# Each is answered from a partial index that is empty when nothing is left to do, so that looking costs next to nothing.
# `now()` can be looked up in an index, the volatile `clock_timestamp()` could not.
_IS_IDLE = """
    SELECT NOT EXISTS (SELECT FROM schedules WHERE enabled AND next_due <= now())
       AND NOT EXISTS (SELECT FROM runs WHERE state = 'QUEUED')
       AND NOT EXISTS (SELECT FROM runs WHERE state = 'RUNNING')
       AND NOT EXISTS (SELECT FROM runs WHERE wake_at <= now())
       AND NOT EXISTS (SELECT FROM runs WHERE rank IS NOT NULL AND parked_on IS NULL)
"""
_LAG = """
    SELECT coalesce((SELECT max(position) FROM events), 0)
         - coalesce((SELECT position FROM cursors WHERE name = 'relay'), 0)
"""
_RUNS_DUE = """
    SELECT schedule_id, scheduled_for, finished_at,
           1000 * extract(epoch FROM fired_at - due_at)::float8 AS late_fired,
           1000 * ((result #>> '{}')::float8 - extract(epoch FROM due_at)::float8) AS late_begun,
           1000 * extract(epoch FROM started_at - due_at)::float8 AS late_started
    FROM runs WHERE cause = 'SCHEDULE' AND scheduled_for >= $1 AND scheduled_for < $2
"""

Json = dict[str, Any]  # Any: JSON


@dataclass(slots=True)
class Service:
    """`meter` knows the parties: server, worker, postgres, nats, client."""

    http: httpx.AsyncClient
    database: asyncpg.Connection[asyncpg.Record]
    meter: Meter
    programs: Mapping[str, Program] = field(default_factory=dict)

    async def post(self, path: str, body: object) -> Any:  # Any: JSON
        return await self.post_bytes(path, orjson.dumps(body))

    async def post_bytes(self, path: str, body: bytes) -> Any:  # Any: JSON
        answer = await self.http.post(path, content=body, headers={"content-type": "application/json"})
        if answer.is_error:
            raise BenchmarkError(f"POST {path}: {answer.status_code} {answer.text[:500]}")
        return orjson.loads(answer.content)

    async def get(self, path: str) -> Any:  # Any: JSON
        answer = await self.http.get(path)
        if answer.is_error:
            raise BenchmarkError(f"GET {path}: {answer.status_code} {answer.text[:500]}")
        return orjson.loads(answer.content)

    async def create_schedules(
        self, triggers: Sequence[Json], name: str, said: Callable[[int], None] = lambda made: None
    ) -> None:
        """In batches. `said` hears how many there are by now."""
        for start in range(0, len(triggers), BATCH):
            await self.post(
                "/schedules/batch",
                [
                    {
                        "name": f"{name}-{start + number}",
                        "tz": "UTC",
                        "trigger": trigger,
                        "target": {"kind": "JOB", "job": WHEN},
                    }
                    for number, trigger in enumerate(triggers[start : start + BATCH])
                ],
            )
            said(min(start + BATCH, len(triggers)))

    async def is_idle(self) -> bool:
        """No due time is undecided, no run unfinished, unless it waits for its time."""
        return bool(await self.database.fetchval(_IS_IDLE))

    async def lag(self) -> int:
        """How many events the bus has not been given yet."""
        return int(await self.database.fetchval(_LAG) or 0)

    async def is_told(self) -> bool:
        return await self.lag() == 0

    async def runs_due(self, first: datetime, last: datetime) -> list[asyncpg.Record]:
        """The runs of schedules with `scheduled_for` in [first, last); `late_*` in ms, null where it has not happened.

        Fired: the leader's decision. Begun: what the handler itself saw. Started: its announcement was stored.
        """
        return await self.database.fetch(_RUNS_DUE, first, last)

    async def now(self) -> datetime:
        """The database's: every instant of a run is of that clock."""
        found: datetime = await self.database.fetchval("SELECT clock_timestamp()")
        return found


@asynccontextmanager
async def service(directory: Path, *, is_sampled: bool = False) -> AsyncIterator[Service]:
    """`rota up` on free ports in a fresh directory, and one worker."""
    async with running(_up(directory, samples_of(directory, "server") if is_sampled else None)) as server:
        ready = directory / "ready.json"
        await exists(ready, server, STARTS_WITHIN)
        facts = orjson.loads(ready.read_bytes())
        children = children_named(server.pid)
        parties = {
            "server": server.pid,
            "postgres": children["postgres"],
            "nats": children["nats-server"],
            "client": os.getpid(),
        }
        async with connected(facts["url"], facts["token"], facts["postgresUrl"]) as (http, database):
            noted = samples_of(directory, "worker") if is_sampled else None
            async with working(directory, facts["url"], facts["token"], http, noted) as carrier:
                meter = Meter({"server": server.pid, "worker": carrier.pid, **parties})
                yield Service(http, database, meter, {"server": server, "worker": carrier})


@asynccontextmanager
async def connected(
    url: str, token: str, postgres_url: str
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncpg.Connection[asyncpg.Record]]]:
    database = await asyncpg.connect(postgres_url, ssl=False, timeout=10, command_timeout=60)
    try:
        async with httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        ) as http:
            yield http, database
    finally:
        await database.close()


@asynccontextmanager
async def working(
    directory: Path, url: str, token: str, http: httpx.AsyncClient, samples: Path | None = None, name: str = "worker"
) -> AsyncIterator[Program]:
    """A worker process, known to the server."""
    program = Program(
        "worker",
        "benchmarks.work:worker",
        log=directory / f"{name}.log",
        environment={"ROTA_URL": url, "ROTA_TOKEN": token},
        samples=samples,
    )

    async def is_online() -> bool:
        if not program.is_running:
            raise BenchmarkError(f"the worker has ended:\n{program.tail()}")
        workers = (await http.get("/workers")).raise_for_status().json()["items"]
        return any(each["state"] == "ONLINE" for each in workers)

    async with running(program):
        await eventually(is_online, STARTS_WITHIN, "no worker registered")
        yield program


async def eventually(
    look: Callable[[], Awaitable[bool]], within: float, otherwise: str, *, every: float = LOOK_EVERY
) -> None:
    """Raises BenchmarkError, saying `otherwise`, when it does not come true in time."""
    deadline = time.monotonic() + within
    while not await look():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{otherwise} within {within:.0f} s")
        await asyncio.sleep(every)


def samples_of(directory: Path, party: str) -> Path:
    """Where a party that is sampled writes what it counted (`sampling.py`)."""
    return directory / f"{party}.samples"


def _up(directory: Path, samples: Path | None) -> Program:
    return Program(
        *("up", "--port", "0", "--data-dir", str(directory / "data"), "--ready-file", str(directory / "ready.json")),
        log=directory / "server.log",
        samples=samples,
    )
