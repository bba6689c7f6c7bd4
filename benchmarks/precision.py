"""(c) A hundred schedules each second, for a minute: how late they fire and start."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from benchmarks.figures import Figure, Outcome, lateness
from benchmarks.profile import Profile
from benchmarks.service import Service, eventually, service
from benchmarks.size import Bench
from benchmarks.usage import used

TITLE = "precision"
GOAL = 40.0
SCHEDULES = 100
WARM_UP = timedelta(seconds=3)
EACH_SECOND = {"type": "CRON", "cron": "* * * * * *"}


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="c", title=TITLE)
    profile = Profile(bench.directory, is_wanted=bench.is_profiled)
    await profile.prepare()
    async with service(bench.directory, is_sampled=bench.is_profiled) as under:
        await under.create_schedules([EACH_SECOND] * SCHEDULES, "each-second")
        seconds = bench.size.precision_seconds
        bench.say(f"{SCHEDULES} schedules each second, for {seconds} s")
        await profile.begin(under)
        before, first, last = await watched(under, seconds)
        cpu = used(before, under.meter.cpu())
        await profile.end(under, SCHEDULES * seconds)
        outcome.figures += [
            *await punctuality(under, first, last, SCHEDULES, outcome, p99_at_most=GOAL),
            *(Figure(name=f"CPU of one core, {party}", value=cpu[party] / seconds * 100, unit="%") for party in cpu),
        ]
    outcome.profile = profile.tables()
    return outcome


async def watched(under: Service, seconds: int) -> tuple[dict[str, float], datetime, datetime]:
    """Lets whole seconds pass, after a warm-up: the CPU seconds at their beginning, the first second, and their end."""
    first = (await under.now() + WARM_UP).replace(microsecond=0)
    last = first + timedelta(seconds=seconds)
    await asyncio.sleep((first - await under.now()).total_seconds() - 0.5)
    before = under.meter.cpu()
    await asyncio.sleep((last - await under.now()).total_seconds() - 0.5)
    return before, first, last


async def punctuality(
    under: Service, first: datetime, last: datetime, schedules: int, outcome: Outcome, *, p99_at_most: float | None
) -> list[Figure]:
    """Of schedules that are due each second in [first, last). What is doubled or missing is a fault."""

    async def all_over() -> bool:
        return await under.now() > last + timedelta(seconds=1)

    await eventually(all_over, 30.0, "time stands still")
    runs = await under.runs_due(first, last)
    expected = schedules * round((last - first).total_seconds())
    due_times = {(run["schedule_id"], run["scheduled_for"]) for run in runs}
    misses = await under.database.fetchval("SELECT coalesce(sum(count), 0) FROM misses")
    if len(runs) != len(due_times):
        outcome.faults.append(f"{len(runs) - len(due_times)} due times were doubled")
    if len(due_times) != expected:
        outcome.faults.append(f"{len(due_times)} due times ran, {expected} were expected ({misses} misses are noted)")
    late = sum(run["late_started"] is None for run in runs)
    if late:
        outcome.faults.append(f"{late} runs had not started a second later")
    return [
        Figure(name="due times that ran", value=len(runs), at_least=expected, at_most=expected),
        *lateness(runs, fired_p99_at_most=p99_at_most),
    ]
