"""(f) What a limit costs at saturation: the same runs of a job without one and of a job with one, turn by turn."""

from __future__ import annotations

import asyncio
from statistics import median

import orjson

from benchmarks.figures import Figure, Outcome, median_of
from benchmarks.service import BATCH, LOOK_EVERY, Service, eventually, service
from benchmarks.size import Bench
from benchmarks.work import NOOP

TITLE = "limits"
GOAL = 0.9
LIMITS = {
    "maxConcurrent 1,000": {"maxConcurrent": 1_000},
    "rateLimit 1,000,000 a second": {"rateLimit": {"count": 1_000_000, "perSec": 1}},
}
DONE_WITHIN = 120.0
REST = 1.0


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="f", title=TITLE)
    async with service(bench.directory) as under:
        (job,) = (await under.get(f"/jobs?name={NOOP}"))["items"]
        rates: dict[str, list[float]] = {"no limit": [], **{name: [] for name in LIMITS}}
        for number in range(bench.size.rounds):
            for name in rates:
                await _limit(under, job["id"], LIMITS.get(name, {}))
                bench.say(f"round {number + 1} of {bench.size.rounds}: {bench.size.runs} runs, {name}")
                rates[name].append(await _round(under, bench.size.runs))
                await asyncio.sleep(REST)
        outcome.figures += [median_of(f"runs a second, {name}", found, "/s") for name, found in rates.items()]
        outcome.figures += [
            Figure(
                name=f"share of the throughput without a limit, {name}",
                value=median(limited / free for limited, free in zip(rates[name], rates["no limit"], strict=True)),
                at_least=GOAL,
            )
            for name in LIMITS
        ]
    return outcome


async def _limit(under: Service, job_id: str, limits: dict[str, object]) -> None:
    body = {"maxConcurrent": None, "rateLimit": None, **limits}
    (await under.http.patch(f"/jobs/{job_id}", json=body)).raise_for_status()


async def _round(under: Service, count: int) -> float:
    began = await under.now()
    for start in range(0, count, BATCH):
        await under.post_bytes("/runs/batch", orjson.dumps([{"job": NOOP}] * min(BATCH, count - start)))
    await eventually(under.is_idle, DONE_WITHIN, "not all runs have ended", every=LOOK_EVERY)
    await eventually(under.is_told, DONE_WITHIN, "not all events were told", every=LOOK_EVERY)
    seconds = await under.database.fetchval(
        "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 FROM runs WHERE created_at >= $1", began
    )
    return count / float(seconds)
