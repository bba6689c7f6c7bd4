"""(a) Runs asked for over HTTP, carried out by one worker, stored: how many a second, and what each costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import orjson

from benchmarks.figures import Figure, Outcome, cpu_per_run, medians
from benchmarks.profile import Profile
from benchmarks.service import BATCH, LOOK_EVERY, Service, eventually, service
from benchmarks.size import Bench
from benchmarks.usage import used
from benchmarks.work import NOOP

TITLE = "end to end"
GOAL = 3_500
DONE_WITHIN = 120.0
DRAINED_WITHIN = 120.0
REST = 1.0


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="a", title=TITLE)
    profile = Profile(bench.directory, is_wanted=bench.is_profiled)
    await profile.prepare()
    async with service(bench.directory, is_sampled=bench.is_profiled) as under:
        rounds: list[list[Figure]] = []
        await profile.begin(under)
        for number in range(bench.size.rounds):
            bench.say(f"round {number + 1} of {bench.size.rounds}: {bench.size.runs} runs")
            rounds.append(await _round(under, bench.size.runs, outcome))
            await asyncio.sleep(REST)
        await profile.end(under, bench.size.runs * bench.size.rounds)
    outcome.figures, outcome.profile = medians(rounds), profile.tables()
    return outcome


async def _round(under: Service, count: int, outcome: Outcome) -> list[Figure]:
    batches = [orjson.dumps([{"job": NOOP}] * min(BATCH, count - start)) for start in range(0, count, BATCH)]
    before, began, posting = under.meter.cpu(), await under.now(), time.perf_counter()
    for body in batches:
        await under.post_bytes("/runs/batch", body)
    posted = time.perf_counter() - posting
    most = await _watched(under, under.is_idle, DONE_WITHIN, "not all runs have ended")
    lag, ended = await under.lag(), time.perf_counter()
    most = max(most, lag, await _watched(under, under.is_told, DRAINED_WITHIN, "not all events were told"))
    drained, cpu = time.perf_counter() - ended, used(before, under.meter.cpu())
    seconds = await _judge(under, began, count, outcome)
    return [
        Figure(name="runs a second, first accept to last result", value=count / seconds, unit="/s", at_least=GOAL),
        Figure(name="runs a second, accepted", value=count / posted, unit="/s"),
        Figure(name="events not yet told when the last result was stored", value=lag),
        Figure(name="events not yet told, most", value=most),
        Figure(name="until all were told", value=drained, unit="s"),
        *cpu_per_run(cpu, count),
    ]


async def _judge(under: Service, began: datetime, count: int, outcome: Outcome) -> float:
    """Seconds from the first acceptance to the last result."""
    row = await under.database.fetchrow(
        "SELECT min(created_at) AS accepted, max(finished_at) AS stored, count(*) AS made,"
        " count(*) FILTER (WHERE state = 'SUCCEEDED' AND attempt = 1) AS good"
        " FROM runs WHERE created_at >= $1",
        began,
    )
    assert row is not None, "an aggregate without groups answers one row"
    if row["made"] != count:
        outcome.faults.append(f"{row['made']} runs were stored, {count} asked for")
    if row["good"] != row["made"]:
        outcome.faults.append(f"{row['made'] - row['good']} of {row['made']} runs did not succeed at once")
    return float((row["stored"] - row["accepted"]).total_seconds())


async def _watched(under: Service, look: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> int:
    """The greatest lag seen while waiting."""
    most = 0

    async def looked() -> bool:
        nonlocal most
        most = max(most, await under.lag())
        return await look()

    await eventually(looked, within, otherwise, every=LOOK_EVERY)
    return most
