"""(d) A hundred thousand schedules that rest, and ten due each second: what resting ones cost."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from benchmarks.figures import Figure, Outcome
from benchmarks.precision import EACH_SECOND, punctuality, watched
from benchmarks.service import Json, Service, eventually, service
from benchmarks.size import Bench
from benchmarks.usage import used

TITLE = "capacity"
CPU_GOAL = 10.0
MEMORY_GOAL = 300.0
DUE = 10
PORTION = 10_000
TOLD_WITHIN = 600.0
SETTLE = 3.0


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="d", title=TITLE)
    async with service(bench.directory) as under:
        empty = under.meter.memory()
        created = await _fill(under, bench)
        await under.create_schedules([EACH_SECOND] * DUE, "each-second")
        await asyncio.sleep(SETTLE)
        seconds = bench.size.watch_seconds
        bench.say(f"{DUE} due each second beside them, for {seconds} s")
        before, first, last = await watched(under, seconds)
        cpu, memory = used(before, under.meter.cpu()), under.meter.memory()
        goals = {"server": MEMORY_GOAL}
        outcome.figures += [
            Figure(name="schedules that rest", value=bench.size.idle),
            Figure(name="schedules created a second", value=created, unit="/s"),
            *(
                Figure(
                    name=f"CPU of one core, {party}",
                    value=cpu[party] / seconds * 100,
                    unit="%",
                    at_most=CPU_GOAL if party == "server" else None,
                )
                for party in cpu
            ),
            *(
                Figure(name=f"memory (RSS), {party}", value=memory[party].rss, unit="MiB", at_most=goals.get(party))
                for party in memory
                if party != "client"
            ),
            *(
                Figure(name=f"memory (PSS), {party}", value=memory[party].pss, unit="MiB")
                for party in memory
                if party != "client"
            ),
            Figure(name="memory (RSS), server before it had any", value=empty["server"].rss, unit="MiB"),
            *await punctuality(under, first, last, DUE, outcome, p99_at_most=None),
        ]
    return outcome


async def _fill(under: Service, bench: Bench) -> float:
    """How many were created in a second; returns when the bus has been told of all."""
    began, made = time.perf_counter(), 0
    resting = (await under.now()).replace(microsecond=0)
    for start in range(0, bench.size.idle, PORTION):
        count = min(PORTION, bench.size.idle - start)
        await under.create_schedules([_resting(start + number, resting) for number in range(count)], f"idle-{start}")
        made += count
        bench.say(f"{made} of {bench.size.idle} resting schedules created")
    rate = made / (time.perf_counter() - began)
    await eventually(under.is_told, TOLD_WITHIN, "not all events were told")
    return rate


def _resting(number: int, now: datetime) -> Json:
    """Half of them once, in many years; half of them yearly, none within the next weeks, in many expressions."""
    if number % 2:
        at = now.replace(year=now.year + 20, month=1 + number % 12, day=1 + number % 28)
        return {"type": "ONE_SHOT", "startAt": at.isoformat()}
    month = (now.month + 2 + number // 2 % 8) % 12 + 1
    return {"type": "CRON", "cron": f"{number // 16 % 60} {number // 960 % 24} {1 + number // 2 % 28} {month} *"}
