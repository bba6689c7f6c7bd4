"""What a test run runs on: Postgres, nats-server, two servers of Rota, some workers; each a process of its own."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
from tests.e2e.checker.history import Fault
from tests.e2e.nemesis.process import ROOT, Process, rota_command

from rota.infrastructure.embedded.nats import EmbeddedNats
from rota.infrastructure.embedded.postgres import EmbeddedPostgres

TENANT = "chaos"
ROLES = "api,leader,relay,reports,targets"
START_WITHIN = 60.0
WATCH_EVERY = 0.05
WORKER_END, SERVER_END = 15.0, 5.0
"""Seconds that a process may take from SIGTERM to its end."""
POINT_STOP = (1.0, 4.0)
"""Seconds that a process which stopped itself at a named point is left alone."""
RESTART = (0.3, 1.5)
"""Seconds until one that ended by itself is started again."""
# Below the range of outgoing connections, so that nobody is given a server's port while that is down.
PORTS = range(11_000, 14_900)


class Cluster:
    """`points` is what ROTA_FAULT_POINTS says to the servers as long as the faults last."""

    def __init__(self, directory: Path, *, workers: int = 3, elected: bool = True, points: str = "") -> None:
        self._directory = directory
        self.journals = directory / "journals"
        self.postgres = EmbeddedPostgres(directory / "postgres", settings={"track_commit_timestamp": "on"})
        self.nats = EmbeddedNats(directory / "nats")
        self.elected = elected
        self.points = points
        self.token = ""
        self.servers: list[Process] = []
        self.workers: list[Process] = []
        self.urls: list[str] = []
        self._worker_count = workers

    @property
    def processes(self) -> list[Process]:
        return [*self.servers, *self.workers]

    @property
    def nats_store(self) -> Path:
        return self._directory / "nats" / "jetstream"

    async def start(self) -> None:
        _reachable(self._directory)
        await asyncio.gather(self.postgres.start(), self.nats.start())
        environment = self._environment()
        await asyncio.to_thread(_rota, environment, "migrate")
        self.token = await asyncio.to_thread(
            _rota,
            environment,
            *("token", "--tenant", TENANT, "--scope", "scheduler:admin", "--ttl", "86400"),
            *("--data-dir", str(self._directory)),
        )
        for name, port in zip("ab", _free_ports(2), strict=True):
            self.urls.append(f"http://127.0.0.1:{port}")
            process = Process(
                f"server-{name}",
                ["serve", "--roles", ROLES],
                environment | {"PORT": str(port)},
                self._directory / f"server-{name}.log",
            )
            process.start()
            self.servers.append(process)
        await self.ready()
        for number in range(self._worker_count):
            self._start_worker(number)

    async def stop(self) -> None:
        """Also after half a start."""
        for process in self.processes:
            process.thaw()
            process.kill()
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
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            connection = await asyncpg.connect(self.postgres.url, timeout=2, ssl=False)
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

    def _start_worker(self, number: int) -> None:
        name = f"worker-{number}"
        process = Process(
            name,
            ["worker", "tests.e2e.nemesis.work:worker"],
            {
                "ROTA_URL": self.urls[number % len(self.urls)],
                "ROTA_TOKEN": self.token,
                "NEMESIS_JOURNALS": str(self.journals),
                "NEMESIS_WORKER": name,
                "PYTHONPATH": _python_path(),
            },
            self._directory / f"{name}.log",
        )
        process.start()
        self.workers.append(process)

    def _environment(self) -> dict[str, str]:
        return {
            "POSTGRES_URL": self.postgres.url,
            "NATS_URL": self.nats.url,
            "NATS_PUBLIC_URL": f"nats://127.0.0.1:{self.nats.port}",
            "ROTA_WORKER_NATS_USER": self.nats.worker_user,
            "ROTA_WORKER_NATS_PASSWORD": self.nats.worker_password,
            "ROTA_DATA_DIR": str(self._directory),
            "ROTA_ELECTION": "on" if self.elected else "off",
            "ROTA_FAULT_POINTS": self.points,
            "PYTHONPATH": _python_path(),
        }


class Warden:
    """Starts again what has ended by itself and wakes what has stopped itself, and notes both as faults.

    What the nemesis does itself it announces in `hands_off`.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.faults: list[Fault] = []
        self.hands_off: set[Process] = set()
        self._cluster = cluster
        self._chance = chance

    async def watch(self) -> None:
        """Until cancelled. A fault that is going on at that time is noted as well."""
        async with asyncio.TaskGroup() as tending:
            while True:
                for process in self._cluster.processes:
                    if process not in self.hands_off and (process.is_stopped or not process.is_running):
                        self.hands_off.add(process)
                        tending.create_task(self._tend(process))
                await asyncio.sleep(WATCH_EVERY)

    async def _tend(self, process: Process) -> None:
        began = datetime.now(UTC)
        kind = "stopped_itself" if process.is_stopped else "ended_itself"
        try:
            if process.is_stopped:
                await asyncio.sleep(self._chance.uniform(*POINT_STOP))
                process.thaw()
            else:
                await asyncio.sleep(self._chance.uniform(*RESTART))
                process.start()
                await self.until_back(process)
        finally:
            self.faults.append(Fault(kind, process.name, began, datetime.now(UTC)))
            self.hands_off.discard(process)

    async def until_back(self, process: Process) -> None:
        if process in self._cluster.servers:
            await self._cluster.answers(process, START_WITHIN)


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


def _free_ports(count: int) -> Iterator[int]:
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield port
            count -= 1
        if not count:
            return


assert sys.platform != "win32", "the nemesis stops processes by signals"
