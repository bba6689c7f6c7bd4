"""(a) Runs asked for over HTTP, carried out by one worker, stored: how many a second, and what each costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from benchmarks import profile
from benchmarks.figures import Figure, Outcome, medians
from benchmarks.service import BATCH, LOOK_EVERY, Service, eventually, service
from benchmarks.size import Bench
from benchmarks.usage import used
from benchmarks.work import NOOP

TITLE = "end to end"
GOAL = 3_500
DONE_WITHIN = 120.0
DRAINED_WITHIN = 120.0
REST = 1.0


@dataclass(slots=True)
class _Round:
    figures: list[Figure]
    faults: list[str]


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="a", title=TITLE)
    postgres = await profile.prepare(bench.directory) if bench.is_profiled else None
    async with service(bench.directory, samples=bench.is_profiled) as under:
        rounds = []
        for number in range(bench.size.rounds):
            bench.say(f"round {number + 1} of {bench.size.rounds}: {bench.size.runs} runs")
            is_sampled = bench.is_profiled and number == bench.size.rounds - 1  # by then everything is warm
            found = await _round(under, bench.size.runs, profile.toggle(under) if is_sampled else None)
            rounds.append(found.figures)
            outcome.faults += found.faults
            await asyncio.sleep(REST)
        if postgres is not None:
            outcome.profile.append(await postgres.read(under.database, bench.size.runs * bench.size.rounds))
    outcome.figures = medians(rounds)
    if bench.is_profiled:
        costs = {figure.name: figure.samples[-1] if figure.samples else figure.value for figure in outcome.figures}
        for party in ("server", "worker"):
            outcome.profile.append(
                profile.read(bench.directory / f"{party}.samples", party, costs[f"CPU per run, {party}"])
            )
    return outcome


async def _round(under: Service, count: int, toggle: Callable[[], None] | None) -> _Round:
    batches = [orjson.dumps([{"job": NOOP}] * min(BATCH, count - start)) for start in range(0, count, BATCH)]
    if toggle:
        toggle()
    before, began = under.meter.cpu(), await under.now()
    ids: list[str] = []
    posting = time.perf_counter()
    for body in batches:
        answer = await under.post_bytes("/runs/batch", body)
        ids += [item["id"] for item in answer["items"]]
    posted = time.perf_counter() - posting
    most_lag = await _watched(under, under.is_idle, DONE_WITHIN, "not all runs have ended")
    lag, ended = await under.lag(), time.perf_counter()
    most_lag = max(most_lag, lag, await _watched(under, under.is_told, DRAINED_WITHIN, "not all events were told"))
    drained = time.perf_counter() - ended
    cpu = used(before, under.meter.cpu())
    if toggle:
        toggle()
    row = await under.database.fetchrow(
        "SELECT min(created_at) AS accepted, max(finished_at) AS stored,"
        " count(*) FILTER (WHERE state = 'SUCCEEDED' AND attempt = 1) AS good,"
        " (SELECT count(*) FROM runs WHERE created_at >= $2) AS made"
        " FROM runs WHERE tenant_id = 'default' AND id = ANY($1::uuid[])",
        ids,
        began,
    )
    assert row is not None, "an aggregate without groups answers one row"
    seconds = (row["stored"] - row["accepted"]).total_seconds()
    figures = [
        Figure(name="runs a second, first accept to last result", value=count / seconds, unit="/s", at_least=GOAL),
        Figure(name="runs a second, accepted", value=count / posted, unit="/s"),
        Figure(name="events not yet told when the last result was stored", value=lag),
        Figure(name="events not yet told, most", value=most_lag),
        Figure(name="until all were told", value=drained, unit="s"),
        Figure(name="CPU per run, all", value=sum(cpu.values()) / count * 1e6, unit="µs"),
        *(Figure(name=f"CPU per run, {party}", value=cpu[party] / count * 1e6, unit="µs") for party in cpu),
    ]
    faults = [] if row["good"] == count else [f"{count - row['good']} of {count} runs did not succeed at once"]
    faults += [] if row["made"] == count else [f"{row['made']} runs were stored, {count} asked for"]
    return _Round(figures, faults)


async def _watched(under: Service, look: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> int:
    """The greatest lag seen while waiting."""
    most = 0

    async def looked() -> bool:
        nonlocal most
        most = max(most, await under.lag())
        return await look()

    await eventually(looked, within, otherwise, every=LOOK_EVERY)
    return most
