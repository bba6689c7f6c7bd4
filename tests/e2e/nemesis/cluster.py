"""What a test run runs on: Postgres, nats-server, two servers of Rota, some workers; each a process of its own.

Whatever passes between them passes a proxy.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
from tests.e2e.nemesis.away import AWAY
from tests.e2e.nemesis.links import API, NATS, POSTGRES, Links, free_ports, through
from tests.e2e.nemesis.process import ROOT, Process, rota_command
from tests.e2e.nemesis.receiver import SECRET

from rota.infrastructure.embedded.nats import EmbeddedNats
from rota.infrastructure.embedded.postgres import EmbeddedPostgres

TENANT = "chaos"
ROLES = "api,leader,relay,reports,targets"
START_WITHIN = 60.0
WORKER_END, SERVER_END = 15.0, 15.0
"""Seconds that a process may take from SIGTERM to its end; what it took is told in the report."""
MAX_CONNECTIONS = 60
"""Of Postgres: few, so that they can be used up."""
SETTINGS = {"track_commit_timestamp": "on", "max_connections": str(MAX_CONNECTIONS)}


class Cluster:
    """`points` is what ROTA_FAULT_POINTS says to the servers as long as the faults last, beside their order files.

    `urls` are the servers' own addresses, `api_urls` the same by way of the clients' links.
    """

    def __init__(self, directory: Path, *, workers: int = 3, elected: bool = True, points: str = "") -> None:
        self.directory = directory
        self.journals = directory / "journals"
        self.postgres = EmbeddedPostgres(directory / "postgres", settings=SETTINGS)
        self.nats = EmbeddedNats(directory / "nats")
        self.elected = elected
        self.points = points
        self.token = ""
        self.servers: list[Process] = []
        self.workers: list[Process] = []
        self.urls: list[str] = []
        self.api_urls: list[str] = []
        self.links = Links()
        self._worker_count = workers

    @property
    def processes(self) -> list[Process]:
        return [*self.servers, *self.workers]

    @property
    def nats_store(self) -> Path:
        return self.directory / "nats" / "jetstream"

    async def start(self) -> None:
        """All but the workers: what they find there already, they do not make."""
        _reachable(self.directory)
        await asyncio.gather(self.postgres.start(), self.nats.start())
        environment = self._environment(self.postgres.url, self.nats.url)
        await asyncio.to_thread(_rota, environment, "migrate")
        self.token = await asyncio.to_thread(
            _rota,
            environment,
            *("token", "--tenant", TENANT, "--scope", "scheduler:admin", "--ttl", "86400"),
            *("--data-dir", str(self.directory)),
        )
        workers_port = await self.links.lead_many_to(NATS, lambda: self.nats.port, lambda: self.workers)
        for name in ("server-a", "server-b"):
            await self._start_server(name, workers_port)
        await self.ready()

    def start_workers(self) -> None:
        for number in range(self._worker_count):
            self._start_worker(number)

    async def stop(self) -> None:
        """Also after half a start."""
        for process in self.processes:
            process.thaw()
            process.kill()
        await self.links.close()
        await self.nats.stop()
        await self.postgres.stop()

    async def ready(self, within: float = START_WITHIN) -> None:
        """Returns once both servers say so. Raises RuntimeError with the end of a log."""
        async with asyncio.TaskGroup() as waiting:
            for server, url in zip(self.servers, self.urls, strict=True):
                waiting.create_task(_wait_for(server, f"{url}/ready", within))

    async def answers(self, server: Process, within: float) -> bool:
        url = self.urls[self.servers.index(server)]
        with suppress(RuntimeError):
            await _wait_for(server, f"{url}/ready", within)
            return True
        return False

    async def leader(self) -> Process | None:
        """Whose pid the lease names; None where that is no living server of ours."""
        with suppress(*AWAY):
            connection = await asyncpg.connect(self.postgres.url, timeout=2, command_timeout=2, ssl=False)
            holder = await connection.fetchval("SELECT holder FROM leases WHERE name = 'leader'")
            await connection.close()
            pids = (holder or "").split(":")
            return next((server for server in self.servers if str(server.pid) in pids), None)
        return None

    async def end(self) -> list[str]:
        """Asks all processes to end, the workers first; answers what was wrong with that."""
        wrong = await asyncio.gather(*(worker.end(WORKER_END) for worker in self.workers))
        wrong += await asyncio.gather(*(server.end(SERVER_END) for server in self.servers))
        return [each for each in wrong if each]

    def order_of(self, process: Process) -> Path:
        """What stands in this file is done at a named point: see `rota.entrypoints.faults`."""
        return self.directory / f"{process.name}.order"

    def log_of(self, process: Process) -> Path:
        return self.directory / f"{process.name}.log"

    async def _start_server(self, name: str, workers_port: int) -> None:
        port = next(free_ports(1))
        postgres = await self.links.lead_to(POSTGRES, name, POSTGRES, lambda: self.postgres.port)
        nats = await self.links.lead_to(NATS, name, NATS, lambda: self.nats.port)
        api = await self.links.lead_to(API, "client", name, lambda: port)
        self.urls.append(f"http://127.0.0.1:{port}")
        self.api_urls.append(f"http://127.0.0.1:{api}")
        own = {"PORT": str(port), "NATS_PUBLIC_URL": f"nats://127.0.0.1:{workers_port}"}
        environment = self._environment(through(self.postgres.url, postgres), through(self.nats.url, nats)) | own
        process = Process(name, ["serve", "--roles", ROLES], environment, self.directory / f"{name}.log")
        process.start(ROTA_FAULT_POINTS=",".join(filter(None, [f"@{self.order_of(process)}", self.points])))
        self.servers.append(process)

    def _start_worker(self, number: int) -> None:
        name = f"worker-{number}"
        process = Process(
            name,
            ["worker", "tests.e2e.nemesis.work:worker"],
            {
                "ROTA_URL": self.api_urls[number % len(self.api_urls)],
                "ROTA_TOKEN": self.token,
                "NEMESIS_JOURNALS": str(self.journals),
                "NEMESIS_WORKER": name,
                "NEMESIS_MONOTONIC_ZERO": repr(time.time() - time.monotonic()),
                "PYTHONPATH": _python_path(),
            },
            self.directory / f"{name}.log",
        )
        process.start(NEMESIS_POINTS=f"@{self.order_of(process)}")
        self.workers.append(process)

    def _environment(self, postgres_url: str, nats_url: str) -> dict[str, str]:
        return {
            "POSTGRES_URL": postgres_url,
            "NATS_URL": nats_url,
            "ROTA_WORKER_NATS_USER": self.nats.worker_user,
            "ROTA_WORKER_NATS_PASSWORD": self.nats.worker_password,
            "ROTA_DATA_DIR": str(self.directory),
            "ROTA_WEBHOOKS_TO_PRIVATE": "true",
            "WEBHOOK_HMAC_SECRET": SECRET,
            "ROTA_ELECTION": "on" if self.elected else "off",
            "PYTHONPATH": _python_path(),
        }


async def _wait_for(server: Process, url: str, within: float) -> None:
    deadline = asyncio.get_running_loop().time() + within
    async with httpx.AsyncClient(timeout=2) as client:
        while asyncio.get_running_loop().time() < deadline:
            with suppress(httpx.TransportError):
                if (await client.get(url)).status_code == 200:
                    return
            if not server.is_running:
                raise RuntimeError(f"{server.name} has ended: {server.tail()}")
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{server.name} is not ready: {server.tail()}")


def _rota(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*rota_command(), *arguments],
        env=os.environ | environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"rota {arguments[0]} failed: {done.stderr[-2000:]}")
    return done.stdout.strip()


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), str(ROOT / "lib"), *filter(None, [os.environ.get("PYTHONPATH")])])


def _reachable(directory: Path) -> None:
    """Postgres refuses root, so as root it runs as another user, who must be able to pass through to its files."""
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for each in (directory, *directory.parents):
            if each.stat().st_uid == 0 and each.stat().st_mode & 0o001 == 0:
                each.chmod(each.stat().st_mode | 0o011)


assert sys.platform != "win32", "the nemesis stops processes by signals"
