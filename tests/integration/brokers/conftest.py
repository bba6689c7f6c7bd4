"""Real brokers, started on free ports in directories of their own; tests are skipped where one is not installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import psutil
import pytest
from tests.support.ports import free_port, is_listening
from tests.unit.brokers.parcels import carried

from rota.application.ports.deliveries import Carrier, Delivered, Parcel
from rota.infrastructure.brokers.carrier import BrokerCarrier

DEADLINE = 30.0


class Server:
    """One server process, which the test may kill, freeze and start again; its port and its data stay."""

    def __init__(
        self,
        home: Path,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str] = os.environ,
        *,
        is_ready: Callable[[int], bool] | None = None,
    ) -> None:
        self._home = home
        self._is_ready = is_ready or is_listening
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def start(self) -> None:
        """Returns once it is ready; harmless when it runs."""
        if self._process is None:
            with (self._home / "output").open("ab") as output:
                self._process = subprocess.Popen(
                    self._command, cwd=self._home, env=self._environment, stdout=output, stderr=output
                )
        self._poll(lambda: self._is_ready(self.port))

    def stop(self) -> None:
        """As an operator does it: all that it knows is written down first."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(DEADLINE)
        self._process = None

    def kill(self) -> None:
        """As kill -9 does it, and all that it had started; also a frozen one."""
        if self._process is None:
            return
        for process in self._family():
            with suppress(psutil.NoSuchProcess):  # it went with its parent
                process.kill()
        self._process.wait(DEADLINE)
        self._process = None
        self._poll(lambda: not is_listening(self.port))

    def freeze(self) -> None:
        """Returns once it does nothing more: the signal alone leaves it some instants."""
        for process in self._family():
            process.send_signal(signal.SIGSTOP)
            self._poll(lambda: process.status() == psutil.STATUS_STOPPED)  # noqa: B023  # called at once

    def thaw(self) -> None:
        for process in self._family():
            process.send_signal(signal.SIGCONT)

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def _poll(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not what():
            assert time.monotonic() < end, (self._home / "output").read_text()[-2_000:]
            time.sleep(0.01)


@pytest.fixture(scope="session")
def redis_process() -> Iterator[Server]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    for home in _home():
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "always"]
        server = Server(home, command, port, is_ready=_answers_redis)
        yield server
        server.kill()


@pytest.fixture
def redis_server(redis_process: Server) -> Iterator[Server]:
    redis_process.start()
    yield redis_process


@pytest.fixture(scope="session")
def rabbit_process() -> Iterator[Server]:
    """With a port mapper (epmd) of its own, so that no daemon is left behind."""
    program, mapper = _rabbitmq_server(), shutil.which("epmd")
    if program is None or mapper is None:
        pytest.skip("rabbitmq-server is not installed")
    for home in _home():
        port, mapper_port = free_port(), free_port()
        epmd = Server(home, [mapper, "-port", str(mapper_port), "-address", "127.0.0.1"], mapper_port)
        server = Server(home, [program], port, _rabbitmq_environment(home, port, mapper_port))
        epmd.start()
        yield server
        server.kill()
        epmd.kill()


@pytest.fixture
def rabbit_server(rabbit_process: Server) -> Iterator[Server]:
    rabbit_process.start()
    yield rabbit_process


@pytest.fixture
def rabbit_url(rabbit_server: Server) -> str:
    return f"amqp://guest:guest@127.0.0.1:{rabbit_server.port}/"


@pytest.fixture
def redis_url(redis_server: Server) -> str:
    return f"redis://127.0.0.1:{redis_server.port}/0"


@pytest.fixture
async def carrier_to() -> AsyncIterator[Callable[..., BrokerCarrier]]:
    """A carrier to the brokers given by name; it is closed after the test."""
    carriers: list[BrokerCarrier] = []

    def make(**brokers: str) -> BrokerCarrier:
        carriers.append(BrokerCarrier(brokers))
        return carriers[-1]

    yield make
    for carrier in carriers:
        await carrier.close()


async def delivered_in_time(carrier: Carrier, parcel: Parcel) -> Delivered:
    """Carries the parcel again and again, as retries do, until it is delivered."""
    end = time.monotonic() + DEADLINE
    while True:
        outcome = (await carried(carrier, [parcel]))[parcel.run_id]
        if isinstance(outcome, Delivered):
            return outcome
        assert time.monotonic() < end, outcome
        await asyncio.sleep(0.05)


async def eventually(what: Callable[[], Awaitable[bool]]) -> None:
    """Returns once `what` is true; fails when it is not by the deadline."""
    end = time.monotonic() + DEADLINE
    while not await what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.01)


def _rabbitmq_server() -> str | None:
    """The server's own script: Debian's on PATH changes to a user who may not enter a test's directories."""
    own = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(own) if own.exists() else shutil.which("rabbitmq-server")


def _rabbitmq_environment(home: Path, port: int, mapper_port: int) -> dict[str, str]:
    (home / "plugins").write_text("[].")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapper_port),
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the server, rather than waits for it
        "RABBITMQ_NODENAME": "rota-test@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "environment"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
    }


def _home() -> Iterator[Path]:
    home = Path(mkdtemp(prefix="rota-test-"))
    yield home
    shutil.rmtree(home)


def _answers_redis(port: int) -> bool:
    """It listens before it has read its data."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.2) as link:
            link.sendall(b"PING\r\n")
            return link.recv(100).startswith(b"+PONG")
    except OSError:
        return False
