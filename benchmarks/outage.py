"""(i) An hour without a leader: how soon every minutely schedule is decided, and how fast its late runs come."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from benchmarks.figures import Figure, Outcome
from benchmarks.pair import Pair, pair_of_servers
from benchmarks.processes import BenchmarkError
from benchmarks.service import BATCH, Service, eventually
from benchmarks.size import Bench

TITLE = "outage"
POLICIES = ("FIRE_ALL", "FIRE_ONCE", "SKIP")
AWAY = timedelta(hours=1)
HOUR_OF_MINUTES = 60
JOB = "outage.nobody-does-it"
DECIDED_WITHIN = 60.0
DECIDED_GOAL = 10.0
MADE_GOAL = 5_000.0
"""Runs a second."""
WATCH = 20.0
"""Seconds in which the runs of FIRE_ALL are counted, or until all are made."""

_BACK = """
    UPDATE schedules SET created_at = created_at - away, updated_at = updated_at - away, decided_to = decided_to - away,
        armed_from = armed_from - away, next_scheduled_for = next_scheduled_for - away, next_due = next_due - away
    FROM (SELECT $1::interval) AS past (away)
"""
_UNDECIDED = "SELECT EXISTS (SELECT FROM schedules WHERE enabled AND next_due < $1)"
_MADE = "SELECT count(*) FROM runs WHERE cause = 'SCHEDULE' AND scheduled_for < $1"
_LEFT = "SELECT EXISTS (SELECT FROM catchups)"
# What each schedule's due times before the leader's return have become: runs, misses, or set aside for later.
_ACCOUNTED = """
    SELECT s.definition::jsonb #>> '{misfire,policy}' AS policy,
        avg(r.count + m.count + c.count)::float8 AS accounted, min(r.count + m.count + c.count)::float8 AS least
    FROM schedules s,
        LATERAL (SELECT count(*) FROM runs r WHERE r.tenant_id = s.tenant_id AND r.schedule_id = s.id
            AND r.cause = 'SCHEDULE' AND r.scheduled_for < $1) r,
        LATERAL (SELECT coalesce(sum(m.count), 0) AS count FROM misses m
            WHERE m.tenant_id = s.tenant_id AND m.schedule_id = s.id) m,
        LATERAL (
            SELECT coalesce(sum(c.count - coalesce(extract(epoch FROM c.made_to - c.first) / 60 + 1, 0)), 0) AS count
            FROM catchups c WHERE c.tenant_id = s.tenant_id AND c.schedule_id = s.id) c
    GROUP BY 1
"""


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="i", title=TITLE)
    async with pair_of_servers(bench.directory) as (pair, under):
        await _set_up(bench, under)
        bench.say("the servers end, and an hour passes")
        for program in pair.programs.values():
            await program.end()
        await under.database.execute(_BACK, AWAY)
        returned = await under.now()
        pair.start()
        began = await _leads(pair, under)

        async def is_decided() -> bool:
            return not await under.database.fetchval(_UNDECIDED, returned)

        await eventually(is_decided, DECIDED_WITHIN, "not all schedules are decided")
        decided = await under.now()
        outcome.figures.append(
            Figure(
                name="from the leader's return until all is decided",
                value=(decided - began).total_seconds(),
                unit="s",
                at_most=DECIDED_GOAL,
            )
        )
        before = await under.database.fetchval(_MADE, returned)
        bench.say(f"all is decided; {before} runs are made by now")
        await _count_runs(under, before, decided, returned, outcome)
        await _judge(under, returned, outcome)
    return outcome


async def _set_up(bench: Bench, under: Service) -> None:
    await under.post("/jobs", {"name": JOB})
    for policy in POLICIES:
        bench.say(f"{bench.size.runs} minutely schedules of {policy}")
        for start in range(0, bench.size.runs, BATCH):
            numbers = range(start, min(start + BATCH, bench.size.runs))
            await under.post("/schedules/batch", [_schedule(policy, number) for number in numbers])
    await eventually(under.is_told, 120.0, "not all events were told")


def _schedule(policy: str, number: int) -> dict[str, object]:
    return {
        "name": f"{policy}-{number}",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "* * * * *"},
        "misfire": {"policy": policy, "graceSec": 0},
        "target": {"kind": "JOB", "job": JOB},
    }


async def _leads(pair: Pair, under: Service) -> datetime:
    """When the new leader's term began."""
    await pair.leader(under)
    began: datetime = await under.database.fetchval("SELECT max(began_at) FROM lease_terms WHERE name = 'leader'")
    return began


async def _count_runs(under: Service, before: int, decided: datetime, returned: datetime, outcome: Outcome) -> None:
    made = before
    async with asyncio.timeout(WATCH * 3):
        while await under.database.fetchval(_LEFT):
            now = await under.now()
            made = await under.database.fetchval(_MADE, returned)
            if (now - decided).total_seconds() >= WATCH:
                break
            await asyncio.sleep(0.25)
        else:
            now, made = await under.now(), await under.database.fetchval(_MADE, returned)
    seconds = (now - decided).total_seconds()
    outcome.figures += [
        Figure(name="runs of FIRE_ALL made after that", value=made - before),
        Figure(name="runs made a second", value=(made - before) / max(seconds, 0.01), unit="/s", at_least=MADE_GOAL),
    ]


async def _judge(under: Service, returned: datetime, outcome: Outcome) -> None:
    """Every due time of the hour is a run, within a miss, or set aside for a run."""
    rows = await under.database.fetch(_ACCOUNTED, returned)
    if len(rows) != len(POLICIES):
        raise BenchmarkError("not all policies are there")
    for row in rows:
        outcome.figures.append(Figure(name=f"due times of a schedule, {row['policy']}", value=row["accounted"]))
        if row["least"] < HOUR_OF_MINUTES:
            outcome.faults.append(f"a schedule of {row['policy']} has only {row['least']:.0f} due times on record")
