"""(g) A quiet tenant alone, and beside one with a hundred thousand waiting runs: how long its runs wait."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime

import httpx
import orjson

from benchmarks.figures import Figure, Outcome, percentile, spread
from benchmarks.service import BATCH, Service, connected, eventually, service, working
from benchmarks.size import IDLE_PER_RUN, Bench
from benchmarks.work import SLOW, WHEN

TITLE = "fairness"
GOAL = 1.5
QUIET = "quiet"
EACH = 0.05
LEFT_OVER = 0.2
"""The flood must be this far from its end when the quiet tenant has been watched."""

_WAITS = """
    SELECT 1000 * ((result #>> '{}')::float8 - extract(epoch FROM due_at)::float8) AS begun
    FROM runs WHERE tenant_id = 'quiet' AND created_at >= $1 AND state = 'SUCCEEDED'
"""
_WAITING = "SELECT count(*) FROM runs WHERE tenant_id <> 'quiet' AND rank IS NOT NULL"


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="g", title=TITLE)
    flood = bench.size.runs * IDLE_PER_RUN
    async with service(bench.directory) as under:
        url = str(under.http.base_url).removesuffix("/api/v1/").removesuffix("/api/v1")
        token = await _token(bench)
        async with (
            connected(url, token, _database(bench)) as (http, _),
            working(bench.directory, url, token, http, name="quiet-worker"),
        ):
            bench.say(f"the quiet tenant alone, {bench.size.watch_seconds} s")
            alone = await _watch(under, http, bench.size.watch_seconds)
            bench.say(f"another posts {flood} runs")
            await _flood(under, flood)
            waiting = int(await under.database.fetchval(_WAITING) or 0)
            bench.say(f"beside {waiting} waiting runs, {bench.size.watch_seconds} s")
            beside = await _watch(under, http, bench.size.watch_seconds)
            left = int(await under.database.fetchval(_WAITING) or 0)
    if left < flood * LEFT_OVER:
        outcome.faults.append(f"only {left} runs of the flood were left at the end: that was no flood")
    outcome.figures = [
        *spread("begun late by, alone", alone),
        *spread("begun late by, beside a flood", beside),
        Figure(
            name="p99 beside a flood, of p99 alone",
            value=percentile(beside, 0.99) / percentile(alone, 0.99),
            unit="times",
            at_most=GOAL,
        ),
        Figure(name="runs of the flood waiting when it began", value=waiting),
        Figure(name="and when it was over", value=left),
    ]
    return outcome


async def _watch(under: Service, quiet: httpx.AsyncClient, seconds: int) -> Sequence[float]:
    """A run each 50 ms; how late each was begun, in ms."""
    began: datetime = await under.now()
    count = round(seconds / EACH)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(count):
        await asyncio.sleep(max(start + number * EACH - loop.time(), 0))
        (await quiet.post("/runs", json={"job": WHEN})).raise_for_status()

    async def all_over() -> bool:
        return len(await under.database.fetch(_WAITS, began)) == count

    await eventually(all_over, 60.0, "not all runs of the quiet tenant have ended")
    return [float(row["begun"]) for row in await under.database.fetch(_WAITS, began)]


async def _flood(under: Service, count: int) -> None:
    body = orjson.dumps([{"job": SLOW}] * BATCH)
    for _ in range(count // BATCH):
        await under.post_bytes("/runs/batch", body)
    await eventually(under.is_told, 120.0, "not all events were told")


async def _token(bench: Bench) -> str:
    rota = (sys.executable, "-m", "rota.entrypoints.cli")
    wanted = ("--tenant", QUIET, "--scope", "scheduler:admin", "--data-dir", str(bench.directory / "data"))
    made = await asyncio.create_subprocess_exec(*rota, "token", *wanted, stdout=asyncio.subprocess.PIPE)
    told, _ = await made.communicate()
    return told.decode().strip()


def _database(bench: Bench) -> str:
    return str(orjson.loads((bench.directory / "ready.json").read_bytes())["postgresUrl"])
