"""(b) Ten thousand one-shot schedules due at one instant: how late the last of them starts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from benchmarks.figures import Figure, Outcome, cpu_per_run, lateness, medians
from benchmarks.processes import BenchmarkError
from benchmarks.profile import Profile
from benchmarks.service import Service, eventually, service
from benchmarks.size import Bench
from benchmarks.usage import used

TITLE = "herd"
GOAL = 2.0
AHEAD = timedelta(seconds=12)
REST = timedelta(seconds=3)
"""Between the end of all that creating causes and the instant."""
BEFORE = timedelta(seconds=0.5)
TRIES = 3
DONE_WITHIN = 60.0


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="b", title=TITLE)
    ahead = AHEAD
    rounds = []
    profile = Profile(bench.directory, is_wanted=bench.is_profiled)
    await profile.prepare()
    async with service(bench.directory, is_sampled=bench.is_profiled) as under:
        for number in range(bench.size.rounds):
            bench.say(f"round {number + 1} of {bench.size.rounds}: {bench.size.runs} schedules for one instant")
            at, ahead = await _set_up(under, bench.size.runs, number, ahead)
            before = under.meter.cpu()
            await profile.begin(under)  # again in each round: the last is what remains
            await asyncio.sleep((at - await under.now()).total_seconds())
            found = await _watch(under, at, bench.size.runs, outcome)
            await profile.end(under, bench.size.runs)
            rounds.append(found + cpu_per_run(used(before, under.meter.cpu()), bench.size.runs))
    outcome.figures, outcome.profile = medians(rounds), profile.tables()
    return outcome


async def _set_up(under: Service, count: int, number: int, ahead: timedelta) -> tuple[datetime, timedelta]:
    """Creates them well ahead of their instant; later next time, if that was not far enough."""
    for attempt in range(TRIES):
        at = (await under.now() + ahead).replace(microsecond=0)
        await under.create_schedules(
            [{"type": "ONE_SHOT", "startAt": at.isoformat()}] * count, f"herd-{number}-{attempt}"
        )
        await eventually(under.is_told, 60.0, "not all events were told")
        left = at - await under.now()
        if left >= REST:
            await asyncio.sleep((left - BEFORE).total_seconds())
            return at, max(AHEAD, ahead - left + REST * 2)
        await asyncio.sleep(max(left.total_seconds(), 0))
        await eventually(under.is_idle, DONE_WITHIN, "not all runs have ended")
        ahead *= 2
    raise BenchmarkError(f"{count} schedules cannot be created ahead of their instant")


async def _watch(under: Service, at: datetime, count: int, outcome: Outcome) -> list[Figure]:
    await asyncio.sleep(0.2)  # the first of them are then decided, so that idle means done
    await eventually(under.is_idle, DONE_WITHIN, "not all runs have ended", every=0.25)
    await eventually(under.is_told, DONE_WITHIN, "not all events were told")
    runs = await under.runs_due(at, at + timedelta(seconds=1))
    if len(runs) != count or len({run["schedule_id"] for run in runs}) != count:
        outcome.faults.append(f"{len(runs)} runs of {count} schedules")
    started = max(run["late_started"] for run in runs)
    finished = max(run["finished_at"] for run in runs) - at
    return [
        Figure(
            name="until the last was begun by the worker", value=max(run["late_begun"] for run in runs) / 1000, unit="s"
        ),
        Figure(name="until the last start was stored", value=started / 1000, unit="s", at_most=GOAL),
        Figure(name="until the last result was stored", value=finished.total_seconds(), unit="s"),
        *lateness(runs),
    ]
