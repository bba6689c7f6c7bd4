"""(e) Two servers, and the leader killed, stopped, or asked to go: the longest silence of schedules due each second."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from benchmarks.figures import Figure, Outcome, median_of
from benchmarks.pair import Pair, pair_of_servers
from benchmarks.precision import EACH_SECOND
from benchmarks.processes import BenchmarkError
from benchmarks.service import Service
from benchmarks.size import Bench

TITLE = "failover"
GOAL = 2.5
HAND_OVER_GOAL = 0.2
SCHEDULES = 10
SETTLE = 3.0
WATCH = 5.0
"""Seconds after the fault in which the schedules have to be on time again."""

FAULTS: Mapping[str, signal.Signals] = {
    "kill -9": signal.SIGKILL,
    "SIGSTOP": signal.SIGSTOP,
    "SIGTERM": signal.SIGTERM,
}


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="e", title=TITLE)
    trials = bench.size.rounds
    async with pair_of_servers(bench.directory) as (pair, under):
        await under.create_schedules([EACH_SECOND] * SCHEDULES, "each-second")
        began = await under.now()
        for name, fault in FAULTS.items():
            found = []
            for number in range(trials):
                bench.say(f"{name} of the leader, {number + 1} of {trials}")
                found.append(await _trial(pair, under, fault, phase=(number + 0.5) / trials))
            gaps, changes = [each.silence for each in found], [each.change for each in found]
            goal = HAND_OVER_GOAL if fault is signal.SIGTERM else None
            outcome.figures += [
                median_of(f"longest silence, {name}, median", gaps, "s"),
                Figure(name=f"longest silence, {name}, worst", value=max(gaps), unit="s", at_most=GOAL),
                median_of(f"to the next leader, {name}, median", changes, "s"),
                Figure(name=f"to the next leader, {name}, worst", value=max(changes), unit="s", at_most=goal),
            ]
        await asyncio.sleep(SETTLE)
        await _judge(under, began, outcome)
    return outcome


class _Trial(NamedTuple):
    """In seconds."""

    silence: float
    """The longest of any schedule."""
    change: float
    """From the fault to the beginning of the next leader's term."""


async def _trial(pair: Pair, under: Service, fault: signal.Signals, phase: float) -> _Trial:
    """`phase` is the part of a second at which the fault comes. In the end both servers run again."""
    await asyncio.sleep(SETTLE)
    leader = await pair.leader(under)
    now = await under.now()
    await asyncio.sleep((phase - now.microsecond / 1e6) % 1.0)
    at = await under.now()
    pair.programs[leader].signal(fault)
    await asyncio.sleep(WATCH)
    if fault is signal.SIGSTOP:
        pair.programs[leader].signal(signal.SIGCONT)
    else:
        await pair.replace(leader)
    await pair.ready()
    next_term = await under.database.fetchval(
        "SELECT min(began_at) FROM lease_terms WHERE name = 'leader' AND began_at > $1", at
    )
    if next_term is None:
        raise BenchmarkError("nobody leads after the fault")
    silence = await _silence(under, at - timedelta(seconds=2), at + timedelta(seconds=WATCH))
    return _Trial(silence, (next_term - at).total_seconds())


async def _silence(under: Service, first: datetime, last: datetime) -> float:
    """The greatest distance between two fires of one schedule, the end of the time included."""
    found: dict[object, list[datetime]] = defaultdict(list)
    rows = await under.database.fetch(
        "SELECT schedule_id, fired_at FROM runs WHERE cause = 'SCHEDULE' AND fired_at BETWEEN $1 AND $2 ORDER BY 2",
        first,
        last,
    )
    for row in rows:
        found[row["schedule_id"]].append(row["fired_at"])
    if len(found) < SCHEDULES:
        raise BenchmarkError(f"{SCHEDULES - len(found)} schedules did not fire at all around the fault")
    return max((b - a).total_seconds() for fires in found.values() for a, b in pairwise([*fires, last]))


async def _judge(under: Service, began: datetime, outcome: Outcome) -> None:
    """Whatever happened, each second has one run of each schedule, or is noted as missed."""
    rows = await under.database.fetch(
        "SELECT count(*) AS runs, count(DISTINCT scheduled_for) AS times,"
        " 1 + extract(epoch FROM max(scheduled_for) - min(scheduled_for))::int AS due"
        " FROM runs WHERE cause = 'SCHEDULE' AND created_at >= $1 GROUP BY schedule_id",
        began,
    )
    misses = await under.database.fetchval("SELECT coalesce(sum(count), 0) FROM misses")
    due, times, runs = (sum(row[name] for row in rows) for name in ("due", "times", "runs"))
    outcome.figures.append(Figure(name="due times", value=due))
    outcome.figures.append(Figure(name="due times that ran", value=times, at_least=due, at_most=due))
    if runs != times:
        outcome.faults.append(f"{runs - times} due times were doubled")
    if times + misses != due:
        outcome.faults.append(f"{due - times} of {due} due times did not run, {misses} misses are noted")
