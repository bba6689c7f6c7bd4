"""Two servers of Rota on one database and one bus, either of which may go and come back."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.processes import ROOT, BenchmarkError, Program
from benchmarks.service import STARTS_WITHIN, Service, connected, eventually, working
from benchmarks.usage import Meter
from rota.entrypoints.bootstrap.embedded import SYNC_INTERVAL
from rota.infrastructure.embedded.servers import EmbeddedServers

PORTS = range(11_000, 14_900)  # below the range of outgoing connections, so that a restarted server finds its port free


@dataclass(slots=True)
class Pair:
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
async def pair_of_servers(directory: Path) -> AsyncIterator[tuple[Pair, Service]]:
    async with EmbeddedServers(directory / "data", sync_interval=SYNC_INTERVAL) as servers:
        environment = _environment(servers, directory)
        await _rota(environment, "migrate")
        scope = ("--scope", "scheduler:admin", "--data-dir", str(directory))
        token = (await _rota(environment, "token", "--tenant", "default", *scope)).strip()
        pair = Pair(directory, environment, _free_ports(2), {})
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
