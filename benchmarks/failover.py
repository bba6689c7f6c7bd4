"""(e) Two servers, and the leader killed, stopped, or asked to go: the longest silence of schedules due each second."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import httpx

from benchmarks.figures import Figure, Outcome, median_of
from benchmarks.precision import EACH_SECOND
from benchmarks.processes import ROOT, BenchmarkError, Program
from benchmarks.service import STARTS_WITHIN, Service, connected, eventually, working
from benchmarks.size import Bench
from benchmarks.usage import Meter
from rota.entrypoints.bootstrap.embedded import SYNC_INTERVAL
from rota.infrastructure.embedded.servers import EmbeddedServers

TITLE = "failover"
GOAL = 2.5
HAND_OVER_GOAL = 0.2
SCHEDULES = 10
SETTLE = 3.0
WATCH = 5.0
"""Seconds after the fault in which the schedules have to be on time again."""
PORTS = range(11_000, 14_900)  # below the range of outgoing connections, so that a restarted server finds its port free

FAULTS: Mapping[str, signal.Signals] = {
    "kill -9": signal.SIGKILL,
    "SIGSTOP": signal.SIGSTOP,
    "SIGTERM": signal.SIGTERM,
}


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="e", title=TITLE)
    trials = bench.size.rounds
    async with _pair(bench.directory) as (pair, under):
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


async def _trial(pair: _Pair, under: Service, fault: signal.Signals, phase: float) -> _Trial:
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


@dataclass(slots=True)
class _Pair:
    """Two servers of Rota on one database and one bus."""

    directory: Path
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    programs: dict[int, Program]
    """By port."""

    def start(self) -> None:
        for port in self.ports:
            self.programs[port] = self._program(port)

    async def stop(self) -> None:
        await asyncio.gather(*(program.end() for program in self.programs.values()))

    async def replace(self, port: int) -> None:
        await self.programs[port].end()
        self.programs[port] = self._program(port)

    async def ready(self) -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:

            async def are_ready() -> bool:
                for port, program in self.programs.items():
                    if not program.is_running:
                        raise BenchmarkError(f"a server has ended:\n{program.tail()}")
                    with suppress(httpx.TransportError):
                        if (await http.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                            continue
                    return False
                return True

            await eventually(are_ready, STARTS_WITHIN, "not both servers are ready")

    async def leader(self, under: Service) -> int:
        """Its port. Raises BenchmarkError when nobody of ours leads for long."""
        found: list[int] = []

        async def is_known() -> bool:
            holder = await under.database.fetchval(
                "SELECT holder FROM leases WHERE name = 'leader' AND expires_at > clock_timestamp()"
            )
            pid = (holder or "").split(":")[-2:-1]
            found[:] = [port for port, program in self.programs.items() if pid == [str(program.pid)]]
            return bool(found)

        await eventually(is_known, 10.0, "nobody leads")
        return found[0]

    def _program(self, port: int) -> Program:
        return Program(
            "serve", log=self.directory / f"server-{port}.log", environment={**self.environment, "PORT": str(port)}
        )


@asynccontextmanager
async def _pair(directory: Path) -> AsyncIterator[tuple[_Pair, Service]]:
    async with EmbeddedServers(directory / "data", sync_interval=SYNC_INTERVAL) as servers:
        environment = _environment(servers, directory)
        await _rota(environment, "migrate")
        scope = ("--scope", "scheduler:admin", "--data-dir", str(directory))
        token = (await _rota(environment, "token", "--tenant", "default", *scope)).strip()
        pair = _Pair(directory, environment, _free_ports(2), {})
        try:
            pair.start()
            await pair.ready()
            url = f"http://127.0.0.1:{pair.ports[0]}"
            async with (
                connected(url, token, servers.postgres.url) as (http, database),
                working(directory, url, token, http),
            ):
                yield pair, Service(http, database, _meter(servers))
        finally:
            await pair.stop()


def _environment(servers: EmbeddedServers, directory: Path) -> dict[str, str]:
    return {
        "POSTGRES_URL": servers.postgres.url,
        "NATS_URL": servers.nats.url,
        "NATS_PUBLIC_URL": f"nats://127.0.0.1:{servers.nats.port}",
        "ROTA_WORKER_NATS_USER": servers.nats.worker_user,
        "ROTA_WORKER_NATS_PASSWORD": servers.nats.worker_password,
        "ROTA_DATA_DIR": str(directory),
    }


def _meter(servers: EmbeddedServers) -> Meter:
    pids = {"postgres": servers.postgres.pid, "nats": servers.nats.pid, "client": os.getpid()}
    return Meter({name: pid for name, pid in pids.items() if pid is not None})


async def _rota(environment: Mapping[str, str], *arguments: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "rota.entrypoints.cli", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"rota {arguments[0]} failed: {done.stderr[-1000:]}")
    return done.stdout


def _free_ports(count: int) -> tuple[int, ...]:
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return tuple(found)
